/* SPDX-License-Identifier: MIT */
/*
 * test_staggered.c - attempts at the same thing, each a little later than the one before
 */
#include "support/fixture.h"

#include <aio/memory.h>
#include <aio/staggered.h>
#include <errno.h>
#include <math.h>

/* What an attempt does. */
struct plan {
    struct fixture *f;
    const char *name;
    double takes;  /* seconds */
    int code;      /* what it ends with */
    bool stubborn; /* a cancellation does not end it */
};

static int attempt(void *arg, void **ret_result)
{
    struct plan *plan = arg;
    int err;

    (void)aio_task_set_name(aio_current_task(NULL), plan->name);
    fx_note(plan->f, "begins at %.0f", aio_loop_time(plan->f->loop) * 10);
    err = aio_sleep(plan->takes);
    if (err == AIO_ECANCELLED)
        fx_note(plan->f, "cancelled");
    if (err == AIO_ECANCELLED && plan->stubborn)
        err = 0;
    if (err < 0)
        return err;
    if (plan->code < 0)
        return aio_raise(plan->code, "%s fails", plan->name);
    *ret_result = aio_malloc(1);
    return *ret_result == NULL ? AIO_ENOMEM : 0;
}

struct race {
    struct plan plans[4];
    size_t count;
    double delay;
};

static int run_race(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    struct race *race = f->subject;
    aio_attempt attempts[4];
    aio_race_outcome outcome = {.winner = 99};
    int err;

    for (size_t i = 0; i < race->count; i++) {
        race->plans[i].f = f;
        attempts[i] = (aio_attempt){attempt, &race->plans[i]};
    }
    err = aio_staggered_race(attempts, race->count, race->delay, &aio_type_owned, &outcome);
    if (err < 0) {
        assert_int_equal(outcome.winner, 99);
        fx_note_code(f, "race", err);
        return err;
    }
    fx_note(f, "winner %td at %.0f", outcome.winner, aio_loop_time(f->loop) * 10);
    for (size_t i = 0; i < outcome.error_count; i++)
        fx_note(f, "%zu: %s", i,
                outcome.errors[i] == NULL ? "-"
                                          : aio_error_name(aio_exception_code(outcome.errors[i])));
    aio_free(outcome.value);
    aio_race_outcome_clear(&outcome);
    return 0;
}

static void run(struct fixture *f, struct race *race, const char *expected)
{
    f->subject = race;
    (void)fx_spawn(f, "-", run_race);
    fx_settle(f);
    fx_assert_trace(f, expected);
}

static void race_begins_the_next_after_the_delay_and_cancels_the_losers(void **state)
{
    struct race race = {{{.name = "a", .takes = 10},
                         {.name = "b", .takes = 0.3},
                         {.name = "c", .takes = 10},
                         {.name = "d", .takes = 1}},
                        4,
                        0.2};

    run(*state, &race,
        "a begins at 0, b begins at 2, c begins at 4, a cancelled, c cancelled, "
        "- winner 1 at 5, - 0: CancelledError, - 1: -, - 2: CancelledError");
}

static void race_begins_the_next_at_once_when_one_fails(void **state)
{
    struct race race = {{{.name = "a", .takes = 0.1, .code = -ECONNREFUSED},
                         {.name = "b", .takes = 0.1, .code = AIO_EVALUE},
                         {.name = "c", .takes = 0.1}},
                        3,
                        5};

    run(*state, &race,
        "a begins at 0, b begins at 1, c begins at 2, - winner 2 at 3, "
        "- 0: ConnectionRefusedError, - 1: ValueError, - 2: -");
}

static void race_without_a_delay_waits_for_failures_alone(void **state)
{
    struct race race = {{{.name = "a", .takes = 100}, {.name = "b"}}, 2, AIO_FOREVER};

    run(*state, &race, "a begins at 0, - winner 0 at 1000, - 0: -");
}

static void race_that_all_lose_gives_their_errors(void **state)
{
    struct race race = {{{.name = "a", .code = AIO_EKEY}, {.name = "b", .code = AIO_EVALUE}}, 2, 1};
    struct race none = {.count = 0};

    run(*state, &race,
        "a begins at 0, b begins at 0, - winner -1 at 0, - 0: KeyError, - 1: ValueError");
    run(*state, &none, "- winner -1 at 0");
}

static void race_cancelled_cancels_and_waits_for_all(void **state)
{
    struct fixture *f = *state;
    struct race race = {{{.name = "a", .takes = 10}, {.name = "b", .takes = 10}}, 2, 0};
    aio_task *task;

    f->subject = &race;
    task = fx_spawn(f, "-", run_race);
    for (int i = 0; i < 10; i++)
        fx_step(f);
    assert_true(aio_task_cancel(task, NULL));
    fx_settle(f);
    fx_assert_trace(f, "a begins at 0, b begins at 0, a cancelled, b cancelled, "
                       "- race ! CancelledError");
}

static void race_cancelled_frees_what_a_stubborn_attempt_gives(void **state)
{
    struct fixture *f = *state;
    struct race race = {{{.name = "a", .takes = 10, .stubborn = true},
                         {.name = "b", .takes = 10, .stubborn = true}},
                        2,
                        0};
    aio_task *task;

    f->subject = &race;
    task = fx_spawn(f, "-", run_race);
    for (int i = 0; i < 10; i++)
        fx_step(f);
    assert_true(aio_task_cancel(task, NULL));
    fx_settle(f);
    fx_assert_trace(f, "a begins at 0, b begins at 0, a cancelled, b cancelled, "
                       "- race ! CancelledError");
}

static void race_leaves_nothing_when_its_loop_is_closed(void **state)
{
    struct race race = {{{.name = "a", .takes = 10}, {.name = "b", .takes = 10}}, 2, 0};
    struct fixture f = {0};

    assert_true(fx_open(&f));
    f.subject = &race;
    (void)fx_spawn(&f, "-", run_race);
    for (int i = 0; i < 10; i++)
        fx_step(&f);
    fx_assert_trace(&f, "a begins at 0, b begins at 0");
    fx_close(&f);
}

static int misuse(void *arg, void **ret_result)
{
    const aio_attempt nothing = {NULL, NULL};
    aio_race_outcome outcome;

    assert_int_equal(aio_staggered_race(&nothing, 1, 0, NULL, &outcome), AIO_EVALUE);
    assert_int_equal(aio_staggered_race(&nothing, 0, NAN, NULL, &outcome), AIO_EVALUE);
    assert_int_equal(aio_staggered_race(NULL, 1, 0, NULL, &outcome), AIO_EVALUE);
    assert_int_equal(aio_staggered_race(&nothing, 0, 0, NULL, NULL), AIO_EVALUE);
    return 0;
}

static void race_says_what_is_wrong(void **state)
{
    struct fixture *f = *state;
    aio_race_outcome outcome;

    (void)fx_spawn(f, "-", misuse);
    fx_settle(f);
    assert_int_equal(aio_staggered_race(NULL, 0, 0, NULL, &outcome), AIO_ENOTASK);
    aio_race_outcome_clear(NULL);
}

static void starved_race(void *arg)
{
    struct race race = {{{.name = "a", .takes = 0.1, .code = AIO_EVALUE},
                         {.name = "b", .takes = 0.5},
                         {.name = "c", .takes = 0.5}},
                        3,
                        0.2};
    struct fixture f = {0};

    if (fx_open(&f)) {
        f.subject = &race;
        if (fx_spawn(&f, "-", run_race) != NULL)
            fx_settle(&f);
    }
    fx_close(&f);
}

static void race_survives_every_shortage_of_memory(void **state)
{
    (void)with_each_allocation_failing(starved_race, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(race_begins_the_next_after_the_delay_and_cancels_the_losers),
        FX_TEST(race_begins_the_next_at_once_when_one_fails),
        FX_TEST(race_without_a_delay_waits_for_failures_alone),
        FX_TEST(race_that_all_lose_gives_their_errors),
        FX_TEST(race_cancelled_cancels_and_waits_for_all),
        FX_TEST(race_cancelled_frees_what_a_stubborn_attempt_gives),
        FX_TEST(race_says_what_is_wrong),
        cmocka_unit_test_setup_teardown(race_leaves_nothing_when_its_loop_is_closed,
                                        count_allocations, check_allocations),
        cmocka_unit_test_setup_teardown(race_survives_every_shortage_of_memory, count_allocations,
                                        check_allocations),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
