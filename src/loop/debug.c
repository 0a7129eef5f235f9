/* SPDX-License-Identifier: MIT */
/*
 * debug.c - debug mode: what takes too long, and where it was
 *
 * While it is on, every step goes by way of the thread's own stack and is timed.
 */
#include "base/log.h"
#include "loop/handle.h"

#include <aio/future.h>
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

/* What a node is, told before it runs: afterwards it may be gone. */
static void describe(aio_loop *loop, struct aio__ready *node, char *text, size_t size)
{
    aio_handle *handle = aio__handle_of(node);

    if (node->run == NULL)
        (void)aio_future_format(aio__loop_task_of(loop, node), text, size);
    else if (handle != NULL)
        (void)aio_handle_format(handle, text, size);
    else
        (void)snprintf(text, size, "<callback %p>", (void *)(uintptr_t)node->run);
}

void aio__loop_run_watched(aio_loop *loop, struct aio__ready *node,
                           void (*run)(aio_loop *, struct aio__ready *))
{
    char text[STEP_TEXT];
    uint64_t start;
    double took;

    if (loop->on_step != NULL)
        aio__testing_tell(loop, node);
    if (!loop->debug) {
        run(loop, node);
        return;
    }
    describe(loop, node, text, sizeof(text));
    start = uv_hrtime();
    run(loop, node);
    took = (double)(uv_hrtime() - start) / 1e9;
    if (took >= loop->slow_callback)
        aio__log(AIO_LOG_WARNING, "Executing %s took %.3f seconds", text, took);
}
