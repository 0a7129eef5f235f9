/* SPDX-License-Identifier: MIT */
/*
 * stress_sync.c - locks, semaphores, events, conditions and barriers under random cancels
 *
 * What is asserted: who may be inside at the same time, that nobody is overtaken, that no
 * unit, notification or party is lost, and that all come to an end.
 */
#include "stress/stress.h"

#include <aio/barrier.h>
#include <aio/condition.h>
#include <aio/event.h>
#include <aio/lock.h>
#include <aio/semaphore.h>
#include <stdlib.h>
#include <string.h>

static void *share(struct stress *stress, size_t size)
{
    stress->shared = calloc(1, size);
    stress_check(stress, stress->shared != NULL, "no memory");
    return stress->shared;
}

/* A call that has failed may only have done so because of the troublemaker. */
static void expect_trouble(struct stress *stress, int code)
{
    stress_check(stress, code == AIO_ECANCELLED || code == AIO_ENOMEM, aio_error_name(code));
}

/* --- lock ------------------------------------------------------------------------------ */

struct lock_round {
    aio_lock *lock;
    const struct stress_worker *owner;
    unsigned long next_ticket; /* drawn when asking */
    unsigned long last_ticket; /* of the last who got the lock */
};

static unsigned lock_begin(struct stress *stress)
{
    struct lock_round *round = share(stress, sizeof(*round));

    round->lock = aio_lock_new();
    return 2 + stress_random(stress, STRESS_WORKERS - 2);
}

static void lock_work(struct stress_worker *worker)
{
    struct stress *stress = worker->stress;
    struct lock_round *round = stress->shared;

    while (stress_step(stress)) {
        unsigned long ticket = ++round->next_ticket;
        int code = stress_outcome(worker, aio_lock_enter(round->lock));

        if (code < 0) {
            expect_trouble(stress, code);
            continue;
        }
        stress_check(stress, round->owner == NULL, "two hold the lock");
        stress_check(stress, ticket > round->last_ticket, "somebody was overtaken");
        round->last_ticket = ticket;
        round->owner = worker;
        stress_pause(worker, 0);
        stress_check(stress, round->owner == worker, "the lock was taken from its holder");
        round->owner = NULL;
        stress_check(stress, aio_lock_exit(round->lock, 0) == 0, "the holder cannot release");
        stress_pause(worker, 0);
    }
}

static void lock_end(struct stress *stress)
{
    struct lock_round *round = stress->shared;

    stress_check(stress, !aio_lock_locked(round->lock), "the lock was left locked");
    stress_check(stress, aio_lock_acquire(round->lock) == 0, "somebody is still in line");
    aio_lock_unref(round->lock);
    free(round);
}

static const struct stress_scenario lock_scenario = {
    .name = "lock", .begin = lock_begin, .work = lock_work, .end = lock_end};

/* --- semaphore ------------------------------------------------------------------------- */

struct semaphore_round {
    aio_semaphore *sem;
    unsigned units;
    unsigned taken;
    unsigned long next_ticket;
    unsigned long last_ticket;
};

static unsigned semaphore_begin(struct stress *stress)
{
    struct semaphore_round *round = share(stress, sizeof(*round));

    round->units = 1 + stress_random(stress, 4);
    round->sem = stress_random(stress, 2) ? aio_semaphore_new(round->units)
                                          : aio_bounded_semaphore_new(round->units);
    return 2 + stress_random(stress, STRESS_WORKERS - 2);
}

static void semaphore_work(struct stress_worker *worker)
{
    struct stress *stress = worker->stress;
    struct semaphore_round *round = stress->shared;

    while (stress_step(stress)) {
        unsigned long ticket = ++round->next_ticket;
        int code = stress_outcome(worker, aio_semaphore_enter(round->sem));

        if (code < 0) {
            expect_trouble(stress, code);
            continue;
        }
        stress_check(stress, ++round->taken <= round->units, "there are more units than there are");
        stress_check(stress, stress->shuffled || ticket > round->last_ticket,
                     "somebody was overtaken");
        round->last_ticket = ticket;
        stress_pause(worker, 0);
        round->taken--;
        stress_check(stress, aio_semaphore_exit(round->sem, 0) == 0, "a unit is not taken back");
        stress_pause(worker, 0);
    }
}

static void semaphore_end(struct stress *stress)
{
    struct semaphore_round *round = stress->shared;
    unsigned units = 0;

    while (!aio_semaphore_locked(round->sem) && aio_semaphore_acquire(round->sem) == 0)
        units++;
    stress_check(stress, units == round->units, "units were lost, or came from nowhere");
    aio_semaphore_unref(round->sem);
    free(round);
}

static const struct stress_scenario semaphore_scenario = {
    .name = "semaphore", .begin = semaphore_begin, .work = semaphore_work, .end = semaphore_end};

/* --- event ----------------------------------------------------------------------------- */

struct event_round {
    aio_event *event;
    unsigned long sets;
};

static unsigned event_begin(struct stress *stress)
{
    struct event_round *round = share(stress, sizeof(*round));

    round->event = aio_event_new();
    return 2 + stress_random(stress, STRESS_WORKERS - 2);
}

static void event_set_and_clear(struct stress_worker *worker)
{
    struct stress *stress = worker->stress;
    struct event_round *round = stress->shared;

    while (stress_step(stress)) {
        stress_pause(worker, 1);
        round->sets++;
        aio_event_set(round->event);
        if (stress_random(stress, 2) == 0)
            stress_pause(worker, 0);
        aio_event_clear(round->event);
    }
    round->sets++;
    aio_event_set(round->event); /* and so it stays: nobody has to wait any more */
}

static void event_work(struct stress_worker *worker)
{
    struct stress *stress = worker->stress;
    struct event_round *round = stress->shared;

    if (worker->number == 0) {
        event_set_and_clear(worker);
        return;
    }
    while (stress_step(stress)) {
        bool was_set = aio_event_is_set(round->event);
        unsigned long sets = round->sets;
        int code = stress_outcome(worker, aio_event_wait(round->event));

        if (code < 0)
            expect_trouble(stress, code);
        else
            stress_check(stress, was_set || round->sets > sets, "went on though it was not set");
        stress_pause(worker, was_set ? 1 : 0);
    }
}

static void event_end(struct stress *stress)
{
    struct event_round *round = stress->shared;

    aio_event_unref(round->event);
    free(round);
}

static const struct stress_scenario event_scenario = {
    .name = "event", .begin = event_begin, .work = event_work, .end = event_end};

/* --- condition: a bounded buffer over two of them -------------------------------------- */

/* Each change notifies exactly one: a notification that is lost leaves somebody waiting. */
struct condition_round {
    aio_condition *not_full;
    aio_condition *not_empty;
    const struct stress_worker *owner; /* of the lock */
    unsigned producers;                /* the first workers */
    unsigned producing;
    unsigned size;
    unsigned filled;
};

static unsigned condition_begin(struct stress *stress)
{
    struct condition_round *round = share(stress, sizeof(*round));
    unsigned workers = 2 + stress_random(stress, STRESS_WORKERS - 2);

    round->not_full = aio_condition_new();
    round->not_empty = aio_condition_new_with(aio_condition_lock(round->not_full));
    round->producers = round->producing = 1 + stress_random(stress, workers - 1);
    round->size = 1 + stress_random(stress, 3);
    return workers;
}

static int condition_enter(struct stress_worker *worker)
{
    struct condition_round *round = worker->stress->shared;
    int code = stress_outcome(worker, aio_condition_enter(round->not_full));

    if (code < 0) {
        expect_trouble(worker->stress, code);
        return code;
    }
    stress_check(worker->stress, round->owner == NULL, "two hold the lock");
    round->owner = worker;
    return 0;
}

static void condition_exit(struct stress_worker *worker)
{
    struct condition_round *round = worker->stress->shared;

    stress_check(worker->stress, round->owner == worker, "the lock was taken from its holder");
    round->owner = NULL;
    stress_check(worker->stress, aio_condition_exit(round->not_full, 0) == 0, "cannot release");
}

/* Whatever it gives, the lock is held afterwards. */
static int condition_wait(struct stress_worker *worker, aio_condition *cond)
{
    struct condition_round *round = worker->stress->shared;
    int code;

    round->owner = NULL;
    code = stress_outcome(worker, aio_condition_wait(cond));
    stress_check(worker->stress, round->owner == NULL, "came back without the lock");
    stress_check(worker->stress, aio_condition_locked(cond), "came back to an open lock");
    round->owner = worker;
    if (code < 0)
        expect_trouble(worker->stress, code);
    return code;
}

static void produce(struct stress_worker *worker)
{
    struct condition_round *round = worker->stress->shared;
    int code = 0;

    if (condition_enter(worker) < 0)
        return;
    while (round->filled == round->size && code == 0)
        code = condition_wait(worker, round->not_full);
    if (code == 0) {
        round->filled++;
        (void)aio_condition_notify(round->not_empty, 1);
        stress_pause(worker, 0);
    }
    condition_exit(worker);
}

/* false: there will be nothing any more. */
static bool consume(struct stress_worker *worker)
{
    struct condition_round *round = worker->stress->shared;
    bool goes_on = true;
    int code = 0;

    if (condition_enter(worker) < 0)
        return true;
    while (round->filled == 0 && round->producing > 0 && code == 0)
        code = condition_wait(worker, round->not_empty);
    if (round->filled > 0 && code == 0) {
        round->filled--;
        (void)aio_condition_notify(round->not_full, 1);
        stress_pause(worker, 0);
    } else if (code == 0) {
        goes_on = false;
    }
    condition_exit(worker);
    return goes_on;
}

static void stop_producing(struct stress_worker *worker)
{
    struct condition_round *round = worker->stress->shared;

    while (condition_enter(worker) < 0)
        continue;
    if (--round->producing == 0)
        (void)aio_condition_notify_all(round->not_empty);
    condition_exit(worker);
}

static void condition_work(struct stress_worker *worker)
{
    struct condition_round *round = worker->stress->shared;

    if (worker->number < round->producers) {
        while (stress_step(worker->stress)) {
            produce(worker);
            stress_pause(worker, 0);
        }
        stop_producing(worker);
        return;
    }
    while (consume(worker))
        stress_pause(worker, 0);
}

static void condition_end(struct stress *stress)
{
    struct condition_round *round = stress->shared;

    stress_check(stress, round->filled == 0, "something was left in the buffer");
    stress_check(stress, !aio_condition_locked(round->not_full), "the lock was left locked");
    aio_condition_unref(round->not_full);
    aio_condition_unref(round->not_empty);
    free(round);
}

static const struct stress_scenario condition_scenario = {
    .name = "condition", .begin = condition_begin, .work = condition_work, .end = condition_end};

/* --- barrier --------------------------------------------------------------------------- */

struct barrier_round {
    aio_barrier *barrier;
    unsigned parties;
    unsigned waiting;   /* workers inside the call */
    unsigned followers; /* who went on since the last who completed the parties */
    unsigned indices;   /* of those, as bits */
    bool met;           /* the parties were complete at least once */
};

static unsigned barrier_begin(struct stress *stress)
{
    struct barrier_round *round = share(stress, sizeof(*round));

    round->parties = 1 + stress_random(stress, 5);
    round->barrier = aio_barrier_new(round->parties);
    return round->parties + stress_random(stress, 5);
}

/* The workers that have no steps left go; who waits must not wait for them. */
static void barrier_break(struct stress_worker *worker)
{
    struct stress *stress = worker->stress;
    struct barrier_round *round = stress->shared;
    int code;

    stress->ending = true;
    while ((code = stress_outcome(worker, aio_barrier_abort(round->barrier))) < 0)
        expect_trouble(stress, code);
}

static void barrier_went_on(struct stress *stress, unsigned waiting, size_t index)
{
    struct barrier_round *round = stress->shared;

    stress_check(stress, index < round->parties, "an index of no party");
    if (index + 1 < round->parties) {
        stress_check(stress, round->met, "went on before all were there");
        stress_check(stress, ++round->followers < round->parties, "more went on than there are");
        stress_check(stress, !stress->calm || !(round->indices & 1u << index),
                     "an index was given twice");
        round->indices |= 1u << index;
        return;
    }
    stress_check(stress, waiting >= round->parties, "complete before all were there");
    /* All of the group before have left, or it would not have filled again. */
    stress_check(stress,
                 !stress->calm || !round->met || round->indices + 1 == 1u << (round->parties - 1),
                 "not all of the last group went on");
    round->met = true;
    round->followers = 0;
    round->indices = 0;
}

static void barrier_work(struct stress_worker *worker)
{
    struct stress *stress = worker->stress;
    struct barrier_round *round = stress->shared;
    unsigned waiting;
    size_t index;

    while (stress_step(stress)) {
        int code;

        round->waiting++;
        code = aio_barrier_wait(round->barrier, &index);
        waiting = round->waiting--;
        if (stress_outcome(worker, code) == 0)
            barrier_went_on(stress, waiting, index);
        else if (code == AIO_EBROKENBARRIER)
            stress_check(stress, !stress->calm || stress->ending, "broken by nobody");
        else
            expect_trouble(stress, code);
        stress_pause(worker, 0);
    }
    barrier_break(worker);
}

static void barrier_disturb(struct stress *stress)
{
    struct barrier_round *round = stress->shared;

    if (stress->ending)
        return;
    if (stress_random(stress, 2) == 0)
        (void)aio_barrier_abort(round->barrier);
    (void)aio_sleep(0);
    while (aio_barrier_reset(round->barrier) < 0)
        continue;
    if (stress->ending) /* meanwhile: it has to be broken again */
        while (aio_barrier_abort(round->barrier) < 0)
            continue;
}

static void barrier_end(struct stress *stress)
{
    struct barrier_round *round = stress->shared;

    stress_check(stress, aio_barrier_broken(round->barrier), "it is whole again");
    stress_check(stress, aio_barrier_reset(round->barrier) == 0, "cannot reset");
    stress_check(stress, aio_barrier_n_waiting(round->barrier) == 0, "somebody is still inside");
    aio_barrier_unref(round->barrier);
    free(round);
}

static const struct stress_scenario barrier_scenario = {.name = "barrier",
                                                        .begin = barrier_begin,
                                                        .work = barrier_work,
                                                        .disturb = barrier_disturb,
                                                        .end = barrier_end};

int main(int argc, char **argv)
{
    static const struct stress_scenario *const scenarios[] = {&lock_scenario, &semaphore_scenario,
                                                              &event_scenario, &condition_scenario,
                                                              &barrier_scenario};

    return stress_main(argc, argv, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
