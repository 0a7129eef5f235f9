/* SPDX-License-Identifier: MIT */
/*
 * 11_run.c - aio_run() makes a loop, runs one coroutine on it, and closes it
 */
#include <aio/aio.h>
#include <stdio.h>
#include <stdlib.h>

static int func(void *arg, void **ret_result)
{
    printf("快来数一数\n");
    return 0;
}

int main(void)
{
    int err = aio_run(func, NULL, NULL);

    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
