/* SPDX-License-Identifier: MIT */
/*
 * test_redis_reply.c - the parser of replies by itself, and replies as text
 */
#include "redis/redis_internal.h"
#include "support/allocation.h"
#include "support/unit.h"

#include <hiredis.h>
#include <stdio.h>
#include <string.h>

/* Notes the replies as text, one behind the other. */
struct listener {
    struct aio__redis_parser parser; /* first */
    char text[4096];
    size_t replies;
};

static int on_begin(struct aio__redis_parser *parser, struct aio__redis_target *ret_target)
{
    ret_target->block = aio__redis_block_new();
    if (ret_target->block == NULL)
        return AIO_ENOMEM;
    ret_target->reply = &ret_target->block->root;
    return 0;
}

static void on_end(struct aio__redis_parser *parser)
{
    struct listener *self = (struct listener *)(void *)parser;
    size_t used = strlen(self->text);

    (void)aio_redis_reply_repr(&parser->target.block->root, self->text + used,
                               sizeof(self->text) - used);
    self->replies++;
    aio__redis_block_free(parser->target.block);
    parser->target.block = NULL;
}

/* Parse text in pieces of a size; gives the code. */
static int parse(struct listener *self, const char *data, size_t size, size_t piece, size_t limit)
{
    int err = 0;

    memset(self, 0, sizeof(*self));
    self->parser.begin = on_begin;
    self->parser.end = on_end;
    assert_int_equal(aio__redis_parser_init(&self->parser, limit), 0);
    for (size_t at = 0; at < size && err == 0; at += piece)
        err =
            aio__redis_parser_feed(&self->parser, data + at, size - at < piece ? size - at : piece);
    aio__redis_parser_clear(&self->parser);
    aio__redis_block_free(self->parser.target.block);
    return err;
}

static void replies_are_the_same_however_they_are_cut(void **state)
{
    static const char wire[] = "+OK\r\n:-12\r\n$-1\r\n$0\r\n\r\n*-1\r\n*0\r\n-ERR no\r\n"
                               "*3\r\n$3\r\na\r\n\r\n*2\r\n:1\r\n$1\r\nb\r\n+S\r\n";
    struct listener self;

    aio__redis_register_errors();
    for (size_t piece = 1; piece <= sizeof(wire); piece++) {
        assert_int_equal(parse(&self, wire, sizeof(wire) - 1, piece, 4096), 0);
        assert_string_equal(self.text, "'OK'-12None''None[]ReplyError('ERR no')"
                                       "['a\\r\\n', [1, 'b'], 'S']");
    }
}

static void what_is_no_protocol_is_refused(void **state)
{
    static const char *const wires[] = {"HTTP/1.1 200 OK\r\n", "%1\r\n", "$x\r\n",
                                        "*4294967296\r\n", "$-5\r\n"};
    struct listener self;

    for (size_t i = 0; i < COUNT_OF(wires); i++)
        assert_int_equal(parse(&self, wires[i], strlen(wires[i]), 3, 4096), AIO_REDIS_EPROTOCOL);
}

static void nesting_beyond_seven_is_refused(void **state)
{
    static const char deep[] = "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n";
    struct listener self;

    assert_int_equal(parse(&self, deep, 7 * 4, 100, 4096), 0);
    assert_int_equal(parse(&self, deep, sizeof(deep) - 1, 100, 4096), AIO_REDIS_EPROTOCOL);
}

/* What would cost more than the limit is refused before it does. */
static void reply_beyond_the_limit_is_refused(void **state)
{
    static char data[200 * 1024];
    struct listener self;
    int head;

    assert_int_equal(parse(&self, "*1000000\r\n", 10, 100, 4096), AIO_REDIS_EPROTOCOL);
    assert_int_equal(parse(&self, "*2\r\n*60\r\n", 9, 100, 4096), 0);
    memset(data, 'x', sizeof(data));
    head = sprintf(data, "$100000\r\n");
    data[head] = 'x';
    assert_int_equal(parse(&self, data, sizeof(data), 1000, 4096), AIO_REDIS_EPROTOCOL);
    data[0] = '+';
    assert_int_equal(parse(&self, data + 20, 1, 1000, 1 << 20), AIO_REDIS_EPROTOCOL); /* 'x' */
    memset(data, '1', sizeof(data));
    data[0] = '+';
    assert_int_equal(parse(&self, data, sizeof(data), 1000, 1 << 20), AIO_REDIS_EPROTOCOL);
    data[0] = '$';
    assert_int_equal(parse(&self, data, 100, 1000, 1 << 20), AIO_REDIS_EPROTOCOL);
}

static void text_prints_as_python_prints_it(void **state)
{
    static const struct {
        const char *text;
        size_t size;
        const char *printed;
    } cases[] = {
        {"plain", 5, "'plain'"},
        {"it's", 4, "\"it's\""},
        {"'\"", 2, "'\\'\"'"},
        {"back\\slash\t", 11, "'back\\\\slash\\t'"},
        {"\x01\x7f\0", 3, "'\\x01\\x7f\\x00'"},
        {"张三", 6, "'张三'"},
        {"\xc2\xa0\xc2\xa1", 4, "'\\xa0¡'"},
        {"\xf0\x9f\x98\x80", 4, "'\xf0\x9f\x98\x80'"},
        {"\xed\xa0\x80", 3, "b'\\xed\\xa0\\x80'"}, /* a surrogate */
        {"\xc0\x80", 2, "b'\\xc0\\x80'"},          /* too long a form */
        {"a\xe5\xbc", 3, "b'a\\xe5\\xbc'"},        /* cut */
    };
    char printed[64];

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        aio_redis_reply reply = {
            .type = AIO_REDIS_STRING, .text = cases[i].text, .size = cases[i].size};

        assert_int_equal(aio_redis_reply_repr(&reply, printed, sizeof(printed)),
                         strlen(cases[i].printed));
        assert_string_equal(printed, cases[i].printed);
    }
}

static void text_that_does_not_fit_is_cut_and_its_length_told(void **state)
{
    aio_redis_reply reply = {.type = AIO_REDIS_INTEGER, .integer = INT64_MIN};
    char small[5] = "????";

    assert_int_equal(aio_redis_reply_repr(&reply, small, sizeof(small)), 20);
    assert_string_equal(small, "-922");
    assert_int_equal(aio_redis_reply_repr(&reply, NULL, 0), 20);
    assert_int_equal(aio_redis_reply_repr(NULL, small, sizeof(small)), 4);
    assert_string_equal(small, "None");
}

static void array_becomes_a_map_if_its_keys_have_values(void **state)
{
    aio_redis_reply items[3] = {{.type = AIO_REDIS_INTEGER, .integer = 1},
                                {.type = AIO_REDIS_NIL},
                                {.type = AIO_REDIS_NIL}};
    aio_redis_reply array = {.type = AIO_REDIS_ARRAY, .items = items, .count = 3};

    assert_int_equal(aio_redis_reply_make_map(&array), AIO_ETYPE);
    assert_int_equal(aio_redis_reply_make_map(&items[0]), AIO_ETYPE);
    assert_int_equal(aio_redis_reply_make_map(NULL), AIO_ETYPE);
    array.count = 2;
    assert_int_equal(aio_redis_reply_make_map(&array), 0);
    assert_int_equal(array.type, AIO_REDIS_MAP);
    assert_null(aio_redis_reply_get(&array, "1"));
    assert_null(aio_redis_reply_get(NULL, "1"));
}

/* The words are written as hiredis writes them. */
static void command_is_the_same_word_by_word_and_by_hiredis(void **state)
{
    static const char *const words[] = {"SET", "", "a\r\nb", "0123456789", "x"};
    size_t sizes[5];
    aio_buffer buffers[5];
    struct aio__redis_bytes out = {0};
    char *expected = NULL;
    int size;

    for (size_t i = 0; i < 5; i++) {
        sizes[i] = strlen(words[i]);
        buffers[i] = (aio_buffer){words[i], sizes[i]};
    }
    size = redisFormatCommandArgv(&expected, 5, (const char **)(uintptr_t)words, sizes);
    assert_int_equal(aio__redis_add_argv(&out, buffers, 5), 0);
    assert_int_equal(out.size, size);
    assert_memory_equal(out.data, expected, out.size);
    redisFreeCommand(expected);
    aio__redis_bytes_free(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(replies_are_the_same_however_they_are_cut),
        TEST(what_is_no_protocol_is_refused),
        TEST(nesting_beyond_seven_is_refused),
        TEST(reply_beyond_the_limit_is_refused),
        TEST(text_prints_as_python_prints_it),
        TEST(text_that_does_not_fit_is_cut_and_its_length_told),
        TEST(array_becomes_a_map_if_its_keys_have_values),
        TEST(command_is_the_same_word_by_word_and_by_hiredis),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
