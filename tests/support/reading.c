/* SPDX-License-Identifier: MIT */
/*
 * reading.c - tasks that read from a stream's reader, in every way there is, and note what they get
 */
#include "support/reading.h"

#include <string.h>

int reading_setup(void **state)
{
    struct fixture *f;

    if (fx_setup(state) < 0)
        return -1;
    f = *state;
    f->subject = aio_stream_reader_new(NULL, READING_LIMIT);
    return f->subject == NULL ? -1 : 0;
}

int reading_teardown(void **state)
{
    struct fixture *f = *state;

    fx_end_tasks(f);
    aio_stream_reader_unref(f->subject);
    return fx_teardown(state);
}

void reading_feed(struct fixture *f, const char *text)
{
    assert_int_equal(aio_stream_reader_feed_data(f->subject, text, strlen(text)), 0);
}

/* --- the tasks ------------------------------------------------------------------------- */

static int note_bytes(struct fixture *f, const char *what, int code, aio_bytes *bytes)
{
    if (code < 0)
        return fx_note_code(f, what, code);
    fx_note(f, "%s %zu '%s'", what, bytes->size, bytes->data == NULL ? "" : bytes->data);
    aio_bytes_free(bytes);
    return 0;
}

int reading_read_some(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_bytes bytes;
    int code = aio_stream_reader_read(f->subject, 100, &bytes);

    return note_bytes(f, "read", code, &bytes);
}

int reading_read_all(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_bytes bytes;
    int code = aio_stream_reader_read(f->subject, -1, &bytes);

    return note_bytes(f, "read", code, &bytes);
}

int reading_readline(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_bytes bytes;
    int code = aio_stream_reader_readline(f->subject, &bytes);

    return note_bytes(f, "readline", code, &bytes);
}

int reading_readuntil(void *arg, void **ret_result)
{
    static const aio_buffer separators[] = {{"END", 3}, {";", 1}};
    struct fixture *f = arg;
    aio_bytes bytes;
    int code = aio_stream_reader_readuntil_any(f->subject, separators, 2, &bytes);

    return note_bytes(f, "readuntil", code, &bytes);
}

int reading_read_four_exactly(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_bytes bytes;
    int code = aio_stream_reader_readexactly(f->subject, 4, &bytes);

    return note_bytes(f, "readexactly", code, &bytes);
}

static int note_read_into(struct fixture *f, size_t *ret_size)
{
    char data[4];
    int code = aio_stream_reader_read_into(f->subject, data, 4, ret_size);

    if (code < 0)
        return fx_note_code(f, "read_into", code);
    fx_note(f, "read_into %zu '%.*s'", *ret_size, (int)*ret_size, data);
    return 0;
}

int reading_read_into(void *arg, void **ret_result)
{
    size_t size;

    return note_read_into(arg, &size);
}

int reading_read_into_to_the_end(void *arg, void **ret_result)
{
    size_t size;
    int code;

    do {
        code = note_read_into(arg, &size);
    } while (code == 0 && size > 0);
    return code;
}

int reading_read_ten_exactly_into(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    char data[11] = "";
    int code = aio_stream_reader_readexactly_into(f->subject, data, 10);

    if (code < 0)
        return fx_note_code(f, "readexactly_into", code);
    fx_note(f, "readexactly_into '%s'", data);
    return 0;
}

int reading_peek_four(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_buffer view;
    int code = aio_stream_reader_peek(f->subject, 4, &view);

    if (code < 0)
        return fx_note_code(f, "peek", code);
    fx_note(f, "peek '%.*s'", (int)view.size, view.size == 0 ? "" : (const char *)view.data);
    return 0;
}

const struct reading reading_all[READING_COUNT] = {
    {reading_read_some, "read"},
    {reading_read_all, "read"},
    {reading_readline, "readline"},
    {reading_readuntil, "readuntil"},
    {reading_read_four_exactly, "readexactly"},
    {reading_read_into, "read_into"},
    {reading_read_ten_exactly_into, "readexactly_into"},
    {reading_peek_four, "peek"},
};
