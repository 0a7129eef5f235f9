/* SPDX-License-Identifier: MIT */
/*
 * world.c - a loop that its own steps drive, or a host's uv_loop_t, and the trace it leaves
 */
#include "support/world.h"

#include "support/allocation.h"

#include <aio/embed.h>
#include <aio/task.h>
#include <poll.h>
#include <string.h>

static int open_world(void **state, bool is_guest, aio_clock clock)
{
    static struct world world;
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;

    options.clock = clock;
    (void)count_allocations(state);
    memset(&world, 0, sizeof(world));
    if (uv_loop_init(&world.host) < 0)
        return -1;
    if (is_guest)
        options.uv = &world.host;
    world.is_guest = is_guest;
    world.loop = aio_loop_new(&options);
    *state = &world;
    return world.loop == NULL ? -1 : 0;
}

int world_open_own(void **state)
{
    return open_world(state, false, AIO_CLOCK_REAL);
}

int world_open_guest(void **state)
{
    return open_world(state, true, AIO_CLOCK_REAL);
}

int world_open_virtual(void **state)
{
    return open_world(state, true, AIO_CLOCK_VIRTUAL);
}

int world_close(void **state)
{
    struct world *w = *state;
    int err = aio_loop_close(w->loop);

    aio_loop_unref(w->loop);
    (void)uv_run(&w->host, UV_RUN_DEFAULT);
    if (uv_loop_close(&w->host) < 0)
        err = -1;
    return check_allocations(state) < 0 ? -1 : err;
}

void world_run(struct world *w)
{
    struct pollfd pfd = {aio_loop_fd(w->loop), POLLIN, 0};

    if (w->is_guest) {
        assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
        return;
    }
    while (aio_loop_step(w->loop) == 1)
        (void)poll(&pfd, 1, aio_loop_timeout(w->loop));
}

void world_note(struct world *w, const char *what)
{
    (void)strncat(w->trace, what, sizeof(w->trace) - strlen(w->trace) - 1);
}

void world_assert_trace(struct world *w, const char *expected)
{
    assert_string_equal(w->trace, expected);
    w->trace[0] = '\0';
}

int world_note_a(void *arg)
{
    world_note(arg, "a");
    return 0;
}

int world_note_b(void *arg)
{
    world_note(arg, "b");
    return 0;
}

int world_note_c(void *arg)
{
    world_note(arg, "c");
    return 0;
}

int world_note_report(aio_loop *loop, const aio_exception_context *context, void *arg)
{
    (void)loop;
    world_note(arg, context->message);
    return 0;
}

int world_sleep(void *arg, void **ret_result)
{
    int err = aio_sleep(0.0002);

    world_note(arg, "b");
    *ret_result = arg;
    return err;
}

int world_wait(void *arg, void **ret_result)
{
    AIO_AUTO(aio_task) task = aio_create_task(world_sleep, arg);
    int err;

    world_note(arg, "a");
    err = aio_await(task, ret_result);
    world_note(arg, "c");
    return err;
}

int world_wait_for_ever(void *arg, void **ret_result)
{
    int err;

    (void)ret_result;
    world_note(arg, "(");
    err = aio_sleep(3600);
    world_note(arg, err == AIO_ECANCELLED ? "cancelled)" : ")");
    return err;
}
