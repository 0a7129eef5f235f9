/* SPDX-License-Identifier: MIT */
/*
 * 12_await1.c - awaiting a pause, which gives no result
 *
 * A coroutine that sets no result leaves the NULL that was there: Python's None.
 */
#include <aio/aio.h>
#include <stdio.h>
#include <stdlib.h>

static int pause_2(void *arg, void **ret_result)
{
    return aio_sleep(2);
}

static int func(void *arg, void **ret_result)
{
    void *response = NULL;
    int err;

    printf("hello\n");
    err = pause_2(NULL, &response);
    if (err < 0)
        return err;
    printf("end %s\n", response == NULL ? "None" : (const char *)response);
    return 0;
}

int main(void)
{
    int err;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    err = aio_run(func, NULL, NULL);
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
