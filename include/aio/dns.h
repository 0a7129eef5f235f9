/* SPDX-License-Identifier: MIT */
/*
 * dns.h - names to addresses and back, without blocking the loop
 *
 * By c-ares where the library was built with it: no thread is held while a name server is slow.
 * Or by the system's getaddrinfo(3) in libuv's thread pool, which knows whatever nsswitch.conf
 * names (mDNS, LDAP, ...).
 *
 * Thread: the loop's, but for aio_freeaddrinfo().
 */
#ifndef AIO_DNS_H
#define AIO_DNS_H

#include <aio/loop.h>

AIO_BEGIN_DECLS

struct addrinfo;
struct sockaddr;

/** What a lookup may fail with, beside the codes of every call: libuv's UV_EAI_..., socket.gaierror. */
enum {
    AIO_EAI_AGAIN = -3001,    /**< no server has answered, or none could say: try later */
    AIO_EAI_BADFLAGS = -3002, /**< flags that make no sense */
    AIO_EAI_FAIL = -3004,     /**< an answer that cannot be used */
    AIO_EAI_FAMILY = -3005,   /**< an address family that is not supported */
    AIO_EAI_NODATA = -3007,   /**< the name exists, an address of that family does not */
    AIO_EAI_NONAME = -3008,   /**< no such name */
    AIO_EAI_SERVICE = -3010,  /**< no such service for that type of socket */
    AIO_EAI_SOCKTYPE = -3011  /**< a type of socket that is not supported */
};

/**
 * Find the addresses of a host, as getaddrinfo(3) does: the hosts file, the search domains, IPv4
 * and IPv6, sorted by RFC 6724.
 *
 * @param loop      Borrowed; NULL: the running loop.
 * @param host      A name or a numeric address; copied. NULL: this host (AI_PASSIVE: any address).
 * @param service   A port number or a name of /etc/services; copied. NULL: port 0.
 * @param hints     ai_family, ai_socktype, ai_protocol and ai_flags, 0 for any; borrowed. NULL: any.
 *                  As there, a socktype of 0 lists each address once a type.
 * @param[out] ret_list  The first of a list, never empty: aio_freeaddrinfo() it, not
 *                  freeaddrinfo(). Written on success only.
 * @return 0, or a negative code:
 *   AIO_EAI_...     see there
 *   AIO_ECANCELLED  the task was cancelled; a question that was asked goes on, for nobody
 *   AIO_ECLOSED, AIO_ENOLOOP, AIO_ENOMEM, AIO_ENOTASK, AIO_EVALUE (no ret_list)
 *
 * Suspends:            unless both host and service are numeric or absent
 * Cancellation point:  whenever it suspends
 * Differs: names that are not ASCII, and AI_ADDRCONFIG, AI_V4MAPPED, AI_ALL, AI_IDN, go the
 *          system's way in any case, as c-ares knows nothing of them.
 * asyncio: loop.getaddrinfo()                                    Since: 0.1
 */
AIO_API int aio_loop_getaddrinfo(aio_loop *loop, const char *host, const char *service,
                                 const struct addrinfo *hints,
                                 struct addrinfo **ret_list) AIO_MUST_CHECK;

/** Free a list of aio_loop_getaddrinfo(); NULL is allowed. Thread: any. Since: 0.1 */
AIO_API void aio_freeaddrinfo(struct addrinfo *list);

/** The two names of an address. */
typedef struct aio_nameinfo {
    char host[1025];
    char service[32];
} aio_nameinfo;

/**
 * Find the name of an address, as getnameinfo(3) does.
 *
 * @param address  IPv4 or IPv6; copied.
 * @param flags    NI_NUMERICHOST, NI_NUMERICSERV, NI_NAMEREQD, NI_DGRAM, NI_NOFQDN.
 * @param[out] ret_name  The names, or the numbers where there is none. Written on success only.
 * @return As aio_loop_getaddrinfo(); AIO_EAI_NONAME with NI_NAMEREQD only.
 *
 * Suspends:            unless both NI_NUMERICHOST and NI_NUMERICSERV are given
 * Cancellation point:  whenever it suspends
 * asyncio: loop.getnameinfo()                                    Since: 0.1
 */
AIO_API int aio_loop_getnameinfo(aio_loop *loop, const struct sockaddr *address, int flags,
                                 aio_nameinfo *ret_name) AIO_MUST_CHECK;

/** Who looks names up. */
typedef enum aio_dns_way {
    AIO_DNS_DEFAULT, /**< c-ares if the library has it, else the system */
    AIO_DNS_SYSTEM,  /**< getaddrinfo(3) in a thread of libuv's pool */
    AIO_DNS_CARES    /**< c-ares */
} aio_dns_way;

/** How a loop resolves. Zero in any field but size means the default. All but the way and size
 *  are for c-ares alone. */
typedef struct aio_dns_options {
    size_t size;             /**< sizeof(aio_dns_options) */
    aio_dns_way way;         /**< default AIO_DNS_DEFAULT */
    const char *servers;     /**< "192.0.2.1,[2001:db8::1]:5353"; default: as configured */
    const char *domains;     /**< searched for short names: "a.example,b.example"; "": none */
    const char *resolv_conf; /**< default "/etc/resolv.conf"; read anew when it has changed */
    double timeout;          /**< seconds a server has for the first try; later ones get more */
    unsigned tries;          /**< how often each server is asked */
    unsigned ndots;          /**< dots that make a name be tried as it is first */
} aio_dns_options;

/** The defaults. */
#define AIO_DNS_OPTIONS_INIT AIO_SIZED(aio_dns_options)

/**
 * Set how a loop resolves names from now on. Lookups that are under way end as they began.
 *
 * @param options  Copied. NULL: the defaults.
 * @return 0, or a negative code:
 *   AIO_ENOTIMPLEMENTED  c-ares is asked for, and the library was built without
 *   AIO_EVALUE           an option is out of bounds, or the servers cannot be read
 *   AIO_ECLOSED, AIO_ENOLOOP, AIO_ENOMEM
 * Suspends: no.                                                  Since: 0.1
 */
AIO_API int aio_loop_set_dns_options(aio_loop *loop, const aio_dns_options *options);

AIO_END_DECLS

#endif
