/* SPDX-License-Identifier: MIT */
/*
 * test_portal.c - a loop in a thread of its own, and those who call into it
 */
#include "support/allocation.h"
#include "support/child.h"
#include "support/unit.h"

#include <aio/aio.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, CALLS = 50 };

static void log_nothing(aio_log_level level, const char *text, void *arg)
{
    (void)level;
    (void)text;
    (void)arg;
}

static int open_portal(void **state)
{
    (void)count_allocations(state);
    aio_log_set_handler(log_nothing, NULL);
    *state = aio_portal_new(NULL);
    return *state == NULL ? -1 : 0;
}

static int close_portal(void **state)
{
    aio_portal_free(*state);
    aio_log_set_handler(NULL, NULL);
    return check_allocations(state);
}

/* --- calls ------------------------------------------------------------------------------ */

static int add_one(void *arg, void **ret_result)
{
    int err = aio_sleep(0.0001);

    *ret_result = (void *)((intptr_t)arg + 1);
    return err;
}

static void call_blocks_until_the_coroutine_gives_its_result(void **state)
{
    void *value = NULL;

    assert_int_equal(aio_portal_call(*state, add_one, (void *)41, &value), 0);
    assert_int_equal((intptr_t)value, 42);
    assert_int_equal(aio_portal_call(*state, add_one, NULL, NULL), 0);
}

static int refuse(void *arg, void **ret_result)
{
    (void)ret_result;
    return aio_raise(AIO_EVALUE, "%s is not prime", (const char *)arg);
}

static void call_gives_the_error_of_the_coroutine_with_its_object(void **state)
{
    void *value = *state;
    aio_exception *error;
    int err = aio_portal_call(*state, refuse, aio_constant("nine"), &value);

    assert_int_equal(err, AIO_EVALUE);
    assert_ptr_equal(value, *state); /* untouched */
    error = aio_error_catch(err);
    assert_string_equal(aio_exception_message(error), "nine is not prime");
    aio_exception_unref(error);
}

static int note_thread(void *arg, void **ret_result)
{
    (void)ret_result;
    *(pthread_t *)arg = pthread_self();
    return aio_current_task(NULL) == NULL ? AIO_ERUNTIME : 0;
}

static void coroutines_are_tasks_in_one_thread_that_is_not_the_callers(void **state)
{
    pthread_t one = pthread_self();
    pthread_t two = pthread_self();

    assert_int_equal(aio_portal_call(*state, note_thread, &one, NULL), 0);
    assert_int_equal(aio_portal_call(*state, note_thread, &two, NULL), 0);
    assert_false(pthread_equal(one, pthread_self()));
    assert_true(pthread_equal(one, two));
}

static void *call_many_times(void *arg)
{
    intptr_t sum = 0;

    for (intptr_t i = 0; i < CALLS; i++) {
        void *value = NULL;

        if (aio_portal_call(arg, add_one, (void *)i, &value) == 0)
            sum += (intptr_t)value;
    }
    return (void *)sum;
}

static void threads_call_at_the_same_time(void **state)
{
    pthread_t threads[THREADS];
    void *sum;

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_many_times, *state), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &sum), 0);
        assert_int_equal((intptr_t)sum, CALLS * (CALLS + 1) / 2);
    }
}

static int post(void *arg, void **ret_result)
{
    (void)ret_result;
    (void)sem_post(arg);
    return 0;
}

static void task_is_started_and_waited_for_later(void **state)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    AIO_AUTO(aio_concurrent_future) fut = NULL;
    sem_t began;

    options.name = "named";
    assert_int_equal(sem_init(&began, 0, 0), 0);
    fut = aio_portal_start_task_soon(*state, post, &began, &options);
    (void)sem_wait(&began);
    assert_int_equal(aio_concurrent_future_result(fut, AIO_FOREVER, NULL), 0);
    (void)sem_destroy(&began);
}

struct waiting {
    sem_t waits;
    aio_portal *portal;
    int code; /* what ended the wait */
};

static int wait_for_ever(void *arg, void **ret_result)
{
    struct waiting *waiting = arg;

    (void)ret_result;
    (void)sem_post(&waiting->waits);
    waiting->code = aio_sleep(AIO_FOREVER);
    return waiting->code;
}

static void open_waiting(struct waiting *waiting, void *portal)
{
    *waiting = (struct waiting){.portal = portal};
    assert_int_equal(sem_init(&waiting->waits, 0, 0), 0);
}

static void task_is_cancelled_by_its_future(void **state)
{
    struct waiting waiting;
    aio_concurrent_future *fut;

    open_waiting(&waiting, *state);
    fut = aio_portal_start_task_soon(*state, wait_for_ever, &waiting, NULL);
    (void)sem_wait(&waiting.waits);
    assert_true(aio_concurrent_future_cancel(fut));
    aio_concurrent_future_unref(fut);
    assert_int_equal(aio_portal_stop(*state, false), 0);
    assert_int_equal(waiting.code, AIO_ECANCELLED);
    (void)sem_destroy(&waiting.waits);
}

/* --- from inside ------------------------------------------------------------------------ */

static int call_and_stop_inside(void *arg, void **ret_result)
{
    aio_portal *portal = arg;
    AIO_AUTO(aio_concurrent_future) fut = NULL;

    if (aio_portal_call(portal, add_one, NULL, NULL) != AIO_ERUNTIME)
        return AIO_EVALUE;
    if (aio_portal_stop(portal, true) != AIO_ERUNTIME)
        return AIO_EVALUE;
    aio_portal_free(portal); /* not here */
    fut = aio_portal_start_task_soon(portal, add_one, (void *)6, NULL);
    {
        AIO_AUTO(aio_future) wrapped = aio_wrap_future(fut, NULL);

        return aio_await(wrapped, ret_result);
    }
}

static void own_thread_may_start_tasks_but_not_wait_for_itself(void **state)
{
    void *value = NULL;

    assert_int_equal(aio_portal_call(*state, call_and_stop_inside, *state, &value), 0);
    assert_int_equal((intptr_t)value, 7);
}

/* --- stopping --------------------------------------------------------------------------- */

static int wait_for_the_stop(void *arg, void **ret_result)
{
    struct waiting *waiting = arg;

    (void)sem_post(&waiting->waits);
    /* Until nobody gets in any more. */
    for (int err = 0;;) {
        AIO_AUTO(aio_concurrent_future)
        fut = aio_portal_start_task_soon(waiting->portal, add_one, NULL, NULL);

        if (fut == NULL)
            break;
        err = aio_sleep(0);
        if (err < 0)
            return err;
    }
    waiting->code = 1;
    *ret_result = waiting;
    return aio_sleep(0.001);
}

static void stop_lets_calls_come_to_their_end(void **state)
{
    struct waiting waiting;
    AIO_AUTO(aio_concurrent_future) fut = NULL;
    void *value = NULL;

    open_waiting(&waiting, *state);
    fut = aio_portal_start_task_soon(*state, wait_for_the_stop, &waiting, NULL);
    (void)sem_wait(&waiting.waits);
    assert_int_equal(aio_portal_stop(*state, false), 0);
    assert_int_equal(waiting.code, 1);
    assert_int_equal(aio_concurrent_future_result(fut, 0, &value), 0);
    assert_ptr_equal(value, &waiting);
    (void)sem_destroy(&waiting.waits);
}

static void stop_can_cancel_the_calls(void **state)
{
    struct waiting waiting;
    AIO_AUTO(aio_concurrent_future) fut = NULL;

    open_waiting(&waiting, *state);
    fut = aio_portal_start_task_soon(*state, wait_for_ever, &waiting, NULL);
    (void)sem_wait(&waiting.waits);
    assert_int_equal(aio_portal_stop(*state, true), 0);
    assert_int_equal(waiting.code, AIO_ECANCELLED);
    assert_int_equal(aio_concurrent_future_result(fut, 0, NULL), AIO_ECANCELLED);
    (void)sem_destroy(&waiting.waits);
}

static void *call_for_ever(void *arg)
{
    struct waiting *waiting = arg;

    return (void *)(intptr_t)aio_portal_call(waiting->portal, wait_for_ever, waiting, NULL);
}

static void *stop_gently(void *arg)
{
    return (void *)(intptr_t)aio_portal_stop(arg, false);
}

static void second_stop_can_cancel_what_the_first_waits_for(void **state)
{
    struct waiting waiting;
    pthread_t caller;
    pthread_t stopper;
    void *code = NULL;

    open_waiting(&waiting, *state);
    assert_int_equal(pthread_create(&caller, NULL, call_for_ever, &waiting), 0);
    (void)sem_wait(&waiting.waits);
    assert_int_equal(pthread_create(&stopper, NULL, stop_gently, *state), 0);
    assert_int_equal(aio_portal_stop(*state, true), 0);
    assert_int_equal(pthread_join(caller, &code), 0);
    assert_int_equal((intptr_t)code, AIO_ECANCELLED);
    assert_int_equal(pthread_join(stopper, &code), 0);
    assert_int_equal((intptr_t)code, 0);
    (void)sem_destroy(&waiting.waits);
}

static int destroyed;

static void count_destroyed(void *arg)
{
    (void)arg;
    destroyed++;
}

static void stopped_portal_takes_no_calls_and_may_be_stopped_again(void **state)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;

    destroyed = 0;
    options.arg_destroy = count_destroyed;
    assert_int_equal(aio_portal_stop(*state, false), 0);
    assert_int_equal(aio_portal_stop(*state, true), 0);
    assert_int_equal(aio_portal_call(*state, add_one, NULL, NULL), AIO_ECLOSED);
    assert_null(aio_portal_start_task_soon(*state, add_one, NULL, &options));
    assert_int_equal(aio_concurrent_future_result(NULL, 0, NULL), AIO_ECLOSED);
    assert_int_equal(destroyed, 1);
    assert_true(aio_loop_is_closed(aio_portal_get_loop(*state)));
}

static int leave_a_task_behind(void *arg, void **ret_result)
{
    AIO_AUTO(aio_task) task = aio_create_task(wait_for_ever, arg);

    (void)ret_result;
    return aio_sleep(0);
}

static void stop_does_not_wait_for_what_calls_have_left_behind(void **state)
{
    struct waiting waiting;

    open_waiting(&waiting, *state);
    assert_int_equal(aio_portal_call(*state, leave_a_task_behind, &waiting, NULL), 0);
    (void)sem_wait(&waiting.waits);
    assert_int_equal(aio_portal_stop(*state, false), 0);
    assert_int_equal(waiting.code, AIO_ECANCELLED);
    (void)sem_destroy(&waiting.waits);
}

static int leave_the_run(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return aio_raise(AIO_ESYSTEMEXIT, "enough");
}

static void error_that_ends_the_run_is_what_stop_gives(void **state)
{
    int err = aio_portal_call(*state, leave_the_run, NULL, NULL);

    assert_int_equal(err, AIO_ESYSTEMEXIT);
    assert_int_equal(aio_portal_stop(*state, false), AIO_ESYSTEMEXIT);
    assert_non_null(strstr(aio_error_text(AIO_ESYSTEMEXIT), "enough"));
}

/* --- many of them, and none ------------------------------------------------------------- */

static void *open_call_and_close(void *arg)
{
    void *sum = NULL;
    aio_portal *portal = aio_portal_new(NULL);

    (void)arg;
    if (portal == NULL)
        return NULL;
    sum = call_many_times(portal);
    aio_portal_free(portal);
    return sum;
}

static void several_portals_run_beside_each_other(void **state)
{
    pthread_t threads[THREADS];
    void *sum;

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_call_and_close, *state), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &sum), 0);
        assert_int_equal((intptr_t)sum, CALLS * (CALLS + 1) / 2);
    }
}

static aio_loop *no_loop(void *arg)
{
    const aio_loop_options unsized = {.size = 1};

    (void)arg;
    return aio_loop_new(&unsized);
}

static void portal_whose_loop_cannot_be_made_is_none(void **state)
{
    aio_runner_options options = AIO_RUNNER_OPTIONS_INIT;

    options.loop_factory = no_loop;
    assert_null(aio_portal_new(&options));
    assert_string_equal(aio_error_text(AIO_EVALUE), "bad loop options");
    options.size = 1;
    assert_null(aio_portal_new(&options));
    assert_string_equal(aio_error_text(AIO_EVALUE), "bad runner options");
}

static void null_is_no_portal(void **state)
{
    assert_int_equal(aio_portal_call(NULL, add_one, NULL, NULL), AIO_EVALUE);
    assert_int_equal(aio_portal_call(*state, NULL, NULL, NULL), AIO_EVALUE);
    assert_null(aio_portal_start_task_soon(NULL, add_one, NULL, NULL));
    assert_int_equal(aio_portal_stop(NULL, false), AIO_EVALUE);
    assert_null(aio_portal_get_loop(NULL));
    aio_portal_free(NULL);
}

static void child_process_is_told_that_the_thread_is_not_there(void **state)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        bool ok = aio_portal_call(*state, add_one, NULL, NULL) == AIO_ERUNTIME &&
                  aio_portal_start_task_soon(*state, add_one, NULL, NULL) == NULL &&
                  aio_portal_stop(*state, true) == AIO_ERUNTIME;

        aio_portal_free(*state); /* leaves it alone */
        end_child(ok ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    call_blocks_until_the_coroutine_gives_its_result(state); /* in the parent it goes on */
}

/* Each step may fail, and then nothing is left of it. */
static void use_one(void *arg)
{
    aio_portal *portal = aio_portal_new(NULL);
    void *value = NULL;
    int err;

    (void)arg;
    if (portal == NULL)
        return;
    err = aio_portal_call(portal, add_one, (void *)1, &value);
    /* Where it is the portal itself that runs short, it ends, and what it had to do with it. */
    assert_true(err == 0 || err == AIO_ENOMEM || err == AIO_ECANCELLED || err == AIO_ECLOSED ||
                err == AIO_EGENERATOREXIT);
    assert_ptr_equal(value, err == 0 ? (void *)2 : NULL);
    err = aio_portal_stop(portal, false);
    assert_true(err == 0 || err == AIO_ENOMEM);
    aio_portal_free(portal);
}

static void portal_survives_every_shortage_of_memory(void **state)
{
    (void)state;
    aio_log_set_handler(log_nothing, NULL);
    assert_true(with_each_allocation_failing(use_one, NULL) > 5);
    aio_log_set_handler(NULL, NULL);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_portal, close_portal)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(call_blocks_until_the_coroutine_gives_its_result),
        TEST(call_gives_the_error_of_the_coroutine_with_its_object),
        TEST(coroutines_are_tasks_in_one_thread_that_is_not_the_callers),
        TEST(threads_call_at_the_same_time),
        TEST(task_is_started_and_waited_for_later),
        TEST(task_is_cancelled_by_its_future),
        TEST(own_thread_may_start_tasks_but_not_wait_for_itself),
        TEST(stop_lets_calls_come_to_their_end),
        TEST(stop_can_cancel_the_calls),
        TEST(second_stop_can_cancel_what_the_first_waits_for),
        TEST(stopped_portal_takes_no_calls_and_may_be_stopped_again),
        TEST(stop_does_not_wait_for_what_calls_have_left_behind),
        TEST(error_that_ends_the_run_is_what_stop_gives),
        TEST(several_portals_run_beside_each_other),
        TEST(portal_whose_loop_cannot_be_made_is_none),
        TEST(null_is_no_portal),
        TEST(child_process_is_told_that_the_thread_is_not_there),
        cmocka_unit_test(portal_survives_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
