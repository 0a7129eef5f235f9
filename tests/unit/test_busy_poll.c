/* SPDX-License-Identifier: MIT */
/*
 * test_busy_poll.c - a loop that goes on looking for I/O before it sleeps
 *
 * libuv says for how long it has slept in polls: not at all in those that do not wait.
 */
#include "loop/busy_poll.h"
#include "support/unit.h"

#include <aio/aio.h>
#include <aio/embed.h>
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
    aio_loop_statistics statistics;
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
    f->statistics = (aio_loop_statistics)AIO_LOOP_STATISTICS_INIT;
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

static int ask_often(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = 0;

    for (int i = 0; i < ROUNDS && err == 0; i++)
        err = ask(f);
    f->slept_ns = slept_ns(f);
    return err < 0 ? err : aio_loop_get_statistics(NULL, &f->statistics);
}

static void loop_does_not_sleep_between_answers_that_come_soon(void **state)
{
    struct fixture f;

    open_fixture(&f, 60);
    assert_int_equal(run(&f, ask_often), 0);
    assert_int_equal(f.slept_ns, 0);
    assert_true(f.statistics.looks);
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

/* A thread that the system stops for a millisecond at the wrong time has no need to sleep. */
static int wait_longer(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = aio_sleep(0.001);
    bool slept = false;

    for (int i = 0; i < ROUNDS && err == 0 && !slept; i++) {
        uint64_t before = slept_ns(f);

        err = aio_sleep(0.001);
        slept = slept_ns(f) != before;
    }
    return err < 0 || slept ? err : AIO_ERUNTIME;
}

static void loop_sleeps_while_what_it_waits_for_takes_longer(void **state)
{
    struct fixture f;

    open_fixture(&f, 1e-9);
    assert_int_equal(run(&f, wait_longer), 0);
    close_fixture(&f);
}

static void loop_that_finds_out_sleeps_while_what_it_waits_for_takes_longer(void **state)
{
    struct fixture f;

    open_fixture(&f, 0);
    assert_int_equal(run(&f, wait_longer), 0);
    close_fixture(&f);
}

static void loop_sleeps_at_once_if_it_must(void **state)
{
    struct fixture f;

    open_fixture(&f, AIO_BUSY_POLL_NEVER);
    assert_int_equal(run(&f, ask_often), 0);
    assert_false(f.statistics.looks);
    assert_int_equal(run(&f, wait_longer), 0);
    close_fixture(&f);
}

static void loop_that_is_run_in_steps_leaves_waiting_to_its_host(void **state)
{
    struct fixture f;

    open_fixture(&f, 60);
    assert_int_equal(aio_loop_run_forever_setup(f.loop), 0);
    assert_true(aio_loop_step(f.loop) >= 0);
    assert_int_equal(aio_loop_timeout(f.loop), -1);
    assert_int_equal(aio_loop_run_forever_cleanup(f.loop), 0);
    close_fixture(&f);
}

static void loop_is_not_made_to_look_for_no_time_or_in_a_host(void **state)
{
    const double bad[] = {-0.5, -2, -INFINITY, NAN};
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

/* --- finding out ----------------------------------------------------------------------- */

enum { US = 1000, MANY = 1000000, ROUND = 32, LONGEST_REST = 1024 * ROUND };

/* Waits that take a thread that sleeps so long, and one that looks so long. */
struct waits {
    struct aio__busy_poll poll;
    uint64_t now_ns;
    uint64_t sleeping_ns;
    uint64_t looking_ns;
    size_t looked;
    uint64_t in_vain_ns;
};

static void open_waits(struct waits *w, uint64_t sleeping_ns, uint64_t looking_ns)
{
    *w = (struct waits){.sleeping_ns = sleeping_ns, .looking_ns = looking_ns};
    aio__busy_poll_learn(&w->poll);
}

static void wait_once(struct waits *w)
{
    uint64_t end_ns = w->now_ns + w->sleeping_ns;
    bool looks = false;

    if (aio__busy_poll_cares(&w->poll) && aio__busy_poll_goes_on(&w->poll, w->now_ns)) {
        w->looked++;
        looks = aio__busy_poll_goes_on(&w->poll, w->now_ns + w->looking_ns);
        if (looks)
            end_ns = w->now_ns + w->looking_ns;
        else
            w->in_vain_ns += w->poll.look_ns;
    }
    w->now_ns = end_ns;
    aio__busy_poll_found(&w->poll, w->now_ns);
}

/* How many of so many waits were looked through, or begun to be. */
static size_t wait_often(struct waits *w, size_t times)
{
    w->looked = 0;
    for (size_t i = 0; i < times; i++)
        wait_once(w);
    return w->looked;
}

static void looks_where_that_saves_a_third(void **state)
{
    struct waits w;

    open_waits(&w, 60 * US, 40 * US);
    assert_int_equal(wait_often(&w, 1 + ROUND), 0);
    assert_true(wait_often(&w, MANY) > MANY / 100 * 99);
}

static void sleeps_where_looking_saves_less_than_a_third(void **state)
{
    struct waits w;

    open_waits(&w, 60 * US, 41 * US);
    assert_in_range(wait_often(&w, MANY), ROUND, MANY / 200);
}

static void sleeps_where_what_comes_takes_long(void **state)
{
    struct waits w;

    open_waits(&w, 1000 * US, 1 * US);
    assert_int_equal(wait_often(&w, MANY), 0);
}

static void sleeps_where_what_comes_is_there_already(void **state)
{
    struct waits w;

    open_waits(&w, 4 * US, 0);
    assert_int_equal(wait_often(&w, MANY), 0);
}

/* It looks for a tenth of a millisecond in vain, in one round of many. */
static void looking_in_vain_ends_soon(void **state)
{
    struct waits w;

    open_waits(&w, 300 * US, 250 * US);
    assert_in_range(wait_often(&w, MANY), ROUND, MANY / 200);
    assert_true(w.in_vain_ns < w.now_ns / 500);
}

static void does_not_look_at_the_end_of_a_burst_more_than_once(void **state)
{
    struct waits w;
    size_t looked;

    open_waits(&w, 60 * US, 10 * US);
    (void)wait_often(&w, MANY);
    w.sleeping_ns = 5000 * US;
    w.looking_ns = 5000 * US;
    looked = wait_often(&w, 100);
    assert_in_range(looked, 0, 1);
    w.sleeping_ns = 60 * US;
    w.looking_ns = 10 * US;
    assert_int_equal(wait_often(&w, 10), 9);
}

static void looks_once_it_has_become_worth_it(void **state)
{
    struct waits w;

    open_waits(&w, 60 * US, 60 * US);
    (void)wait_often(&w, MANY);
    w.looking_ns = 10 * US;
    (void)wait_often(&w, LONGEST_REST + 2 * ROUND + 1);
    assert_in_range(wait_often(&w, 100), 99, 100);
}

static void stops_once_it_is_no_longer_worth_it(void **state)
{
    struct waits w;

    open_waits(&w, 60 * US, 10 * US);
    (void)wait_often(&w, 100 * ROUND);
    w.looking_ns = 60 * US;
    assert_in_range(wait_often(&w, 5 * ROUND), 1, 2 * ROUND); /* then it rests */
}

/* Sleeping became cheap: looking, which still takes as long, is compared with it again. */
static void asks_again_what_sleeping_costs(void **state)
{
    struct waits w;

    open_waits(&w, 60 * US, 10 * US);
    (void)wait_often(&w, 100 * ROUND);
    w.sleeping_ns = 12 * US;
    for (size_t i = 0; i < 300 * ROUND && w.poll.mode != AIO__BUSY_POLL_RESTS; i++)
        wait_once(&w);
    assert_int_equal(w.poll.mode, AIO__BUSY_POLL_RESTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loop_does_not_sleep_between_answers_that_come_soon),
        cmocka_unit_test(timers_and_other_threads_are_heard_while_it_looks),
        cmocka_unit_test(loop_sleeps_while_what_it_waits_for_takes_longer),
        cmocka_unit_test(loop_that_finds_out_sleeps_while_what_it_waits_for_takes_longer),
        cmocka_unit_test(loop_sleeps_at_once_if_it_must),
        cmocka_unit_test(loop_that_is_run_in_steps_leaves_waiting_to_its_host),
        cmocka_unit_test(loop_is_not_made_to_look_for_no_time_or_in_a_host),
        cmocka_unit_test(looks_where_that_saves_a_third),
        cmocka_unit_test(sleeps_where_looking_saves_less_than_a_third),
        cmocka_unit_test(sleeps_where_what_comes_takes_long),
        cmocka_unit_test(sleeps_where_what_comes_is_there_already),
        cmocka_unit_test(looking_in_vain_ends_soon),
        cmocka_unit_test(does_not_look_at_the_end_of_a_burst_more_than_once),
        cmocka_unit_test(looks_once_it_has_become_worth_it),
        cmocka_unit_test(stops_once_it_is_no_longer_worth_it),
        cmocka_unit_test(asks_again_what_sleeping_costs),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
