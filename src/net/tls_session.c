/* SPDX-License-Identifier: MIT */
/*
 * tls_session.c - sessions: what a client needs to be recognised again
 *
 * A session holds that the server was verified, so that resuming it verifies nothing anew: it is
 * only for the context it came from, and for the same name.
 *
 * Thread: any, one at a time, but for references.
 */
#include "base/error.h"
#include "net/tls_internal.h"

#include <aio/memory.h>
#include <openssl/err.h>
#include <stdatomic.h>
#include <string.h>

struct aio_tls_session {
    _Atomic(size_t) refs;
    SSL_SESSION *native;
    aio_tls_context *context; /* referenced */
    char *hostname;           /* owned; NULL: none was given */
    bool is_verified;         /* the server was */
};

aio_tls_session *aio_tls_session_ref(aio_tls_session *session)
{
    if (session != NULL)
        atomic_fetch_add_explicit(&session->refs, 1, memory_order_relaxed);
    return session;
}

void aio_tls_session_unref(aio_tls_session *session)
{
    if (session == NULL || atomic_fetch_sub_explicit(&session->refs, 1, memory_order_acq_rel) != 1)
        return;
    SSL_SESSION_free(session->native);
    aio_tls_context_unref(session->context);
    aio_free(session->hostname);
    aio_free(session);
}

aio_tls_session *aio_tls_get_session(const aio_transport *transport)
{
    struct aio__tls *self = aio__tls_from(transport);
    aio_tls_session *session;

    if (self == NULL || SSL_get0_session(self->ssl) == NULL)
        return aio__failed(aio_raise(AIO_EVALUE, "there is no session of TLS"));
    session = aio_calloc(1, sizeof(*session));
    if (session == NULL)
        return aio__failed(AIO_ENOMEM);
    atomic_init(&session->refs, 1);
    session->native = SSL_get1_session(self->ssl);
    session->context = aio_tls_context_ref(self->context);
    session->is_verified = SSL_get_verify_mode(self->ssl) != SSL_VERIFY_NONE &&
                           SSL_get_verify_result(self->ssl) == X509_V_OK;
    if (self->hostname != NULL) {
        session->hostname = aio_strdup(self->hostname);
        if (session->hostname == NULL) {
            aio_tls_session_unref(session);
            return aio__failed(AIO_ENOMEM);
        }
    }
    return session;
}

bool aio_tls_session_is_resumable(const aio_tls_session *session)
{
    return session != NULL && SSL_SESSION_is_resumable(session->native) != 0;
}

bool aio_tls_session_reused(const aio_transport *transport)
{
    struct aio__tls *self = aio__tls_from(transport);

    return self != NULL && SSL_session_reused(self->ssl) != 0;
}

static bool same_name(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

int aio__tls_check_session(const struct aio__secure *secure)
{
    const aio_tls_session *session = secure->session;
    bool is_named = secure->hostname != NULL && *secure->hostname != '\0';

    if (session == NULL)
        return 0;
    if (session->context != secure->context)
        return aio_raise(AIO_EVALUE, "Session refers to a different SSLContext.");
    if (!same_name(session->hostname, is_named ? secure->hostname : NULL))
        return aio_raise(AIO_EVALUE, "the session is one with %s",
                         session->hostname == NULL ? "nobody in particular" : session->hostname);
    return 0;
}

int aio__tls_resume(struct aio__tls *self, const aio_tls_session *session)
{
    if (SSL_get_verify_mode(self->ssl) != SSL_VERIFY_NONE && !session->is_verified)
        return aio_raise(AIO_EVALUE, "the session is one with a server that was not verified");
    ERR_clear_error();
    return SSL_set_session(self->ssl, session->native) == 1 ? 0 : aio__tls_raise(NULL);
}
