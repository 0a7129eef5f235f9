/* SPDX-License-Identifier: MIT */
/*
 * 29_async_context_manager.c - an `async with` over a resource of one's own: enter and exit
 *
 * Exit gets the code that the body ended with and gives that of the whole block, so that
 * it runs whatever the body did, and may wait.
 */
#include <aio/aio.h>
#include <stdio.h>
#include <stdlib.h>

struct manager {
    void *conn;
};

static int manager_do_something(struct manager *manager, int *ret_value)
{
    *ret_value = 666;
    return 0;
}

static int manager_enter(struct manager *manager)
{
    manager->conn = NULL;
    return 0;
}

static int manager_exit(struct manager *manager, int code)
{
    int err = aio_sleep(1);

    return err < 0 ? err : code;
}

static int print_something(struct manager *manager)
{
    int result;
    int err = manager_do_something(manager, &result);

    if (err == 0)
        printf("%d\n", result);
    return err;
}

static int async_main(void *arg, void **ret_result)
{
    struct manager obj;
    int err;

    /* an empty body: exit waits all the same */
    err = manager_enter(&obj);
    if (err < 0)
        return err;
    err = manager_exit(&obj, 0);
    if (err < 0)
        return err;

    err = manager_enter(&obj);
    if (err < 0)
        return err;
    err = print_something(&obj);
    return manager_exit(&obj, err);
}

int main(void)
{
    int err;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    err = aio_run(async_main, NULL, NULL);
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
