/* SPDX-License-Identifier: MIT */
/*
 * test_busy_poll.c - a loop that goes on looking for I/O before it sleeps
 *
 * libuv says for how long it has slept in polls: not at all in those that do not wait.
 */
#include "support/unit.h"

#include <aio/aio.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

enum { ROUNDS = 100 };

/* A loop of its own, and a thread that sends back each byte that it gets. */
struct fixture {
    aio_loop *loop;
    int ends[2];
    pthread_t peer;
    uint64_t slept_ns;
};

static void *send_back(void *arg)
{
    const struct fixture *f = arg;
    char byte;

    while (read(f->ends[1], &byte, 1) == 1)
        if (write(f->ends[1], &byte, 1) != 1)
            break;
    return NULL;
}

static void open_fixture(struct fixture *f, double busy_poll)
{
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;

    options.busy_poll = busy_poll;
    f->loop = aio_loop_new(&options);
    assert_non_null(f->loop);
    assert_int_equal(uv_loop_configure(aio_loop_uv(f->loop), UV_METRICS_IDLE_TIME), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, f->ends), 0);
    assert_int_equal(fcntl(f->ends[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(pthread_create(&f->peer, NULL, send_back, f), 0);
}

static void close_fixture(struct fixture *f)
{
    assert_int_equal(aio_loop_close(f->loop), 0);
    aio_loop_unref(f->loop);
    assert_int_equal(close(f->ends[0]), 0);
    assert_int_equal(pthread_join(f->peer, NULL), 0);
    assert_int_equal(close(f->ends[1]), 0);
}

static uint64_t slept_ns(const struct fixture *f)
{
    return uv_metrics_idle_time(aio_loop_uv(f->loop));
}

static int ask(struct fixture *f)
{
    char byte = 'x';
    size_t size = 0;
    int err = aio_loop_sock_sendall(NULL, f->ends[0], &byte, 1);

    if (err == 0)
        err = aio_loop_sock_recv(NULL, f->ends[0], &byte, 1, &size);
    return err < 0 || size == 1 ? err : AIO_ERUNTIME;
}

static int run(struct fixture *f, aio_coro_fn fn)
{
    aio_task *task = aio_loop_create_task(f->loop, fn, f, NULL);
    int err = aio_loop_run_until_complete(f->loop, task, NULL);

    aio_future_unref(task);
    return err;
}

/* The first answer shows that they come soon; what follows is what is measured. */
static int ask_often(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = ask(f);

    f->slept_ns = slept_ns(f);
    for (int i = 0; i < ROUNDS && err == 0; i++)
        err = ask(f);
    f->slept_ns = slept_ns(f) - f->slept_ns;
    return err;
}

static void loop_does_not_sleep_between_answers_that_come_soon(void **state)
{
    struct fixture f;

    open_fixture(&f, 60);
    assert_int_equal(run(&f, ask_often), 0);
    assert_int_equal(f.slept_ns, 0);
    close_fixture(&f);
}

static int work_elsewhere(void *arg, void **ret_value)
{
    *ret_value = arg;
    return 0;
}

static int wait_for_the_rest(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    void *value = NULL;
    int err = ask(f);

    f->slept_ns = slept_ns(f);
    if (err == 0)
        err = aio_sleep(0.002);
    if (err == 0)
        err = aio_to_thread(work_elsewhere, f, &value);
    f->slept_ns = slept_ns(f) - f->slept_ns;
    return err < 0 || value == f ? err : AIO_ERUNTIME;
}

static void timers_and_other_threads_are_heard_while_it_looks(void **state)
{
    struct fixture f;

    open_fixture(&f, 60);
    assert_int_equal(run(&f, wait_for_the_rest), 0);
    assert_int_equal(f.slept_ns, 0);
    close_fixture(&f);
}

static int wait_longer(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = aio_sleep(0.001);

    for (int i = 0; i < 3 && err == 0; i++) {
        uint64_t before = slept_ns(f);

        err = aio_sleep(0.001);
        if (slept_ns(f) == before)
            return AIO_ERUNTIME;
    }
    return err;
}

static void loop_sleeps_while_what_it_waits_for_takes_longer(void **state)
{
    struct fixture f;

    open_fixture(&f, 1e-9);
    assert_int_equal(run(&f, wait_longer), 0);
    close_fixture(&f);
}

static void loop_sleeps_at_once_by_default(void **state)
{
    struct fixture f;

    open_fixture(&f, 0);
    assert_int_equal(run(&f, wait_longer), 0);
    close_fixture(&f);
}

static void loop_is_not_made_to_look_for_no_time_or_in_a_host(void **state)
{
    const double bad[] = {-1, -INFINITY, NAN};
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;
    uv_loop_t host;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        options.busy_poll = bad[i];
        assert_null(aio_loop_new(&options));
        assert_non_null(strstr(aio_error_text(AIO_EVALUE), "busy_poll"));
    }
    assert_int_equal(uv_loop_init(&host), 0);
    options.busy_poll = 1e-6;
    options.uv = &host;
    assert_null(aio_loop_new(&options));
    assert_non_null(strstr(aio_error_text(AIO_EVALUE), "host"));
    assert_int_equal(uv_loop_close(&host), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loop_does_not_sleep_between_answers_that_come_soon),
        cmocka_unit_test(timers_and_other_threads_are_heard_while_it_looks),
        cmocka_unit_test(loop_sleeps_while_what_it_waits_for_takes_longer),
        cmocka_unit_test(loop_sleeps_at_once_by_default),
        cmocka_unit_test(loop_is_not_made_to_look_for_no_time_or_in_a_host),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
