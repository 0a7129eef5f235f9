/* SPDX-License-Identifier: MIT */
/*
 * tls_none.c - a library that was built without OpenSSL
 *
 * There is no context but the default one, and that one every call refuses.
 */
#include "base/error.h"
#include "net/net_internal.h"
#include "net/secure.h"

struct aio_tls_context {
    int nothing;
};

static int missing(void)
{
    return aio_raise(AIO_ENOTIMPLEMENTED, "built without OpenSSL");
}

aio_tls_context *aio_tls_context_new(aio_tls_side side)
{
    (void)side;
    return aio__failed(missing());
}

aio_tls_context *aio_tls_context_default(void)
{
    static struct aio_tls_context context;

    return &context;
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

int aio_tls_context_set_password(aio_tls_context *context, const char *password)
{
    (void)context;
    (void)password;
    return missing();
}

int aio_tls_context_load_verify_data(aio_tls_context *context, const void *data, size_t size)
{
    (void)context;
    (void)data;
    (void)size;
    return missing();
}

int aio_tls_context_set_verify_flags(aio_tls_context *context, unsigned flags)
{
    (void)context;
    (void)flags;
    return missing();
}

int aio_tls_context_set_maximum_version(aio_tls_context *context, aio_tls_version version)
{
    (void)context;
    (void)version;
    return missing();
}

int aio_tls_context_set_ciphers(aio_tls_context *context, const char *ciphers)
{
    (void)context;
    (void)ciphers;
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

/* --- sessions --------------------------------------------------------------------------- */

aio_tls_session *aio_tls_get_session(const aio_transport *transport)
{
    (void)transport;
    return aio__failed(missing());
}

aio_tls_session *aio_tls_session_ref(aio_tls_session *session)
{
    return session;
}

void aio_tls_session_unref(aio_tls_session *session)
{
    (void)session;
}

bool aio_tls_session_is_resumable(const aio_tls_session *session)
{
    (void)session;
    return false;
}

bool aio_tls_session_reused(const aio_transport *transport)
{
    (void)transport;
    return false;
}

/* --- limits ----------------------------------------------------------------------------- */

int aio_transport_set_read_buffer_limits(aio_transport *transport, size_t high, size_t low)
{
    (void)transport;
    (void)high;
    (void)low;
    return missing();
}

void aio_transport_get_read_buffer_limits(const aio_transport *transport, size_t *ret_high,
                                          size_t *ret_low)
{
    (void)transport;
    if (ret_high != NULL)
        *ret_high = 0;
    if (ret_low != NULL)
        *ret_low = 0;
}

size_t aio_transport_get_read_buffer_size(const aio_transport *transport)
{
    (void)transport;
    return 0;
}

/* --- for our own ------------------------------------------------------------------------ */

aio_tls_side aio__tls_side(const aio_tls_context *context)
{
    (void)context;
    return AIO_TLS_CLIENT;
}

int aio__tls_check(const aio_tls_context *context, aio_tls_side side)
{
    (void)context;
    (void)side;
    return missing();
}

int aio__tls_check_session(const struct aio__secure *secure)
{
    (void)secure;
    return 0; /* there is none */
}

int aio__tls_wrap(aio_loop *loop, aio_protocol *app, const struct aio__secure *secure,
                  aio_future *waiter, aio_protocol **ret_below, aio_transport **ret_above)
{
    (void)loop;
    (void)app;
    (void)secure;
    (void)waiter;
    (void)ret_below;
    (void)ret_above;
    return missing();
}

int aio__tls_upgrade(aio_loop *loop, aio_transport *transport, aio_protocol *protocol,
                     const struct aio__secure *secure, const aio_buffer *early,
                     aio_transport **ret_transport)
{
    (void)loop;
    (void)transport;
    (void)protocol;
    (void)secure;
    (void)early;
    (void)ret_transport;
    return missing();
}

void aio__tls_unshare(struct aio__tls_shared *shared)
{
    (void)shared;
}
