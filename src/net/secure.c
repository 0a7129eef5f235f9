/* SPDX-License-Identifier: MIT */
/*
 * secure.c - whether a call's options make sense for TLS
 */
#include "net/secure.h"

#include <math.h>

static int only_with_tls(const char *name)
{
    return aio_raise(AIO_EVALUE, "%s is only meaningful with ssl", name);
}

static int check_timeout(const char *name, double seconds)
{
    if (isnan(seconds) || seconds < 0)
        return aio_raise(AIO_EVALUE, "%s should be a positive number, got %g", name, seconds);
    return 0;
}

static int check_plain(const struct aio__secure *secure)
{
    if (secure->hostname != NULL)
        return only_with_tls("server_hostname");
    if (secure->session != NULL)
        return only_with_tls("ssl_session");
    if (secure->handshake_timeout != 0)
        return only_with_tls("ssl_handshake_timeout");
    if (secure->shutdown_timeout != 0)
        return only_with_tls("ssl_shutdown_timeout");
    return 0;
}

int aio__secure_check(const struct aio__secure *secure, aio_tls_side side)
{
    int err;

    if (secure->context == NULL)
        return check_plain(secure);
    err = check_timeout("ssl_handshake_timeout", secure->handshake_timeout);
    if (err == 0)
        err = check_timeout("ssl_shutdown_timeout", secure->shutdown_timeout);
    return err < 0 ? err : aio__tls_check(secure->context, side);
}

int aio__secure_read(struct aio__secure *secure, aio_tls_context *context,
                     const aio_tls_options *options)
{
    static const aio_tls_options defaults = AIO_TLS_OPTIONS_INIT;

    if (options == NULL)
        options = &defaults;
    if (options->size < sizeof(*options))
        return aio_raise(AIO_EVALUE, "aio_tls_options of another size");
    if (context == NULL)
        return aio_raise(AIO_EVALUE, "a TLS context is needed, not NULL");
    *secure = (struct aio__secure){
        .context = context,
        .hostname = options->server_hostname,
        .session = options->session,
        .handshake_timeout = options->handshake_timeout,
        .shutdown_timeout = options->shutdown_timeout,
    };
    return aio__secure_check(secure, aio__tls_side(context));
}
