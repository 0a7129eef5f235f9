/* SPDX-License-Identifier: MIT */
/*
 * tls_none.c - a library that was built without OpenSSL
 *
 * There is never a context, so that nothing else can be reached.
 */
#include "base/error.h"

#include <aio/tls.h>

static int missing(void)
{
    return aio_raise(AIO_ENOTIMPLEMENTED, "built without OpenSSL");
}

aio_tls_context *aio_tls_context_new(aio_tls_side side)
{
    (void)side;
    return aio__failed(missing());
}

aio_tls_context *aio_tls_context_ref(aio_tls_context *context)
{
    return context;
}

void aio_tls_context_unref(aio_tls_context *context)
{
    (void)context;
}

int aio_tls_context_load_cert_chain(aio_tls_context *context, const char *cert_file,
                                    const char *key_file)
{
    (void)context;
    (void)cert_file;
    (void)key_file;
    return missing();
}

int aio_tls_context_load_verify_locations(aio_tls_context *context, const char *ca_file,
                                          const char *ca_dir)
{
    (void)context;
    (void)ca_file;
    (void)ca_dir;
    return missing();
}

int aio_tls_context_set_verify(aio_tls_context *context, aio_tls_verify verify)
{
    (void)context;
    (void)verify;
    return missing();
}

void aio_tls_context_set_check_hostname(aio_tls_context *context, bool check)
{
    (void)context;
    (void)check;
}

int aio_tls_context_set_alpn_protocols(aio_tls_context *context, const char *const *protocols,
                                       size_t count)
{
    (void)context;
    (void)protocols;
    (void)count;
    return missing();
}

int aio_tls_context_set_minimum_version(aio_tls_context *context, aio_tls_version version)
{
    (void)context;
    (void)version;
    return missing();
}

void aio_tls_context_set_sni_callback(aio_tls_context *context, aio_tls_sni_fn fn, void *arg)
{
    (void)context;
    (void)fn;
    (void)arg;
}

void *aio_tls_context_native(aio_tls_context *context)
{
    (void)context;
    return NULL;
}

int aio_loop_start_tls(aio_loop *loop, aio_transport *transport, aio_protocol *protocol,
                       aio_tls_context *context, const aio_tls_options *options,
                       aio_transport **ret_transport)
{
    (void)loop;
    (void)transport;
    (void)protocol;
    (void)context;
    (void)options;
    (void)ret_transport;
    return missing();
}

aio_protocol *aio_tls_protocol_new(aio_loop *loop, aio_protocol *protocol, aio_tls_context *context,
                                   const aio_tls_options *options)
{
    (void)loop;
    (void)protocol;
    (void)context;
    (void)options;
    return aio__failed(missing());
}

const char *aio_tls_selected_alpn_protocol(const aio_transport *transport)
{
    (void)transport;
    return NULL;
}
