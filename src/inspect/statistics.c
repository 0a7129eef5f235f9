/* SPDX-License-Identifier: MIT */
/*
 * statistics.c - what a loop is doing in numbers, and what it keeps for those who look at it
 *
 * Thread: the loop's.
 */
#include "inspect/inspect_internal.h"

#include "fiber/fiber.h"
#include "loop/ready.h"

#include <aio/error.h>
#include <aio/inspect.h>
#include <aio/memory.h>
#include <math.h>
#include <string.h>

_Static_assert(AIO_LAG_CLASSES == AIO__LAG_CLASSES, "the loop counts as many as are shown");

/* --- what the loop keeps -------------------------------------------------------------------- */

struct keeper {
    struct aio__close_hook hook;
    struct aio__list requests;
    struct aio__lag lag;
};

static void free_keeper(struct aio__close_hook *hook, aio_loop *loop)
{
    struct keeper *keeper = aio__container_of(hook, struct keeper, hook);
    struct aio__list *link;

    while ((link = aio__list_first(&keeper->requests)) != NULL) {
        aio__list_remove(link);
        aio_free(aio__container_of(link, struct aio__dump_request, link));
    }
    loop->lag = NULL;
    loop->inspect = NULL;
    aio_free(keeper);
}

static struct keeper *keeper_of(aio_loop *loop)
{
    struct keeper *keeper = loop->inspect;

    if (keeper != NULL)
        return keeper;
    keeper = aio_calloc(1, sizeof(*keeper));
    if (keeper == NULL)
        return NULL;
    aio__list_init(&keeper->requests);
    keeper->hook.fn = free_keeper;
    aio__list_append(&loop->close_hooks, &keeper->hook.link);
    loop->inspect = keeper;
    return keeper;
}

struct aio__dump_request *aio__inspect_request(aio_loop *loop, int signum)
{
    struct keeper *keeper = keeper_of(loop);
    struct aio__dump_request *request;

    if (keeper == NULL)
        return NULL;
    AIO__LIST_FOREACH (link, &keeper->requests) {
        request = aio__container_of(link, struct aio__dump_request, link);
        if (request->signum == signum)
            return request;
    }
    request = aio_calloc(1, sizeof(*request));
    if (request == NULL)
        return NULL;
    request->loop = loop;
    request->signum = signum;
    aio__list_append(&keeper->requests, &request->link);
    return request;
}

/* --- lag ------------------------------------------------------------------------------------ */

int aio_loop_watch_lag(aio_loop *loop, bool watch)
{
    struct keeper *keeper;
    int err = aio__inspect_loop(&loop);

    if (err < 0)
        return err;
    if (!watch) {
        loop->lag = NULL;
        return 0;
    }
    keeper = keeper_of(loop);
    if (keeper == NULL)
        return AIO_ENOMEM;
    memset(&keeper->lag, 0, sizeof(keeper->lag));
    loop->lag = &keeper->lag;
    return 0;
}

double aio_lag_class_end(unsigned number)
{
    return number >= AIO_LAG_CLASSES - 1 ? INFINITY : ldexp(1e-6, (int)number);
}

/* --- all of it ------------------------------------------------------------------------------ */

static size_t queue_length(const struct aio__queue *queue)
{
    size_t length = 0;

    for (const struct aio__ready *node = queue->head; node != NULL; node = node->next)
        length++;
    return length;
}

int aio_loop_get_statistics(aio_loop *loop, aio_loop_statistics *ret_statistics)
{
    struct aio__fiber_pool_stats stacks;
    int err = aio__inspect_loop(&loop);

    if (err < 0)
        return err;
    if (ret_statistics == NULL || ret_statistics->size != sizeof(*ret_statistics))
        return aio_raise(AIO_EVALUE, "bad size of the statistics");
    aio__fiber_pool_stats(loop->fibers, &stacks);
    *ret_statistics = (aio_loop_statistics){
        .size = sizeof(*ret_statistics),
        .tasks = loop->task_count,
        .tasks_made = loop->tasks_made,
        .steps = loop->steps,
        .iterations = loop->iterations,
        .ready = queue_length(&loop->batch) + queue_length(&loop->ready),
        .timers = aio__deadlines_count(&loop->timers),
        .jobs = loop->external,
        .stacks = stacks.fibers,
        .stacks_idle = stacks.idle,
        .stack_mapped = stacks.mapped,
        .idle_resident = stacks.idle_resident,
        .looks = aio__busy_poll_looks(&loop->busy_poll),
    };
    if (loop->lag != NULL) {
        memcpy(ret_statistics->lag, loop->lag->classes, sizeof(ret_statistics->lag));
        ret_statistics->lag_longest = (double)loop->lag->longest_ns / 1e9;
    }
    return 0;
}
