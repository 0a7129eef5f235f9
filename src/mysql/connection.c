/* SPDX-License-Identifier: MIT */
/*
 * connection.c - a connection: how its operations wait, are given up, and end
 *
 * The socket is watched for reading as long as the connection is in use, so that an operation costs
 * the loop no system call of its own. Something that comes while nobody waits is left alone: the
 * watching stops, and the next operation finds it.
 *
 * Thread: the loop's.
 */
#include "mysql/mysql_internal.h"

#include <aio/memory.h>
#include <aio/task.h>
#include <math.h>
#include <string.h>
#include <sys/socket.h>
#ifdef AIO__MYSQL_CRYPTO
#include <openssl/err.h>
#endif

/* --- readiness ----------------------------------------------------------------------------------- */

static void wake(aio_mysql *conn)
{
    if (conn->waiter != NULL && !aio_future_done(conn->waiter))
        (void)aio_future_set_result(conn->waiter, NULL);
}

static void stop_watching(aio_mysql *conn)
{
    if (conn->watched)
        (void)aio_loop_remove_reader(conn->loop, conn->fd);
    conn->watched = false;
}

static int on_readable(void *arg)
{
    aio_mysql *conn = arg;

    if (conn->waiter == NULL)
        stop_watching(conn);
    wake(conn);
    return 0;
}

static int on_writable(void *arg)
{
    wake(arg);
    return 0;
}

/* The fd may have changed: each attempt to connect has another. */
static int watch(aio_mysql *conn, int fd)
{
    int err = 0;

    if (conn->watched && conn->fd != fd)
        stop_watching(conn);
    conn->fd = fd;
    if (!conn->watched)
        err = aio_loop_add_reader(conn->loop, fd, on_readable, conn);
    if (err == 0)
        conn->watched = true;
    return err;
}

/* --- time ------------------------------------------------------------------------------------------ */

static void stop_timer(aio_mysql *conn)
{
    aio_handle_cancel(conn->timer);
    aio_handle_unref(conn->timer);
    conn->timer = NULL;
}

/* One timer serves many operations: it looks at the deadline of the one under way, if there is one,
 * and at the next one's later. */
static int on_timer(void *arg)
{
    aio_mysql *conn = arg;

    stop_timer(conn);
    if (!conn->busy || conn->deadline == AIO_FOREVER)
        return 0;
    if (conn->deadline > aio_loop_time(conn->loop)) {
        (void)aio_loop_call_at(conn->loop, conn->deadline, on_timer, conn, &conn->timer);
        return 0;
    }
    if (conn->failure == 0)
        conn->failure = AIO_ETIMEDOUT;
    wake(conn);
    return 0;
}

static int set_deadline(aio_mysql *conn)
{
    conn->deadline = AIO_FOREVER;
    if (conn->timeout == AIO_FOREVER)
        return 0;
    conn->deadline = aio_loop_time(conn->loop) + conn->timeout;
    if (conn->timer != NULL && aio_handle_when(conn->timer) <= conn->deadline)
        return 0;
    stop_timer(conn);
    return aio_loop_call_at(conn->loop, conn->deadline, on_timer, conn, &conn->timer);
}

/* --- operations --------------------------------------------------------------------------------------- */

/* OpenSSL has one queue of errors a thread. libmariadb takes what another connection has left there,
 * one that was given up above all, for an error of its own. */
static void forget_tls_errors(void)
{
#ifdef AIO__MYSQL_CRYPTO
    ERR_clear_error();
#endif
}

int aio__mysql_enter(aio_mysql *conn)
{
    int err;

    if (conn == NULL)
        return aio_raise(AIO_EVALUE, "a connection is needed, not NULL");
    if (conn->mysql == NULL)
        return aio_raise(AIO_MYSQL_EINTERFACE, "the connection is closed");
    if (conn->busy)
        return aio_raise(AIO_ERUNTIME, "another task uses the connection");
    if (aio_current_task(NULL) == NULL)
        return aio_raise(AIO_ENOTASK, "only a task can use a connection");
    if (aio_get_running_loop() != conn->loop)
        return aio_raise(AIO_ERUNTIME, "the connection belongs to another loop");
    err = set_deadline(conn);
    if (err < 0)
        return err;
    conn->busy = true;
    conn->failure = 0;
    conn->refs++;
    forget_tls_errors();
    return 0;
}

int aio__mysql_enter_clean(aio_mysql *conn)
{
    int err = aio__mysql_enter(conn);

    if (err < 0)
        return err;
    aio__mysql_skip_rest(conn);
    aio__mysql_close_leftovers(conn);
    return 0;
}

int aio__mysql_simple(aio_mysql *conn, const char *sql)
{
    int failed = 0;
    int status = mysql_real_query_start(&failed, conn->mysql, sql, strlen(sql));

    while (status != 0)
        status = mysql_real_query_cont(&failed, conn->mysql, aio__mysql_wait(conn, status));
    return failed ? aio__mysql_raise(conn) : 0;
}

/* From now on the operation runs into its end without waiting. */
static void give_up(aio_mysql *conn, int code)
{
    if (conn->failure == 0)
        conn->failure = code;
    (void)shutdown(mysql_get_socket(conn->mysql), SHUT_RDWR);
}

/* Wait until the fd is ready, the time is over, or somebody closes the connection. */
static int wait_ready(aio_mysql *conn, int status)
{
    int fd = mysql_get_socket(conn->mysql);
    bool writes = (status & MYSQL_WAIT_WRITE) != 0;
    int err = watch(conn, fd);

    if (err == 0 && writes)
        err = aio_loop_add_writer(conn->loop, fd, on_writable, conn);
    if (err < 0)
        return err;
    conn->waiter = aio_future_new(conn->loop);
    err = aio_await(conn->waiter, NULL);
    aio_future_unref(conn->waiter);
    conn->waiter = NULL;
    if (writes)
        (void)aio_loop_remove_writer(conn->loop, fd);
    return err;
}

int aio__mysql_wait(aio_mysql *conn, int status)
{
    int err;

    if (conn->failure == 0) {
        err = wait_ready(conn, status);
        if (err < 0)
            give_up(conn, err);
        else if (conn->failure != 0)
            give_up(conn, conn->failure);
    }
    forget_tls_errors();
    if (conn->failure != 0)
        return MYSQL_WAIT_TIMEOUT;
    /* Either may have become ready; who is told too much tries and waits again. */
    return status & (MYSQL_WAIT_READ | MYSQL_WAIT_WRITE);
}

int aio__mysql_leave(aio_mysql *conn, int code)
{
    int failure = conn->failure;

    conn->busy = false;
    conn->failure = 0;
    if (failure != 0 || conn->closing)
        aio__mysql_drop(conn);
    if (failure == AIO_ETIMEDOUT)
        code = aio_raise(failure, "the server did not answer in time");
    else if (failure == AIO_MYSQL_EINTERFACE)
        code = aio_raise(failure, "the connection was closed meanwhile");
    else if (failure != 0)
        code = failure;
    aio_mysql_unref(conn);
    return code;
}

/* --- the end -------------------------------------------------------------------------------------------- */

/* The server is told, if there is room in the socket for that; nobody waits. */
void aio__mysql_close_now(MYSQL *mysql)
{
    int status = mysql_close_start(mysql);

    while (status != 0) {
        (void)shutdown(mysql_get_socket(mysql), SHUT_RDWR);
        status = mysql_close_cont(mysql, MYSQL_WAIT_TIMEOUT);
    }
}

void aio__mysql_drop(aio_mysql *conn)
{
    MYSQL *mysql = conn->mysql;

    if (mysql == NULL)
        return;
    stop_watching(conn); /* before the fd is closed */
    stop_timer(conn);
    conn->mysql = NULL;
    if (conn->streaming != NULL && conn->streaming->result != NULL)
        conn->streaming->result->handle = NULL; /* it frees itself alone */
    conn->streaming = NULL;
    aio__mysql_close_now(mysql);
    aio__mysql_close_leftovers(conn); /* which takes no more than memory now */
}

aio_mysql *aio__mysql_new(double timeout)
{
    aio_mysql *conn = aio_calloc(1, sizeof(*conn));

    if (conn == NULL)
        return NULL;
    conn->refs = 1;
    conn->loop = aio_loop_ref(aio_get_running_loop());
    conn->fd = -1;
    conn->timeout = timeout;
    return conn;
}

aio_mysql *aio_mysql_ref(aio_mysql *conn)
{
    if (conn != NULL)
        conn->refs++;
    return conn;
}

void aio_mysql_unref(aio_mysql *conn)
{
    if (conn == NULL || --conn->refs != 0)
        return;
    aio__mysql_drop(conn);
    aio_loop_unref(conn->loop);
    aio_free(conn);
}

/* An operation under way ends by itself, and closes the connection then. */
void aio_mysql_close(aio_mysql *conn)
{
    if (conn == NULL || conn->mysql == NULL)
        return;
    if (!conn->busy) {
        aio__mysql_drop(conn);
        return;
    }
    conn->closing = true;
    if (conn->failure == 0)
        conn->failure = AIO_MYSQL_EINTERFACE;
    wake(conn);
}

bool aio_mysql_is_closed(const aio_mysql *conn)
{
    return conn == NULL || conn->mysql == NULL || conn->closing;
}

int aio_mysql_set_timeout(aio_mysql *conn, double seconds)
{
    if (conn == NULL)
        return aio_raise(AIO_EVALUE, "a connection is needed, not NULL");
    if (isnan(seconds) || seconds <= 0)
        return aio_raise(AIO_EVALUE, "a timeout is a positive number of seconds, not %g", seconds);
    conn->timeout = seconds;
    return 0;
}

unsigned long aio_mysql_thread_id(const aio_mysql *conn)
{
    return conn == NULL || conn->mysql == NULL ? 0 : mysql_thread_id(conn->mysql);
}

const char *aio_mysql_server_version(const aio_mysql *conn)
{
    return conn == NULL || conn->mysql == NULL ? "" : mysql_get_server_info(conn->mysql);
}
