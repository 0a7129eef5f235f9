/* SPDX-License-Identifier: MIT */
/*
 * uv_host.c - inside the uv_loop_t of a host, beside the host's own handles
 *
 * The host reads standard input, a pipe, and has a clock that ticks, both by libuv. All it has to
 * do for the guest is to give it the loop, and to close it before that.
 */
#include "guest.h"

#include <stdio.h>
#include <uv.h>

struct host {
    uv_loop_t loop;
    uv_pipe_t input;
    uv_timer_t clock;
    char bytes[4096];
    unsigned ticks;
    struct guest guest;
};

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct host *host = handle->data;

    (void)suggested;
    *buf = uv_buf_init(host->bytes, sizeof(host->bytes));
}

static void on_input(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct host *host = stream->data;

    if (size > 0 && guest_take(&host->guest, buf->base, (size_t)size) == 0)
        return;
    if (size == 0)
        return;
    uv_close((uv_handle_t *)stream, NULL);
    uv_close((uv_handle_t *)&host->clock, NULL);
}

static void on_tick(uv_timer_t *timer)
{
    struct host *host = timer->data;

    host->ticks++;
}

static int start_host(struct host *host)
{
    int err;

    (void)uv_timer_init(&host->loop, &host->clock);
    (void)uv_pipe_init(&host->loop, &host->input, 0);
    host->clock.data = host;
    host->input.data = host;
    err = uv_timer_start(&host->clock, on_tick, 50, 50);
    if (err == 0)
        err = uv_pipe_open(&host->input, 0);
    if (err == 0)
        err = uv_read_start((uv_stream_t *)&host->input, give_buffer, on_input);
    return err;
}

static int run_host(struct host *host)
{
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;
    aio_loop_statistics statistics = AIO_LOOP_STATISTICS_INIT;
    int err;

    options.uv = &host->loop;
    host->guest.loop = aio_loop_new(&options);
    if (host->guest.loop == NULL)
        return AIO_ENOMEM;
    err = start_host(host);
    if (err == 0)
        (void)uv_run(&host->loop, UV_RUN_DEFAULT); /* until neither has anything to do */
    if (err == 0)
        err = aio_loop_get_statistics(host->guest.loop, &statistics);
    if (err == 0)
        guest_report((unsigned long)statistics.iterations);
    (void)aio_loop_close(host->guest.loop);
    aio_loop_unref(host->guest.loop);
    (void)uv_run(&host->loop, UV_RUN_DEFAULT); /* handles that are closed go here */
    return err;
}

int main(void)
{
    static struct host host;
    int err = uv_loop_init(&host.loop);

    if (err == 0)
        err = run_host(&host);
    if (err == 0)
        err = uv_loop_close(&host.loop); /* UV_EBUSY if anything were left of the guest */
    if (err < 0)
        fprintf(stderr, "uv_host: %s\n", aio_strerror(err));
    return err < 0;
}
