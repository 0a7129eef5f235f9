/* SPDX-License-Identifier: MIT */
/*
 * resolve.c - the addresses of a host, as a list of ours
 *
 * Thread: the loop's.
 */
#include "net/address.h"

#include <aio/dns.h>
#include <aio/error.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

static int add_found(const struct addrinfo *found, struct aio__addresses *addresses)
{
    size_t count = addresses->count;
    int err = 0;

    for (; found != NULL && err == 0; found = found->ai_next) {
        struct aio__address address = {
            .family = found->ai_family,
            .type = found->ai_socktype,
            .protocol = found->ai_protocol,
            .size = found->ai_addrlen,
        };

        if (found->ai_addrlen > sizeof(address.name))
            continue;
        memcpy(&address.name, found->ai_addr, found->ai_addrlen);
        err = aio__addresses_add(addresses, &address);
    }
    if (err < 0)
        addresses->count = count;
    return err;
}

int aio__resolve(aio_loop *loop, const struct aio__query *query, struct aio__addresses *addresses)
{
    struct addrinfo hints = {
        .ai_family = query->family,
        .ai_socktype = query->type,
        .ai_protocol = query->protocol,
        .ai_flags = query->flags,
    };
    const char *host = query->host != NULL && *query->host != '\0' ? query->host : NULL;
    struct addrinfo *found;
    char port[16];
    int err;

    if (query->port > UINT16_MAX)
        return aio_raise(AIO_EARITHMETIC, "port must be 0-65535.");
    (void)snprintf(port, sizeof(port), "%d", query->port < 0 ? 0 : query->port);
    err = aio_loop_getaddrinfo(loop, host, port, &hints, &found);
    if (err < 0)
        return err;
    err = add_found(found, addresses);
    aio_freeaddrinfo(found);
    return err;
}
