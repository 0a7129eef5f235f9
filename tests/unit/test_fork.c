/* SPDX-License-Identifier: MIT */
/*
 * test_fork.c - a child process does not run its parent's loops, whoever drives them
 *
 * The child tells by its exit status whether it was refused; the parent's loop then goes on. See
 * test_embed.c for loops that are stepped, test_portal.c for portals.
 */
#include "loop/loop_internal.h"
#include "support/child.h"
#include "support/jobs.h"
#include "support/unit.h"

#include <aio/aio.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

enum { CHILDREN = 20 };

static void assert_child_ended_well(pid_t pid)
{
    int status = -1;

    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static int count(void *arg)
{
    ++*(int *)arg;
    return 0;
}

static int coroutine(void *arg, void **ret_result)
{
    ++*(int *)arg;
    return 0;
}

/* --- a run call ------------------------------------------------------------------------- */

struct run {
    aio_loop *loop;
    pid_t child; /* 0 in the child itself */
    int counted;
};

static int stop(void *arg)
{
    struct run *run = arg;

    run->counted++;
    aio_loop_stop(run->loop);
    return 0;
}

/* What is due is for the next iteration, which the child must not come to. */
static int fork_before_a_timer(void *arg)
{
    struct run *run = arg;
    int err = aio_loop_call_later(run->loop, 0, stop, run, NULL);

    run->child = fork();
    return err;
}

static void run_that_goes_on_in_the_child_ends_with_an_error(void **state)
{
    AIO_AUTO(aio_loop) loop = aio_new_event_loop();
    struct run run = {.loop = loop, .child = -1};
    int code;

    assert_int_equal(aio_loop_call_soon(loop, fork_before_a_timer, &run, NULL), 0);
    code = aio_loop_run_forever(loop);
    if (run.child == 0)
        _exit(code == AIO_ERUNTIME && run.counted == 0 &&
                      strstr(aio_error_text(code), "before fork()") != NULL &&
                      aio_loop_close(loop) == 0
                  ? 0
                  : 1);
    assert_int_equal(code, 0);
    assert_int_equal(run.counted, 1);
    assert_child_ended_well(run.child);
    assert_int_equal(aio_loop_close(loop), 0);
}

/* What only the parent watches; the child goes on when the parent says so. */
struct watched {
    struct run run;
    int ends[2];
    int go_on[2];
};

static int note_and_stop(void *arg)
{
    struct watched *watched = arg;

    (void)aio_loop_remove_reader(watched->run.loop, watched->ends[0]);
    return stop(&watched->run);
}

/* The poll before has registered the reader: the child would find it ready, and unknown. */
static int let_the_child_go_on(void *arg)
{
    struct watched *watched = arg;

    if (write(watched->ends[1], "x", 1) != 1 || write(watched->go_on[1], "x", 1) != 1)
        return AIO_EASSERTION;
    assert_child_ended_well(watched->run.child);
    return 0;
}

static int fork_and_watch(void *arg)
{
    struct watched *watched = arg;
    aio_loop *loop = watched->run.loop;
    char byte;

    watched->run.child = fork();
    if (watched->run.child == 0)
        return read(watched->go_on[0], &byte, 1) == 1 ? 0 : AIO_EASSERTION;
    if (aio_loop_add_reader(loop, watched->ends[0], note_and_stop, watched) < 0)
        return AIO_EASSERTION;
    return aio_loop_call_later(loop, 0, let_the_child_go_on, watched, NULL);
}

static void child_takes_nothing_out_of_what_its_parent_polls(void **state)
{
    AIO_AUTO(aio_loop) loop = aio_new_event_loop();
    struct watched watched = {.run = {.loop = loop, .child = -1}};
    int code;

    assert_int_equal(pipe(watched.ends), 0);
    assert_int_equal(pipe(watched.go_on), 0);
    assert_int_equal(aio_loop_call_soon(loop, fork_and_watch, &watched, NULL), 0);
    code = aio_loop_run_forever(loop);
    if (watched.run.child == 0)
        _exit(code == AIO_ERUNTIME && aio_loop_close(loop) == 0 ? 0 : 1);
    assert_int_equal(code, 0);
    assert_int_equal(watched.run.counted, 1);
    assert_int_equal(aio_loop_close(loop), 0);
    for (int i = 0; i < 2; i++) {
        close(watched.ends[i]);
        close(watched.go_on[i]);
    }
}

static void calls_to_the_parents_loop_are_refused_in_the_child(void **state)
{
    AIO_AUTO(aio_loop) loop = aio_new_event_loop();
    int counted = 0;
    pid_t pid = fork();

    if (pid == 0) {
        bool ok = aio_loop_call_soon_threadsafe(loop, count, &counted, NULL) == AIO_ERUNTIME &&
                  aio_run_coroutine_threadsafe(coroutine, &counted, loop) == NULL &&
                  aio_concurrent_future_result(NULL, 0, NULL) == AIO_ERUNTIME &&
                  aio_loop_close(loop) == 0;

        _exit(ok && counted == 0 ? 0 : 1);
    }
    assert_child_ended_well(pid);
    assert_int_equal(aio_loop_step(loop), 0);
    assert_int_equal(aio_loop_close(loop), 0);
}

/* --- a host's uv_loop_t ----------------------------------------------------------------- */

struct guest {
    uv_loop_t host;
    aio_loop *loop;
    int counted;
    int ticks; /* of the host's own timer */
    unsigned reports;
};

static int note_report(aio_loop *loop, const aio_exception_context *context, void *arg)
{
    struct guest *guest = arg;

    if (aio_exception_code(context->error) == AIO_ERUNTIME)
        guest->reports++;
    return 0;
}

static void on_tick(uv_timer_t *timer)
{
    struct guest *guest = timer->data;

    if (++guest->ticks == 3)
        uv_close((uv_handle_t *)timer, NULL);
}

/* The host goes on, with what is its own. */
static bool goes_on_without_its_guest(struct guest *guest)
{
    uv_timer_t timer = {.data = guest};

    return uv_loop_fork(&guest->host) == 0 && uv_timer_init(&guest->host, &timer) == 0 &&
           uv_timer_start(&timer, on_tick, 1, 1) == 0 &&
           uv_run(&guest->host, UV_RUN_DEFAULT) == 0 && guest->ticks == 3 && guest->counted == 0 &&
           guest->reports == 1 && aio_loop_close(guest->loop) == 0 &&
           uv_run(&guest->host, UV_RUN_DEFAULT) == 0 && uv_loop_close(&guest->host) == 0;
}

static void host_that_runs_in_the_child_is_told_once_and_goes_on_without_its_guest(void **state)
{
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;
    struct guest guest = {.counted = 0};
    pid_t pid;

    assert_int_equal(uv_loop_init(&guest.host), 0);
    options.uv = &guest.host;
    guest.loop = aio_loop_new(&options);
    aio_loop_set_exception_handler(guest.loop, note_report, &guest);
    assert_int_equal(aio_loop_call_later(guest.loop, 0.001, count, &guest.counted, NULL), 0);
    assert_int_equal(aio_loop_call_soon(guest.loop, count, &guest.counted, NULL), 0);
    pid = fork();
    if (pid == 0)
        _exit(goes_on_without_its_guest(&guest) ? 0 : 1);
    assert_child_ended_well(pid);
    /* The parent's has lost nothing. */
    assert_int_equal(uv_run(&guest.host, UV_RUN_DEFAULT), 0);
    assert_int_equal(guest.counted, 2);
    assert_int_equal(guest.reports, 0);
    assert_int_equal(aio_loop_close(guest.loop), 0);
    aio_loop_unref(guest.loop);
    assert_int_equal(uv_run(&guest.host, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&guest.host), 0);
}

/* --- closed loops that jobs keep --------------------------------------------------------- */

/* In a child, which is killed if it waits for what never comes. */
static _Noreturn void end_child_that_makes_a_loop(void)
{
    aio_loop *loop;
    int code;

    (void)alarm(30);
    loop = aio_new_event_loop();
    code = aio_loop_close(loop);
    aio_loop_unref(loop);
    end_child(code == 0 ? 0 : 1);
}

/* A loop, closed while a job runs, which is over when this returns; its descriptor tells so to who
 * polls it: the next loop that is made or closed. */
static int close_before_its_job_is_over(const aio_job_options *options)
{
    aio_loop *loop = aio_new_event_loop();
    struct pollfd pfd = {uv_backend_fd(aio_loop_uv(loop)), POLLIN, 0};

    aio_future_unref(aio_loop_run_in_executor_with(loop, NULL, job_stop, loop, options));
    wait_for_jobs(1);
    assert_int_equal(aio_loop_close(loop), 0);
    aio_loop_unref(loop);
    release_jobs(1);
    assert_int_equal(poll(&pfd, 1, -1), 1);
    return pfd.fd;
}

static void child_leaves_alone_what_libuv_has_of_its_parents_closed_loops(void **state)
{
    size_t before = live_allocations();
    struct pollfd pfd = {close_before_its_job_is_over(NULL), POLLIN, 0};
    pid_t pid = fork();

    if (pid == 0)
        end_child_that_makes_a_loop();
    assert_child_ended_well(pid);
    assert_int_equal(poll(&pfd, 1, 0), 1);
    wait_until_freed(before);
}

static sem_t destroying;
static sem_t go_on;

static void destroy_with_a_pause(void *value)
{
    (void)sem_post(&destroying);
    (void)sem_wait(&go_on);
}

static void *make_a_loop(void *arg)
{
    aio_loop *loop = aio_new_event_loop();

    (void)aio_loop_close(loop);
    aio_loop_unref(loop);
    return NULL;
}

static void child_makes_loops_whatever_another_thread_lets_go_of(void **state)
{
    static const aio_type type = {.destroy = destroy_with_a_pause};
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    size_t before = live_allocations();
    pthread_t thread;
    pid_t pid;

    assert_int_equal(sem_init(&destroying, 0, 0), 0);
    assert_int_equal(sem_init(&go_on, 0, 0), 0);
    options.result_type = &type;
    (void)close_before_its_job_is_over(&options);
    assert_int_equal(pthread_create(&thread, NULL, make_a_loop, NULL), 0);
    (void)sem_wait(&destroying);
    pid = fork();
    if (pid == 0)
        end_child_that_makes_a_loop();
    assert_child_ended_well(pid);
    (void)sem_post(&go_on);
    assert_int_equal(pthread_join(thread, NULL), 0);
    wait_until_freed(before);
}

static atomic_bool enough;

/* As loops that are made and closed do, without what they do beside. */
static void *sweep(void *arg)
{
    while (!atomic_load(&enough))
        aio__graveyard_sweep();
    return NULL;
}

static void child_makes_loops_wherever_another_thread_is_in_sweeping(void **state)
{
    pthread_t thread;

    atomic_store(&enough, false);
    assert_int_equal(pthread_create(&thread, NULL, sweep, NULL), 0);
    for (int i = 0; i < CHILDREN; i++) {
        pid_t pid = fork();

        if (pid == 0)
            end_child_that_makes_a_loop();
        assert_child_ended_well(pid);
    }
    atomic_store(&enough, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_that_goes_on_in_the_child_ends_with_an_error),
        cmocka_unit_test(child_takes_nothing_out_of_what_its_parent_polls),
        cmocka_unit_test(calls_to_the_parents_loop_are_refused_in_the_child),
        cmocka_unit_test(host_that_runs_in_the_child_is_told_once_and_goes_on_without_its_guest),
        JOB_TEST(child_leaves_alone_what_libuv_has_of_its_parents_closed_loops),
        JOB_TEST(child_makes_loops_whatever_another_thread_lets_go_of),
        JOB_TEST(child_makes_loops_wherever_another_thread_is_in_sweeping),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
