/* SPDX-License-Identifier: MIT */
/*
 * test_costs.c - what waiting and waking must not cost: an allocation, a system call, a look at the
 *                clock for statistics that nobody asked for
 */
#include "base/compiler.h"
#include "base/monotonic.h"
#include "fiber/sanitize.h"
#include "support/allocation.h"
#include "support/unit.h"

#include <aio/aio.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

/* Fewer turns than the loop makes between two polls. */
enum { ROUNDS = 20, FUTURES = 64 };

/* --- allocations ----------------------------------------------------------------------- */

static aio_loop *virtual_loop(void)
{
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;

    options.clock = AIO_CLOCK_VIRTUAL;
    return aio_loop_new(&options);
}

static aio_future *futures[FUTURES];

static int finish_them(void *arg, void **ret_result)
{
    int err = 0;

    for (size_t i = 0; i < FUTURES && err == 0; i++) {
        err = aio_sleep(0);
        if (err == 0)
            err = aio_future_set_result(futures[i], NULL);
    }
    return err;
}

/* Yield, sleep and wait for what another task finishes; all is warm from the first round on. */
static int wait_in_every_way(void *arg, void **ret_result)
{
    size_t before = 0;
    int err = 0;

    for (size_t i = 0; i < FUTURES && err == 0; i++) {
        if (i == 1)
            before = made_allocations();
        err = aio_await(futures[i], NULL);
        if (err == 0)
            err = aio_sleep(0.001);
        if (err == 0)
            err = aio_sleep(0);
    }
    *(size_t *)arg = made_allocations() - before;
    return err;
}

static void suspending_and_waking_a_task_allocates_nothing(void **state)
{
    aio_loop *loop = virtual_loop();
    size_t made = SIZE_MAX;

    assert_non_null(loop);
    for (size_t i = 0; i < FUTURES; i++)
        futures[i] = aio_future_new(loop);
    {
        AIO_AUTO(aio_task) waker = aio_loop_create_task(loop, finish_them, NULL, NULL);
        AIO_AUTO(aio_task) waiter = aio_loop_create_task(loop, wait_in_every_way, &made, NULL);

        assert_int_equal(aio_loop_run_until_complete(loop, waiter, NULL), 0);
        assert_int_equal(aio_future_result(waker, NULL), 0);
    }
    assert_int_equal(made, 0);
    for (size_t i = 0; i < FUTURES; i++)
        aio_future_unref(futures[i]);
    assert_int_equal(aio_loop_close(loop), 0);
    aio_loop_unref(loop);
}

/* --- system calls ---------------------------------------------------------------------- */

/* From here on the thread may only end the process. */
static int forbid_system_calls(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

enum ending { NO_SECCOMP = 77 };

struct pair {
    int started;
    int switches;
};

/* Two of these give way to each other; the second to start closes the door to the kernel. */
static int give_way(void *arg, void **ret_result)
{
    struct pair *pair = arg;
    int err = aio_sleep(0);

    if (err == 0)
        err = aio_sleep(0);
    if (++pair->started == 2 && forbid_system_calls() != 0)
        _exit(NO_SECCOMP);
    for (int i = 0; i < ROUNDS && err == 0; i++) {
        err = aio_sleep(0);
        pair->switches++;
    }
    if (pair->switches == 2 * ROUNDS)
        _exit(err == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
    return aio_sleep(1); /* the other one is about to end the process */
}

static void run_pair(void)
{
    aio_loop *loop = virtual_loop(); /* on which no turn asks for the time */
    struct pair pair = {0, 0};
    aio_task *one = aio_loop_create_task(loop, give_way, &pair, NULL);
    aio_task *two = aio_loop_create_task(loop, give_way, &pair, NULL);

    if (one == NULL || two == NULL)
        _exit(EXIT_FAILURE);
    (void)aio_loop_run_until_complete(loop, one, NULL);
    _exit(EXIT_FAILURE);
}

static void going_from_one_ready_task_to_another_makes_no_system_call(void **state)
{
    int status;
    pid_t pid;

    if (AIO__ASAN || AIO__TSAN || AIO__ON_VALGRIND)
        skip(); /* their run time makes calls of its own */
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        run_pair();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_SECCOMP)
        skip();
    assert_false(WIFSIGNALED(status)); /* SIGSYS: there was one */
    assert_int_equal(WEXITSTATUS(status), EXIT_SUCCESS);
}

/* --- polls ----------------------------------------------------------------------------- */

static size_t clock_reads;

/* In the place of the library's own, by which a loop reads the time. */
uint64_t aio__monotonic_ns(void)
{
    struct timespec now;

    clock_reads++;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* A byte that goes round through a pipe: it takes a poll to hear of it. */
struct circle {
    aio_loop *loop;
    int ends[2];
    unsigned polls;
    size_t reads; /* of the clock, while it went round ROUNDS times */
    size_t made;  /* allocations, likewise */
};

static int pass_on(void *arg)
{
    enum { WARM_UP = 5 };
    struct circle *circle = arg;
    char byte;

    if (read(circle->ends[0], &byte, 1) != 1 || write(circle->ends[1], &byte, 1) != 1)
        return AIO_ERUNTIME;
    if (++circle->polls == WARM_UP) {
        circle->reads = clock_reads;
        circle->made = made_allocations();
    } else if (circle->polls == WARM_UP + ROUNDS) {
        circle->reads = clock_reads - circle->reads;
        circle->made = made_allocations() - circle->made;
        aio_loop_stop(circle->loop);
    }
    return 0;
}

static void go_round(struct circle *circle)
{
    circle->polls = 0;
    assert_int_equal(aio_loop_run_forever(circle->loop), 0);
    assert_int_equal(circle->made, 0);
}

static void open_circle(struct circle *circle, double busy_poll)
{
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;

    options.busy_poll = busy_poll;
    circle->loop = aio_loop_new(&options);
    assert_non_null(circle->loop);
    assert_int_equal(pipe(circle->ends), 0);
    assert_int_equal(write(circle->ends[1], "x", 1), 1);
    assert_int_equal(aio_loop_add_reader(circle->loop, circle->ends[0], pass_on, circle), 0);
}

static void close_circle(struct circle *circle)
{
    assert_true(aio_loop_remove_reader(circle->loop, circle->ends[0]));
    assert_int_equal(aio_loop_close(circle->loop), 0);
    aio_loop_unref(circle->loop);
    (void)close(circle->ends[0]);
    (void)close(circle->ends[1]);
}

static void poll_looks_at_the_clock_once_and_once_more_for_the_lag_alone(void **state)
{
    struct circle circle;

    open_circle(&circle, AIO_BUSY_POLL_NEVER);
    go_round(&circle);
    assert_int_equal(circle.reads, ROUNDS);
    assert_int_equal(aio_loop_watch_lag(circle.loop, true), 0);
    go_round(&circle);
    assert_int_equal(circle.reads, 2 * ROUNDS);
    assert_int_equal(aio_loop_watch_lag(circle.loop, false), 0);
    go_round(&circle);
    assert_int_equal(circle.reads, ROUNDS);
    close_circle(&circle);
}

static void poll_looks_at_the_clock_twice_at_most_to_measure_a_wait(void **state)
{
    struct circle circle;

    open_circle(&circle, 0);
    go_round(&circle);
    assert_in_range(circle.reads, ROUNDS, 2 * ROUNDS);
    close_circle(&circle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(suspending_and_waking_a_task_allocates_nothing,
                                        count_allocations, check_allocations),
        cmocka_unit_test(going_from_one_ready_task_to_another_makes_no_system_call),
        cmocka_unit_test_setup_teardown(
            poll_looks_at_the_clock_once_and_once_more_for_the_lag_alone, count_allocations,
            check_allocations),
        cmocka_unit_test_setup_teardown(poll_looks_at_the_clock_twice_at_most_to_measure_a_wait,
                                        count_allocations, check_allocations),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
