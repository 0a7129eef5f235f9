/* SPDX-License-Identifier: MIT */
/*
 * address.h - socket addresses: finding them, and writing them as text
 *
 * For src/net, and src/stream above it.
 */
#ifndef AIO__ADDRESS_H
#define AIO__ADDRESS_H

#include <aio/loop.h>
#include <sys/socket.h>

/* One that a socket can be made for. */
struct aio__address {
    int family;
    int type;
    int protocol;
    socklen_t size; /* of name */
    struct sockaddr_storage name;
};

/* Several; all zero: none. */
struct aio__addresses {
    struct aio__address *items; /* owned */
    size_t count;
};

void aio__addresses_free(struct aio__addresses *addresses);

/* Add one at the end. 0, AIO_ENOMEM. */
int aio__addresses_add(struct aio__addresses *addresses, const struct aio__address *address);
bool aio__addresses_have(const struct aio__addresses *addresses,
                         const struct aio__address *address);

/* What to look for; zero means any, as in getaddrinfo(3). */
struct aio__query {
    const char *host; /* NULL or "": this machine, or with AI_PASSIVE all interfaces */
    int port;         /* -1: 0 */
    int family;
    int type;
    int protocol;
    int flags;
};

/* Add the addresses of a host to a list. Names suspend the calling task, numbers do not (S137).
 * 0, or a code: then nothing was added. */
int aio__resolve(aio_loop *loop, const struct aio__query *query, struct aio__addresses *addresses);

/* The address of a unix socket. size 0: up to the final 0. 0, AIO_EVALUE. */
int aio__unix_address(const char *path, size_t size, struct aio__address *ret_address);

/* A socket file that nobody removed would be in the way of bind(), and goes; anything else is left
 * for bind() to refuse. An abstract name has no file. */
void aio__unix_remove_stale(const char *path);

enum { AIO__ADDRESS_TEXT = 160 };

/* An address as Python shows it: ('127.0.0.1', 80), ('::1', 80, 0, 0), 'path'. Gives `buffer`. */
const char *aio__address_text(const struct sockaddr *name, socklen_t size,
                              char buffer[AIO__ADDRESS_TEXT]);

/* What a transport tells of its socket; a family of AF_UNSPEC: not known. */
struct aio__names {
    struct sockaddr_storage peer;
    struct sockaddr_storage own; /* read when it is asked for, at the latest before the end */
};

/* The answer to get_extra_info() of a transport with a socket, *fd < 0 being a closed one. */
const void *aio__socket_info(struct aio__names *names, const int *fd, const char *name);

#endif
