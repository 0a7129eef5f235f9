/* SPDX-License-Identifier: MIT */
/*
 * main.c - a coroutine as the whole of main()
 *
 * The one place that prints and ends the process: the program has asked for it.
 */
#include <aio/error.h>
#include <aio/memory.h>
#include <aio/runner.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#undef aio_main

static void print_error(int code)
{
    aio_exception *error = aio_error_catch(code);
    size_t size = aio_exception_format(error, NULL, 0) + 1;
    char *text = aio_malloc(size);

    if (text != NULL) {
        (void)aio_exception_format(error, text, size);
        (void)fprintf(stderr, "%s\n", text);
    } else {
        (void)fprintf(stderr, "%s\n", aio_error_name(code));
    }
    aio_free(text);
    aio_exception_unref(error);
}

static void die_of_interrupt(void)
{
    (void)fputs("KeyboardInterrupt\n", stderr);
    (void)fflush(NULL);
    (void)signal(SIGINT, SIG_DFL);
    (void)raise(SIGINT);
}

int aio_main_at(aio_site site, aio_coro_fn fn, void *arg)
{
    int code = aio_run_at(site, fn, arg, NULL);

    if (code == AIO_EKEYBOARDINTERRUPT)
        die_of_interrupt();
    else if (code < 0 && code != AIO_ESYSTEMEXIT)
        print_error(code);
    return code < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int aio_main(aio_coro_fn fn, void *arg)
{
    return aio_main_at(aio_site_make(NULL, NULL, 0), fn, arg);
}
