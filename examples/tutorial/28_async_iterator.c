/* SPDX-License-Identifier: MIT */
/*
 * 28_async_iterator.c - an `async for` over an iterator of one's own
 *
 * The next item comes from a function that may wait, and AIO_ESTOP is the normal end.
 */
#include <aio/aio.h>
#include <stdio.h>
#include <stdlib.h>

/* 自定义异步迭代器（同时也是异步可迭代对象） */
struct reader {
    int count;
};

/* Gives 0 at the end. Could wait, with aio_sleep(1) say; this one has no need to. */
static int reader_readline(struct reader *reader, int *ret_value)
{
    reader->count++;
    *ret_value = reader->count == 100 ? 0 : reader->count;
    return 0;
}

static int reader_anext(struct reader *reader, int *ret_item)
{
    int value;
    int err = reader_readline(reader, &value);

    if (err < 0)
        return err;
    if (value == 0)
        return AIO_ESTOP;
    *ret_item = value;
    return 0;
}

static int async_main(void *arg, void **ret_result)
{
    struct reader obj = {0};
    int item, err;

    while ((err = reader_anext(&obj, &item)) == 0)
        printf("%d\n", item);
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
