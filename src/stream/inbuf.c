/* SPDX-License-Identifier: MIT */
/*
 * inbuf.c - bytes that were received and nobody has read yet
 *
 * The first chunk gets as much memory as it needs, so that a reader which takes all of it gets that
 * memory itself. Growing further doubles. Bytes are moved to the front only when at least as many
 * have been read, so that each is moved a bounded number of times however a reader nibbles.
 */
#include "stream/inbuf.h"

#include "stream/spares.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <string.h>

/* Memory that is given away may be so many bytes larger than needed, besides a half. */
enum { SLACK = 256 };

/* Get memory for so many bytes, and put those that there are at its beginning. */
static int reallocate(struct aio__inbuf *buffer, size_t capacity)
{
    size_t held = aio__inbuf_size(buffer);
    char *memory;

    if (buffer->passing && capacity < AIO__SPARE_SMALL)
        capacity = AIO__SPARE_SMALL;
    if (buffer->loop == NULL && buffer->begin == 0) {
        memory = aio_realloc(buffer->memory, capacity + 1);
        if (memory == NULL)
            return AIO_ENOMEM;
        aio__inbuf_adopt(buffer, memory, capacity, held);
        return 0;
    }
    memory = aio__spare_take(buffer->loop, capacity);
    if (memory == NULL)
        return AIO_ENOMEM;
    if (held > 0)
        memcpy(memory, buffer->memory + buffer->begin, held);
    aio__spare_give(buffer->loop, buffer->memory, buffer->capacity);
    aio__inbuf_adopt(buffer, memory, capacity, held);
    return 0;
}

/* Have room behind the bytes for that many more. */
static int make_room(struct aio__inbuf *buffer, size_t size)
{
    size_t held = aio__inbuf_size(buffer);
    size_t capacity;

    if (size <= buffer->capacity - buffer->end)
        return 0;
    if (size > (size_t)PTRDIFF_MAX - 1 - held)
        return AIO_ENOMEM;
    if (held + size <= buffer->capacity && held <= buffer->begin) {
        memmove(buffer->memory, buffer->memory + buffer->begin, held);
        buffer->begin = 0;
        buffer->end = held;
        return 0;
    }
    capacity = held + size;
    if (held > 0 && capacity < 2 * held)
        capacity = 2 * held;
    return reallocate(buffer, capacity);
}

int aio__inbuf_append(struct aio__inbuf *buffer, const void *data, size_t size)
{
    int err;

    if (size == 0)
        return 0;
    err = make_room(buffer, size);
    if (err < 0)
        return err;
    memcpy(buffer->memory + buffer->end, data, size);
    buffer->end += size;
    return 0;
}

int aio__inbuf_prepend(struct aio__inbuf *buffer, const void *data, size_t size)
{
    int err;

    if (size == 0)
        return 0;
    if (size > buffer->begin) {
        err = make_room(buffer, size);
        if (err < 0)
            return err;
        memmove(buffer->memory + buffer->begin + size, buffer->memory + buffer->begin,
                aio__inbuf_size(buffer));
        buffer->begin += size;
        buffer->end += size;
    }
    buffer->begin -= size;
    memcpy(buffer->memory + buffer->begin, data, size);
    return 0;
}

void aio__inbuf_drop(struct aio__inbuf *buffer, size_t size)
{
    buffer->begin += size;
    if (buffer->begin < buffer->end)
        return;
    aio__spare_give(buffer->loop, buffer->memory, buffer->capacity);
    aio__inbuf_adopt(buffer, NULL, 0, 0);
}

size_t aio__inbuf_move(struct aio__inbuf *buffer, void *data, size_t size)
{
    size_t held = aio__inbuf_size(buffer);

    if (size > held)
        size = held;
    if (size == 0)
        return 0;
    memcpy(data, aio__inbuf_data(buffer), size);
    aio__inbuf_drop(buffer, size);
    return size;
}

/* All that there is, in the memory that it is in. */
static void give_away(struct aio__inbuf *buffer, aio_bytes *ret_bytes)
{
    size_t size = aio__inbuf_size(buffer);
    char *memory = buffer->memory;
    char *smaller;

    if (buffer->begin > 0)
        memmove(memory, memory + buffer->begin, size);
    memory[size] = '\0';
    if (buffer->capacity > size + SLACK) {
        smaller = aio_realloc(memory, size + 1);
        if (smaller != NULL)
            memory = smaller;
    }
    aio__inbuf_adopt(buffer, NULL, 0, 0);
    *ret_bytes = (aio_bytes){.data = memory, .size = size};
}

int aio__inbuf_take(struct aio__inbuf *buffer, size_t size, aio_bytes *ret_bytes)
{
    size_t held = aio__inbuf_size(buffer);
    char *copy;

    buffer->passing = false;
    if (size == 0) {
        *ret_bytes = (aio_bytes){.data = NULL};
        return 0;
    }
    /* A little that is left in much memory is better copied than moved. */
    if (size == held && buffer->capacity / 2 <= held + SLACK) {
        give_away(buffer, ret_bytes);
        return 0;
    }
    copy = aio_malloc(size + 1);
    if (copy == NULL)
        return AIO_ENOMEM;
    memcpy(copy, aio__inbuf_data(buffer), size);
    copy[size] = '\0';
    aio__inbuf_drop(buffer, size);
    *ret_bytes = (aio_bytes){.data = copy, .size = size};
    return 0;
}
