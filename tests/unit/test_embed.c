/* SPDX-License-Identifier: MIT */
/*
 * test_embed.c - a loop that a poll loop drives, and loops after fork()
 */
#include "support/unit.h"

#include <aio/aio.h>
#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static int make_loop(void **state)
{
    *state = aio_new_event_loop();
    return *state == NULL ? -1 : 0;
}

static int drop_loop(void **state)
{
    aio_loop *loop = *state;
    int err = aio_loop_close(loop);

    aio_loop_unref(loop);
    return err;
}

/* What any poll loop does: wait as long as it may, then step. Gives the last step's result. */
static int drive(aio_loop *loop, const bool *done)
{
    struct pollfd pfd = {aio_loop_fd(loop), POLLIN, 0};
    int more = 1;

    while (!*done && more >= 0) {
        (void)poll(&pfd, 1, aio_loop_timeout(loop));
        more = aio_loop_step(loop);
    }
    return more;
}

static int set_flag(void *arg)
{
    *(bool *)arg = true;
    return 0;
}

static int sleep_twice(void *arg, void **ret_result)
{
    int err = aio_sleep(0.002);

    (void)ret_result;
    if (err == 0)
        err = aio_sleep(0.0005);
    *(bool *)arg = true;
    return err;
}

static void a_poll_loop_drives_calls_and_tasks(void **state)
{
    aio_loop *loop = *state;
    bool called = false;
    bool slept = false;
    AIO_AUTO(aio_task) task = aio_loop_create_task(loop, sleep_twice, &slept, NULL);

    assert_int_equal(aio_loop_call_soon(loop, set_flag, &called, NULL), 0);
    assert_int_equal(drive(loop, &slept), 0);
    assert_true(called);
    assert_int_equal(aio_future_result(task, NULL), 0);
}

static void *call_from_thread(void *arg)
{
    struct {
        aio_loop *loop;
        bool flag;
    } *shared = arg;

    (void)aio_loop_call_soon_threadsafe(shared->loop, set_flag, &shared->flag, NULL);
    return NULL;
}

static void another_thread_wakes_a_poll_loop(void **state)
{
    struct {
        aio_loop *loop;
        bool flag;
    } shared = {*state, false};
    pthread_t thread;

    assert_int_equal(aio_loop_step(shared.loop), 0); /* what is registered reaches the kernel */
    assert_int_equal(aio_loop_timeout(shared.loop), -1);
    assert_int_equal(pthread_create(&thread, NULL, call_from_thread, &shared), 0);
    assert_true(drive(shared.loop, &shared.flag) >= 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void a_loop_with_something_ready_allows_no_wait(void **state)
{
    aio_loop *loop = *state;
    bool flag = false;

    assert_int_equal(aio_loop_step(loop), 0);
    assert_int_equal(aio_loop_call_soon(loop, set_flag, &flag, NULL), 0);
    assert_int_equal(aio_loop_timeout(loop), 0);
    assert_int_equal(aio_loop_step(loop), 0);
    assert_true(flag);
}

static int step_inside(void *arg)
{
    int *result = arg;

    *result = aio_loop_step(aio_get_running_loop());
    return 0;
}

static void a_step_inside_a_step_is_refused(void **state)
{
    aio_loop *loop = *state;
    int result = 0;

    assert_int_equal(aio_loop_call_soon(loop, step_inside, &result, NULL), 0);
    assert_int_equal(aio_loop_step(loop), 0);
    assert_int_equal(result, AIO_ERUNTIME);
}

static int interrupt(void *arg)
{
    (void)arg;
    return AIO_EKEYBOARDINTERRUPT;
}

static void a_step_gives_the_code_that_ends_a_run(void **state)
{
    aio_loop *loop = *state;

    assert_int_equal(aio_loop_call_soon(loop, interrupt, NULL, NULL), 0);
    assert_int_equal(aio_loop_step(loop), AIO_EKEYBOARDINTERRUPT);
    assert_int_equal(aio_loop_step(loop), 0);
}

static void a_closed_loop_has_no_descriptor_and_takes_no_step(void **state)
{
    aio_loop *loop = aio_new_event_loop();

    (void)state;
    assert_non_null(loop);
    assert_int_equal(aio_loop_close(loop), 0);
    assert_int_equal(aio_loop_fd(loop), -1);
    assert_int_equal(aio_loop_step(loop), AIO_ECLOSED);
    assert_int_equal(aio_loop_fd(NULL), -1);
    assert_int_equal(aio_loop_step(NULL), AIO_ENOLOOP);
    aio_loop_unref(loop);
}

static int note_running(void *arg)
{
    *(aio_loop **)arg = aio_get_running_loop();
    return 0;
}

static void a_run_of_steps_has_a_running_loop_between_them(void **state)
{
    aio_loop *loop = *state;
    aio_loop *seen = NULL;
    bool slept = false;
    AIO_AUTO(aio_task) task = NULL;

    assert_int_equal(aio_loop_run_forever_setup(loop), 0);
    assert_true(aio_loop_is_running(loop));
    assert_ptr_equal(aio_get_running_loop(), loop);
    task = aio_create_task(sleep_twice, &slept);
    assert_int_equal(aio_loop_call_soon(loop, note_running, &seen, NULL), 0);
    assert_true(drive(loop, &slept) >= 0);
    assert_ptr_equal(seen, loop);
    assert_int_equal(aio_sleep(0), AIO_ENOTASK);
    assert_int_equal(aio_loop_run_forever_cleanup(loop), 0);
    assert_false(aio_loop_is_running(loop));
    assert_null(aio_get_running_loop());
    assert_int_equal(aio_future_result(task, NULL), 0);
}

static int stop(void *arg)
{
    aio_loop_stop(arg);
    return 0;
}

/* S9 */
static void a_run_of_steps_says_when_it_was_asked_to_stop(void **state)
{
    aio_loop *loop = *state;

    assert_int_equal(aio_loop_run_forever_setup(loop), 0);
    assert_int_equal(aio_loop_call_later(loop, 3600, stop, loop, NULL), 0);
    assert_int_equal(aio_loop_step(loop), 1);
    assert_int_equal(aio_loop_call_soon(loop, stop, loop, NULL), 0);
    assert_int_equal(aio_loop_step(loop), 0);
    assert_int_equal(aio_loop_run_forever_cleanup(loop), 0);
    assert_int_equal(aio_loop_step(loop), 1); /* forgotten */
}

static int clean_up_inside(void *arg)
{
    int *result = arg;

    *result = aio_loop_run_forever_cleanup(aio_get_running_loop());
    return 0;
}

static void a_run_of_steps_is_the_only_one_and_ends_outside_of_them(void **state)
{
    aio_loop *loop = *state;
    aio_loop *other = aio_new_event_loop();
    int result = 0;

    assert_int_equal(aio_loop_run_forever_cleanup(loop), AIO_ERUNTIME);
    assert_int_equal(aio_loop_run_forever_setup(loop), 0);
    assert_int_equal(aio_loop_run_forever_setup(loop), AIO_ERUNTIME);
    assert_int_equal(aio_loop_run_forever(loop), AIO_ERUNTIME);
    assert_int_equal(aio_loop_run_forever(other), AIO_ERUNTIME);
    assert_int_equal(aio_loop_run_forever_setup(other), AIO_ERUNTIME);
    assert_int_equal(aio_loop_step(other), AIO_ERUNTIME);
    assert_int_equal(aio_loop_close(loop), AIO_ERUNTIME);
    assert_int_equal(aio_loop_call_soon(loop, clean_up_inside, &result, NULL), 0);
    assert_int_equal(aio_loop_step(loop), 0);
    assert_int_equal(result, AIO_ERUNTIME);
    assert_int_equal(aio_loop_run_forever_cleanup(loop), 0);
    assert_int_equal(aio_loop_close(other), 0);
    aio_loop_unref(other);
}

static void a_step_of_a_run_gives_the_code_that_ends_a_run(void **state)
{
    aio_loop *loop = *state;

    assert_int_equal(aio_loop_run_forever_setup(loop), 0);
    assert_int_equal(aio_loop_call_soon(loop, interrupt, NULL, NULL), 0);
    assert_int_equal(aio_loop_step(loop), AIO_EKEYBOARDINTERRUPT);
    assert_int_equal(aio_loop_run_forever_cleanup(loop), 0);
}

/* S13 */
static void a_loop_can_be_said_to_run_where_none_does(void **state)
{
    aio_loop *loop = *state;
    AIO_AUTO(aio_future) fut = NULL;

    assert_int_equal(aio_set_running_loop(loop), 0);
    assert_ptr_equal(aio_get_running_loop(), loop);
    assert_ptr_equal(aio_get_event_loop(), loop);
    fut = aio_future_new(NULL);
    assert_ptr_equal(aio_future_get_loop(fut), loop);
    assert_int_equal(aio_loop_run_forever(loop), AIO_ERUNTIME);
    assert_int_equal(aio_set_running_loop(NULL), 0);
    assert_null(aio_get_running_loop());
}

static int set_inside(void *arg)
{
    int *result = arg;

    *result = aio_set_running_loop(NULL);
    return 0;
}

static void a_loop_that_runs_is_not_said_to_be_another(void **state)
{
    aio_loop *loop = *state;
    int result = 0;

    assert_int_equal(aio_loop_call_soon(loop, set_inside, &result, NULL), 0);
    assert_int_equal(aio_loop_step(loop), 0);
    assert_int_equal(result, AIO_ERUNTIME);
}

static void a_loop_that_is_closed_runs_nowhere(void **state)
{
    aio_loop *loop = aio_new_event_loop();

    (void)state;
    assert_int_equal(aio_set_running_loop(loop), 0);
    assert_int_equal(aio_loop_close(loop), 0);
    assert_null(aio_get_running_loop());
    assert_int_equal(aio_set_running_loop(loop), AIO_ECLOSED);
    aio_loop_unref(loop);
}

/* S13 */
static int fork_in_callback(void *arg)
{
    int *status = arg;
    pid_t pid = fork();

    if (pid == 0) {
        aio_loop *mine;
        bool ok = aio_get_running_loop() == NULL;

        mine = aio_new_event_loop();
        ok = ok && mine != NULL && aio_loop_step(mine) == 0 && aio_loop_close(mine) == 0;
        aio_loop_unref(mine);
        _exit(ok ? 0 : 1);
    }
    (void)waitpid(pid, status, 0);
    return 0;
}

static void a_forked_child_has_no_running_loop_and_may_make_its_own(void **state)
{
    aio_loop *loop = *state;
    int status = -1;

    assert_int_equal(aio_loop_call_soon(loop, fork_in_callback, &status, NULL), 0);
    assert_int_equal(aio_loop_step(loop), 0);
    assert_int_equal(status, 0);
}

static void a_child_cannot_run_its_parents_loop_but_close_it(void **state)
{
    aio_loop *loop = *state;
    bool rung = false;
    int status = -1;
    pid_t pid;

    do { /* until it is still to come when the step is over */
        rung = false;
        assert_int_equal(aio_loop_call_later(loop, 0.001, set_flag, &rung, NULL), 0);
        assert_true(aio_loop_step(loop) >= 0);
    } while (rung);
    pid = fork();
    if (pid == 0)
        _exit(aio_loop_step(loop) == AIO_ERUNTIME && aio_loop_run_forever(loop) == AIO_ERUNTIME &&
                      !rung && aio_loop_close(loop) == 0
                  ? 0
                  : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    /* The parent's timer is not disturbed. */
    assert_true(drive(loop, &rung) >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_poll_loop_drives_calls_and_tasks, make_loop, drop_loop),
        cmocka_unit_test_setup_teardown(another_thread_wakes_a_poll_loop, make_loop, drop_loop),
        cmocka_unit_test_setup_teardown(a_loop_with_something_ready_allows_no_wait, make_loop,
                                        drop_loop),
        cmocka_unit_test_setup_teardown(a_step_inside_a_step_is_refused, make_loop, drop_loop),
        cmocka_unit_test_setup_teardown(a_step_gives_the_code_that_ends_a_run, make_loop,
                                        drop_loop),
        cmocka_unit_test(a_closed_loop_has_no_descriptor_and_takes_no_step),
        cmocka_unit_test_setup_teardown(a_run_of_steps_has_a_running_loop_between_them, make_loop,
                                        drop_loop),
        cmocka_unit_test_setup_teardown(a_run_of_steps_says_when_it_was_asked_to_stop, make_loop,
                                        drop_loop),
        cmocka_unit_test_setup_teardown(a_run_of_steps_is_the_only_one_and_ends_outside_of_them,
                                        make_loop, drop_loop),
        cmocka_unit_test_setup_teardown(a_step_of_a_run_gives_the_code_that_ends_a_run, make_loop,
                                        drop_loop),
        cmocka_unit_test_setup_teardown(a_loop_can_be_said_to_run_where_none_does, make_loop,
                                        drop_loop),
        cmocka_unit_test_setup_teardown(a_loop_that_runs_is_not_said_to_be_another, make_loop,
                                        drop_loop),
        cmocka_unit_test(a_loop_that_is_closed_runs_nowhere),
        cmocka_unit_test_setup_teardown(a_forked_child_has_no_running_loop_and_may_make_its_own,
                                        make_loop, drop_loop),
        cmocka_unit_test_setup_teardown(a_child_cannot_run_its_parents_loop_but_close_it, make_loop,
                                        drop_loop),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
