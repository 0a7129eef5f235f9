/* SPDX-License-Identifier: MIT */
/*
 * client.c - what a server does with each stream that connects
 *
 * The task has the writer, and so the reader, the protocol and the transport, until it is done. A
 * callback then looks at how it ended. That callback is dropped when the loop is closed before its
 * turn, so what it uses is freed by a step of the library's own, which comes in any case, one
 * iteration later.
 *
 * Thread: the loop's.
 */
#include "stream/stream_internal.h"

/* What outlives the task, to close the connection if it failed. */
struct client {
    struct aio__inline release;
    aio_loop *loop;
    aio_transport *transport; /* referenced */
};

static void free_client(struct client *client)
{
    aio_loop *loop = client->loop;

    aio_transport_unref(client->transport);
    aio__loop_free(loop, client, sizeof(*client));
}

static void run_release(struct aio__inline *step)
{
    free_client(aio__container_of(step, struct client, release));
}

/* The task is done, and on_done() is next in the queue. */
static int on_over(aio_future *task, void *arg)
{
    struct client *client = arg;

    (void)task;
    if (client->loop->closed)
        free_client(client);
    else
        aio__loop_queue(client->loop, &client->release.ready);
    return 0;
}

static int on_done(aio_future *task, void *arg)
{
    struct client *client = arg;
    aio_exception *error = NULL;

    if (!aio_future_cancelled(task)) {
        (void)aio_future_exception(task, &error);
        if (error == NULL)
            return 0;
        aio__loop_report(client->loop, "Unhandled exception in client_connected_cb", error, task);
    }
    aio_transport_close(client->transport);
    return 0;
}

static struct client *client_new(aio_loop *loop, aio_transport *transport)
{
    struct client *client = aio__loop_alloc(loop, sizeof(*client));

    if (client == NULL)
        return NULL;
    *client = (struct client){
        .release = {.ready.run = aio__run_inline, .fn = run_release},
        .loop = loop,
        .transport = aio_transport_ref(transport),
    };
    return client;
}

/* From here on the task knows the client: 0, or AIO_ENOMEM. */
static int watch(aio_task *task, struct client *client)
{
    int err = aio__future_add_step(task, on_over, client);

    if (err < 0) {
        free_client(client);
        return err;
    }
    return aio_future_add_done_callback(task, on_done, client);
}

/* --- the task ----------------------------------------------------------------------------- */

/* The connection of one that fails is closed behind the report: by on_done(). */
static int call_client(aio_stream_writer *writer)
{
    struct aio__stream_protocol *protocol = writer->protocol;
    int err = protocol->client(writer->reader, writer, protocol->client_arg);

    if (err >= 0)
        aio__stream_writer_give_up(writer);
    return err;
}

static int run_client(void *writer, void **ret_result)
{
    (void)ret_result;
    return call_client(writer);
}

static void drop_writer(void *writer)
{
    aio__stream_writer_drop(writer);
}

/* The writer is taken. */
static int start_task(aio_loop *loop, aio_stream_writer *writer)
{
    aio_task_options options = {.size = sizeof(options), .arg_destroy = drop_writer};
    struct client *client = client_new(loop, writer->transport);
    aio_task *task;
    int err;

    if (client == NULL) {
        aio__stream_writer_drop(writer);
        return AIO_ENOMEM;
    }
    task = aio_loop_create_task_at(aio_site_make("client_connected_cb", NULL, 0), loop, run_client,
                                   writer, &options);
    if (task == NULL) {
        free_client(client);
        return aio__null_future();
    }
    err = watch(task, client);
    if (err < 0)
        (void)aio_future_cancel(task, NULL);
    aio_future_unref(task);
    return err;
}

int aio__stream_client_connected(struct aio__stream_protocol *protocol, aio_transport *transport)
{
    aio_stream_writer *writer = aio_stream_writer_new(transport, &protocol->base, protocol->reader);
    int err;

    if (writer == NULL) {
        err = aio__null_future();
    } else if (protocol->plain) {
        err = call_client(writer);
        aio__stream_writer_drop(writer);
        return err < 0 ? err : 0;
    } else {
        err = start_task(protocol->loop, writer);
    }
    if (err < 0)
        aio_transport_close(transport); /* nobody else could */
    return err;
}
