/* SPDX-License-Identifier: MIT */
/*
 * inspect.c - a service that shows what it is doing
 *
 *     inspect &
 *     kill -USR1 $!    its tasks, as a tree, with the calls that each is in the middle of
 *     kill $!          it ends, with statistics of its loop
 *
 * Two workers wait for orders, and one reports to a task that waits for it; nobody sends any.
 */
#include <aio/aio.h>
#include <signal.h>
#include <stdio.h>

static int work(void *arg, void **ret_result)
{
    int err = 0;

    while (err == 0)
        err = aio_queue_get(arg, NULL);
    return err;
}

static int supervise(void *arg, void **ret_result)
{
    AIO_AUTO(aio_task) worker = aio_create_task(work, arg);

    (void)aio_task_set_name(worker, "supervised");
    return aio_await(worker, ret_result);
}

static int stop(void *arg)
{
    aio_event_set(arg);
    return 0;
}

/* The busiest classes of the histogram, one a line. */
static void print_lag(const aio_loop_statistics *statistics)
{
    for (unsigned i = 0; i < AIO_LAG_CLASSES; i++)
        if (statistics->lag[i] != 0)
            printf("lag below %g s: %llu\n", aio_lag_class_end(i),
                   (unsigned long long)statistics->lag[i]);
}

static int print_statistics(void)
{
    aio_loop_statistics statistics = AIO_LOOP_STATISTICS_INIT;
    int err = aio_loop_get_statistics(NULL, &statistics);

    if (err < 0)
        return err;
    printf("%zu tasks now, %llu in all, %llu steps, %llu iterations\n", statistics.tasks,
           (unsigned long long)statistics.tasks_made, (unsigned long long)statistics.steps,
           (unsigned long long)statistics.iterations);
    printf("%zu stacks, %zu of them idle\n", statistics.stacks, statistics.stacks_idle);
    print_lag(&statistics);
    return 0;
}

static int async_main(void *arg, void **ret_result)
{
    AIO_AUTO(aio_queue) orders = aio_queue_new(0);
    AIO_AUTO(aio_event) stopped = aio_event_new();
    AIO_AUTO(aio_task) worker = aio_create_task(work, orders);
    AIO_AUTO(aio_task) supervisor = aio_create_task(supervise, orders);
    aio_loop *loop = aio_get_running_loop();
    int err = aio_loop_watch_lag(loop, true);

    (void)aio_task_set_name(worker, "worker");
    (void)aio_task_set_name(supervisor, "supervisor");
    if (err == 0)
        err =
            aio_loop_print_tasks_on_signal(loop, SIGUSR1, AIO_DUMP_TREE | AIO_DUMP_STACKS, stdout);
    if (err == 0)
        err = aio_loop_add_signal_handler(loop, SIGTERM, stop, stopped);
    if (err == 0)
        err = aio_sleep(0.001);
    if (err < 0)
        return err;
    puts("ready");
    (void)fflush(stdout);
    err = aio_event_wait(stopped);
    return err < 0 ? err : print_statistics();
}

int main(void)
{
    return aio_main(async_main, NULL);
}
