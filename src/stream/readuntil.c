/* SPDX-License-Identifier: MIT */
/*
 * readuntil.c - reading up to a separator, and lines
 *
 * What has been searched is not searched again, but for as many bytes as may be the beginning of the
 * longest separator. Of several separators the one that ends first counts, of two that end together
 * the shorter: what asyncio gets by trying them in the order of their lengths.
 */
#include "stream/stream_internal.h"

#include <string.h>

/* What to look for. */
struct search {
    const aio_buffer *separators;
    size_t count;
    size_t shortest;
    size_t longest;
    const char *what; /* the function's name */
};

/* What came of it. */
struct found {
    enum { FOUND, ENDED, OVERRUN_FOUND, OVERRUN_NOT_FOUND } how;
    size_t start; /* of the separator; OVERRUN_NOT_FOUND: before this there is none */
    size_t end;   /* of the separator, if there is one */
};

static const char *overrun_message(const struct found *found)
{
    return found->how == OVERRUN_FOUND ? "Separator is found, but chunk is longer than limit"
                                       : "Separator is not found, and chunk exceed the limit";
}

/* Search what is buffered from an offset on. */
static bool find(const aio_stream_reader *reader, const struct search *search, size_t offset,
                 struct found *found)
{
    const char *data = aio__inbuf_data(&reader->buffer);
    size_t held = aio__inbuf_size(&reader->buffer);
    bool any = false;

    for (size_t i = 0; i < search->count; i++) {
        const aio_buffer *separator = &search->separators[i];
        const char *at = memmem(data + offset, held - offset, separator->data, separator->size);
        size_t start, end;

        if (at == NULL)
            continue;
        start = (size_t)(at - data);
        end = start + separator->size;
        if (any && (end > found->end || (end == found->end && start < found->start)))
            continue;
        found->start = start;
        found->end = end;
        any = true;
    }
    return any;
}

/* Look through what is buffered; true if that settles the matter. */
static bool look(const aio_stream_reader *reader, const struct search *search, size_t *offset,
                 struct found *found)
{
    size_t held = aio__inbuf_size(&reader->buffer);

    /* Fewer than before: another has read meanwhile. asyncio does not look there again either. */
    if (held < *offset || held - *offset < search->shortest)
        return false;
    if (find(reader, search, *offset, found)) {
        found->how = found->start > reader->limit ? OVERRUN_FOUND : FOUND;
        return true;
    }
    *offset = held + 1 > search->longest ? held + 1 - search->longest : 0;
    if (*offset <= reader->limit)
        return false;
    *found = (struct found){.how = OVERRUN_NOT_FOUND, .start = *offset};
    return true;
}

/* Wait for a separator, or for what makes waiting useless. Nothing is taken yet. */
static int wait_for(aio_stream_reader *reader, const struct search *search, struct found *ret_found)
{
    size_t offset = 0;
    int err = aio__reader_begin(reader);

    while (err == 0 && !look(reader, search, &offset, ret_found)) {
        if (reader->eof) {
            ret_found->how = ENDED;
            return 0;
        }
        err = aio__reader_wait(reader, search->what, NULL);
    }
    return err;
}

/* Take so many bytes and give them to the caller. */
static int take(aio_stream_reader *reader, size_t size, aio_bytes *ret_bytes)
{
    aio_bytes bytes;
    int err = aio__inbuf_take(&reader->buffer, size, &bytes);

    if (err < 0)
        return err;
    err = aio__reader_taken(reader);
    if (err < 0)
        aio_bytes_free(&bytes);
    else
        *ret_bytes = bytes;
    return err;
}

/* --- readuntil ---------------------------------------------------------------------------- */

static int prepare(struct search *search)
{
    if (search->separators == NULL || search->count == 0)
        return aio_raise(AIO_EVALUE, "Separator should contain at least one element");
    search->shortest = SIZE_MAX;
    for (size_t i = 0; i < search->count; i++) {
        size_t size = search->separators[i].data == NULL ? 0 : search->separators[i].size;

        if (size < search->shortest)
            search->shortest = size;
        if (size > search->longest)
            search->longest = size;
    }
    if (search->shortest == 0)
        return aio_raise(AIO_EVALUE, "Separator should be at least one-byte string");
    return 0;
}

static int readuntil(aio_stream_reader *reader, const struct search *search, aio_bytes *ret_bytes)
{
    struct found found = {0};
    int err = wait_for(reader, search, &found);

    if (err < 0)
        return err;
    if (found.how == FOUND)
        return take(reader, found.end, ret_bytes);
    if (found.how == ENDED)
        return aio__raise_incomplete_read(reader, NULL, -1);
    return aio__raise_limit_overrun(overrun_message(&found), found.start);
}

int aio_stream_reader_readuntil_any(aio_stream_reader *reader, const aio_buffer *separators,
                                    size_t count, aio_bytes *ret_bytes)
{
    struct search search = {.separators = separators, .count = count, .what = "readuntil"};
    int err = aio__reader_check(reader, ret_bytes);

    if (err < 0)
        return err;
    err = prepare(&search);
    if (err < 0)
        return err;
    aio_stream_reader_ref(reader);
    err = readuntil(reader, &search, ret_bytes);
    aio_stream_reader_unref(reader);
    return err;
}

int aio_stream_reader_readuntil(aio_stream_reader *reader, const void *separator, size_t size,
                                aio_bytes *ret_bytes)
{
    aio_buffer one = {.data = separator, .size = size};

    return aio_stream_reader_readuntil_any(reader, &one, 1, ret_bytes);
}

/* --- readline ----------------------------------------------------------------------------- */

static int drop_overlong_line(aio_stream_reader *reader, const struct found *found)
{
    int err;

    if (found->how == OVERRUN_FOUND)
        aio__inbuf_drop(&reader->buffer, found->end);
    else
        aio__inbuf_clear(&reader->buffer);
    err = aio__reader_taken(reader);
    return err < 0 ? err : aio_raise(AIO_EVALUE, "%s", overrun_message(found));
}

static int readline(aio_stream_reader *reader, aio_bytes *ret_bytes)
{
    static const aio_buffer newline = {.data = "\n", .size = 1};
    static const struct search search = {
        .separators = &newline, .count = 1, .shortest = 1, .longest = 1, .what = "readuntil"};
    struct found found = {0};
    int err = wait_for(reader, &search, &found);

    if (err < 0)
        return err;
    if (found.how == FOUND)
        return take(reader, found.end, ret_bytes);
    if (found.how == ENDED)
        return aio__inbuf_take(&reader->buffer, aio__inbuf_size(&reader->buffer), ret_bytes);
    return drop_overlong_line(reader, &found);
}

int aio_stream_reader_readline(aio_stream_reader *reader, aio_bytes *ret_bytes)
{
    int err = aio__reader_check(reader, ret_bytes);

    if (err < 0)
        return err;
    aio_stream_reader_ref(reader);
    err = readline(reader, ret_bytes);
    aio_stream_reader_unref(reader);
    return err;
}
