/* SPDX-License-Identifier: MIT */
/*
 * stress_queue.c - the three queues under random cancels
 *
 * A model says at each get which item has to come. At the end, what was put in has come out,
 * or was thrown away by the shutdown, each once; and all work is accounted for.
 */
#include "stress/stress.h"

#include <aio/queue.h>
#include <stdlib.h>

struct item {
    struct queue_round *round;
    int priority;
    unsigned long stamp; /* when it was put in, by order; 0: it is not inside */
};

struct queue_round {
    struct stress *stress;
    aio_queue *queue;
    long maxsize;
    unsigned producers; /* the first workers; the last one joins, if there are three */
    unsigned producing;
    struct item items[STRESS_STEPS];
    unsigned item_count;
    unsigned long last_stamp;
    unsigned inside;
    unsigned unfinished;
    unsigned long all_done; /* how often unfinished has come to 0 */
    bool discarding;
};

/* --- the model ------------------------------------------------------------------------- */

static void is_in(struct queue_round *round, struct item *item)
{
    item->stamp = ++round->last_stamp;
    round->inside++;
    round->unfinished++;
}

static void work_is_done(struct queue_round *round)
{
    if (--round->unfinished == 0)
        round->all_done++;
}

static int by_priority(const void *a, const void *b, void *arg)
{
    int x = ((const struct item *)a)->priority, y = ((const struct item *)b)->priority;

    return x < y ? -1 : x > y;
}

static bool before_fifo(const struct item *a, const struct item *b)
{
    return a->stamp < b->stamp;
}

static bool before_lifo(const struct item *a, const struct item *b)
{
    return a->stamp > b->stamp;
}

static bool before_priority(const struct item *a, const struct item *b)
{
    return a->priority < b->priority || (a->priority == b->priority && a->stamp < b->stamp);
}

static void is_out(struct queue_round *round, struct item *item,
                   bool (*before)(const struct item *, const struct item *))
{
    struct stress *stress = round->stress;

    stress_check(stress, item->stamp != 0, "an item came out twice");
    for (unsigned i = 0; i < round->item_count; i++) {
        const struct item *other = &round->items[i];

        if (other->stamp != 0 && other != item)
            stress_check(stress, before(item, other), "an item came out before its turn");
    }
    item->stamp = 0;
    round->inside--;
}

/* The queue throws an item away. */
static void discard(void *value)
{
    struct item *item = value;
    struct queue_round *round = item->round;

    stress_check(round->stress, round->discarding, "an item was thrown away");
    stress_check(round->stress, item->stamp != 0, "an item was thrown away twice");
    item->stamp = 0;
    round->inside--;
    work_is_done(round);
}

static const aio_type item_type = {.destroy = discard};

/* --- the workers ----------------------------------------------------------------------- */

static void produce(struct stress_worker *worker)
{
    struct stress *stress = worker->stress;
    struct queue_round *round = stress->shared;
    struct item *item = &round->items[round->item_count++];
    bool waits = stress_random(stress, 4) != 0;
    int code;

    item->round = round;
    item->priority = (int)stress_random(stress, 5);
    code = waits ? aio_queue_put(round->queue, item) : aio_queue_put_nowait(round->queue, item);
    if (code == 0)
        is_in(round, item); /* in the same step as the queue itself */
    (void)stress_outcome(worker, code);
    stress_check(stress,
                 code == 0 || code == AIO_ECANCELLED || code == AIO_ENOMEM ||
                     (code == AIO_EQUEUEFULL && !waits && aio_queue_full(round->queue)),
                 aio_error_name(code));
    stress_check(stress, aio_queue_qsize(round->queue) == round->inside, "the size is wrong");
    stress_check(stress, round->maxsize <= 0 || (long)round->inside <= round->maxsize,
                 "there are too many inside");
    stress_pause(worker, 0);
}

static void stop_producing(struct stress *stress)
{
    struct queue_round *round = stress->shared;

    if (--round->producing > 0)
        return;
    round->discarding = stress_random(stress, 2) == 0;
    aio_queue_shutdown(round->queue, round->discarding);
}

/* false: there will be nothing any more. */
static bool consume(struct stress_worker *worker,
                    bool (*before)(const struct item *, const struct item *))
{
    struct stress *stress = worker->stress;
    struct queue_round *round = stress->shared;
    bool waits = stress_random(stress, 4) != 0;
    void *item = NULL;
    int code;

    code = waits ? aio_queue_get(round->queue, &item) : aio_queue_get_nowait(round->queue, &item);
    if (code == 0)
        is_out(round, item, before);
    (void)stress_outcome(worker, code);
    if (code == AIO_EQUEUESHUTDOWN) {
        stress_check(stress, round->producing == 0 && round->inside == 0, "shut down too early");
        return false;
    }
    stress_check(stress,
                 code == 0 || code == AIO_ECANCELLED || code == AIO_ENOMEM ||
                     (code == AIO_EQUEUEEMPTY && !waits && round->inside == 0),
                 aio_error_name(code));
    stress_pause(worker, waits ? 0 : 1);
    if (code == 0) {
        stress_check(stress, aio_queue_task_done(round->queue) == 0, "too much work was done");
        work_is_done(round);
    }
    return true;
}

static void join(struct stress_worker *worker)
{
    struct stress *stress = worker->stress;
    struct queue_round *round = stress->shared;
    bool was_done = round->unfinished == 0;
    unsigned long all_done = round->all_done;
    int code = stress_outcome(worker, aio_queue_join(round->queue));

    if (code == 0)
        stress_check(stress, was_done || round->all_done > all_done, "joined before it was done");
    else
        stress_check(stress, code == AIO_ECANCELLED || code == AIO_ENOMEM, aio_error_name(code));
    stress_pause(worker, 1);
}

static void work(struct stress_worker *worker,
                 bool (*before)(const struct item *, const struct item *))
{
    struct stress *stress = worker->stress;
    struct queue_round *round = stress->shared;

    if (worker->number < round->producers) {
        while (stress_step(stress))
            produce(worker);
        stop_producing(stress);
    } else if (worker->number >= 2 && worker->number + 1 == stress->worker_count) {
        while (stress_step(stress))
            join(worker);
    } else {
        while (consume(worker, before))
            continue;
    }
}

/* --- scenarios ------------------------------------------------------------------------- */

/* At least one consumer is left, between the producers and the one who joins. */
static unsigned begin(struct stress *stress, aio_queue *queue, long maxsize)
{
    struct queue_round *round = calloc(1, sizeof(*round));
    unsigned workers = 2 + stress_random(stress, STRESS_WORKERS - 2);

    stress_check(stress, round != NULL && queue != NULL, "no memory");
    stress->shared = round;
    round->stress = stress;
    round->queue = queue;
    round->maxsize = maxsize;
    round->producers = workers < 4 ? 1 : 1 + stress_random(stress, workers - 3);
    round->producing = round->producers;
    aio_queue_set_type(queue, &item_type);
    return workers;
}

static void end(struct stress *stress)
{
    struct queue_round *round = stress->shared;

    stress_check(stress, round->inside == 0, "an item was lost");
    stress_check(stress, aio_queue_empty(round->queue), "an item was left");
    stress_check(stress, round->unfinished == 0, "work was lost");
    stress_check(stress, aio_queue_task_done(round->queue) == AIO_EVALUE, "work was left");
    round->discarding = false;
    aio_queue_unref(round->queue);
    free(round);
}

static unsigned fifo_begin(struct stress *stress)
{
    long maxsize = (long)stress_random(stress, 5);

    return begin(stress, aio_queue_new(maxsize), maxsize);
}

static void fifo_work(struct stress_worker *worker)
{
    work(worker, before_fifo);
}

static unsigned lifo_begin(struct stress *stress)
{
    long maxsize = (long)stress_random(stress, 5);

    return begin(stress, aio_lifo_queue_new(maxsize), maxsize);
}

static void lifo_work(struct stress_worker *worker)
{
    work(worker, before_lifo);
}

static unsigned priority_begin(struct stress *stress)
{
    long maxsize = (long)stress_random(stress, 5);

    return begin(stress, aio_priority_queue_new(maxsize, by_priority, NULL), maxsize);
}

static void priority_work(struct stress_worker *worker)
{
    work(worker, before_priority);
}

int main(int argc, char **argv)
{
    static const struct stress_scenario fifo = {
        .name = "queue", .begin = fifo_begin, .work = fifo_work, .end = end};
    static const struct stress_scenario lifo = {
        .name = "lifo queue", .begin = lifo_begin, .work = lifo_work, .end = end};
    static const struct stress_scenario priority = {
        .name = "priority queue", .begin = priority_begin, .work = priority_work, .end = end};
    static const struct stress_scenario *const scenarios[] = {&fifo, &lifo, &priority};

    return stress_main(argc, argv, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
