/* SPDX-License-Identifier: MIT */
/*
 * secure.h - what connecting, serving and streams know of TLS
 *
 * For src/net and src/stream, whether TLS is built in or not: without it every context is refused.
 */
#ifndef AIO__SECURE_H
#define AIO__SECURE_H

#include <aio/future.h>
#include <aio/tls.h>

/* What a call's options say of TLS. Zero: none. */
struct aio__secure {
    aio_tls_context *context; /* borrowed; NULL: no TLS */
    const char *hostname;     /* borrowed; NULL: none given; "": not to be compared */
    aio_tls_session *session; /* borrowed; NULL: none */
    double handshake_timeout; /* seconds; 0: the default */
    double shutdown_timeout;
};

/* Whether that makes sense for an end of that side: 0, or a raised code. */
int aio__secure_check(const struct aio__secure *secure, aio_tls_side side);

/* The same from options (NULL: the defaults) of a call whose side is the context's. */
int aio__secure_read(struct aio__secure *secure, aio_tls_context *context,
                     const aio_tls_options *options);

/* --- with OpenSSL tls_start.c, without it tls_none.c ----------------------------------------- */

/* Which side a context is for. */
aio_tls_side aio__tls_side(const aio_tls_context *context);

/* Whether the context can serve that side: 0, or a raised code. */
int aio__tls_check(const aio_tls_context *context, aio_tls_side side);

/* Whether the session, if there is one, is of that context and server: 0, or a raised code. */
int aio__tls_check_session(const struct aio__secure *secure);

/*
 * Put TLS in front of a program's protocol, which is taken on success.
 *
 * waiter (may be NULL) is kept: it ends with the handshake. *ret_below is for one transport, or for
 * its release; *ret_above (may be NULL) is the transport of the program's protocol, borrowed, and
 * valid until then.
 */
int aio__tls_wrap(aio_loop *loop, aio_protocol *app, const struct aio__secure *secure,
                  aio_future *waiter, aio_protocol **ret_below, aio_transport **ret_above);

/* aio_loop_start_tls(), with bytes of the peer's that the program has received already. */
int aio__tls_upgrade(aio_loop *loop, aio_transport *transport, aio_protocol *protocol,
                     const struct aio__secure *secure, const aio_buffer *early,
                     aio_transport **ret_transport);

#endif
