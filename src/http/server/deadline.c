/* SPDX-License-Identifier: MIT */
/*
 * deadline.c - what takes too long
 *
 * A connection has two deadlines: one for what it waits to read, one for the peer to take what was
 * written. They move with every request, the timer does not: it goes off at the earlier of what were
 * its deadlines when it was set, and is set anew if neither has passed. So a busy connection sets a
 * timer every few seconds instead of twice a request.
 *
 * Bodies and answers may be large and lines slow, so their deadlines go on as bytes move, but only
 * as fast as the smallest rate allows: a byte now and then earns nothing.
 *
 * Thread: the loop's.
 */
#include "http/server/connection.h"

static const double LINGER = 2.0; /* seconds for the peer to read the last answer */

static int on_timer(void *arg);

static void set_timer(struct aio__http_connection *conn)
{
    double when = conn->read_at < conn->write_at ? conn->read_at : conn->write_at;

    if (when == AIO_FOREVER || (conn->timer != NULL && conn->timer_at <= when))
        return;
    aio_handle_cancel(conn->timer);
    aio_handle_unref(conn->timer);
    conn->timer = NULL;
    conn->timer_at = when;
    /* Without a clock there is no limit: rather no connection. */
    if (aio_loop_call_at(conn->loop, when, on_timer, conn, &conn->timer) < 0 &&
        conn->transport != NULL)
        aio_transport_abort(conn->transport);
}

/* --- reading ---------------------------------------------------------------------------- */

static double body_deadline(const struct aio__http_connection *conn)
{
    const aio_http_server_options *options = &conn->server->options;
    uint64_t came = conn->request->body_received - conn->body_before;

    return conn->body_since + options->body_timeout + (double)came / options->min_rate;
}

void aio__http_wait_for(struct aio__http_connection *conn, enum aio__http_wait wait)
{
    const aio_http_server_options *options = &conn->server->options;

    conn->wait = wait;
    switch (wait) {
    case AIO__WAIT_NOTHING: conn->read_at = AIO_FOREVER; break;
    case AIO__WAIT_IDLE: conn->read_at = aio_loop_time(conn->loop) + options->idle_timeout; break;
    case AIO__WAIT_HEAD: conn->read_at = aio_loop_time(conn->loop) + options->head_timeout; break;
    case AIO__WAIT_BODY:
        conn->body_since = aio_loop_time(conn->loop);
        conn->body_before = conn->request->body_received;
        conn->read_at = conn->reading_paused ? AIO_FOREVER : body_deadline(conn);
        break;
    case AIO__WAIT_LINGER: conn->read_at = aio_loop_time(conn->loop) + LINGER; break;
    }
    set_timer(conn);
}

static void body_is_late(struct aio__http_connection *conn)
{
    conn->read_at = body_deadline(conn);
    if (conn->read_at > aio_loop_time(conn->loop))
        return;
    conn->server->stats.timeouts++;
    conn->request->body_status = 408;
    aio__http_wait_for(conn, AIO__WAIT_NOTHING);
    if (conn->handling)
        aio__http_wake(conn->request->reader); /* it learns of it when it reads */
    else
        aio__http_close(conn);
}

static void reading_is_late(struct aio__http_connection *conn)
{
    switch (conn->wait) {
    case AIO__WAIT_HEAD:
        conn->server->stats.timeouts++;
        aio__http_refuse(conn, 408);
        break;
    case AIO__WAIT_BODY: body_is_late(conn); break;
    case AIO__WAIT_IDLE:
    case AIO__WAIT_LINGER: aio__http_close(conn); break;
    case AIO__WAIT_NOTHING: break;
    }
}

/* --- writing ---------------------------------------------------------------------------- */

void aio__http_expect_written(struct aio__http_connection *conn)
{
    conn->unsent = aio_transport_get_write_buffer_size(conn->transport);
    conn->write_at = aio_loop_time(conn->loop) + conn->server->options.write_timeout;
    set_timer(conn);
}

void aio__http_is_written(struct aio__http_connection *conn)
{
    conn->write_at = AIO_FOREVER;
}

/* The time is over: was enough of it taken for another one? */
static void writing_is_late(struct aio__http_connection *conn)
{
    const aio_http_server_options *options = &conn->server->options;
    size_t left = aio_transport_get_write_buffer_size(conn->transport);

    if (left < conn->unsent &&
        (double)(conn->unsent - left) >= options->min_rate * options->write_timeout) {
        aio__http_expect_written(conn);
        return;
    }
    conn->server->stats.timeouts++;
    conn->write_at = AIO_FOREVER;
    aio_transport_abort(conn->transport);
}

/* --- the timer -------------------------------------------------------------------------- */

static int on_timer(void *arg)
{
    struct aio__http_connection *conn = arg;
    double now = aio_loop_time(conn->loop);

    aio_handle_unref(conn->timer);
    conn->timer = NULL;
    if (conn->write_at <= now)
        writing_is_late(conn);
    if (conn->read_at <= now)
        reading_is_late(conn);
    set_timer(conn);
    return 0;
}

void aio__http_stop_clock(struct aio__http_connection *conn)
{
    conn->read_at = AIO_FOREVER;
    conn->write_at = AIO_FOREVER;
    aio_handle_cancel(conn->timer);
    aio_handle_unref(conn->timer);
    conn->timer = NULL;
}
