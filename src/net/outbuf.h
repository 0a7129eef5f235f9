/* SPDX-License-Identifier: MIT */
/*
 * outbuf.h - bytes that could not be written yet
 *
 * For transports. A queue of blocks: what is appended is copied, what was sent is dropped from
 * the front. Empty, it has no memory.
 */
#ifndef AIO__OUTBUF_H
#define AIO__OUTBUF_H

#include <stddef.h>
#include <sys/uio.h>

struct aio__outblock;

/* Blocks that nobody needs for now. Zeroed to begin with. */
struct aio__outspare {
    struct aio__outblock *first;
    unsigned count;
};

struct aio__outbuf {
    struct aio__outblock *first;
    struct aio__outblock *last;
    size_t size;                 /* bytes in all blocks */
    struct aio__outspare *spare; /* where blocks come from and go to; NULL: the allocator */
};

/* Copy bytes to the end. 0, or AIO_ENOMEM: then nothing was added. */
int aio__outbuf_append(struct aio__outbuf *buffer, const void *data, size_t size);

/* Describe the first bytes, for writev: the number of pieces, at most `count`. */
int aio__outbuf_peek(const struct aio__outbuf *buffer, struct iovec *pieces, int count);

/* Drop that many bytes from the front; at most all. */
void aio__outbuf_drop(struct aio__outbuf *buffer, size_t size);

void aio__outspare_clear(struct aio__outspare *spare);

static inline void aio__outbuf_clear(struct aio__outbuf *buffer)
{
    aio__outbuf_drop(buffer, buffer->size);
}

#endif
