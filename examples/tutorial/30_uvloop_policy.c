/* SPDX-License-Identifier: MIT */
/*
 * 30_uvloop_policy.c - the same program on another kind of loop
 *
 * A runner makes its loop with the factory it is given. Here it is one inside a uv_loop_t
 * that the program owns, as uvloop is to asyncio; the argument "asyncio" chooses the
 * library's own loop. The coroutines know nothing of it.
 */
#include <aio/aio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static uv_loop_t uvloop;

static int func(void *arg, void **ret_result)
{
    static char value[] = "返回值";
    int err;

    printf("1\n");
    err = aio_sleep(2);
    if (err < 0)
        return err;
    printf("2\n");
    *ret_result = value;
    return 0;
}

static int async_main(void *arg, void **ret_result)
{
    void *result1, *result2;
    int err;

    printf("main start...\n");
    AIO_AUTO(aio_task) task1 = aio_create_task(func, NULL);
    AIO_AUTO(aio_task) task2 = aio_create_task(func, NULL);
    printf("main end...\n");

    err = aio_await(task1, &result1);
    if (err < 0)
        return err;
    err = aio_await(task2, &result2);
    if (err < 0)
        return err;
    printf("%s %s\n", (const char *)result1, (const char *)result2);

    if (aio_loop_uv(aio_get_running_loop()) == &uvloop)
        printf("uvloop Loop\n");
    else
        printf("asyncio EventLoop\n");
    return 0;
}

/* uvloop.EventLoopPolicy: what makes the loops */
static aio_loop *new_uvloop(void *arg)
{
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;

    options.uv = arg;
    return aio_loop_new(&options);
}

static int run(const aio_runner_options *options)
{
    aio_runner *runner = aio_runner_new(options);
    int err;

    if (runner == NULL)
        return AIO_ENOMEM;
    err = aio_runner_run(runner, async_main, NULL, NULL, NULL);
    if (err < 0)
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
    aio_runner_free(runner);
    return err;
}

int main(int argc, char **argv)
{
    aio_runner_options options = AIO_RUNNER_OPTIONS_INIT;
    int err;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1 && strcmp(argv[1], "asyncio") == 0)
        return run(&options) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;

    err = uv_loop_init(&uvloop);
    if (err < 0) {
        fprintf(stderr, "%s\n", uv_strerror(err));
        return EXIT_FAILURE;
    }
    options.loop_factory = new_uvloop;
    options.factory_arg = &uvloop;
    err = run(&options);

    /* The loop in it is closed; its handles go when the uv_loop_t runs once more. */
    (void)uv_run(&uvloop, UV_RUN_DEFAULT);
    if (uv_loop_close(&uvloop) < 0) {
        fprintf(stderr, "something is still open in the uv_loop_t\n");
        return EXIT_FAILURE;
    }
    return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
