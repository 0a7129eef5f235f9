/* SPDX-License-Identifier: MIT */
/*
 * test_sched.c - what the scheduler leaves alone when it goes from one task to the next
 */
#include "support/fixture.h"

#include <aio/aio.h>

static int fail_with_key(void *arg, void **ret_result)
{
    int err = aio_sleep(0);

    return err < 0 ? err : aio_raise(AIO_EKEY, "of a child");
}

/* Raise, give way to steps that raise as well, and look at what travels with our code. */
static int keep_an_error(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int code = aio_raise(AIO_EVALUE, "of mine");

    for (int i = 0; i < 4; i++)
        (void)aio_sleep(0);
    fx_note(f, "%s", aio_error_text(code));
    return 0;
}

/* The end of a gather's child is handled on the stack of whichever task has just suspended. */
static void steps_between_tasks_leave_the_error_of_a_suspended_task_alone(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_task) child = aio_loop_create_task(f->loop, fail_with_key, NULL, NULL);
    AIO_AUTO(aio_future) gather = aio_gather(&child, 1, AIO_RETURN_EXCEPTIONS);

    fx_spawn(f, "A", keep_an_error);
    fx_settle(f);
    assert_true(aio_future_done(gather));
    fx_assert_trace(f, "A of mine");
}

static int note_no_task(aio_loop *loop, const aio_exception_context *context, void *arg)
{
    fx_note(arg, aio_current_task(loop) == NULL ? "reported" : "reported by a task");
    return 0;
}

/* A task that ends without anybody to know of its error, while another has suspended. */
static void reports_between_tasks_are_made_by_no_task(void **state)
{
    struct fixture *f = *state;

    aio_loop_set_exception_handler(f->loop, note_no_task, f);
    fx_spawn(f, "A", fx_tick);
    aio_future_unref(aio_loop_create_task(f->loop, fail_with_key, NULL, NULL));
    fx_spawn(f, "B", fx_tick);
    fx_settle(f);
    fx_assert_trace(f, "A 0, B 0, A 1, - reported, B 1, A 2, B 2");
    aio_loop_set_exception_handler(f->loop, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            steps_between_tasks_leave_the_error_of_a_suspended_task_alone, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(reports_between_tasks_are_made_by_no_task, fx_setup,
                                        fx_teardown),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
