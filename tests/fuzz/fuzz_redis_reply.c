/* SPDX-License-Identifier: MIT */
/*
 * fuzz_redis_reply.c - what a server of redis may send, whole and in pieces
 *
 * The first byte says how large the pieces are, the second what the limit is.
 */
#include "fuzz/fuzz.h"
#include "redis/redis_internal.h"

/* Notes of each reply what it prints as. */
struct listener {
    struct aio__redis_parser parser; /* first */
    bool skips;                      /* every other reply is thrown away */
    size_t begun;
    size_t ended;
    uint64_t sum;
};

static int on_begin(struct aio__redis_parser *parser, struct aio__redis_target *ret_target)
{
    struct listener *self = (struct listener *)(void *)parser;

    MUST(self->begun == self->ended);
    self->begun++;
    if (self->skips && self->begun % 2 == 0)
        return 0;
    ret_target->block = aio__redis_block_new();
    MUST(ret_target->block != NULL);
    ret_target->reply = &ret_target->block->root;
    return 0;
}

static void check_reply(const aio_redis_reply *reply)
{
    MUST((reply->text != NULL) ==
         (reply->type == AIO_REDIS_STRING || reply->type == AIO_REDIS_STATUS ||
          reply->type == AIO_REDIS_FAILURE));
    MUST(reply->text == NULL || reply->text[reply->size] == '\0');
    MUST(reply->count == 0 || reply->items != NULL);
    for (size_t i = 0; i < reply->count; i++)
        check_reply(&reply->items[i]);
}

static void on_end(struct aio__redis_parser *parser)
{
    struct listener *self = (struct listener *)(void *)parser;
    struct aio__redis_block *block = parser->target.block;
    size_t length;
    char *text;

    self->ended++;
    MUST(self->begun == self->ended);
    if (block == NULL)
        return;
    MUST(block->total <= parser->limit + 64 * 1024);
    check_reply(&block->root);
    length = aio_redis_reply_repr(&block->root, NULL, 0);
    text = malloc(length + 1);
    MUST(text != NULL && aio_redis_reply_repr(&block->root, text, length + 1) == length);
    MUST(strlen(text) == length);
    for (size_t i = 0; i < length; i++)
        self->sum = self->sum * 31 + (unsigned char)text[i];
    free(text);
    if (aio_redis_reply_make_map(&block->root) == 0)
        (void)aio_redis_reply_get(&block->root, "key");
    aio__redis_block_free(block);
    parser->target.block = NULL;
}

/* All of the data in pieces of some size; gives the code. */
static int parse(struct listener *self, const uint8_t *data, size_t size, size_t piece,
                 size_t limit, bool skips)
{
    int err = 0;

    memset(self, 0, sizeof(*self));
    self->parser.begin = on_begin;
    self->parser.end = on_end;
    self->skips = skips;
    MUST(aio__redis_parser_init(&self->parser, limit) == 0);
    for (size_t at = 0; at < size && err == 0; at += piece)
        err =
            aio__redis_parser_feed(&self->parser, data + at, size - at < piece ? size - at : piece);
    aio__redis_parser_clear(&self->parser);
    aio__redis_block_free(self->parser.target.block);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct listener whole;
    struct listener pieces;
    struct listener skipped;
    size_t limit;
    int whole_code;
    int pieces_code;

    if (size < 2)
        return 0;
    limit = (size_t)data[1] * 64 + 64;
    whole_code = parse(&whole, data + 2, size - 2, size, limit, false);
    pieces_code = parse(&pieces, data + 2, size - 2, (size_t)data[0] + 1, limit, false);
    MUST(whole_code == 0 || whole_code == AIO_REDIS_EPROTOCOL);
    MUST(pieces_code == 0 || pieces_code == AIO_REDIS_EPROTOCOL);
    /* However it is cut, it is read as the same; what is refused may be refused sooner. */
    if (whole_code == 0 && pieces_code == 0)
        MUST(pieces.ended == whole.ended && pieces.sum == whole.sum);
    (void)parse(&skipped, data + 2, size - 2, (size_t)data[0] + 1, limit, true);
    return 0;
}
