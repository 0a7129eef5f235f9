/* SPDX-License-Identifier: MIT */
/*
 * reply.h - where a reply and all that belongs to it is in memory
 *
 * For src/redis. A reply is one block: what it consists of is cut from that block, and from more
 * chunks once that is full. It is freed as a whole.
 */
#ifndef AIO__REDIS_REPLY_H
#define AIO__REDIS_REPLY_H

#include <aio/redis.h>
#include <stdatomic.h>

struct aio__redis_chunk {
    struct aio__redis_chunk *next;
    size_t room; /* bytes that follow */
    size_t used;
};

struct aio__redis_block {
    atomic_size_t refs;
    aio_redis_reply root;
    struct aio__redis_chunk *chunks; /* beside the one below; the newest first */
    size_t total;                    /* bytes cut from it */
    size_t used;                     /* of `own` */
    char own[384];
};

/* An empty block, whose root is nil; NULL: no memory. */
struct aio__redis_block *aio__redis_block_new(void);
void aio__redis_block_free(struct aio__redis_block *block);

/* Cut memory from it, aligned for replies; NULL: none. */
void *aio__redis_block_cut(struct aio__redis_block *block, size_t size);
/* Copy text, with a 0 behind it. */
char *aio__redis_block_text(struct aio__redis_block *block, const char *text, size_t size);

static inline aio_redis_reply *aio__redis_block_reply(struct aio__redis_block *block)
{
    return &block->root;
}

#endif
