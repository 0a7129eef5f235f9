/* SPDX-License-Identifier: MIT */
/*
 * connect.c - from options to a connection
 *
 * Without TLS the loop connects: a name is resolved by it, and one address after the other is tried.
 * libmariadb does a TLS handshake in one go, whatever the socket is like, so with TLS a thread
 * connects; from then on the socket does not block, which is all that reading TLS needs.
 *
 * Thread: the loop's, but for what says so.
 */
#include "mysql/mysql_internal.h"

#include <aio/dns.h>
#include <aio/executor.h>
#include <aio/memory.h>
#include <aio/task.h>
#include <aio/timeout.h>
#include <errmsg.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* --- a MYSQL with its options --------------------------------------------------------------------- */

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void begin_library(void)
{
    (void)mysql_server_init(0, NULL, NULL);
}

static void set_tls(MYSQL *mysql, const aio_mysql_options *options)
{
    const my_bool on = 1;
    const my_bool verify = options->ssl == AIO_MYSQL_SSL_VERIFY;
    const unsigned seconds =
        options->connect_timeout < 1e6 ? (unsigned)options->connect_timeout + 1 : 1000000;

    (void)mysql_ssl_set(mysql, options->ssl_key, options->ssl_cert, options->ssl_ca, NULL, NULL);
    (void)mysql_optionsv(mysql, MYSQL_OPT_SSL_ENFORCE, &on);
    (void)mysql_optionsv(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
    /* For the thread: nobody could end it from outside. */
    (void)mysql_optionsv(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    (void)mysql_optionsv(mysql, MYSQL_OPT_READ_TIMEOUT, &seconds);
    (void)mysql_optionsv(mysql, MYSQL_OPT_WRITE_TIMEOUT, &seconds);
}

/* NULL: no memory. */
static MYSQL *make_mysql(const aio_mysql_options *options)
{
    const unsigned protocol =
        options->unix_socket != NULL ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    const unsigned off = 0;
    MYSQL *mysql;

    (void)pthread_once(&library_once, begin_library);
    mysql = mysql_init(NULL);
    if (mysql == NULL)
        return NULL;
    if (mysql_optionsv(mysql, MYSQL_OPT_NONBLOCK, NULL) != 0 ||
        mysql_optionsv(mysql, MYSQL_SET_CHARSET_NAME, options->charset) != 0) {
        mysql_close(mysql);
        return NULL;
    }
    (void)mysql_optionsv(mysql, MYSQL_OPT_PROTOCOL, &protocol);
    /* A server could ask for any file of ours. */
    (void)mysql_optionsv(mysql, MYSQL_OPT_LOCAL_INFILE, &off);
    if (options->ssl != AIO_MYSQL_SSL_OFF)
        set_tls(mysql, options);
    return mysql;
}

/* --- by the loop ------------------------------------------------------------------------------------ */

/* One attempt. Gives the number of the error, to see whether another may help. */
static int attempt(aio_mysql *conn, const aio_mysql_options *options, const char *host,
                   unsigned *ret_number)
{
    MYSQL *connected = NULL;
    int status;
    int err;

    *ret_number = 0;
    conn->mysql = make_mysql(options);
    if (conn->mysql == NULL)
        return AIO_ENOMEM;
    err = aio__mysql_enter(conn);
    if (err < 0)
        goto drop;
    status =
        mysql_real_connect_start(&connected, conn->mysql, host, options->user, options->password,
                                 options->db, (unsigned)options->port, options->unix_socket, 0);
    while (status != 0)
        status = mysql_real_connect_cont(&connected, conn->mysql, aio__mysql_wait(conn, status));
    if (connected == NULL) {
        *ret_number = conn->failure == 0 ? mysql_errno(conn->mysql) : 0;
        err = aio__mysql_raise(conn);
    }
    err = aio__mysql_leave(conn, err);
    if (err == 0)
        return 0;
drop:
    aio__mysql_drop(conn);
    return err;
}

static int resolve(const aio_mysql_options *options, struct addrinfo **ret_list)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    char port[16];

    (void)snprintf(port, sizeof(port), "%d", options->port);
    return aio_loop_getaddrinfo(NULL, options->host, port, &hints, ret_list);
}

static int connect_by_loop(aio_mysql *conn, const aio_mysql_options *options)
{
    struct addrinfo *list = NULL;
    unsigned number = 0;
    int err;

    if (options->unix_socket != NULL)
        return attempt(conn, options, NULL, &number);
    err = resolve(options, &list);
    for (const struct addrinfo *one = list; one != NULL; one = one->ai_next) {
        char host[NI_MAXHOST];

        if (getnameinfo(one->ai_addr, one->ai_addrlen, host, sizeof(host), NULL, 0,
                        NI_NUMERICHOST) != 0)
            continue;
        err = attempt(conn, options, host, &number);
        if (err == 0 || (number != CR_CONNECTION_ERROR && number != CR_CONN_HOST_ERROR))
            break;
    }
    aio_freeaddrinfo(list);
    return err;
}

/* --- by a thread --------------------------------------------------------------------------------------- */

/* Shared by the task and the thread; the last one closes what nobody took. */
struct job {
    atomic_int refs;
    MYSQL *mysql;
    aio_mysql_options *options; /* owned */
};

/* In either thread. */
static void drop_job(void *arg)
{
    struct job *job = arg;

    if (atomic_fetch_sub_explicit(&job->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (job->mysql != NULL)
        mysql_close(job->mysql);
    aio__mysql_options_free(job->options);
    aio_free(job);
}

/* In the thread: it may block. */
static int connect_blocking(void *arg, void **ret_result)
{
    struct job *job = arg;
    const aio_mysql_options *options = job->options;

    (void)ret_result;
    (void)mysql_thread_init();
    if (mysql_real_connect(job->mysql, options->host, options->user, options->password, options->db,
                           (unsigned)options->port, options->unix_socket, 0) == NULL)
        return aio__mysql_raise_of(job->mysql);
    return 0;
}

static int make_job(const aio_mysql_options *options, struct job **ret_job)
{
    struct job *job = aio_calloc(1, sizeof(*job));
    int err;

    if (job == NULL)
        return AIO_ENOMEM;
    atomic_init(&job->refs, 1);
    err = aio__mysql_options_copy(options, &job->options);
    if (err == 0)
        job->mysql = make_mysql(options);
    if (err == 0 && job->mysql == NULL)
        err = AIO_ENOMEM;
    if (err < 0)
        drop_job(job);
    else
        *ret_job = job;
    return err;
}

static int connect_by_thread(aio_mysql *conn, const aio_mysql_options *options)
{
    aio_job_options how = AIO_JOB_OPTIONS_INIT;
    struct job *job = NULL;
    int flags;
    int fd;
    int err = make_job(options, &job);

    if (err < 0)
        return err;
    atomic_fetch_add(&job->refs, 1);
    how.arg_destroy = drop_job;
    err = aio_to_thread_with(connect_blocking, job, &how, NULL);
    if (err == 0) {
        conn->mysql = job->mysql;
        job->mysql = NULL;
        fd = mysql_get_socket(conn->mysql);
        flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
            err = aio_raise(-errno, "the socket cannot be made non-blocking");
    }
    drop_job(job);
    return err;
}

/* --- what follows ------------------------------------------------------------------------------------------ */

/* What the server has to be told before anybody else uses the connection. */
static int settle(aio_mysql *conn, const aio_mysql_options *options)
{
    bool is_on = (conn->mysql->server_status & SERVER_STATUS_AUTOCOMMIT) != 0;
    int err = aio__mysql_enter(conn);

    if (err < 0)
        return err;
    if (is_on != options->autocommit)
        err =
            aio__mysql_simple(conn, options->autocommit ? "SET AUTOCOMMIT=1" : "SET AUTOCOMMIT=0");
    if (err == 0 && options->init_command != NULL)
        err = aio__mysql_simple(conn, options->init_command);
    return aio__mysql_leave(conn, err);
}

static int connect_within(aio_mysql *conn, const aio_mysql_options *options)
{
    int err = options->ssl == AIO_MYSQL_SSL_OFF ? connect_by_loop(conn, options)
                                                : connect_by_thread(conn, options);

    return err < 0 ? err : settle(conn, options);
}

int aio__mysql_connect_copied(const aio_mysql_options *options, aio_mysql **ret_conn)
{
    aio_timeout *limit;
    aio_mysql *conn;
    int err;

    if (aio_current_task(NULL) == NULL)
        return aio_raise(AIO_ENOTASK, "only a task can connect");
    conn = aio__mysql_new(AIO_FOREVER);
    if (conn == NULL)
        return AIO_ENOMEM;
    limit = aio_timeout_new(options->connect_timeout);
    err = aio_timeout_enter(limit);
    if (err == 0) {
        err = aio_timeout_exit(limit, connect_within(conn, options));
        if (err == AIO_ETIMEDOUT && aio_timeout_expired(limit))
            err = aio_raise(err, "no connection to the database within %g s",
                            options->connect_timeout);
    }
    aio_timeout_unref(limit);
    conn->timeout = options->timeout;
    if (err < 0)
        aio_mysql_unref(conn);
    else
        *ret_conn = conn;
    return err;
}

int aio_mysql_connect(const aio_mysql_options *options, aio_mysql **ret_conn)
{
    aio_mysql_options *copy = NULL;
    int err;

    if (ret_conn == NULL)
        return aio_raise(AIO_EVALUE, "a place for the connection is needed, not NULL");
    aio__mysql_register_errors();
    err = aio__mysql_options_copy(options, &copy);
    if (err < 0)
        return err;
    err = aio__mysql_connect_copied(copy, ret_conn);
    aio__mysql_options_free(copy);
    return err;
}
