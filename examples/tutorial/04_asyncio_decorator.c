/* SPDX-License-Identifier: MIT */
/*
 * 04_asyncio_decorator.c - two coroutines wait at the same time, on a loop made by hand
 *
 * What asyncio.coroutine and `yield from` were before Python had async and await is here
 * the same as after: a coroutine is a function, and waiting in it is a call.
 */
#include <aio/aio.h>
#include <stdio.h>
#include <stdlib.h>

static int func1(void *arg, void **ret_result)
{
    int err;

    printf("1\n");
    err = aio_sleep(2);
    if (err < 0)
        return err;
    printf("2\n");
    return 0;
}

static int func2(void *arg, void **ret_result)
{
    int err;

    printf("3\n");
    err = aio_sleep(2);
    if (err < 0)
        return err;
    printf("4\n");
    return 0;
}

/* asyncio.wait(tasks) as something the loop can run */
static int wait_both(void *arg, void **ret_result)
{
    aio_future **tasks = arg;

    return aio_wait(tasks, 2, AIO_FOREVER, AIO_ALL_COMPLETED, NULL);
}

static int run(aio_loop *loop)
{
    AIO_AUTO(aio_coroutine) coro1 = aio_coroutine_new(func1, NULL, NULL);
    AIO_AUTO(aio_coroutine) coro2 = aio_coroutine_new(func2, NULL, NULL);
    aio_future *tasks[] = {coro1, coro2};
    AIO_AUTO(aio_coroutine) both = aio_coroutine_new(wait_both, tasks, NULL);

    for (size_t i = 0; i < 2; i++) {
        int err = aio_ensure_future(tasks[i], loop);
        if (err < 0)
            return err;
    }
    return aio_loop_run_until_complete(loop, both, NULL);
}

int main(void)
{
    AIO_AUTO(aio_loop) loop = aio_new_event_loop();
    int err;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (loop == NULL) {
        fprintf(stderr, "cannot make a loop\n");
        return EXIT_FAILURE;
    }
    err = run(loop);
    if (err < 0)
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
    (void)aio_loop_close(loop);
    return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
