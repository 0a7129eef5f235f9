/* SPDX-License-Identifier: MIT */
/*
 * dns_internal.h - a lookup, and those who answer it
 *
 * For src/net/dns*.c alone.
 */
#ifndef AIO__DNS_INTERNAL_H
#define AIO__DNS_INTERNAL_H

#include "net/net_internal.h"

#include <aio/dns.h>
#include <netdb.h>
#include <netinet/in.h>

struct aio__dns_channel;

/* The resolver of a loop. */
struct aio__dns {
    struct aio__close_hook hook;
    aio_loop *loop;
    aio_dns_options options;          /* its strings are in text */
    char *text;                       /* owned; may be NULL */
    struct aio__dns_channel *channel; /* dns_cares.c: the current one; NULL: none yet */
    struct aio__list channels;        /* dns_cares.c: with those that only end what they began */
};

/* The question, and later the answer, of one call: outlives the caller, who may be cancelled. */
struct aio__dns_query {
    struct aio__ready start; /* queued by the call: lookups begin on the thread's own stack */
    aio_loop *loop;          /* borrowed: done keeps its memory */
    struct aio__dns_channel *channel;
    aio_future *done;
    unsigned refs; /* the caller's, and the resolver's */
    bool is_reverse;
    bool asked; /* counts in loop->external */

    struct addrinfo hints;
    const char *host;    /* in text; may be NULL */
    const char *service; /* in text; may be NULL */
    struct addrinfo *list;

    struct sockaddr_storage address;
    int flags;
    aio_nameinfo name;

    union {
        uv_getaddrinfo_t forward;
        uv_getnameinfo_t reverse;
    } request;
    char text[];
};

/* dns.c: finish a lookup with 0 and the answer in its place, or with a code. Takes the
 * resolver's reference. */
void aio__dns_answer(struct aio__dns_query *query, int code);

/* dns_system.c: ask the pool. 0, or a code: then no answer follows. */
int aio__dns_system_ask(struct aio__dns_query *query);

/* The same question to the C library within this call: for what is numeric. */
int aio__dns_numeric(const char *host, const char *service, const struct addrinfo *hints,
                     struct addrinfo **ret_list);
int aio__dns_numeric_name(const struct sockaddr *address, int flags, aio_nameinfo *ret_name);

/* The code for what getaddrinfo(3) returns. */
int aio__dns_code(int number);

/* dns_list.c: add an address to the end of a list, whose last link `*end` is. */
int aio__dns_append(struct addrinfo ***end, const struct addrinfo *address,
                    const char *canonical_name);
/* A copy of a list of the C library's. */
int aio__dns_copy(const struct addrinfo *from, struct addrinfo **ret_list);
/* The bytes of an address; 0 for families other than IPv4 and IPv6. */
socklen_t aio__dns_address_size(const struct sockaddr *address);

/* One way in which an address can be used. */
struct aio__dns_use {
    int socktype;
    int protocol;
    in_port_t port; /* in network order */
};

enum { AIO__DNS_USES = 3 };

/* dns_list.c: the uses that the hints and the service leave: their number, or a code. May read
 * /etc/services. */
int aio__dns_uses(const struct addrinfo *hints, const char *service,
                  struct aio__dns_use uses[AIO__DNS_USES]);
/* Whether a text is absent or a port number. */
bool aio__dns_is_port(const char *service);

#ifdef AIO__CARES
/* dns_cares.c: as the system's, by c-ares. */
int aio__dns_cares_ask(struct aio__dns *dns, struct aio__dns_query *query);
/* Whether c-ares can answer it. */
bool aio__dns_cares_can(const struct aio__dns_query *query);
/* Make the channel for new options, to see whether they are right; the former ends what it began. */
int aio__dns_cares_renew(struct aio__dns *dns);
/* The loop closes. */
void aio__dns_cares_close(struct aio__dns *dns);
#endif

#endif
