/* SPDX-License-Identifier: MIT */
/*
 * test_testing.c - the test kit: settling, time that passes, steps, random orders, shortages
 */
#include "support/fixture.h"

#include <aio/aio.h>
#include <stdio.h>
#include <string.h>

static double now(struct fixture *f)
{
    return aio_loop_time(f->loop);
}

/* --- running ------------------------------------------------------------------------------ */

static int sleep_and_note(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = 0;

    for (int i = 1; i <= 3 && err == 0; i++) {
        fx_note(f, "%d", i);
        err = aio_sleep(10);
    }
    return err;
}

static void settle_runs_until_all_tasks_are_blocked_and_lets_no_time_pass(void **state)
{
    struct fixture *f = *state;
    double start = now(f);

    fx_spawn(f, "A", sleep_and_note);
    fx_spawn(f, "B", fx_tick);
    assert_int_equal(aio_testing_settle(f->loop), 0);
    fx_assert_trace(f, "A 1, B 0, B 1, B 2");
    assert_true(now(f) == start);
    assert_int_equal(aio_testing_settle(f->loop), 0);
    fx_assert_trace(f, "");
}

static int note_now(void *arg)
{
    fx_note(arg, "at %g", now(arg));
    return 0;
}

static void settle_fires_the_timers_that_are_due_at_this_very_time(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_loop_call_later(f->loop, 0, note_now, f, NULL), 0);
    assert_int_equal(aio_loop_call_later(f->loop, 1e-9, note_now, f, NULL), 0);
    assert_int_equal(aio_testing_settle(f->loop), 0);
    fx_assert_trace(f, "- at 0");
}

static int note_and_call_again(void *arg)
{
    struct fixture *f = arg;

    (void)note_now(arg);
    return aio_loop_call_later(f->loop, 2, note_now, f, NULL);
}

static void advance_fires_what_is_due_on_the_way_in_order(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_loop_call_later(f->loop, 5, note_now, f, NULL), 0);
    assert_int_equal(aio_loop_call_later(f->loop, 1, note_and_call_again, f, NULL), 0);
    assert_int_equal(aio_loop_call_later(f->loop, 4.5, note_now, f, NULL), 0);
    assert_int_equal(aio_testing_advance(f->loop, 4.75), 0);
    fx_assert_trace(f, "- at 1, - at 3, - at 4.5");
    assert_true(now(f) == 4.75);
    assert_int_equal(aio_testing_advance(f->loop, 0.25), 0);
    fx_assert_trace(f, "- at 5");
    assert_true(now(f) == 5);
}

static void advance_lets_tasks_run_at_each_stop(void **state)
{
    struct fixture *f = *state;

    fx_spawn(f, "A", sleep_and_note);
    assert_int_equal(aio_testing_advance(f->loop, 5), 0);
    fx_spawn(f, "B", sleep_and_note);
    assert_int_equal(aio_testing_advance(f->loop, 20), 0);
    fx_assert_trace(f, "A 1, B 1, A 2, B 2, A 3, B 3");
}

static void advance_passes_time_when_there_is_nothing_to_do(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_testing_advance(f->loop, 3600), 0);
    assert_true(now(f) == 3600);
}

static int stop_loop(void *arg)
{
    struct fixture *f = arg;

    aio_loop_stop(f->loop);
    return note_now(f);
}

static void advance_ends_where_the_loop_is_stopped(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_loop_call_later(f->loop, 2, stop_loop, f, NULL), 0);
    assert_int_equal(aio_loop_call_later(f->loop, 3, note_now, f, NULL), 0);
    assert_int_equal(aio_testing_advance(f->loop, 10), 0);
    fx_assert_trace(f, "- at 2");
    assert_true(now(f) == 2);
}

static void run_until_idle_passes_all_timers_and_stays_at_the_last(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_loop_call_later(f->loop, 86400, note_now, f, NULL), 0);
    assert_int_equal(aio_loop_call_later(f->loop, AIO_FOREVER, note_now, f, NULL), 0);
    assert_int_equal(aio_testing_run_until_idle(f->loop), 0);
    fx_assert_trace(f, "- at 86400");
    assert_true(now(f) == 86400);
}

static int complain(void *arg)
{
    fx_note(arg, "blocked");
    aio_loop_stop(((struct fixture *)arg)->loop);
    return 0;
}

static void settle_returns_instead_of_calling_who_asked_for_blocked_loops(void **state)
{
    struct fixture *f = *state;

    aio_testing_on_blocked(f->loop, complain, f);
    assert_int_equal(aio_testing_settle(f->loop), 0);
    fx_assert_trace(f, "");
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    fx_assert_trace(f, "- blocked");
}

static int job(void *arg, void **ret_result)
{
    *ret_result = arg;
    return 0;
}

static int run_job(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_future) fut = aio_loop_run_in_executor(f->loop, NULL, job, f);

    return fx_note_code(f, "job done", aio_await(fut, NULL));
}

static void settle_waits_for_the_jobs_of_executors(void **state)
{
    struct fixture *f = *state;

    fx_spawn(f, "A", run_job);
    assert_int_equal(aio_testing_settle(f->loop), 0);
    fx_assert_trace(f, "A job done");
}

static void advance_refuses_what_makes_no_sense(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_loop) real = aio_new_event_loop();

    assert_int_equal(aio_testing_advance(f->loop, -1), AIO_EVALUE);
    assert_int_equal(aio_testing_advance(f->loop, strtod("nan", NULL)), AIO_EVALUE);
    assert_int_equal(aio_testing_advance(NULL, 1), AIO_ENOLOOP);
    assert_int_equal(aio_testing_settle(real), AIO_EVALUE);
    assert_int_equal(aio_loop_close(real), 0);
}

static int settle_inside(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "settle", aio_testing_settle(f->loop)) == AIO_ERUNTIME ? 0 : -1;
}

static void settle_is_refused_inside_the_loop(void **state)
{
    struct fixture *f = *state;

    fx_spawn(f, "A", settle_inside);
    fx_spawn(f, "B", sleep_and_note);
    fx_settle(f);
    fx_assert_trace(f, "A settle ! RuntimeError, B 1, B 2, B 3");
}

/* --- steps -------------------------------------------------------------------------------- */

static void note_step(aio_loop *loop, const aio_testing_step *step, void *arg)
{
    static const char *const names[] = {"task", "call", "callback", "internal"};
    struct fixture *f = arg;

    fx_note(f, "%u %s %s", (unsigned)step->iteration, names[step->kind],
            step->task != NULL ? aio_task_get_name(step->task) : "");
    assert_true((step->handle != NULL) == (step->kind == AIO_TESTING_CALL));
    assert_true((step->task != NULL) == (step->kind == AIO_TESTING_TASK));
    assert_true(step->time == aio_loop_time(loop));
}

static int do_nothing(void *arg)
{
    return 0;
}

static int on_done(aio_future *fut, void *arg)
{
    return 0;
}

static int sleep_once(void *arg, void **ret_result)
{
    return aio_sleep(1);
}

static void steps_are_told_in_the_order_in_which_they_are_made(void **state)
{
    struct fixture *f = *state;
    aio_handle *cancelled;
    aio_task *a;

    aio_testing_on_step(f->loop, note_step, f);
    a = fx_spawn(f, "A", sleep_once);
    assert_int_equal(aio_future_add_done_callback(a, on_done, NULL), 0);
    assert_int_equal(aio_loop_call_soon(f->loop, do_nothing, NULL, NULL), 0);
    assert_int_equal(aio_loop_call_soon(f->loop, do_nothing, NULL, &cancelled), 0);
    aio_handle_cancel(cancelled);
    aio_handle_unref(cancelled);
    assert_int_equal(aio_testing_settle(f->loop), 0);
    fx_assert_trace(f, "- 1 task A, - 1 call ");
    fx_settle(f);
    assert_non_null(strstr(f->trace, " internal , "));
    assert_non_null(strstr(f->trace, " task A, "));
    assert_non_null(strstr(f->trace, " callback "));
    f->used = 0;
    f->trace[0] = '\0';

    aio_testing_on_step(f->loop, NULL, NULL);
    fx_spawn(f, "B", sleep_once);
    fx_settle(f);
    fx_assert_trace(f, "");
}

/* --- random orders ------------------------------------------------------------------------ */

enum { TASKS = 8 };

static int note_itself(void *arg, void **ret_result)
{
    fx_note(arg, ".");
    return 0;
}

/* The order in which tasks and calls that are ready together run, a letter each. */
static void order_of(struct fixture *f, uint64_t seed, char *order)
{
    size_t count = 0;

    aio_testing_shuffle(f->loop, seed);
    for (int i = 0; i < TASKS; i++) {
        char name[] = {(char)('A' + i), '\0'};
        aio_task_options options = AIO_TASK_OPTIONS_INIT;

        options.name = name;
        aio_future_unref(aio_loop_create_task(f->loop, note_itself, f, &options));
    }
    fx_settle(f);
    for (const char *at = f->trace; *at != '\0'; at++)
        if (*at >= 'A' && *at <= 'Z')
            order[count++] = *at;
    order[count] = '\0';
    assert_int_equal(count, TASKS);
    f->used = 0;
    f->trace[0] = '\0';
}

static void shuffle_changes_the_order_of_tasks_by_its_seed_alone(void **state)
{
    struct fixture *f = *state;
    char one[TASKS + 1], again[TASKS + 1], other[TASKS + 1];

    order_of(f, 1, one);
    order_of(f, 1, again);
    order_of(f, 2, other);
    assert_string_equal(one, again);
    assert_string_not_equal(one, "ABCDEFGH");
    assert_string_not_equal(one, other);
    order_of(f, 0, other);
    assert_string_equal(other, "ABCDEFGH");
}

static void shuffle_brings_each_task_to_each_place(void **state)
{
    struct fixture *f = *state;
    bool seen[TASKS][TASKS] = {{false}};
    char order[TASKS + 1];

    for (uint64_t seed = 1; seed <= 100; seed++) {
        order_of(f, seed, order);
        for (int place = 0; place < TASKS; place++)
            seen[order[place] - 'A'][place] = true;
    }
    for (int task = 0; task < TASKS; task++)
        for (int place = 0; place < TASKS; place++)
            assert_true(seen[task][place]);
}

struct numbered {
    struct fixture *f;
    int number;
};

static int note_numbered(void *arg)
{
    struct numbered *self = arg;

    fx_note(self->f, "%d", self->number);
    return 0;
}

static void shuffle_keeps_the_order_of_calls(void **state)
{
    struct fixture *f = *state;
    struct numbered calls[] = {{f, 1}, {f, 2}, {f, 3}, {f, 4}, {f, 5}};

    for (uint64_t seed = 1; seed <= 20; seed++) {
        aio_testing_shuffle(f->loop, seed);
        for (size_t i = 0; i < COUNT_OF(calls); i++)
            assert_int_equal(aio_loop_call_soon(f->loop, note_numbered, &calls[i], NULL), 0);
        fx_settle(f);
        fx_assert_trace(f, "- 1, - 2, - 3, - 4, - 5");
    }
}

static int take_turns(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = aio_lock_acquire(f->subject);

    if (err < 0)
        return err;
    assert_null(f->other);
    f->other = f;
    err = aio_sleep(0);
    f->other = NULL;
    (void)aio_lock_release(f->subject);
    return err;
}

static void shuffled_tasks_still_exclude_each_other(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_lock) lock = aio_lock_new();
    aio_task *tasks[TASKS];

    f->subject = lock;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        aio_testing_shuffle(f->loop, seed);
        for (int i = 0; i < TASKS; i++)
            tasks[i] = aio_loop_create_task(f->loop, take_turns, f, NULL);
        fx_settle(f);
        for (int i = 0; i < TASKS; i++) {
            assert_int_equal(aio_future_result(tasks[i], NULL), 0);
            aio_future_unref(tasks[i]);
        }
    }
}

/* --- shortages ---------------------------------------------------------------------------- */

static void the_nth_allocation_fails_once(void **state)
{
    void *memory;

    aio_testing_fail_allocation(2);
    memory = aio_malloc(1);
    assert_non_null(memory);
    assert_int_equal(aio_testing_allocation_failures(), 0);
    assert_null(aio_malloc(1));
    assert_int_equal(aio_testing_allocation_failures(), 1);
    memory = aio_realloc(memory, 100);
    assert_non_null(memory);
    aio_free(memory);
    aio_testing_fail_allocation(0);
    assert_int_equal(aio_testing_allocation_failures(), 0);
}

/* A bit for each of 64 allocations that failed. */
static uint64_t failures_of(double probability, uint64_t seed)
{
    uint64_t failures = 0;

    aio_testing_fail_at_random(probability, seed);
    for (int i = 0; i < 64; i++) {
        void *memory = aio_malloc(1);

        failures = failures << 1 | (memory == NULL);
        aio_free(memory);
    }
    assert_int_equal(aio_testing_allocation_failures(), __builtin_popcountll(failures));
    aio_testing_fail_allocation(0);
    return failures;
}

static void allocations_fail_at_random_by_their_seed_alone(void **state)
{
    uint64_t one = failures_of(0.5, 1);

    assert_true(one == failures_of(0.5, 1));
    assert_true(one != failures_of(0.5, 2));
    assert_in_range(__builtin_popcountll(one), 16, 48);
    assert_true(failures_of(0, 1) == 0);
    assert_true(failures_of(strtod("nan", NULL), 1) == 0);
    assert_true(failures_of(1, 1) == UINT64_MAX);
    assert_true(failures_of(7, 1) == UINT64_MAX);
}

static void loop_without_pool_makes_each_future_an_allocation(void **state)
{
    struct fixture *f = *state;
    size_t before = live_allocations();
    aio_future *futures[3];

    aio_loop_set_debug(f->loop, false); /* which notes each future's origin */
    for (size_t i = 0; i < COUNT_OF(futures); i++)
        futures[i] = aio_future_new(f->loop);
    assert_int_equal(live_allocations(), before + COUNT_OF(futures));
    assert_int_equal(aio_testing_disable_pool(f->loop), AIO_ERUNTIME);
    for (size_t i = 0; i < COUNT_OF(futures); i++)
        aio_future_unref(futures[i]);
    assert_int_equal(aio_testing_disable_pool(f->loop), 0);
    assert_int_equal(aio_testing_disable_pool(NULL), AIO_ENOLOOP);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, fx_setup, fx_teardown)
    const struct CMUnitTest tests[] = {
        CASE(settle_runs_until_all_tasks_are_blocked_and_lets_no_time_pass),
        CASE(settle_fires_the_timers_that_are_due_at_this_very_time),
        CASE(advance_fires_what_is_due_on_the_way_in_order),
        CASE(advance_lets_tasks_run_at_each_stop),
        CASE(advance_passes_time_when_there_is_nothing_to_do),
        CASE(advance_ends_where_the_loop_is_stopped),
        CASE(run_until_idle_passes_all_timers_and_stays_at_the_last),
        CASE(settle_returns_instead_of_calling_who_asked_for_blocked_loops),
        CASE(settle_waits_for_the_jobs_of_executors),
        CASE(advance_refuses_what_makes_no_sense),
        CASE(settle_is_refused_inside_the_loop),
        CASE(steps_are_told_in_the_order_in_which_they_are_made),
        CASE(shuffle_changes_the_order_of_tasks_by_its_seed_alone),
        CASE(shuffle_brings_each_task_to_each_place),
        CASE(shuffle_keeps_the_order_of_calls),
        CASE(shuffled_tasks_still_exclude_each_other),
        CASE(the_nth_allocation_fails_once),
        CASE(allocations_fail_at_random_by_their_seed_alone),
        CASE(loop_without_pool_makes_each_future_an_allocation),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
