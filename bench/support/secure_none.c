/* SPDX-License-Identifier: MIT */
/*
 * secure_none.c - no TLS for load, as OpenSSL was not found
 */
#include "support/secure.h"

#include <errno.h>

struct secure *secure_open(int fd)
{
    (void)fd;
    return NULL;
}

ssize_t secure_send(struct secure *secure, const void *data, size_t size)
{
    (void)secure;
    (void)data;
    (void)size;
    errno = ENOTSUP;
    return -1;
}

ssize_t secure_recv(struct secure *secure, void *data, size_t size)
{
    (void)secure;
    (void)data;
    (void)size;
    errno = ENOTSUP;
    return -1;
}
