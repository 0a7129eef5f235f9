/* SPDX-License-Identifier: MIT */
/*
 * 01_greenlet.c - two functions on stacks of their own, which switch to each other by hand
 *
 * There is no loop and no order but the program's. The last switch leaves func1 suspended
 * for ever: dropping its greenlet ends it, by an error out of that switch.
 */
#include <aio/greenlet.h>
#include <stdio.h>
#include <stdlib.h>

static aio_greenlet *gr1;
static aio_greenlet *gr2;

static int func1(void *arg, void *value, void **ret_result)
{
    int err;

    printf("1\n");                              /* step 2 */
    err = aio_greenlet_switch(gr2, NULL, NULL); /* step 3: to func2 */
    if (err < 0)
        return err;
    printf("2\n");                               /* step 6 */
    return aio_greenlet_switch(gr2, NULL, NULL); /* step 7: to func2 */
}

static int func2(void *arg, void *value, void **ret_result)
{
    int err;

    printf("3\n");                              /* step 4 */
    err = aio_greenlet_switch(gr1, NULL, NULL); /* step 5: to func1 */
    if (err < 0)
        return err;
    printf("4\n"); /* step 8 */
    return 0;
}

int main(void)
{
    int err;

    gr1 = aio_greenlet_new(func1, NULL, NULL);
    gr2 = aio_greenlet_new(func2, NULL, NULL);
    err = aio_greenlet_switch(gr1, NULL, NULL); /* step 1 */
    if (err < 0)
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
    aio_greenlet_unref(gr1);
    aio_greenlet_unref(gr2);
    return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
