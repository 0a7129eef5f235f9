/* SPDX-License-Identifier: MIT */
/*
 * dns_list.c - lists of addresses, and the ports and types of socket they are for
 *
 * Each entry is one block of memory: struct addrinfo, the address and the canonical name.
 *
 * Thread: any.
 */
#include "net/dns_internal.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct addrinfo info;
    struct sockaddr_storage address;
    char canonical_name[];
};

int aio__dns_append(struct addrinfo ***end, const struct addrinfo *address,
                    const char *canonical_name)
{
    size_t length = canonical_name == NULL ? 0 : strlen(canonical_name) + 1;
    struct entry *entry;

    if (address->ai_addrlen > sizeof(entry->address))
        return AIO_EAI_FAMILY;
    entry = aio_malloc(sizeof(*entry) + length);
    if (entry == NULL)
        return AIO_ENOMEM;
    entry->info = *address;
    memset(&entry->address, 0, sizeof(entry->address));
    memcpy(&entry->address, address->ai_addr, address->ai_addrlen);
    entry->info.ai_addr = (struct sockaddr *)&entry->address;
    entry->info.ai_canonname = NULL;
    if (canonical_name != NULL)
        entry->info.ai_canonname = memcpy(entry->canonical_name, canonical_name, length);
    entry->info.ai_next = NULL;
    **end = &entry->info;
    *end = &entry->info.ai_next;
    return 0;
}

void aio_freeaddrinfo(struct addrinfo *list)
{
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;

        aio_free(aio__container_of(list, struct entry, info));
        list = next;
    }
}

int aio__dns_copy(const struct addrinfo *from, struct addrinfo **ret_list)
{
    struct addrinfo *list = NULL;
    struct addrinfo **end = &list;
    int err = 0;

    for (; from != NULL && err == 0; from = from->ai_next)
        err = aio__dns_append(&end, from, from->ai_canonname);
    if (err == 0 && list == NULL)
        err = AIO_EAI_NONAME;
    if (err < 0)
        aio_freeaddrinfo(list);
    else
        *ret_list = list;
    return err;
}

socklen_t aio__dns_address_size(const struct sockaddr *address)
{
    switch (address->sa_family) {
    case AF_INET: return sizeof(struct sockaddr_in);
    case AF_INET6: return sizeof(struct sockaddr_in6);
    default: return 0;
    }
}

/* --- services -------------------------------------------------------------------------- */

/* What getaddrinfo(3) gives where no type is asked for, in its order. */
static const struct {
    int socktype;
    int protocol;
    const char *name; /* in /etc/services */
} kinds[AIO__DNS_USES] = {
    {SOCK_STREAM, IPPROTO_TCP, "tcp"},
    {SOCK_DGRAM, IPPROTO_UDP, "udp"},
    {SOCK_RAW, 0, NULL},
};

bool aio__dns_is_port(const char *service)
{
    return service == NULL || (*service != '\0' && service[strspn(service, "0123456789")] == '\0');
}

/* The port of a service: 1, 0 if it has none here, or a code. */
static int find_port(const char *service, const char *protocol, in_port_t *ret_port)
{
    struct servent entry;
    struct servent *found = NULL;
    char buffer[2048];
    unsigned long number;

    *ret_port = 0;
    if (service == NULL)
        return 1;
    if (aio__dns_is_port(service)) {
        number = strtoul(service, NULL, 10);
        *ret_port = htons((in_port_t)number);
        return number <= UINT16_MAX ? 1 : AIO_EAI_SERVICE;
    }
    if (protocol == NULL ||
        getservbyname_r(service, protocol, &entry, buffer, sizeof(buffer), &found) != 0 ||
        found == NULL)
        return 0;
    *ret_port = (in_port_t)entry.s_port;
    return 1;
}

int aio__dns_uses(const struct addrinfo *hints, const char *service,
                  struct aio__dns_use uses[AIO__DNS_USES])
{
    bool known = false;
    int count = 0;

    for (int i = 0; i < AIO__DNS_USES; i++) {
        int found;

        if ((hints->ai_socktype != 0 && hints->ai_socktype != kinds[i].socktype) ||
            (hints->ai_protocol != 0 && hints->ai_protocol != kinds[i].protocol &&
             kinds[i].name != NULL))
            continue;
        known = true;
        found = find_port(service, kinds[i].name, &uses[count].port);
        if (found < 0)
            return found;
        uses[count].socktype = kinds[i].socktype;
        uses[count].protocol = kinds[i].name == NULL ? hints->ai_protocol : kinds[i].protocol;
        count += found;
        if (hints->ai_socktype != 0 || hints->ai_protocol != 0)
            break; /* what was asked for, and not what else it could be */
    }
    if (!known)
        return AIO_EAI_SOCKTYPE;
    return count > 0 ? count : AIO_EAI_SERVICE;
}
