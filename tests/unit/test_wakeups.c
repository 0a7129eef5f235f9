/* SPDX-License-Identifier: MIT */
/*
 * test_wakeups.c - no wake-up is missed, and nobody is woken for nothing, whoever drives the loop
 *
 * Threads call into a loop, and write to descriptors that it watches; each goes on only when it
 * was heard, so that one that was not would stop everything.
 */
#include "support/unit.h"

#include <aio/aio.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>
#include <uv.h>

enum { LOOPS = 3, THREADS = 4, ROUNDS = 300 };

enum driver { OWN_RUN, HOST_UV, HOST_POLL };

/* --- those who call --------------------------------------------------------------------- */

struct driven;

struct caller {
    struct driven *driven;
    pthread_t thread;
    sem_t heard;
    int ends[2];
    unsigned bytes; /* read so far */
};

/* A loop, in a thread that makes and drives it. */
struct driven {
    enum driver driver;
    pthread_t thread;
    uv_loop_t host;
    aio_loop *loop;
    unsigned left; /* callers that are not done */
    struct caller callers[THREADS];
    int code;
};

static int hear_call(void *arg)
{
    struct caller *caller = arg;

    (void)sem_post(&caller->heard);
    return 0;
}

static int hear_byte(void *arg)
{
    struct caller *caller = arg;
    char byte;

    if (read(caller->ends[0], &byte, 1) != 1)
        return AIO_ERUNTIME;
    if (++caller->bytes == ROUNDS) {
        (void)aio_loop_remove_reader(caller->driven->loop, caller->ends[0]);
        if (--caller->driven->left == 0)
            aio_loop_stop(caller->driven->loop);
    }
    (void)sem_post(&caller->heard);
    return 0;
}

static void *call_and_write(void *arg)
{
    struct caller *caller = arg;

    for (unsigned i = 0; i < ROUNDS; i++) {
        if (aio_loop_call_soon_threadsafe(caller->driven->loop, hear_call, caller, NULL) < 0)
            break;
        (void)sem_wait(&caller->heard);
        if (write(caller->ends[1], "x", 1) != 1)
            break;
        (void)sem_wait(&caller->heard);
    }
    return NULL;
}

static int start_callers(struct driven *driven)
{
    int err = 0;

    for (unsigned i = 0; i < THREADS && err == 0; i++) {
        struct caller *caller = &driven->callers[i];

        caller->driven = driven;
        if (sem_init(&caller->heard, 0, 0) < 0 || pipe(caller->ends) < 0)
            return AIO_ERUNTIME;
        driven->left++;
        err = aio_loop_add_reader(driven->loop, caller->ends[0], hear_byte, caller);
        if (err == 0)
            err = -pthread_create(&caller->thread, NULL, call_and_write, caller);
    }
    return err;
}

static void join_callers(struct driven *driven)
{
    for (unsigned i = 0; i < THREADS; i++) {
        struct caller *caller = &driven->callers[i];

        (void)pthread_join(caller->thread, NULL);
        (void)sem_destroy(&caller->heard);
        (void)close(caller->ends[0]);
        (void)close(caller->ends[1]);
    }
}

/* --- those who drive -------------------------------------------------------------------- */

static int drive_by_poll(struct driven *driven)
{
    struct pollfd pfd = {aio_loop_fd(driven->loop), POLLIN, 0};
    int more = 0;

    while (driven->left != 0 && more >= 0) {
        (void)poll(&pfd, 1, aio_loop_timeout(driven->loop));
        more = aio_loop_step(driven->loop);
    }
    return more < 0 ? more : 0;
}

static int drive(struct driven *driven)
{
    switch (driven->driver) {
    case OWN_RUN: return aio_loop_run_forever(driven->loop);
    case HOST_UV: /* the descriptors that are watched keep it going */
        return uv_run(&driven->host, UV_RUN_DEFAULT);
    case HOST_POLL: return drive_by_poll(driven);
    }
    return AIO_EVALUE;
}

static void *make_and_drive(void *arg)
{
    struct driven *driven = arg;
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;

    if (uv_loop_init(&driven->host) < 0)
        return NULL;
    if (driven->driver == HOST_UV)
        options.uv = &driven->host;
    driven->loop = aio_loop_new(&options);
    driven->code = start_callers(driven);
    if (driven->code == 0)
        driven->code = drive(driven);
    join_callers(driven);
    if (driven->code == 0)
        driven->code = aio_loop_close(driven->loop);
    aio_loop_unref(driven->loop);
    (void)uv_run(&driven->host, UV_RUN_DEFAULT);
    if (driven->code == 0)
        driven->code = uv_loop_close(&driven->host);
    return NULL;
}

static void assert_all_heard(enum driver driver)
{
    static struct driven driven[LOOPS];

    for (unsigned i = 0; i < LOOPS; i++) {
        driven[i] = (struct driven){.driver = driver, .code = AIO_ERUNTIME};
        assert_int_equal(pthread_create(&driven[i].thread, NULL, make_and_drive, &driven[i]), 0);
    }
    for (unsigned i = 0; i < LOOPS; i++) {
        assert_int_equal(pthread_join(driven[i].thread, NULL), 0);
        assert_int_equal(driven[i].code, 0);
        assert_int_equal(driven[i].left, 0);
        for (unsigned j = 0; j < THREADS; j++)
            assert_int_equal(driven[i].callers[j].bytes, ROUNDS);
    }
}

static void loops_in_several_threads_that_run_themselves_hear_all(void **state)
{
    assert_all_heard(OWN_RUN);
}

static void guests_of_several_uv_loops_hear_all(void **state)
{
    assert_all_heard(HOST_UV);
}

static void loops_that_are_stepped_in_several_threads_hear_all(void **state)
{
    assert_all_heard(HOST_POLL);
}

/* --- idle ------------------------------------------------------------------------------- */

static int do_nothing(void *arg)
{
    return 0;
}

static int wait_for_future(void *arg, void **ret_result)
{
    return aio_await(arg, ret_result);
}

/* What a program has that waits: a timer far away, a task, a descriptor. */
static void add_waiting(aio_loop *loop, aio_future *never, int fd)
{
    aio_future_unref(aio_loop_create_task(loop, wait_for_future, never, NULL));
    assert_int_equal(aio_loop_call_later(loop, 3600, do_nothing, NULL, NULL), 0);
    assert_int_equal(aio_loop_add_reader(loop, fd, do_nothing, NULL), 0);
}

static void finish_waiting(aio_loop *loop, aio_future *never, int ends[2])
{
    assert_true(aio_future_cancel(never, NULL));
    assert_true(aio_loop_remove_reader(loop, ends[0]));
    assert_true(aio_loop_step(loop) >= 0);
    assert_true(aio_loop_step(loop) >= 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static bool is_readable(int fd)
{
    struct pollfd pfd = {fd, POLLIN, 0};

    return poll(&pfd, 1, 0) != 0;
}

static void guest_that_only_waits_lets_a_poll_loop_sleep(void **state)
{
    AIO_AUTO(aio_loop) loop = aio_new_event_loop();
    AIO_AUTO(aio_future) never = aio_future_new(loop);
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    add_waiting(loop, never, ends[0]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(aio_loop_step(loop), 1);
    assert_true(aio_loop_timeout(loop) < 0 || aio_loop_timeout(loop) > 1000);
    assert_false(is_readable(aio_loop_fd(loop)));
    finish_waiting(loop, never, ends);
    assert_int_equal(aio_loop_close(loop), 0);
}

static void guest_that_only_waits_lets_a_uv_loop_sleep(void **state)
{
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;
    uv_loop_t host;
    int ends[2];

    assert_int_equal(uv_loop_init(&host), 0);
    options.uv = &host;
    {
        AIO_AUTO(aio_loop) loop = aio_loop_new(&options);
        AIO_AUTO(aio_future) never = aio_future_new(loop);

        assert_int_equal(pipe(ends), 0);
        add_waiting(loop, never, ends[0]);
        for (int i = 0; i < 3; i++)
            assert_int_not_equal(uv_run(&host, UV_RUN_NOWAIT), 0);
        assert_true(uv_backend_timeout(&host) < 0 || uv_backend_timeout(&host) > 1000);
        assert_false(is_readable(uv_backend_fd(&host)));
        finish_waiting(loop, never, ends);
        assert_int_equal(aio_loop_close(loop), 0);
    }
    (void)uv_run(&host, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&host), 0);
}

static int count_iterations(void *arg, void **ret_result)
{
    aio_loop_statistics statistics = {.size = sizeof(statistics)};
    uint64_t before;
    int err = aio_loop_get_statistics(NULL, &statistics);

    before = statistics.iterations;
    if (err == 0)
        err = aio_sleep(0.05);
    if (err == 0)
        err = aio_loop_get_statistics(NULL, &statistics);
    *(uint64_t *)arg = statistics.iterations - before;
    return err;
}

static void loop_that_runs_itself_goes_round_only_for_what_there_is(void **state)
{
    uint64_t iterations = 0;

    assert_int_equal(aio_run(count_iterations, &iterations, NULL), 0);
    assert_in_range(iterations, 1, 4);
}

static void portal_goes_round_only_for_what_there_is(void **state)
{
    aio_portal *portal = aio_portal_new(NULL);
    uint64_t iterations = 0;

    assert_int_equal(aio_portal_call(portal, count_iterations, &iterations, NULL), 0);
    assert_in_range(iterations, 1, 4);
    aio_portal_free(portal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_in_several_threads_that_run_themselves_hear_all),
        cmocka_unit_test(guests_of_several_uv_loops_hear_all),
        cmocka_unit_test(loops_that_are_stepped_in_several_threads_hear_all),
        cmocka_unit_test(guest_that_only_waits_lets_a_poll_loop_sleep),
        cmocka_unit_test(guest_that_only_waits_lets_a_uv_loop_sleep),
        cmocka_unit_test(loop_that_runs_itself_goes_round_only_for_what_there_is),
        cmocka_unit_test(portal_goes_round_only_for_what_there_is),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
