/* SPDX-License-Identifier: MIT */
/*
 * staggered.c - attempts at the same thing, each a little later than the one before
 *
 * As asyncio has it: each task waits for the failure of the one before or for the delay, starts
 * the next task, which waits in its turn, and makes its own attempt. One task more than there are
 * attempts finds none left.
 *
 * The race belongs to the caller, to the tasks, and to the callbacks that wait for their ends:
 * a loop that is closed takes them away in any order.
 *
 * Thread: the loop's.
 */
#include "base/type.h"
#include "task/task_internal.h"

#include <aio/memory.h>
#include <aio/staggered.h>
#include <aio/wait.h>
#include <math.h>

struct racer {
    aio_attempt attempt;
    aio_task *task;       /* referenced, until it is done */
    aio_future *failed;   /* referenced: done when the attempt has failed; NULL: it was not begun */
    aio_exception *error; /* referenced */
};

struct race {
    unsigned refs;
    aio_loop *loop;
    double delay;
    const aio_type *type;
    size_t count;      /* of attempts */
    size_t begun;      /* of attempts */
    size_t running;    /* tasks */
    ptrdiff_t winner;  /* -1: none */
    void *value;       /* the winner's */
    int code;          /* what a task failed with, beside its attempt */
    aio_future *ended; /* in the caller's frame: no task is left */
    struct racer racers[];
};

static void unref(struct race *race)
{
    if (--race->refs > 0)
        return;
    for (size_t i = 0; i <= race->count; i++) {
        aio_future_unref(race->racers[i].task);
        aio_future_unref(race->racers[i].failed);
        aio_exception_unref(race->racers[i].error);
    }
    if (race->winner >= 0)
        aio__value_destroy(race->type, race->value);
    aio_free(race);
}

static void cancel_all(struct race *race, const aio_task *but, const char *message)
{
    for (size_t i = 0; i <= race->count; i++)
        if (race->racers[i].task != NULL && race->racers[i].task != but)
            (void)aio_task_cancel(race->racers[i].task, message);
}

/* --- the tasks ------------------------------------------------------------------------- */

/* A racer's copy of its argument. */
struct entry {
    struct race *race;
    size_t place;
};

static int run_racer(void *arg, void **ret_result);

static void leave(void *arg)
{
    unref(((struct entry *)arg)->race);
}

static int on_task_done(aio_future *task, void *arg)
{
    struct race *race = arg;
    int code = aio_future_cancelled(task) ? 0 : aio_future_result(task, NULL);

    for (size_t i = 0; i <= race->count; i++) {
        if (race->racers[i].task == task) {
            aio_future_unref(task);
            race->racers[i].task = NULL;
        }
    }
    race->running--;
    if (code < 0 && race->code == 0)
        race->code = code;
    if (race->ended != NULL && race->running == 0 && aio__future_is_pending(race->ended))
        aio__future_finish(race->ended, NULL, NULL);
    unref(race);
    return 0;
}

static int start(struct race *race, size_t place)
{
    struct entry entry = {race, place};
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    aio_task *task;
    int err;

    options.arg_size = sizeof(entry);
    options.arg_destroy = leave;
    options.eager_start = AIO_EAGER_NO;
    race->refs++; /* the task's */
    task = aio_create_task_with(run_racer, &entry, &options);
    if (task == NULL)
        return aio_last_failure();
    err = aio__future_add_step(task, on_task_done, race);
    if (err < 0) {
        (void)aio_task_cancel(task, NULL);
        aio_future_unref(task);
        return err;
    }
    race->refs++; /* the callback's */
    race->running++;
    race->racers[place].task = task;
    return 0;
}

/* Wait until it is this racer's turn. 0, or a code. */
static int wait_for_turn(struct race *race, size_t place)
{
    int err = place == 0 ? 0 : aio_wait_for(race->racers[place - 1].failed, race->delay, NULL);

    if (err == AIO_ETIMEDOUT)
        aio_exception_unref(aio_error_catch(err));
    return err == AIO_ETIMEDOUT ? 0 : err;
}

static void note_failure(struct race *race, struct racer *racer, int code)
{
    racer->error = aio_error_catch(code);
    if (aio__future_is_pending(racer->failed))
        aio__future_finish(racer->failed, NULL, NULL);
}

static void note_success(struct race *race, size_t place, void *value)
{
    if (race->winner >= 0) { /* it was not to be cancelled */
        aio__value_destroy(race->type, value);
        return;
    }
    race->winner = (ptrdiff_t)place;
    race->value = value;
    cancel_all(race, race->racers[place].task, NULL);
}

static int run_racer(void *arg, void **ret_result)
{
    const struct entry *entry = arg;
    struct race *race = entry->race;
    struct racer *racer = &race->racers[entry->place];
    void *value = NULL;
    int err = wait_for_turn(race, entry->place);

    (void)ret_result;
    if (err < 0 || entry->place == race->count)
        return err;
    racer->failed = aio_future_new(race->loop);
    if (racer->failed == NULL)
        return AIO_ENOMEM;
    err = start(race, entry->place + 1);
    if (err < 0)
        return err;
    race->begun++;
    err = racer->attempt.fn(racer->attempt.arg, &value);
    if (err == AIO_ESYSTEMEXIT || err == AIO_EKEYBOARDINTERRUPT || err == AIO_EGENERATOREXIT)
        return err;
    if (err < 0)
        note_failure(race, racer, err);
    else
        note_success(race, entry->place, value);
    return 0;
}

/* --- the call -------------------------------------------------------------------------- */

/* Wait until no task is left; a cancellation goes to them, and is what comes out. */
static int wait_for_all(struct race *race, struct aio__task *caller)
{
    /* In this frame, so that the wait cannot fail for want of memory: nobody else keeps it. */
    static const struct aio__future_ops ops = {.name = "Future"};
    aio_exception *cancel = NULL;
    aio_future ended;
    int err = 0;

    while (race->running > 0 && err != AIO_EGENERATOREXIT) {
        if (AIO__UNLIKELY(race->loop->closing)) {
            err = aio__task_refuse(caller);
            break;
        }
        aio__future_init(&ended, race->loop, &ops);
        race->ended = &ended;
        err = aio_await(&ended, NULL);
        aio_exception_unref(ended.error);
        race->ended = NULL;
        if (err < 0 && err != AIO_EGENERATOREXIT) {
            aio_exception_unref(cancel);
            cancel = aio_error_catch(err);
            cancel_all(race, NULL, aio_exception_message(cancel));
        }
    }
    if (err != AIO_EGENERATOREXIT && race->code < 0)
        err = race->code;
    else if (err != AIO_EGENERATOREXIT)
        err = cancel != NULL ? aio_raise_exception(cancel) : 0;
    aio_exception_unref(cancel);
    return err;
}

/* The outcome is the caller's now. */
static int hand_over(struct race *race, aio_race_outcome *ret_outcome)
{
    aio_race_outcome outcome = {.winner = race->winner, .error_count = race->begun};

    outcome.errors = aio_calloc(race->begun + 1, sizeof(*outcome.errors));
    if (outcome.errors == NULL)
        return AIO_ENOMEM;
    for (size_t i = 0; i < race->begun; i++) {
        outcome.errors[i] = race->racers[i].error;
        race->racers[i].error = NULL;
    }
    outcome.value = race->value;
    race->winner = -1;
    *ret_outcome = outcome;
    return 0;
}

void aio_race_outcome_clear(aio_race_outcome *outcome)
{
    if (outcome == NULL)
        return;
    for (size_t i = 0; i < outcome->error_count; i++)
        aio_exception_unref(outcome->errors[i]);
    aio_free(outcome->errors);
    outcome->errors = NULL;
    outcome->error_count = 0;
}

static int check(const aio_attempt *attempts, size_t count, double delay,
                 const aio_race_outcome *ret_outcome)
{
    if (ret_outcome == NULL || (attempts == NULL && count > 0))
        return aio_raise(AIO_EVALUE, "attempts and a place for the outcome are needed");
    if (isnan(delay))
        return aio_raise(AIO_EVALUE, "Invalid delay: NaN (not a number)");
    for (size_t i = 0; i < count; i++)
        if (attempts[i].fn == NULL)
            return aio_raise(AIO_EVALUE, "a coroutine was expected, got NULL");
    return 0;
}

int aio_staggered_race(const aio_attempt *attempts, size_t count, double delay,
                       const aio_type *result_type, aio_race_outcome *ret_outcome)
{
    struct aio__task *caller = aio__running_task();
    struct race *race;
    int err;

    if (caller == NULL)
        return AIO_ENOTASK;
    err = check(attempts, count, delay, ret_outcome);
    if (err < 0)
        return err;
    if (AIO__UNLIKELY(caller->fut.loop->closing))
        return aio__task_refuse(caller);
    race = count >= SIZE_MAX / 64
               ? NULL
               : aio_calloc(1, sizeof(*race) + (count + 1) * sizeof(race->racers[0]));
    if (race == NULL)
        return AIO_ENOMEM;
    race->refs = 1;
    race->loop = caller->fut.loop;
    race->delay = delay;
    race->type = result_type;
    race->count = count;
    race->winner = -1;
    for (size_t i = 0; i < count; i++)
        race->racers[i].attempt = attempts[i];
    err = start(race, 0);
    if (err == 0)
        err = wait_for_all(race, caller);
    if (err == 0)
        err = hand_over(race, ret_outcome);
    unref(race);
    return err;
}
