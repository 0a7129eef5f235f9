/* SPDX-License-Identifier: MIT */
/*
 * bytes.c - bytes that grow, with a zero behind them
 */
#include "http/client_internal.h"

#include <aio/memory.h>
#include <string.h>

enum { LEAST_ROOM = 512 };

int aio__http_bytes_reserve(struct aio__http_bytes *bytes, size_t more)
{
    size_t room = bytes->room == 0 ? LEAST_ROOM : bytes->room;
    char *data;

    if (more >= SIZE_MAX / 4 - bytes->size)
        return AIO_ENOMEM;
    if (bytes->size + more < bytes->room)
        return 0;
    while (room <= bytes->size + more)
        room *= 2;
    data = aio_realloc(bytes->data, room);
    if (data == NULL)
        return AIO_ENOMEM;
    bytes->data = data;
    bytes->room = room;
    return 0;
}

int aio__http_bytes_add(struct aio__http_bytes *bytes, const void *data, size_t size)
{
    int err = aio__http_bytes_reserve(bytes, size);

    if (err < 0)
        return err;
    if (size > 0)
        memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
    bytes->data[bytes->size] = '\0';
    return 0;
}

int aio__http_bytes_add_text(struct aio__http_bytes *bytes, const char *text)
{
    return aio__http_bytes_add(bytes, text, strlen(text));
}

void aio__http_bytes_free(struct aio__http_bytes *bytes)
{
    aio_free(bytes->data);
    *bytes = (struct aio__http_bytes){0};
}
