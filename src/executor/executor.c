/* SPDX-License-Identifier: MIT */
/*
 * executor.c - what all executors have in common: references, shutting down, figures
 *
 * The count of references is a plain size_t in a public structure, so that programs in C++ can
 * begin an executor of theirs with it; it is only ever touched atomically.
 *
 * Thread: any.
 */
#include "executor/executor_internal.h"
#include "future/future_internal.h"

#include <math.h>
#include <sched.h>
#include <unistd.h>

void aio_executor_init(aio_executor *executor, const aio_executor_ops *ops)
{
    if (executor == NULL)
        return;
    executor->ops = ops;
    __atomic_store_n(&executor->refs, 1, __ATOMIC_RELAXED);
}

aio_executor *aio_executor_ref(aio_executor *executor)
{
    if (executor != NULL)
        (void)__atomic_fetch_add(&executor->refs, 1, __ATOMIC_RELAXED);
    return executor;
}

void aio_executor_unref(aio_executor *executor)
{
    if (executor != NULL && __atomic_sub_fetch(&executor->refs, 1, __ATOMIC_ACQ_REL) == 0)
        executor->ops->destroy(executor);
}

int aio__raise_shut_down(void)
{
    return aio_raise(AIO_ERUNTIME, "cannot schedule new futures after shutdown");
}

int aio__check_timeout(double timeout)
{
    if (isnan(timeout))
        return aio_raise(AIO_EVALUE, "Invalid timeout: NaN (not a number)");
    return 0;
}

int aio_executor_shutdown(aio_executor *executor, double timeout, bool cancel_futures)
{
    int err = executor == NULL ? aio__null_future() : aio__check_timeout(timeout);

    return err < 0 ? err : executor->ops->shutdown(executor, timeout, cancel_futures);
}

int aio_executor_get_stats(aio_executor *executor, aio_executor_stats *ret_stats)
{
    if (executor == NULL)
        return aio__null_future();
    if (ret_stats == NULL || ret_stats->size < sizeof(*ret_stats))
        return aio_raise(AIO_EVALUE, "bad size of executor statistics");
    if (executor->ops->stats == NULL)
        return aio_raise(AIO_ENOTIMPLEMENTED, "%s does not count", executor->ops->name);
    *ret_stats = (aio_executor_stats)AIO_EXECUTOR_STATS_INIT;
    executor->ops->stats(executor, ret_stats);
    return 0;
}

size_t aio__cpu_count(void)
{
    cpu_set_t cpus;
    long count;

    /* Those we may run on: in a container that can be few of many. */
    if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && CPU_COUNT(&cpus) > 0)
        return (size_t)CPU_COUNT(&cpus);
    count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : (size_t)count;
}

size_t aio__default_threads(void)
{
    size_t count = aio__cpu_count() + 4;

    return count > 32 ? 32 : count;
}
