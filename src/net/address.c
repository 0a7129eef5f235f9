/* SPDX-License-Identifier: MIT */
/*
 * address.c - lists of socket addresses, addresses as text, and files of unix sockets
 */
#include "net/address.h"

#include "base/log.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void aio__addresses_free(struct aio__addresses *addresses)
{
    aio_free(addresses->items);
    *addresses = (struct aio__addresses){0};
}

int aio__addresses_add(struct aio__addresses *addresses, const struct aio__address *address)
{
    size_t bytes = (addresses->count + 1) * sizeof(*address);
    struct aio__address *items = aio_realloc(addresses->items, bytes);

    if (items == NULL)
        return AIO_ENOMEM;
    addresses->items = items;
    items[addresses->count++] = *address;
    return 0;
}

bool aio__addresses_have(const struct aio__addresses *addresses, const struct aio__address *address)
{
    for (size_t i = 0; i < addresses->count; i++) {
        const struct aio__address *other = &addresses->items[i];

        if (other->family == address->family && other->size == address->size &&
            memcmp(&other->name, &address->name, address->size) == 0)
            return true;
    }
    return false;
}

int aio__unix_address(const char *path, size_t size, struct aio__address *ret_address)
{
    struct sockaddr_un *name = (struct sockaddr_un *)&ret_address->name;
    bool is_file = path[0] != '\0' || size == 0;

    if (size == 0)
        size = strlen(path);
    if (size + is_file > sizeof(name->sun_path))
        return aio_raise(AIO_EVALUE, "AF_UNIX path too long");
    *ret_address = (struct aio__address){.family = AF_UNIX};
    name->sun_family = AF_UNIX;
    memcpy(name->sun_path, path, size);
    ret_address->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + is_file);
    return 0;
}

void aio__unix_remove_stale(const char *path)
{
    struct stat file;
    int err = 0;

    if (path[0] == '\0')
        return;
    if (stat(path, &file) != 0)
        err = errno == ENOENT ? 0 : -errno;
    else if (S_ISSOCK(file.st_mode) && unlink(path) != 0)
        err = -errno;
    if (err < 0) /* the folder may let sockets be made, and no more */
        aio__log(AIO_LOG_ERROR, "Unable to check or remove stale UNIX socket '%s': %s", path,
                 aio_strerror(err));
}

static void write_unix(const struct sockaddr *address, socklen_t size, char *buffer)
{
    const struct sockaddr_un *name = (const struct sockaddr_un *)(const void *)address;
    size_t length = size - offsetof(struct sockaddr_un, sun_path);

    if (length > 0 && name->sun_path[0] == '\0')
        (void)snprintf(buffer, AIO__ADDRESS_TEXT, "b'\\x00%.*s'", (int)length - 1,
                       name->sun_path + 1);
    else
        (void)snprintf(buffer, AIO__ADDRESS_TEXT, "'%.*s'", (int)length, name->sun_path);
}

const char *aio__address_text(const struct sockaddr *name, socklen_t size,
                              char buffer[AIO__ADDRESS_TEXT])
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)name;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)name;
    char host[INET6_ADDRSTRLEN] = "";

    if (name->sa_family == AF_INET) {
        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        (void)snprintf(buffer, AIO__ADDRESS_TEXT, "('%s', %d)", host, ntohs(v4->sin_port));
    } else if (name->sa_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        (void)snprintf(buffer, AIO__ADDRESS_TEXT, "('%s', %d, %u, %u)", host, ntohs(v6->sin6_port),
                       (unsigned)ntohl(v6->sin6_flowinfo), (unsigned)v6->sin6_scope_id);
    } else if (name->sa_family == AF_UNIX) {
        write_unix(name, size, buffer);
    } else {
        (void)snprintf(buffer, AIO__ADDRESS_TEXT, "family %d", name->sa_family);
    }
    return buffer;
}

const void *aio__socket_info(struct aio__names *names, const int *fd, const char *name)
{
    socklen_t size = sizeof(names->own);

    if (strcmp(name, "socket") == 0)
        return *fd < 0 ? NULL : fd;
    if (strcmp(name, "peername") == 0)
        return names->peer.ss_family == AF_UNSPEC ? NULL : &names->peer;
    if (strcmp(name, "sockname") != 0)
        return NULL;
    if (*fd >= 0 && names->own.ss_family == AF_UNSPEC &&
        getsockname(*fd, (struct sockaddr *)&names->own, &size) != 0)
        names->own.ss_family = AF_UNSPEC;
    return names->own.ss_family == AF_UNSPEC ? NULL : &names->own;
}
