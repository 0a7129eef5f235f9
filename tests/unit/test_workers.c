/* SPDX-License-Identifier: MIT */
/*
 * test_workers.c - a server on several cores
 */
#include "support/allocation.h"
#include "support/unit.h"

#include <aio/aio.h>
#include <aio/testing.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS = 2, CLIENTS = 64 };

/* What workers and the test share. */
struct shop {
    aio_workers_options options;
    _Atomic int port;
    atomic_uint serving; /* workers */
    atomic_uint served[WORKERS];
    unsigned failing; /* the number, from 1, of a worker that fails; 0: none */
    aio_coro_fn customer;
    aio_task *workers; /* the task that runs them */
    int code;          /* what it gave */
};

/* --- the workers ----------------------------------------------------------------------- */

struct counter {
    struct shop *shop;
    unsigned index;
};

/* Answer each line with the worker's number. */
static int serve_client(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    const struct counter *counter = arg;
    char answer[2] = {(char)('0' + counter->index), '\n'};
    char line[16];
    size_t size = 0;
    int err;

    atomic_fetch_add(&counter->shop->served[counter->index], 1);
    while ((err = aio_stream_reader_read_into(reader, line, sizeof(line), &size)) == 0 && size > 0)
        err = aio_stream_writer_write(writer, answer, 2);
    aio_stream_writer_close(writer);
    return err;
}

static int work(aio_worker *worker, void *arg)
{
    struct shop *shop = arg;
    struct counter counter = {shop, aio_worker_index(worker)};
    AIO_AUTO(aio_server) server = NULL;
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;
    int err;

    if (aio_worker_count(worker) != WORKERS || aio_worker_port(worker) != shop->port)
        return aio_raise(AIO_EASSERTION, "the worker does not know the crew");
    options.sock = aio_worker_take_socket(worker);
    if (aio_worker_take_socket(worker) != -1)
        return aio_raise(AIO_EASSERTION, "the socket was there twice");
    err = aio_start_server_with(serve_client, &counter, &options, 0, &server);
    if (err < 0) {
        (void)close(options.sock);
        return err;
    }
    atomic_fetch_add(&shop->serving, 1);
    if (shop->failing == counter.index + 1)
        return aio_raise(AIO_EKEY, "worker %u fails", counter.index);
    return aio_server_serve_forever(server);
}

static void note_port(int port, void *arg)
{
    ((struct shop *)arg)->port = port;
}

static int run_workers(void *arg, void **ret_result)
{
    struct shop *shop = arg;

    shop->code = aio_run_workers(work, shop, &shop->options);
    return 0;
}

/* --- the customers --------------------------------------------------------------------- */

/* Threads tell nobody when they serve. */
static int wait_until_open(const struct shop *shop)
{
    int err = 0;

    while (err == 0 && atomic_load(&shop->serving) < WORKERS && !aio_future_done(shop->workers))
        err = aio_sleep(0.001);
    return err;
}

static int ask(aio_stream_reader *reader, aio_stream_writer *writer)
{
    char answer[2];
    int err = aio_stream_writer_write(writer, "?\n", 2);

    return err < 0 ? err : aio_stream_reader_readexactly_into(reader, answer, 2);
}

static int visit_all(void *arg, void **ret_result)
{
    struct shop *shop = arg;
    int err = wait_until_open(shop);

    for (int i = 0; i < CLIENTS && err == 0; i++) {
        AIO_AUTO(aio_stream_reader) reader = NULL;
        AIO_AUTO(aio_stream_writer) writer = NULL;

        err = aio_open_connection("127.0.0.1", shop->port, &reader, &writer);
        if (err == 0)
            err = ask(reader, writer);
        aio_stream_writer_close(writer);
        if (err == 0)
            err = aio_stream_writer_wait_closed(writer);
    }
    (void)aio_task_cancel(shop->workers, NULL);
    return err;
}

static int visit(void *arg, void **ret_result)
{
    struct shop *shop = arg;
    int err;

    shop->workers = aio_create_task(run_workers, shop);
    if (shop->workers == NULL)
        return AIO_ENOMEM;
    err = shop->customer == NULL ? 0 : shop->customer(shop, NULL);
    if (err < 0)
        (void)aio_task_cancel(shop->workers, NULL);
    if (err == 0)
        err = aio_await(shop->workers, NULL);
    else
        (void)aio_await(shop->workers, NULL);
    aio_future_unref(shop->workers);
    return err;
}

static void run_shop(struct shop *shop)
{
    shop->options = (aio_workers_options)AIO_WORKERS_OPTIONS_INIT;
    shop->options.count = WORKERS;
    shop->options.port = 0;
    shop->options.started = note_port;
    assert_int_equal(aio_run(visit, shop, NULL), 0);
}

static void workers_share_the_connections_to_a_port(void **state)
{
    struct shop shop = {.customer = visit_all};

    run_shop(&shop);
    assert_int_equal(shop.code, AIO_ECANCELLED);
    assert_int_equal(shop.served[0] + shop.served[1], CLIENTS);
    assert_int_not_equal(shop.served[0], 0);
    assert_int_not_equal(shop.served[1], 0);
}

/* Until nobody takes connections any more: the workers have been stopped. */
static int wait_until_shut(const struct shop *shop)
{
    int err = 0;

    while (err == 0) {
        AIO_AUTO(aio_stream_reader) reader = NULL;
        AIO_AUTO(aio_stream_writer) writer = NULL;

        err = aio_open_connection("127.0.0.1", shop->port, &reader, &writer);
        aio_stream_writer_close(writer);
    }
    return err == -ECONNREFUSED || err == -ECONNRESET ? 0 : err;
}

static int stay(void *arg, void **ret_result)
{
    struct shop *shop = arg;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    int err = wait_until_open(shop);

    if (err == 0)
        err = aio_open_connection("127.0.0.1", shop->port, &reader, &writer);
    if (err == 0)
        err = ask(reader, writer);
    (void)aio_task_cancel(shop->workers, NULL);
    if (err == 0)
        err = wait_until_shut(shop);
    if (err == 0)
        err = ask(reader, writer); /* whoever is connected is served to the end */
    if (err == 0 && aio_future_done(shop->workers))
        err = aio_raise(AIO_EASSERTION, "a client was not waited for");
    aio_stream_writer_close(writer);
    return err;
}

static void workers_that_are_stopped_wait_for_their_clients(void **state)
{
    struct shop shop = {.customer = stay};

    run_shop(&shop);
    assert_int_equal(shop.code, AIO_ECANCELLED);
}

static int stay_for_ever(void *arg, void **ret_result)
{
    struct shop *shop = arg;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    char rest;
    size_t size = 1;
    int err = wait_until_open(shop);

    if (err == 0)
        err = aio_open_connection("127.0.0.1", shop->port, &reader, &writer);
    if (err == 0)
        err = ask(reader, writer);
    (void)aio_task_cancel(shop->workers, NULL);
    if (err == 0)
        err = wait_until_shut(shop);
    (void)aio_task_cancel(shop->workers, NULL);
    while (err == 0 && size > 0) /* until we are cut off */
        err = aio_stream_reader_read_into(reader, &rest, 1, &size);
    return err == -ECONNRESET ? 0 : err;
}

static void workers_stopped_twice_wait_for_nobody(void **state)
{
    struct shop shop = {.customer = stay_for_ever};

    run_shop(&shop);
    assert_int_equal(shop.code, AIO_ECANCELLED);
}

static void workers_stop_when_one_fails(void **state)
{
    struct shop shop = {.failing = 2};

    run_shop(&shop);
    assert_int_equal(shop.code, AIO_EKEY);
}

static int send_sigterm(void *arg, void **ret_result)
{
    int err = wait_until_open(arg);

    (void)raise(SIGTERM);
    return err;
}

static void workers_stop_at_sigterm_without_an_error(void **state)
{
    struct shop shop = {.customer = send_sigterm};

    run_shop(&shop);
    assert_int_equal(shop.code, 0);
}

static int leave_at_once(aio_worker *worker, void *arg)
{
    if (aio_worker_port(worker) != -1 || aio_worker_take_socket(worker) != -1)
        return aio_raise(AIO_EASSERTION, "a socket nobody asked for");
    atomic_fetch_add((atomic_uint *)arg, 1);
    return 0;
}

static int run_three(void *arg, void **ret_result)
{
    aio_workers_options options = AIO_WORKERS_OPTIONS_INIT;

    options.count = 3;
    return aio_run_workers(leave_at_once, arg, &options);
}

static void workers_that_leave_by_themselves_end_the_call(void **state)
{
    atomic_uint left = 0;

    assert_int_equal(aio_run(run_three, &left, NULL), 0);
    assert_int_equal(left, 3);
}

static int misuse(void *arg, void **ret_result)
{
    aio_workers_options options = AIO_WORKERS_OPTIONS_INIT;
    int err;

    if (aio_run_workers(NULL, NULL, NULL) != AIO_EVALUE)
        return aio_raise(AIO_EASSERTION, "no function was needed");
    options.grace = -1;
    if (aio_run_workers(leave_at_once, arg, &options) != AIO_EVALUE)
        return aio_raise(AIO_EASSERTION, "any grace will do");
    options.grace = 0;
    options.host = "192.0.2.1"; /* nobody's */
    options.port = 0;
    err = aio_run_workers(leave_at_once, arg, &options);
    if (err != -EADDRNOTAVAIL || strstr(aio_error_text(err), "192.0.2.1") == NULL)
        return aio_raise(AIO_EASSERTION, "gave %d", err);
    return 0;
}

static void workers_say_what_is_wrong(void **state)
{
    atomic_uint left = 0;

    assert_int_equal(aio_run(misuse, &left, NULL), 0);
    assert_int_equal(left, 0);
    assert_int_equal(aio_run_workers(leave_at_once, NULL, NULL), AIO_ENOLOOP);
    assert_int_equal(aio_worker_take_socket(NULL), -1);
}

static void run_starved(void *arg)
{
    atomic_uint left = 0;

    (void)aio_run(run_three, &left, NULL);
}

static void workers_survive_every_shortage_of_memory(void **state)
{
    (void)with_each_allocation_failing(run_starved, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(workers_share_the_connections_to_a_port),
        TEST(workers_that_are_stopped_wait_for_their_clients),
        TEST(workers_stopped_twice_wait_for_nobody),
        TEST(workers_stop_when_one_fails),
        TEST(workers_stop_at_sigterm_without_an_error),
        TEST(workers_that_leave_by_themselves_end_the_call),
        TEST(workers_say_what_is_wrong),
        TEST(workers_survive_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
