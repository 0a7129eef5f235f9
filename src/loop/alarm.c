/* SPDX-License-Identifier: MIT */
/*
 * alarm.c - what wakes libuv for the first timer
 *
 * One armed timer in libuv stands for all of ours. On Linux it is a timerfd, exact to the
 * nanosecond; libuv's own timers count in milliseconds and may fire almost one early, which is
 * why elsewhere theirs is rounded up.
 *
 * It is set just before libuv polls, and only if the first deadline has come nearer than what
 * it is set for. An alarm whose timer was cancelled meanwhile rings for nothing, once.
 *
 * It does not ring again so soon that timers by the thousand would each cost a way into the
 * kernel and back: those that are due within a gap from the last that were ring together. A timer
 * by itself is on time; the others are late by a tenth of a millisecond at most, or by half of one
 * behind a crowd: libuv's timers, and asyncio's, tell whole ones apart.
 */
#include "base/monotonic.h"
#include "loop/loop_internal.h"

#ifdef __linux__
#include <sys/timerfd.h>
#include <unistd.h>
#endif

enum { NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

enum { GAP_NS = 100000, CROWD_GAP_NS = 500000, CROWD = 32 /* timers that were due at once */ };

#ifdef __linux__

static void set_timerfd(int fd, uint64_t when_ns)
{
    struct itimerspec spec = {{0, 0}, {0, 0}};

    /* Zero would disarm; a deadline that is past rings at once all the same. */
    if (when_ns == 0)
        when_ns = 1;
    if (when_ns != UINT64_MAX) {
        spec.it_value.tv_sec = (time_t)(when_ns / NS_PER_S);
        spec.it_value.tv_nsec = (long)(when_ns % NS_PER_S);
    }
    (void)timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

/* Setting the timerfd anew takes back its readability, so it is never read: before the next
 * poll it is set. */
static void on_timerfd(uv_poll_t *handle, int status, int events)
{
    aio_loop *loop = handle->data;

    (void)status;
    (void)events;
    loop->alarm_rang = true;
}

static int open_timerfd(aio_loop *loop)
{
    int err;

    loop->alarm_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (loop->alarm_fd < 0)
        return -errno;
    err = uv_poll_init(loop->uv, &loop->alarm, loop->alarm_fd);
    if (err < 0) {
        close(loop->alarm_fd);
        loop->alarm_fd = -1;
        return err;
    }
    loop->alarm.data = loop;
    return 0;
}

#endif

static void on_timer(uv_timer_t *handle)
{
    aio_loop *loop = handle->data;

    loop->alarm_ns = UINT64_MAX;
    /* libuv runs timers before it polls; the dispatch comes after. */
    aio__loop_kick(loop);
}

int aio__alarm_init(aio_loop *loop)
{
    int err;

    loop->alarm_fd = -1;
    loop->alarm_ns = UINT64_MAX;
    if (loop->is_virtual)
        return 0;
#ifdef __linux__
    if (open_timerfd(loop) == 0) {
        loop->open_handles++;
        return 0;
    }
#endif
    err = uv_timer_init(loop->uv, &loop->alarm_timer);
    if (err < 0)
        return err;
    loop->alarm_timer.data = loop;
    loop->open_handles++;
    return 0;
}

static void set_timer(aio_loop *loop, uint64_t when_ns)
{
    uint64_t now = aio__monotonic_ns();
    uint64_t ms = when_ns <= now ? 0 : (when_ns - now + NS_PER_MS - 1) / NS_PER_MS;

    /* libuv counts from the time it noted last, which may lie back. */
    uv_update_time(loop->uv);
    (void)uv_timer_start(&loop->alarm_timer, on_timer, ms, 0);
}

void aio__alarm_set(aio_loop *loop)
{
    uint64_t when_ns = loop->timers.first_key;
    uint64_t earliest_ns = loop->timers_ran_ns + (loop->timers_ran < CROWD ? GAP_NS : CROWD_GAP_NS);

    if (loop->is_virtual)
        return;
    if (when_ns < earliest_ns)
        when_ns = earliest_ns;
    if (when_ns >= loop->alarm_ns && !loop->alarm_rang)
        return;
    loop->alarm_rang = false;
    loop->alarm_ns = when_ns;
#ifdef __linux__
    if (loop->alarm_fd >= 0) {
        set_timerfd(loop->alarm_fd, when_ns);
        if (!loop->alarm_polled && uv_poll_start(&loop->alarm, UV_READABLE, on_timerfd) == 0)
            loop->alarm_polled = true;
        return;
    }
#endif
    set_timer(loop, when_ns);
}

static uv_handle_t *handle_of(aio_loop *loop)
{
    return loop->alarm_fd >= 0 ? (uv_handle_t *)&loop->alarm : (uv_handle_t *)&loop->alarm_timer;
}

void aio__alarm_keep_alive(aio_loop *loop)
{
    if (loop->is_virtual)
        return;
    if (aio__deadlines_empty(&loop->timers))
        uv_unref(handle_of(loop));
    else
        uv_ref(handle_of(loop));
}

void aio__alarm_let_go(aio_loop *loop)
{
    if (!loop->is_virtual)
        uv_unref(handle_of(loop));
}

void aio__alarm_close(aio_loop *loop, uv_close_cb closed)
{
    if (loop->is_virtual)
        return;
#ifdef __linux__
    if (loop->alarm_fd >= 0) {
        /* In this order: libuv takes the number out of its epoll set, and another thread may get it
         * as soon as it is free. */
        uv_close((uv_handle_t *)&loop->alarm, closed);
        close(loop->alarm_fd);
        return;
    }
#endif
    uv_close((uv_handle_t *)&loop->alarm_timer, closed);
}
