/* SPDX-License-Identifier: MIT */
/*
 * parser.h - bytes from a server as replies
 *
 * For src/redis, and for what tries the parser by itself. hiredis' reader reads the protocol; here
 * are the replies it builds, and the limits it does not have.
 */
#ifndef AIO__REDIS_PARSER_H
#define AIO__REDIS_PARSER_H

#include "redis/reply.h"

struct redisReader;

/* Where the next reply goes. */
struct aio__redis_target {
    struct aio__redis_block *block; /* NULL: it is thrown away */
    aio_redis_reply *reply;         /* in the block */
};

struct aio__redis_parser {
    struct redisReader *reader;
    size_t limit; /* bytes of a block, and of what is not read yet */
    /* A reply begins: say where it goes. 0, or a raised code: nobody wants it. */
    int (*begin)(struct aio__redis_parser *parser, struct aio__redis_target *ret_target);
    /* It is complete. */
    void (*end)(struct aio__redis_parser *parser);
    struct aio__redis_target target;
    int code; /* raised while a reply was built */
};

/* 0, or AIO_ENOMEM. */
int aio__redis_parser_init(struct aio__redis_parser *parser, size_t limit);
void aio__redis_parser_clear(struct aio__redis_parser *parser);

/*
 * Read some bytes: calls begin() and end() for each reply. A code is raised when they are no
 * protocol, or beyond the limits; nothing can be read any more then.
 */
int aio__redis_parser_feed(struct aio__redis_parser *parser, const void *data, size_t size);

#endif
