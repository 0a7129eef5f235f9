/* SPDX-License-Identifier: MIT */
/*
 * test_close.c - what becomes of tasks that still wait when their loop is closed
 */
#include "support/fixture.h"

static int setup(void **state)
{
    struct fixture *f;

    if (fx_setup(state) < 0)
        return -1;
    f = *state;
    f->subject = aio_future_new(f->loop);
    return f->subject == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    aio_future_unref(f->subject);
    return fx_teardown(state);
}

/* The tasks that are left are reported, to nobody here. */
static void close_loop(struct fixture *f)
{
    aio_loop_set_exception_handler(f->loop, NULL, NULL);
    assert_int_equal(aio_loop_close(f->loop), 0);
}

static int wait(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "went on", aio_await(f->subject, NULL));
}

static int wait_stubbornly(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)fx_note_code(f, "went on", aio_await(f->subject, NULL));
    return fx_note_code(f, "went on", aio_await(f->subject, NULL));
}

static void close_takes_tasks_out_of_their_waits(void **state)
{
    struct fixture *f = *state;
    aio_task *a = fx_spawn(f, "A", wait);

    fx_spawn(f, "B", wait_stubbornly);
    fx_settle(f);

    close_loop(f);
    fx_assert_trace(f, "A went on ! GeneratorExit, B went on ! GeneratorExit, "
                       "B went on ! GeneratorExit");
    assert_true(aio_future_done(a));
}

/* The future is looked at once more when the last reference goes. */
static void future_may_outlive_those_who_waited_for_it_when_the_loop_was_closed(void **state)
{
    struct fixture *f = *state;

    fx_spawn(f, "A", wait);
    fx_spawn(f, "B", wait);
    fx_spawn(f, "C", wait);
    fx_settle(f);

    close_loop(f);
    fx_assert_trace(f, "A went on ! GeneratorExit, B went on ! GeneratorExit, "
                       "C went on ! GeneratorExit");
    while (f->task_count > 0)
        aio_future_unref(f->tasks[--f->task_count]);
    assert_false(aio_future_done(f->subject));
    assert_true(aio_future_cancel(f->subject, NULL));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(close_takes_tasks_out_of_their_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(
            future_may_outlive_those_who_waited_for_it_when_the_loop_was_closed, setup, teardown),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
