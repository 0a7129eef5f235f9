/* SPDX-License-Identifier: MIT */
/*
 * sweep.c - an operation cancelled at every point, and what it works on
 */
#include "support/sweep.h"

#include <aio/embed.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

enum { MAX_POINTS = 400 };

static const struct operation *current;
static unsigned point;
static bool by_timeout;
static bool was_over; /* the operation ended before it could be cancelled */

unsigned sweep_point(void)
{
    return point;
}

/* --- grounds --------------------------------------------------------------------------- */

int ground_listen(struct ground *g)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(name);

    g->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(bind(g->listener, (struct sockaddr *)&name, size) == 0);
    CHECK(listen(g->listener, 5) == 0);
    CHECK(getsockname(g->listener, (struct sockaddr *)&name, &size) == 0);
    g->port = ntohs(name.sin_port);
    return 0;
}

int ground_open_pair(struct ground *g)
{
    room_socketpair(g->room->fds);
    CHECK(fcntl(g->room->fds[0], F_SETFL, O_NONBLOCK) == 0);
    CHECK(fcntl(g->room->fds[1], F_SETFL, O_NONBLOCK) == 0);
    return 0;
}

int ground_open_server(struct ground *g)
{
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;

    options.host = "127.0.0.1";
    options.port = 0;
    return aio_loop_create_server(NULL, room_factory, g->room, &options, &g->server);
}

int ground_let_go(aio_transport *transport)
{
    aio_transport_abort(transport);
    aio_transport_unref(transport);
    return 0;
}

int ground_serve_nobody(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    return 0;
}

static int clear(struct ground *g)
{
    int err = 0;

    if (g->peer != NULL) {
        (void)aio_task_cancel(g->peer, NULL);
        (void)aio_await(g->peer, NULL);
        aio_future_unref(g->peer);
    }
    if (g->process != NULL) {
        (void)aio_process_kill(g->process);
        err = aio_process_wait(g->process, NULL);
        aio_transport_close(aio_process_transport(g->process)); /* pipes that have not ended yet */
        aio_process_unref(g->process);
    }
    if (g->writer != NULL)
        aio_transport_abort(aio_stream_writer_transport(g->writer));
    aio_stream_writer_unref(g->writer);
    aio_stream_reader_unref(g->reader);
    if (g->transport != NULL)
        aio_transport_abort(g->transport);
    aio_transport_unref(g->transport);
    aio_server_close(g->server);
    if (g->listener >= 0)
        close(g->listener);
    if (g->file >= 0)
        close(g->file);
    /* Whoever was accepted just before has a protocol an iteration later. */
    for (int i = 0; i < 2 && err == 0; i++)
        err = room_turn();
    aio_server_abort_clients(g->server); /* those in a handshake, too */
    if (g->server != NULL && err == 0)
        err = aio_server_wait_closed(g->server);
    aio_server_unref(g->server);
    for (size_t i = 0; i < g->room->count; i++) {
        struct talk *talk = &g->room->talks[i];

        aio_transport_abort(talk->transport);
        aio_transport_close(talk->transport); /* that of a process cannot abort */
        if (talk->made && err == 0)
            err = talk_wait_lost(talk);
        aio_transport_unref(talk->transport);
        talk->transport = NULL;
    }
    return err < 0 ? err : room_turn();
}

/* --- the sweep ------------------------------------------------------------------------- */

static void count_handle(uv_handle_t *handle, void *arg)
{
    if (!uv_is_closing(handle))
        ++*(size_t *)arg;
}

static size_t open_handles(const struct room *room)
{
    size_t count = 0;

    uv_walk(aio_loop_uv(room->loop), count_handle, &count);
    return count;
}

/* No handle is left, nor a request: TLS that was through closes in order, which takes both ends, and
 * a thread may still be reading a piece of a file. */
static bool is_over(const struct room *room, size_t handles)
{
    return open_handles(room) == handles && aio_loop_uv(room->loop)->active_reqs.count == 0;
}

static int run_operation(void *arg, void **ret_result)
{
    return current->run(arg);
}

/* Times that grow after the first hundred points: on a busy machine a process takes its time. */
static double growth(unsigned at, double factor)
{
    double result = 1;

    for (; at > 100; at--)
        result *= factor;
    return result;
}

static int run_with_timeout(void *arg, void **ret_result)
{
    AIO_AUTO(aio_task) task = aio_create_task(run_operation, arg);

    int err = aio_wait_for(task, point < 100 ? point * 0.0001 : 0.01 * growth(point, 1.05), NULL);

    /* The time may be over in the very iteration in which the operation has ended (S32). */
    if (err == AIO_ETIMEDOUT && !aio_future_cancelled(task))
        err = aio_future_result(task, NULL);
    return err;
}

/* Run the operation and cut it short at the point: what it gave. */
static int cut_short(struct ground *g)
{
    AIO_AUTO(aio_task) task = aio_create_task(by_timeout ? run_with_timeout : run_operation, g);

    for (unsigned i = 0; !by_timeout && i < point && !aio_future_done(task); i++)
        TRY(aio_sleep(i < 100 ? 0 : 0.0005 * growth(i, 1.03)));
    if (!by_timeout)
        (void)aio_task_cancel(task, NULL);
    return aio_await(task, NULL);
}

static int run_point(void *arg, void **ret_result)
{
    struct ground g = {.room = arg, .listener = -1, .file = -1};
    size_t handles = open_handles(g.room);
    int err = current->prepare == NULL ? 0 : current->prepare(&g);
    int code = 0;

    if (err == 0) {
        code = cut_short(&g);
        was_over = code == 0;
        if (code < 0 && code != AIO_ECANCELLED && code != AIO_ETIMEDOUT)
            err = code;
    }
    if (err == 0 && code < 0 && current->check != NULL)
        err = current->check(&g);
    if (err == 0)
        err = clear(&g);
    if (err == 0 && !current->keeps_handles) {
        for (unsigned i = 0; i < 10000 && !is_over(g.room, handles); i++)
            TRY(aio_sleep(0.001));
        CHECK(is_over(g.room, handles));
    }
    if (err == 0)
        CHECK(waitpid(-1, NULL, WNOHANG) <= 0); /* nobody is dead and still here */
    return err;
}

static void sweep_one(const struct operation *operation)
{
    unsigned last = operation->points > 0 ? operation->points : MAX_POINTS;

    current = operation;
    for (int i = 0; i < 2; i++) {
        by_timeout = i == 1;
        was_over = false;
        for (point = 0; point < last && !was_over; point++)
            room_run(run_point);
        assert_true(was_over == (operation->points == 0));
    }
}

void sweep(const struct operation *operations, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sweep_one(&operations[i]);
}
