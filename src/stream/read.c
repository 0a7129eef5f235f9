/* SPDX-License-Identifier: MIT */
/*
 * read.c - reading so many bytes
 *
 * Each read holds the reader: who has dropped it meanwhile must not take it away from under us.
 */
#include "stream/stream_internal.h"

#include <aio/memory.h>

void aio_bytes_free(aio_bytes *bytes)
{
    if (bytes == NULL)
        return;
    aio_free(bytes->data);
    *bytes = (aio_bytes){.data = NULL};
}

/* The end of a read: the bytes go to the caller, unless the transport objects. */
static int hand_over(aio_stream_reader *reader, aio_bytes *bytes, aio_bytes *ret_bytes)
{
    int err = aio__reader_taken(reader);

    if (err < 0)
        aio_bytes_free(bytes);
    else
        *ret_bytes = *bytes;
    return err;
}

/* Wait if nothing is there. 0 also at the end of the stream, and if another was faster. */
static int wait_for_some(aio_stream_reader *reader, const char *what, struct aio__loan *loan)
{
    if (aio__inbuf_size(&reader->buffer) > 0 || reader->eof)
        return 0;
    return aio__reader_wait(reader, what, loan);
}

/* --- read ------------------------------------------------------------------------------- */

static int read_some(aio_stream_reader *reader, size_t size, aio_bytes *ret_bytes)
{
    aio_bytes bytes = {.data = NULL};
    size_t held;
    int err = aio__reader_begin(reader);

    if (err == 0 && size > 0)
        err = wait_for_some(reader, "read", NULL);
    if (err < 0)
        return err;
    if (size == 0) {
        *ret_bytes = bytes;
        return 0;
    }
    held = aio__inbuf_size(&reader->buffer);
    err = aio__inbuf_take(&reader->buffer, size < held ? size : held, &bytes);
    if (err < 0)
        return err;
    return hand_over(reader, &bytes, ret_bytes);
}

/* The next block of read_all(): at most the limit, so that the transport keeps going. */
static int read_block(aio_stream_reader *reader, struct aio__inbuf *all, bool *ret_end)
{
    size_t held;
    int err = aio__reader_begin(reader);

    if (err == 0)
        err = wait_for_some(reader, "read", NULL);
    if (err < 0)
        return err;
    held = aio__inbuf_size(&reader->buffer);
    if (held > reader->limit)
        held = reader->limit;
    if (held == 0) {
        *ret_end = true;
        return 0;
    }
    err = aio__inbuf_append(all, aio__inbuf_data(&reader->buffer), held);
    if (err < 0)
        return err;
    aio__inbuf_drop(&reader->buffer, held);
    return aio__reader_taken(reader);
}

static int read_all(aio_stream_reader *reader, aio_bytes *ret_bytes)
{
    struct aio__inbuf all = {.memory = NULL};
    bool end = false;
    int err;

    do {
        err = read_block(reader, &all, &end);
    } while (err == 0 && !end);
    if (err == 0)
        err = aio__inbuf_take(&all, aio__inbuf_size(&all), ret_bytes);
    aio__inbuf_clear(&all);
    return err;
}

int aio_stream_reader_read(aio_stream_reader *reader, ptrdiff_t size, aio_bytes *ret_bytes)
{
    int err = aio__reader_check(reader, ret_bytes);

    if (err < 0)
        return err;
    aio_stream_reader_ref(reader);
    err = size < 0 ? read_all(reader, ret_bytes) : read_some(reader, (size_t)size, ret_bytes);
    aio_stream_reader_unref(reader);
    return err;
}

static int read_into(aio_stream_reader *reader, char *data, size_t size, size_t *ret_size)
{
    struct aio__loan loan = {.data = data, .size = size};
    int err = aio__reader_begin(reader);

    if (err == 0)
        err = wait_for_some(reader, "read_into", &loan);
    if (err < 0)
        return err;
    /* Nothing if what came went to our memory: the buffer has only what did not fit there. */
    loan.filled += aio__inbuf_move(&reader->buffer, data + loan.filled, size - loan.filled);
    err = aio__reader_taken(reader);
    if (err == 0)
        *ret_size = loan.filled;
    return err;
}

int aio_stream_reader_read_into(aio_stream_reader *reader, void *data, size_t size,
                                size_t *ret_size)
{
    int err = aio__reader_check(reader, ret_size);

    if (err < 0)
        return err;
    if (data == NULL || size == 0)
        return aio_raise(AIO_EVALUE, "read_into() needs memory to read into");
    aio_stream_reader_ref(reader);
    err = read_into(reader, data, size, ret_size);
    aio_stream_reader_unref(reader);
    return err;
}

/* --- readexactly -------------------------------------------------------------------------- */

static int check_exact_size(size_t size)
{
    if (size > PTRDIFF_MAX)
        return aio_raise(AIO_EVALUE, "readexactly size can not be less than zero");
    return 0;
}

static int readexactly(aio_stream_reader *reader, size_t size, aio_bytes *ret_bytes)
{
    aio_bytes bytes = {.data = NULL};
    int err = aio__reader_begin(reader);

    while (err == 0 && aio__inbuf_size(&reader->buffer) < size) {
        if (reader->eof)
            return aio__raise_incomplete_read(reader, NULL, (ptrdiff_t)size);
        err = aio__reader_wait(reader, "readexactly", NULL);
    }
    if (err == 0)
        err = aio__inbuf_take(&reader->buffer, size, &bytes);
    if (err < 0)
        return err;
    if (size == 0) {
        *ret_bytes = bytes;
        return 0;
    }
    return hand_over(reader, &bytes, ret_bytes);
}

int aio_stream_reader_readexactly(aio_stream_reader *reader, size_t size, aio_bytes *ret_bytes)
{
    int err = aio__reader_check(reader, ret_bytes);

    if (err < 0)
        return err;
    err = check_exact_size(size);
    if (err < 0)
        return err;
    aio_stream_reader_ref(reader);
    err = readexactly(reader, size, ret_bytes);
    aio_stream_reader_unref(reader);
    return err;
}

/* The stream has ended before: what there is of it goes with the error. */
static int incomplete_into(aio_stream_reader *reader, struct aio__loan *loan)
{
    int err = aio__raise_incomplete_read(reader, loan, (ptrdiff_t)loan->size);

    if (err != AIO_EINCOMPLETEREAD)
        aio__reader_put_back(reader, loan);
    return err;
}

static int readexactly_into(aio_stream_reader *reader, char *data, size_t size)
{
    struct aio__loan loan = {.data = data, .size = size};
    int err = aio__reader_begin(reader);

    while (err == 0 && loan.filled + aio__inbuf_size(&reader->buffer) < size) {
        if (reader->eof)
            return incomplete_into(reader, &loan);
        err = aio__reader_wait(reader, "readexactly_into", &loan);
    }
    if (err < 0 || size == 0)
        return err;
    (void)aio__inbuf_move(&reader->buffer, data + loan.filled, size - loan.filled);
    return aio__reader_taken(reader);
}

int aio_stream_reader_readexactly_into(aio_stream_reader *reader, void *data, size_t size)
{
    int err;

    if (reader == NULL)
        return aio__null_future();
    err = check_exact_size(size);
    if (err < 0)
        return err;
    if (data == NULL && size > 0)
        return aio_raise(AIO_EVALUE, "readexactly_into() needs memory to read into");
    aio_stream_reader_ref(reader);
    err = readexactly_into(reader, data, size);
    aio_stream_reader_unref(reader);
    return err;
}

/* --- views -------------------------------------------------------------------------------- */

static int peek(aio_stream_reader *reader, size_t size, aio_buffer *ret_view)
{
    int err = aio__reader_begin(reader);

    reader->buffer.passing = true;
    while (err == 0 && aio__inbuf_size(&reader->buffer) < size && !reader->eof)
        err = aio__reader_wait(reader, "peek", NULL);
    if (err < 0)
        return err;
    ret_view->data = aio__inbuf_data(&reader->buffer);
    ret_view->size = aio__inbuf_size(&reader->buffer);
    return 0;
}

int aio_stream_reader_peek(aio_stream_reader *reader, size_t size, aio_buffer *ret_view)
{
    int err = aio__reader_check(reader, ret_view);

    if (err < 0)
        return err;
    if (size == 0 || size > 2 * reader->limit)
        return aio_raise(AIO_EVALUE, "peek() waits for 1 to %zu bytes, not %zu", 2 * reader->limit,
                         size);
    aio_stream_reader_ref(reader);
    err = peek(reader, size, ret_view);
    aio_stream_reader_unref(reader);
    return err;
}

int aio_stream_reader_consume(aio_stream_reader *reader, size_t size)
{
    int err;

    if (reader == NULL)
        return aio__null_future();
    err = aio__reader_call_loan_in(reader);
    if (err < 0)
        return err;
    if (size > aio__inbuf_size(&reader->buffer))
        return aio_raise(AIO_EVALUE, "only %zu bytes are buffered, not %zu",
                         aio__inbuf_size(&reader->buffer), size);
    aio__inbuf_drop(&reader->buffer, size);
    return aio__reader_taken(reader);
}
