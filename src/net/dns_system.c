/* SPDX-License-Identifier: MIT */
/*
 * dns_system.c - lookups by the C library: in libuv's pool, or at once where nothing can block
 *
 * A lookup that runs in the pool cannot be stopped. It reports in any case, and what it found
 * goes if nobody waits any more.
 *
 * Thread: the loop's.
 */
#include "net/dns_internal.h"

#include <aio/error.h>
#include <string.h>

#define CHECK_CODE(name) _Static_assert((int)AIO_##name == (int)UV_##name, "as libuv's")
CHECK_CODE(EAI_AGAIN);
CHECK_CODE(EAI_BADFLAGS);
CHECK_CODE(EAI_FAIL);
CHECK_CODE(EAI_FAMILY);
CHECK_CODE(EAI_NODATA);
CHECK_CODE(EAI_NONAME);
CHECK_CODE(EAI_SERVICE);
CHECK_CODE(EAI_SOCKTYPE);

int aio__dns_code(int number)
{
    switch (number) {
    case 0: return 0;
    case EAI_AGAIN: return AIO_EAI_AGAIN;
    case EAI_BADFLAGS: return AIO_EAI_BADFLAGS;
    case EAI_FAMILY: return AIO_EAI_FAMILY;
    case EAI_MEMORY: return AIO_ENOMEM;
    case EAI_NODATA: return AIO_EAI_NODATA;
    case EAI_NONAME: return AIO_EAI_NONAME;
    case EAI_SERVICE: return AIO_EAI_SERVICE;
    case EAI_SOCKTYPE: return AIO_EAI_SOCKTYPE;
    case EAI_ADDRFAMILY: return UV_EAI_ADDRFAMILY;
    case EAI_OVERFLOW: return UV_EAI_OVERFLOW;
    case EAI_SYSTEM: return errno == 0 ? AIO_EAI_FAIL : -errno;
    default: return AIO_EAI_FAIL;
    }
}

int aio__dns_numeric(const char *host, const char *service, const struct addrinfo *hints,
                     struct addrinfo **ret_list)
{
    struct addrinfo numeric = *hints;
    struct addrinfo *found = NULL;
    int err;

    numeric.ai_flags |= AI_NUMERICHOST;
    err = aio__dns_code(getaddrinfo(host, service, &numeric, &found));
    if (err < 0)
        return err;
    err = aio__dns_copy(found, ret_list);
    freeaddrinfo(found);
    return err;
}

int aio__dns_numeric_name(const struct sockaddr *address, int flags, aio_nameinfo *ret_name)
{
    aio_nameinfo name;
    int err = aio__dns_code(getnameinfo(address, aio__dns_address_size(address), name.host,
                                        sizeof(name.host), name.service, sizeof(name.service),
                                        (flags & ~NI_NAMEREQD) | NI_NUMERICHOST));

    if (err == 0)
        *ret_name = name;
    return err;
}

/* --- in the pool ----------------------------------------------------------------------- */

static void on_addresses(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct aio__dns_query *query = request->data;

    if (status == 0)
        status = aio__dns_copy(found, &query->list);
    uv_freeaddrinfo(found);
    aio__dns_answer(query, status == UV_EAI_MEMORY ? AIO_ENOMEM : status);
}

static void on_name(uv_getnameinfo_t *request, int status, const char *host, const char *service)
{
    struct aio__dns_query *query = request->data;

    if (status == 0) {
        (void)snprintf(query->name.host, sizeof(query->name.host), "%s", host);
        (void)snprintf(query->name.service, sizeof(query->name.service), "%s", service);
    }
    aio__dns_answer(query, status == UV_EAI_MEMORY ? AIO_ENOMEM : status);
}

int aio__dns_system_ask(struct aio__dns_query *query)
{
    int err;

    if (query->is_reverse) {
        query->request.reverse.data = query;
        err = uv_getnameinfo(query->loop->uv, &query->request.reverse, on_name,
                             (const struct sockaddr *)&query->address, query->flags);
    } else {
        query->request.forward.data = query;
        err = uv_getaddrinfo(query->loop->uv, &query->request.forward, on_addresses, query->host,
                             query->service, &query->hints);
    }
    /* libuv turns names that are not ASCII into their other form, or fails to. */
    return err == UV_EINVAL || err == UV_ENAMETOOLONG || err == UV_E2BIG ? AIO_EAI_NONAME : err;
}
