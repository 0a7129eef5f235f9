/* SPDX-License-Identifier: MIT */
/*
 * 28_async_iterator.c - an `async for` over an iterator of one's own
 *
 * An iterator begins with aio_iterator, which knows how to get the next item. That may wait,
 * and AIO_ESTOP is the normal end.
 */
#include <aio/aio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* 自定义异步迭代器（同时也是异步可迭代对象） */
struct reader {
    aio_iterator base;
    int count;
};

/* Gives 0 at the end. Could wait, with aio_sleep(1) say; this one has no need to. */
static int reader_readline(struct reader *reader, int *ret_value)
{
    reader->count++;
    *ret_value = reader->count == 100 ? 0 : reader->count;
    return 0;
}

static int reader_anext(aio_iterator *it, void **ret_item)
{
    struct reader *self = (struct reader *)it;
    int value;
    int err = reader_readline(self, &value);

    if (err < 0)
        return err;
    if (value == 0)
        return AIO_ESTOP;
    *ret_item = (void *)(intptr_t)value;
    return 0;
}

static const aio_iterator_ops reader_ops = {.size = sizeof(reader_ops), .next = reader_anext};

static int async_main(void *arg, void **ret_result)
{
    struct reader obj = {{&reader_ops}, 0};
    void *item;
    int err;

    while ((err = aio_anext(&obj.base, &item)) == 0)
        printf("%d\n", (int)(intptr_t)item);
    return err == AIO_ESTOP ? 0 : err;
}

int main(void)
{
    int err = aio_run(async_main, NULL, NULL);

    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
