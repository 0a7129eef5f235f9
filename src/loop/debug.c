/* SPDX-License-Identifier: MIT */
/*
 * debug.c - debug mode: what takes too long, and where it was
 *
 * While it is on, every step goes by way of the thread's own stack and is timed.
 */
#include "base/backtrace.h"
#include "base/log.h"
#include "base/monotonic.h"
#include "loop/handle.h"
#include "loop/origin.h"

#include <aio/future.h>
#include <aio/memory.h>
#include <stdio.h>

enum { STEP_TEXT = 512 };

bool aio_loop_get_debug(const aio_loop *loop)
{
    return loop != NULL && loop->debug;
}

void aio_loop_set_debug(aio_loop *loop, bool enabled)
{
    if (loop == NULL)
        return;
    loop->debug = enabled;
    aio__loop_choose_pace(loop);
}

void aio__loop_choose_pace(aio_loop *loop)
{
    loop->one_by_one = loop->debug || loop->on_step != NULL || loop->shuffles;
}

double aio_loop_get_slow_callback_duration(const aio_loop *loop)
{
    return loop == NULL ? 0 : loop->slow_callback;
}

void aio_loop_set_slow_callback_duration(aio_loop *loop, double seconds)
{
    if (loop != NULL)
        loop->slow_callback = seconds > 0 ? seconds : 0;
}

/* What a callback that is no call of ours is known by: it may be gone when it has run. */
static void describe_callback(void (*run)(struct aio__ready *), char *text, size_t size)
{
    struct aio__symbol symbol;

    aio__symbol_find(aio__place_of((void (*)(void))run), &symbol);
    if (symbol.name[0] != '\0')
        (void)snprintf(text, size, "<callback %s()>", symbol.name);
    else
        (void)snprintf(text, size, "<callback %p>", (void *)(uintptr_t)run);
}

static void report_slow_task(aio_loop *loop, aio_task *task, double took)
{
    char text[STEP_TEXT];
    char *stack = loop->strand_ops->stack(task);

    (void)aio_future_format(task, text, sizeof(text));
    aio__log(AIO_LOG_WARNING, "Executing %s took %.3f seconds%s%s", text, took,
             stack == NULL ? "" : "; now it waits in (most recent call last):\n",
             stack == NULL ? "" : stack);
    aio_free(stack);
}

static void report_slow_callback(const aio_handle *handle, void (*run)(struct aio__ready *),
                                 double took)
{
    char text[STEP_TEXT];
    char *origin = handle == NULL ? NULL : aio__origin_text(handle->origin, "Object");

    if (handle != NULL)
        (void)aio_handle_format(handle, text, sizeof(text));
    else
        describe_callback(run, text, sizeof(text));
    aio__log(AIO_LOG_WARNING, "Executing %s took %.3f seconds%s%s", text, took,
             origin == NULL ? "" : "\n", origin == NULL ? "" : origin);
    aio_free(origin);
}

/* What it was is told afterwards, as asyncio does, with what it waits for now; so it is held. */
static void run_timed(aio_loop *loop, struct aio__ready *node,
                      void (*run)(aio_loop *, struct aio__ready *))
{
    void (*kind)(struct aio__ready *) = node->run;
    aio_task *task = kind == NULL ? aio_future_ref(aio__loop_task_of(loop, node)) : NULL;
    aio_handle *handle = aio_handle_ref(aio__handle_of(node));
    uint64_t start = aio__monotonic_ns();
    double took;

    run(loop, node);
    took = (double)(aio__monotonic_ns() - start) / 1e9;
    if (took >= loop->slow_callback && aio__log_heard()) {
        if (task != NULL)
            report_slow_task(loop, task, took);
        else
            report_slow_callback(handle, kind, took);
    }
    aio_handle_unref(handle);
    aio_future_unref(task);
}

void aio__loop_run_watched(aio_loop *loop, struct aio__ready *node,
                           void (*run)(aio_loop *, struct aio__ready *))
{
    if (loop->on_step != NULL)
        aio__testing_tell(loop, node);
    if (loop->debug)
        run_timed(loop, node, run);
    else
        run(loop, node);
}
