/* SPDX-License-Identifier: MIT */
/*
 * 10_coroutine_object.c - a coroutine object runs nothing by itself
 *
 * It is made, and closed before anybody awaited it: its function is never called.
 */
#include <aio/aio.h>
#include <stdio.h>
#include <stdlib.h>

static int func(void *arg, void **ret_result)
{
    printf("must not be printed\n");
    return 0;
}

int main(void)
{
    AIO_AUTO(aio_coroutine) result = aio_coroutine_new(func, NULL, NULL);
    int err;

    printf("%s\n", aio_coroutine_state_name(aio_coroutine_get_state(result)));
    err = aio_coroutine_close(result);
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    printf("%s\n", aio_coroutine_state_name(aio_coroutine_get_state(result)));
    return EXIT_SUCCESS;
}
