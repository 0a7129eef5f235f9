/* SPDX-License-Identifier: MIT */
/*
 * inbuf.h - bytes that were received and nobody has read yet
 *
 * For readers. One piece of memory with the bytes somewhere in it: they can be looked at without
 * putting pieces together, and all of them can be given away without a copy. Empty, it has no
 * memory: most connections of a server wait most of the time.
 */
#ifndef AIO__INBUF_H
#define AIO__INBUF_H

#include <aio/stream.h>

/* Zeroed to begin with, but for the loop. */
struct aio__inbuf {
    aio_loop *loop;  /* whose spare memory it uses: spares.h; may be NULL */
    bool passing;    /* bytes were last looked at, not taken with their memory: it may be spare */
    char *memory;    /* NULL exactly while there are no bytes */
    size_t begin;    /* of the bytes; what is before has been read */
    size_t end;      /* of the bytes */
    size_t capacity; /* bytes of memory, less one: a 0 fits behind the last in any case */
};

static inline size_t aio__inbuf_size(const struct aio__inbuf *buffer)
{
    return buffer->end - buffer->begin;
}

static inline const char *aio__inbuf_data(const struct aio__inbuf *buffer)
{
    return buffer->memory == NULL ? NULL : buffer->memory + buffer->begin;
}

/* Copy bytes to the end, or to the front. 0, or AIO_ENOMEM: then nothing was added. */
int aio__inbuf_append(struct aio__inbuf *buffer, const void *data, size_t size);
int aio__inbuf_prepend(struct aio__inbuf *buffer, const void *data, size_t size);

/* Have memory, of so many bytes and one, with so many bytes in it. It is empty now. */
static inline void aio__inbuf_adopt(struct aio__inbuf *buffer, char *memory, size_t capacity,
                                    size_t size)
{
    buffer->memory = memory;
    buffer->begin = 0;
    buffer->end = size;
    buffer->capacity = capacity;
}

/* Drop that many bytes from the front; there are so many. */
void aio__inbuf_drop(struct aio__inbuf *buffer, size_t size);

static inline void aio__inbuf_clear(struct aio__inbuf *buffer)
{
    aio__inbuf_drop(buffer, aio__inbuf_size(buffer));
}

/* Move bytes from the front to the caller's memory: at most `size`, and as many as there are. */
size_t aio__inbuf_move(struct aio__inbuf *buffer, void *data, size_t size);

/* Move that many bytes from the front, there are so many, to memory of their own. 0, or
 * AIO_ENOMEM: then nothing has changed. */
int aio__inbuf_take(struct aio__inbuf *buffer, size_t size, aio_bytes *ret_bytes);

#endif
