/* SPDX-License-Identifier: MIT */
/*
 * read_error.c - the errors of reads, and what they tell
 *
 * The bytes of an AIO_EINCOMPLETEREAD are an allocation that goes with the error; the number of an
 * AIO_ELIMITOVERRUN stands in the place of such an allocation's address.
 */
#include "base/error.h"
#include "stream/stream_internal.h"

#include <aio/memory.h>
#include <string.h>

struct incomplete_read {
    ptrdiff_t expected;
    size_t size;
    char data[];
};

static struct incomplete_read *make_detail(const aio_stream_reader *reader,
                                           const struct aio__loan *loan, ptrdiff_t expected)
{
    size_t lent = loan == NULL ? 0 : loan->filled;
    size_t held = aio__inbuf_size(&reader->buffer);
    struct incomplete_read *detail = aio_malloc(sizeof(*detail) + lent + held);

    if (detail == NULL)
        return NULL;
    detail->expected = expected;
    detail->size = lent + held;
    if (lent > 0)
        memcpy(detail->data, loan->data, lent);
    if (held > 0)
        memcpy(detail->data + lent, aio__inbuf_data(&reader->buffer), held);
    return detail;
}

static aio_exception *make_incomplete_read(struct incomplete_read *detail)
{
    aio_exception *error;

    if (detail->expected < 0)
        error = aio_exception_new(AIO_EINCOMPLETEREAD,
                                  "%zu bytes read on a total of undefined expected bytes",
                                  detail->size);
    else
        error = aio_exception_new(AIO_EINCOMPLETEREAD,
                                  "%zu bytes read on a total of %td expected bytes", detail->size,
                                  detail->expected);
    aio__error_set_detail(error, detail, aio_free);
    return error;
}

int aio__raise_incomplete_read(aio_stream_reader *reader, const struct aio__loan *loan,
                               ptrdiff_t expected)
{
    struct incomplete_read *detail = make_detail(reader, loan, expected);
    aio_exception *error;
    int code;

    if (detail == NULL)
        return AIO_ENOMEM;
    error = make_incomplete_read(detail);
    if (error != NULL)
        aio__inbuf_clear(&reader->buffer);
    code = aio_raise_exception(error);
    aio_exception_unref(error);
    return code;
}

int aio__raise_limit_overrun(const char *message, size_t consumed)
{
    aio_exception *error = aio_exception_new(AIO_ELIMITOVERRUN, "%s", message);
    int code;

    aio__error_set_detail(error, (void *)(uintptr_t)consumed, NULL);
    code = aio_raise_exception(error);
    aio_exception_unref(error);
    return code;
}

static const struct incomplete_read *incomplete_read_of(const aio_exception *error)
{
    return aio_exception_code(error) == AIO_EINCOMPLETEREAD ? aio__error_detail(error) : NULL;
}

aio_buffer aio_exception_partial(const aio_exception *error)
{
    const struct incomplete_read *detail = incomplete_read_of(error);

    if (detail == NULL || detail->size == 0)
        return (aio_buffer){.data = NULL};
    return (aio_buffer){.data = detail->data, .size = detail->size};
}

ptrdiff_t aio_exception_expected(const aio_exception *error)
{
    const struct incomplete_read *detail = incomplete_read_of(error);

    return detail == NULL ? -1 : detail->expected;
}

size_t aio_exception_consumed(const aio_exception *error)
{
    if (aio_exception_code(error) != AIO_ELIMITOVERRUN)
        return 0;
    return (size_t)(uintptr_t)aio__error_detail(error);
}
