/* SPDX-License-Identifier: MIT */
/*
 * lines.c - the lines of a stream as an iterator
 *
 * The iterator is a part of the reader, as in asyncio: it needs no place and no reference of its
 * own. Its last line stays with the reader until the next one.
 *
 * Thread: the loop's.
 */
#include "base/list.h"
#include "stream/stream_internal.h"

#include <aio/memory.h>

static int next_line(aio_iterator *iterator, void **ret_item)
{
    aio_stream_reader *reader = aio__container_of(iterator, aio_stream_reader, lines);
    aio_bytes line;
    int err = aio_stream_reader_readline(reader, &line);

    if (err < 0)
        return err;
    if (line.size == 0)
        return AIO_ESTOP;
    aio_bytes_free(&reader->line);
    reader->line = line;
    *ret_item = &reader->line;
    return 0;
}

const aio_iterator_ops aio__stream_lines_ops = {
    .size = sizeof(aio_iterator_ops),
    .next = next_line,
};

aio_iterator *aio_stream_reader_iterator(aio_stream_reader *reader)
{
    return reader == NULL ? NULL : &reader->lines;
}
