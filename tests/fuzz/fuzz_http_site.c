/* SPDX-License-Identifier: MIT */
/*
 * fuzz_http_site.c - a service without sockets
 */
#include "fuzz/fuzz_http_site.h"

#include <aio/testing.h>

static aio_loop *loop;

/* --- the transport ---------------------------------------------------------------------- */

static struct fuzz_wire *wire_of(const aio_transport *base)
{
    return (struct fuzz_wire *)(uintptr_t)base;
}

static void wire_close(aio_transport *base)
{
    wire_of(base)->closing = true;
}

static void wire_abort(aio_transport *base)
{
    wire_of(base)->closing = true;
    wire_of(base)->aborted = true;
}

static bool wire_is_closing(const aio_transport *base)
{
    return wire_of(base)->closing;
}

static const void *wire_get_extra_info(const aio_transport *base, const char *name)
{
    return NULL;
}

static int wire_pause(aio_transport *base)
{
    wire_of(base)->paused = true;
    return 0;
}

static int wire_resume(aio_transport *base)
{
    wire_of(base)->paused = false;
    return 0;
}

static int wire_write(aio_transport *base, const void *data, size_t size)
{
    struct fuzz_wire *wire = wire_of(base);
    size_t room = sizeof(wire->data) - wire->size;

    MUST(!wire->eof_written);
    if (!wire->closing) {
        memcpy(wire->data + wire->size, data, size < room ? size : room);
        wire->size += size < room ? size : room;
    }
    return 0;
}

static int wire_writelines(aio_transport *base, const aio_buffer *buffers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)wire_write(base, buffers[i].data, buffers[i].size);
    return 0;
}

static int wire_write_eof(aio_transport *base)
{
    wire_of(base)->eof_written = true;
    return 0;
}

static bool wire_can_write_eof(const aio_transport *base)
{
    return true;
}

static size_t wire_get_size(const aio_transport *base)
{
    return 0;
}

static aio_loop *wire_get_loop(const aio_transport *base)
{
    return loop;
}

static aio_transport *wire_ref(aio_transport *base)
{
    wire_of(base)->refs++;
    return base;
}

static void wire_unref(aio_transport *base)
{
    wire_of(base)->refs--;
}

static const aio_transport_ops wire_ops = {
    .size = sizeof(aio_transport_ops),
    .close = wire_close,
    .abort = wire_abort,
    .is_closing = wire_is_closing,
    .get_extra_info = wire_get_extra_info,
    .pause_reading = wire_pause,
    .resume_reading = wire_resume,
    .write = wire_write,
    .writelines = wire_writelines,
    .write_eof = wire_write_eof,
    .can_write_eof = wire_can_write_eof,
    .get_write_buffer_size = wire_get_size,
    .get_loop = wire_get_loop,
    .ref = wire_ref,
    .unref = wire_unref,
};

/* --- the service ------------------------------------------------------------------------ */

struct starting {
    aio_web *app;
    aio_http_server *server;
};

static int start(void *arg, void **ret_result)
{
    struct starting *starting = arg;
    aio_http_server_options options = AIO_HTTP_SERVER_OPTIONS_INIT;

    options.host = "127.0.0.1";
    options.max_head_size = 2000;
    options.max_headers = 20;
    options.max_body_size = 20000;
    return aio_http_server_start(aio_web_handle, starting->app, &options, &starting->server);
}

static int hear(aio_loop *the_loop, const aio_exception_context *context, void *arg)
{
    return 0; /* handlers fail on purpose */
}

aio_http_server *fuzz_site(aio_web *(*make_app)(void))
{
    static struct starting starting;
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;
    aio_task *task;

    if (starting.server != NULL)
        return starting.server;
    options.clock = AIO_CLOCK_VIRTUAL;
    loop = aio_loop_new(&options);
    starting.app = make_app();
    MUST(loop != NULL && starting.app != NULL);
    aio_loop_set_exception_handler(loop, hear, NULL);
    task = aio_loop_create_task(loop, start, &starting, NULL);
    MUST(aio_loop_run_until_complete(loop, task, NULL) == 0);
    aio_future_unref(task);
    return starting.server;
}

/* --- talking ---------------------------------------------------------------------------- */

/* A call of the protocol's, from inside the loop as a transport's are. */
struct call {
    struct fuzz_wire *wire;
    const uint8_t *data;
    size_t size;
};

static int connect_wire(void *arg)
{
    struct call *call = arg;

    return call->wire->protocol->ops->connection_made(call->wire->protocol, &call->wire->base);
}

static int give(void *arg)
{
    struct call *call = arg;

    return call->wire->protocol->ops->data_received(call->wire->protocol, call->data, call->size);
}

static int lose_wire(void *arg)
{
    struct call *call = arg;
    int err = call->wire->protocol->ops->connection_lost(call->wire->protocol, NULL);

    call->wire->protocol->ops->release(call->wire->protocol);
    return err;
}

static void run(aio_callback_fn fn, struct call *call)
{
    MUST(aio_loop_call_soon(loop, fn, call, NULL) == 0);
    MUST(aio_testing_settle(loop) == 0);
}

void fuzz_talk(aio_http_server *server, struct fuzz_wire *wire, const uint8_t *data, size_t size,
               size_t piece)
{
    struct call call = {wire, NULL, 0};
    aio_http_server_stats stats = AIO_HTTP_SERVER_STATS_INIT;

    memset(wire, 0, offsetof(struct fuzz_wire, data));
    wire->base.ops = &wire_ops;
    wire->protocol = aio__http_connection_new(server);
    MUST(wire->protocol != NULL);
    run(connect_wire, &call);
    for (size_t at = 0; at < size && !wire->closing && !wire->paused; at += piece) {
        call.data = data + at;
        call.size = size - at < piece ? size - at : piece;
        run(give, &call);
    }
    run(lose_wire, &call);
    MUST(wire->refs == 0);
    MUST(aio_http_server_get_stats(server, &stats) == 0);
    MUST(stats.connections == 0 && stats.active == 0);
}
