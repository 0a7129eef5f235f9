/* SPDX-License-Identifier: MIT */
/*
 * secure.c - a client's end of TLS over a socket, for load
 */
#include "support/secure.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

static SSL *ssl_of(struct secure *secure)
{
    return (SSL *)secure;
}

static SSL_CTX *shared_context(void)
{
    static SSL_CTX *context;

    if (context != NULL)
        return context;
    context = SSL_CTX_new(TLS_client_method());
    if (context != NULL)
        SSL_CTX_set_mode(context,
                         SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return context;
}

struct secure *secure_open(int fd)
{
    SSL_CTX *context = shared_context();
    SSL *ssl = context == NULL ? NULL : SSL_new(context);

    if (ssl == NULL)
        return NULL;
    if (SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1 &&
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0)
        return (struct secure *)ssl;
    SSL_free(ssl);
    return NULL;
}

/* What a call that moved `size` bytes, or none, has to say. */
static ssize_t answer(SSL *ssl, int result, size_t size)
{
    int why = SSL_get_error(ssl, result);

    if (result == 1)
        return (ssize_t)size;
    ERR_clear_error();
    if (why == SSL_ERROR_ZERO_RETURN)
        return 0;
    errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
    return -1;
}

ssize_t secure_send(struct secure *secure, const void *data, size_t size)
{
    size_t done = 0;
    int result = SSL_write_ex(ssl_of(secure), data, size, &done);

    return answer(ssl_of(secure), result, done);
}

ssize_t secure_recv(struct secure *secure, void *data, size_t size)
{
    size_t done = 0;
    int result = SSL_read_ex(ssl_of(secure), data, size, &done);

    return answer(ssl_of(secure), result, done);
}
