/* SPDX-License-Identifier: MIT */
/*
 * reader.c - a stream's reader: what feeds it, and how a task waits for that
 *
 * Owns struct aio_stream_reader. What the reads do with it is in read.c and readuntil.c.
 *
 * Invariants
 *   - At most one task waits. Once woken it counts no more: others may read before it goes on, and
 *     it finds what they left. When it goes on, it makes the reader forget whoever has begun to wait
 *     meanwhile (asyncio's `finally: self._waiter = None`; programs have met with it).
 *   - `waiter` and `loan` point into the frame of a call that waits or was woken, which clears them
 *     before it returns, on every way out.
 *   - The bytes of a loan come before those of the buffer, which is empty while the loan has room.
 *
 * Thread: the loop's.
 */
#include "stream/spares.h"
#include "stream/stream_internal.h"

#include <assert.h>
#include <string.h>

enum { LEND_AT_LEAST = 16 * 1024 };

const struct aio__future_ops aio__stream_future_ops = {.name = "Future"};

int aio__stream_future_await(aio_future *fut)
{
    int err = aio_await(fut, NULL);

    aio_exception_unref(fut->error); /* NULL with a result, which is NULL */
    return err;
}

void aio__stream_future_finish(aio_future *fut, aio_exception *error)
{
    if (!aio__future_is_pending(fut))
        return;
    if (error == NULL)
        aio__future_finish(fut, NULL, NULL);
    else
        (void)aio_future_set_exception(fut, error);
}

/* --- life ------------------------------------------------------------------------------- */

static int check_new(aio_loop *loop, size_t limit)
{
    if (limit == 0 || limit > PTRDIFF_MAX)
        return aio_raise(AIO_EVALUE, "Limit cannot be <= 0");
    if (loop == NULL)
        return AIO_ENOLOOP;
    if (loop->closed)
        return aio_raise(AIO_ECLOSED, "Event loop is closed");
    return 0;
}

aio_stream_reader *aio_stream_reader_new(aio_loop *loop, size_t limit)
{
    aio_stream_reader *reader;
    int err;

    loop = aio__loop_or_current(loop);
    err = check_new(loop, limit);
    if (err < 0)
        return aio__failed(err);
    reader = aio__loop_alloc(loop, sizeof(*reader));
    if (reader == NULL)
        return aio__failed(AIO_ENOMEM);
    *reader = (aio_stream_reader){
        .loop = loop,
        .refs = 1,
        .limit = limit,
        .buffer.loop = loop,
        .lines = {&aio__stream_lines_ops},
    };
    return reader;
}

aio_stream_reader *aio_stream_reader_ref(aio_stream_reader *reader)
{
    if (reader != NULL)
        reader->refs++;
    return reader;
}

void aio_stream_reader_unref(aio_stream_reader *reader)
{
    if (reader == NULL || --reader->refs != 0)
        return;
    aio__inbuf_clear(&reader->buffer);
    aio_bytes_free(&reader->line);
    aio_exception_unref(reader->exception);
    aio_transport_unref(reader->transport);
    aio__loop_free(reader->loop, reader, sizeof(*reader));
}

/* --- what others tell the reader ---------------------------------------------------------- */

/* Whoever waits is woken. A cancelled one has not gone on yet: it needs no waking. */
static void wake(aio_stream_reader *reader, aio_exception *error)
{
    aio_future *waiter = reader->waiter;

    if (waiter == NULL)
        return;
    reader->waiter = NULL;
    aio__stream_future_finish(waiter, error);
}

/* To the memory of who waits, and what does not fit there to the buffer. */
static int put_in(aio_stream_reader *reader, const char *data, size_t size)
{
    struct aio__loan *loan = reader->loan;
    size_t room = loan == NULL ? 0 : loan->size - loan->filled;
    size_t first = size < room ? size : room;
    int err = aio__inbuf_append(&reader->buffer, data + first, size - first);

    if (err < 0 || first == 0)
        return err;
    memcpy(loan->data + loan->filled, data, first);
    loan->filled += first;
    return 0;
}

static int pause_if_full(aio_stream_reader *reader)
{
    int err;

    if (reader->transport == NULL || reader->paused ||
        aio__reader_size(reader) <= 2 * reader->limit)
        return 0;
    err = aio_transport_pause_reading(reader->transport);
    if (err == AIO_ENOTIMPLEMENTED) {
        /* It cannot be paused: all of it has to be kept, and asking again is of no use. */
        aio__error_forget();
        aio_transport_unref(reader->transport);
        reader->transport = NULL;
        return 0;
    }
    reader->paused = err == 0;
    return err;
}

int aio_stream_reader_feed_data(aio_stream_reader *reader, const void *data, size_t size)
{
    int err;

    if (reader == NULL)
        return aio__null_future();
    if (reader->eof)
        return aio_raise(AIO_EASSERTION, "feed_data after feed_eof");
    if (size == 0)
        return 0;
    if (data == NULL)
        return aio_raise(AIO_EVALUE, "there are no %zu bytes at NULL", size);
    err = put_in(reader, data, size);
    if (err < 0)
        return err;
    wake(reader, NULL);
    return pause_if_full(reader);
}

void aio_stream_reader_feed_eof(aio_stream_reader *reader)
{
    if (reader == NULL)
        return;
    reader->eof = true;
    wake(reader, NULL);
}

void aio_stream_reader_set_exception(aio_stream_reader *reader, aio_exception *error)
{
    aio_exception *before;

    if (reader == NULL)
        return;
    before = reader->exception;
    reader->exception = error != NULL ? aio_exception_ref(error) : aio_error_catch(AIO_ENOMEM);
    aio_exception_unref(before);
    wake(reader, reader->exception);
}

int aio_stream_reader_set_transport(aio_stream_reader *reader, aio_transport *transport)
{
    if (reader == NULL)
        return aio__null_future();
    if (transport == NULL)
        return aio_raise(AIO_EVALUE, "a transport is needed, not NULL");
    if (reader->transport != NULL)
        return aio_raise(AIO_EASSERTION, "Transport already set");
    reader->transport = aio_transport_ref(transport);
    return 0;
}

aio_exception *aio_stream_reader_exception(const aio_stream_reader *reader)
{
    return reader == NULL ? NULL : reader->exception;
}

bool aio_stream_reader_at_eof(const aio_stream_reader *reader)
{
    return reader == NULL || (reader->eof && aio__reader_size(reader) == 0);
}

/* --- loans -------------------------------------------------------------------------------- */

/* Memory of a caller that waits, behind what is there already. */
static bool has_room(const struct aio__loan *loan)
{
    return loan != NULL && loan->filled < loan->size;
}

/* To whoever waits with memory, behind what is buffered, or to memory that is spare. Where there is
 * little room, one read for this and for what comes after it is better. */
bool aio__reader_lend(const aio_stream_reader *reader, void **ret_data, size_t *ret_size)
{
    const struct aio__loan *loan = reader->loan;
    const struct aio__inbuf *buffer = &reader->buffer;
    char *data;
    size_t size;

    if (reader->eof)
        return false;
    if (has_room(loan)) {
        data = loan->data + loan->filled;
        size = loan->size - loan->filled;
    } else if (buffer->memory != NULL) {
        data = buffer->memory + buffer->end;
        size = buffer->capacity - buffer->end;
    } else {
        data = aio__spare_look(reader->loop);
        size = data == NULL ? 0 : AIO__SPARE_LARGE;
    }
    if (size < LEND_AT_LEAST)
        return false;
    *ret_data = data;
    if (*ret_size > size)
        *ret_size = size;
    return true;
}

/* Much is kept where it is, little takes no more memory than it needs. */
static int keep_spare(aio_stream_reader *reader, const char *data, size_t size)
{
    if (size <= AIO__SPARE_SMALL)
        return aio__inbuf_append(&reader->buffer, data, size);
    aio__inbuf_adopt(&reader->buffer, aio__spare_take(reader->loop, AIO__SPARE_LARGE),
                     AIO__SPARE_LARGE, size);
    return 0;
}

int aio__reader_lent(aio_stream_reader *reader, const void *data, size_t size)
{
    int err = 0;

    if (has_room(reader->loan))
        reader->loan->filled += size;
    else if (reader->buffer.memory != NULL)
        reader->buffer.end += size;
    else
        err = keep_spare(reader, data, size);
    if (err < 0)
        return err;
    wake(reader, NULL);
    return pause_if_full(reader);
}

int aio__reader_call_loan_in(aio_stream_reader *reader)
{
    struct aio__loan *loan = reader->loan;
    int err;

    if (loan == NULL)
        return 0;
    err = aio__inbuf_prepend(&reader->buffer, loan->data, loan->filled);
    if (err < 0)
        return err;
    loan->filled = 0;
    reader->loan = NULL;
    return 0;
}

void aio__reader_put_back(aio_stream_reader *reader, struct aio__loan *loan)
{
    int err = aio__inbuf_prepend(&reader->buffer, loan->data, loan->filled);

    loan->filled = 0;
    /* A part of the stream is lost: who goes on reading must hear of it. */
    if (err < 0 && reader->exception == NULL)
        aio_stream_reader_set_exception(reader, NULL);
}

/* --- reading, as far as all reads do the same ---------------------------------------------- */

int aio__reader_check(const aio_stream_reader *reader, const void *place)
{
    if (reader == NULL)
        return aio__null_future();
    if (place == NULL)
        return aio_raise(AIO_EVALUE, "a place for what is read is needed, not NULL");
    return 0;
}

int aio__reader_begin(aio_stream_reader *reader)
{
    if (reader->exception != NULL)
        return aio_raise_exception(reader->exception);
    return aio__reader_call_loan_in(reader);
}

/* Waiting while the transport is paused would be for ever. */
static int resume(aio_stream_reader *reader)
{
    if (!reader->paused)
        return 0;
    reader->paused = false;
    return aio_transport_resume_reading(reader->transport);
}

static void begin_wait(aio_stream_reader *reader, aio_future *waiter, struct aio__loan *loan)
{
    aio__stream_future_init(waiter, reader->loop);
    /* A loop that is being closed refuses to wait, and a task that goes on trying is at last left
     * where it is: nothing on its stack may be pointed to then. */
    if (reader->loop->closing) {
        if (loan != NULL)
            aio__reader_put_back(reader, loan);
        return;
    }
    reader->waiter = waiter;
    reader->loan = loan;
    if (loan != NULL)
        loan->filled +=
            aio__inbuf_move(&reader->buffer, loan->data + loan->filled, loan->size - loan->filled);
}

static int end_wait(aio_stream_reader *reader, struct aio__loan *loan, int err)
{
    reader->waiter = NULL; /* ours, or that of another, who is forgotten so (see above) */
    if (loan != NULL && reader->loan == loan) {
        reader->loan = NULL;
        if (err < 0)
            aio__reader_put_back(reader, loan);
        return err;
    }
    if (err == 0)
        err = aio__reader_call_loan_in(reader);
    return err;
}

int aio__reader_wait(aio_stream_reader *reader, const char *what, struct aio__loan *loan)
{
    aio_future waiter;
    int err;

    if (reader->waiter != NULL)
        return aio_raise(AIO_ERUNTIME,
                         "%s() called while another coroutine is already waiting for incoming data",
                         what);
    assert(reader->loan == NULL);
    begin_wait(reader, &waiter, loan);
    err = resume(reader);
    if (err == 0)
        err = aio__stream_future_await(&waiter);
    return end_wait(reader, loan, err);
}

int aio__reader_taken(aio_stream_reader *reader)
{
    return aio__reader_size(reader) <= reader->limit ? resume(reader) : 0;
}
