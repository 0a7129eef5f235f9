/* SPDX-License-Identifier: MIT */
/*
 * event.c - what is it to wake one of a thousand tasks that wait for an event?
 *
 * From setting the event to the end of the last task. Not measured: making the tasks and
 * getting them to wait.
 */
#include "micro.h"

enum { TASKS = 1000 };

struct wakes {
    aio_event *event;
    uint64_t woken;
};

static int wait_for_event(void *arg, void **ret_result)
{
    struct wakes *wakes = arg;
    int err = aio_event_wait(wakes->event);

    (void)ret_result;
    if (err == 0)
        wakes->woken++;
    return err;
}

static int run_round(struct bench_clock *clock, struct wakes *wakes)
{
    aio_task *tasks[TASKS];
    int err;

    wakes->event = aio_event_new();
    for (int i = 0; i < TASKS; i++)
        tasks[i] = aio_create_task(wait_for_event, wakes);
    err = aio_sleep(0);

    bench_start(clock);
    aio_event_set(wakes->event);
    for (int i = 0; i < TASKS; i++) {
        int code = aio_await(tasks[i], NULL);

        err = err < 0 ? err : code;
        aio_future_unref(tasks[i]);
    }
    bench_stop(clock);
    aio_event_unref(wakes->event);
    return err;
}

static int run_event_wake(struct bench_clock *clock, uint64_t count)
{
    struct wakes wakes = {NULL, 0};
    int err = 0;

    for (uint64_t round = 0; round < count / TASKS && err == 0; round++)
        err = run_round(clock, &wakes);
    bench_check(err < 0 || wakes.woken == count, "some tasks were not woken");
    return err;
}

const struct bench bench_event[] = {
    {.name = "event_wake_1000", .run = run_event_wake, .batch = TASKS},
    {.name = NULL},
};
