/* SPDX-License-Identifier: MIT */
/*
 * test_misuse.c - each function of the core, called wrongly: a code and a message, no crash
 *
 * Every row of misuse.h runs three times: where no loop runs, in a callback and in a task.
 */
#include "base/error.h"
#include "support/allocation.h"
#include "support/unit.h"

#include <aio/aio.h>
#include <aio/testing.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <string.h>

/* --- what is there to be misused -------------------------------------------------------- */

static aio_loop *open;
static aio_loop *closed;
static aio_future *pending; /* those of `open` */
static aio_future *done;
static aio_coroutine *unstarted;
static aio_coroutine *spent;
static aio_runner *closed_runner;
static aio_portal *stopped_portal;
static aio_concurrent_future *unlinked; /* pending */
static aio_loop *other;
static aio_future *foreign; /* pending, of `other` */
static aio_future *mixed[2];
static aio_lock *held;
static aio_lock *loose;
static aio_event *unset;
static aio_condition *condition;
static aio_semaphore *empty;
static aio_semaphore *bounded; /* at its bound */
static aio_barrier *barrier;
static aio_queue *idle;
static aio_queue *full;
static aio_queue *shut;
static aio_taskgroup *group; /* not entered */
static aio_generator *ended;
static aio_executor *ended_pool;
static const aio_site here = {"nowhere", __FILE__, __LINE__};

static struct {
    aio_task **tasks;
    size_t size;
    aio_executor_stats stats;
} out;

/* Options that forgot to say how large they are. */
static const struct {
    aio_loop_options loop;
    aio_runner_options runner;
    aio_task_options task;
    aio_job_options job;
    aio_thread_pool_options pool;
    aio_process_pool_options processes;
    aio_map_options map;
    aio_allocator allocator;
    aio_pool_options items;
    aio_attempt attempt;      /* without a function */
    aio_error_class error[2]; /* without a name */
} unsized = {.error = {{.code = AIO_EVALUE}}};

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int done_callback(aio_future *fut, void *arg)
{
    (void)fut;
    (void)arg;
    return 0;
}

static int coroutine(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return 0;
}

static void log_nothing(aio_log_level level, const char *text, void *arg)
{
    (void)level;
    (void)text;
    (void)arg;
}

static void make_primitives(void)
{
    held = aio_lock_new();
    loose = aio_lock_new();
    unset = aio_event_new();
    condition = aio_condition_new();
    empty = aio_semaphore_new(0);
    bounded = aio_bounded_semaphore_new(1);
    barrier = aio_barrier_new(2);
    idle = aio_queue_new(0);
    full = aio_queue_new(1);
    shut = aio_queue_new(0);
    aio_queue_shutdown(shut, true);
    group = aio_taskgroup_new();
    ended = aio_generator_new(coroutine, NULL, NULL);
    ended_pool = aio_thread_pool_new(NULL);
}

static void drop_primitives(void)
{
    aio_executor_unref(ended_pool);
    aio_generator_unref(ended);
    aio_taskgroup_unref(group);
    aio_queue_unref(shut);
    aio_queue_unref(full);
    aio_queue_unref(idle);
    aio_barrier_unref(barrier);
    aio_semaphore_unref(bounded);
    aio_semaphore_unref(empty);
    aio_condition_unref(condition);
    aio_event_unref(unset);
    aio_lock_unref(loose);
    aio_lock_unref(held);
}

static int set_up(void **state)
{
    (void)count_allocations(state);
    aio_log_set_handler(log_nothing, NULL);
    open = aio_new_event_loop();
    closed = aio_new_event_loop();
    pending = aio_future_new(open);
    done = aio_future_new(open);
    unstarted = aio_coroutine_new(coroutine, NULL, NULL);
    spent = aio_coroutine_new(coroutine, NULL, NULL);
    closed_runner = aio_runner_new(NULL);
    stopped_portal = aio_portal_new(NULL);
    unlinked = aio_concurrent_future_new();
    other = aio_new_event_loop();
    foreign = aio_future_new(other);
    mixed[0] = pending;
    mixed[1] = foreign;
    memset(&out, 0, sizeof(out));
    make_primitives();
    return aio_future_set_result(done, NULL) < 0 || aio_coroutine_close(spent) < 0 ||
                   aio_runner_close(closed_runner) < 0 ||
                   aio_portal_stop(stopped_portal, true) < 0 || aio_loop_close(closed) < 0 ||
                   aio_lock_acquire(held) < 0 || aio_queue_put_nowait(full, NULL) < 0 ||
                   aio_generator_close(ended) < 0 ||
                   aio_executor_shutdown(ended_pool, AIO_FOREVER, false) < 0
               ? -1
               : 0;
}

static int tear_down(void **state)
{
    aio_task_list_free(out.tasks, out.size);
    drop_primitives();
    aio_future_unref(foreign);
    (void)aio_loop_close(other);
    aio_loop_unref(other);
    aio_concurrent_future_unref(unlinked);
    aio_runner_free(closed_runner);
    aio_portal_free(stopped_portal);
    aio_future_unref(spent);
    (void)aio_coroutine_close(unstarted);
    aio_future_unref(unstarted);
    aio_future_unref(done);
    aio_future_unref(pending);
    aio_loop_unref(closed);
    (void)aio_loop_close(open);
    aio_loop_unref(open);
    aio_log_set_handler(NULL, NULL);
    return check_allocations(state);
}

/* --- what is asserted ------------------------------------------------------------------- */

enum place { ANYWHERE, NO_LOOP, NO_TASK, A_LOOP };

static bool applies(enum place place)
{
    bool in_loop = aio_loop_is_running(open);

    switch (place) {
    case NO_LOOP: return !in_loop;
    case A_LOOP: return in_loop;
    case NO_TASK: return !in_loop || aio_current_task(open) == NULL;
    default: return true;
    }
}

/* What is wrong with an answer; NULL: nothing. Told to the test, which alone may leave by an
 * assertion: not a task. */
static const char *judge_code(int code)
{
    if (code >= 0)
        return "no negative code";
    return aio_error_text(code)[0] == '\0' ? "no message" : NULL;
}

static const char *judge_failure(const void *object)
{
    return object != NULL ? "an object" : judge_code(aio_last_failure());
}

/* A function of each row. */
#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)
#define ROW(body)                                                                                  \
    static const char *JOIN(row_, __LINE__)(void)                                                  \
    {                                                                                              \
        body;                                                                                      \
    }
#define CODE_IF(place, fn, ...) ROW(return applies(place) ? judge_code((fn)(__VA_ARGS__)) : NULL)
#define CODE(fn, ...)           CODE_IF(ANYWHERE, fn, __VA_ARGS__)
#define NAMED(code, fn, ...)    ROW(return (fn)(__VA_ARGS__) == (code) ? NULL : "another code")
#define FAILS_IF(place, fn, ...)                                                                   \
    ROW((void)aio__failed(0); return applies(place) ? judge_failure((fn)(__VA_ARGS__)) : NULL)
#define FAILS(fn, ...)          FAILS_IF(ANYWHERE, fn, __VA_ARGS__)
#define ANSWER(answer, fn, ...) ROW(return (fn)(__VA_ARGS__) == (answer) ? NULL : "another answer")
#define TEXT(fn, ...)           ROW(return (fn)(__VA_ARGS__) != NULL ? NULL : "no text")
#define NUMBER(fn, ...)         ROW(return isnan((fn)(__VA_ARGS__)) ? "no number" : NULL)
#define NO_NUMBER(fn, ...)      ROW(return isnan((fn)(__VA_ARGS__)) ? NULL : "a number")
#define OBJECT(unref, fn, ...)  ROW(unref((fn)(__VA_ARGS__)); return NULL)
#define NOTHING(fn, ...)        ROW((fn)(__VA_ARGS__); return NULL)
#include "misuse.h"
#undef CODE
#undef CODE_IF
#undef NAMED
#undef FAILS
#undef FAILS_IF
#undef ANSWER
#undef TEXT
#undef NUMBER
#undef NO_NUMBER
#undef OBJECT
#undef NOTHING

/* --- where it runs ---------------------------------------------------------------------- */

struct row {
    const char *name;
    const char *(*run)(void);
    const char *verdict;
};

static void assert_right(const struct row *row)
{
    if (row->verdict != NULL)
        fail_msg("%s: %s", row->name, row->verdict);
}

static void without_a_loop(void **state)
{
    struct row *row = *state;

    row->verdict = row->run();
    assert_right(row);
}

static int run_row(void *arg)
{
    struct row *row = arg;

    row->verdict = row->run();
    return 0;
}

static void in_a_callback(void **state)
{
    assert_int_equal(aio_loop_call_soon(open, run_row, *state, NULL), 0);
    aio_loop_stop(open);
    assert_int_equal(aio_loop_run_forever(open), 0);
    assert_right(*state);
}

static int await_row(void *arg, void **ret_result)
{
    (void)ret_result;
    return run_row(arg);
}

static void in_a_task(void **state)
{
    AIO_AUTO(aio_task) task = aio_loop_create_task(open, await_row, *state, NULL);

    assert_int_equal(aio_loop_run_until_complete(open, task, NULL), 0);
    assert_right(*state);
}

/* What the first generator of a thread leaves for the next is not a test's. */
static int warm_up(void **state)
{
    aio_generator *generator = aio_generator_new(coroutine, NULL, NULL);
    int err = aio_generator_close(generator);

    (void)state;
    aio_generator_unref(generator);
    return err;
}

int main(void)
{
#define ROW_OF(fn)               {#fn, JOIN(row_, __LINE__), NULL},
#define CODE_IF(place, fn, ...)  ROW_OF(fn)
#define CODE(fn, ...)            ROW_OF(fn)
#define NAMED(code, fn, ...)     ROW_OF(fn)
#define FAILS_IF(place, fn, ...) ROW_OF(fn)
#define FAILS(fn, ...)           ROW_OF(fn)
#define ANSWER(answer, fn, ...)  ROW_OF(fn)
#define TEXT(fn, ...)            ROW_OF(fn)
#define NUMBER(fn, ...)          ROW_OF(fn)
#define NO_NUMBER(fn, ...)       ROW_OF(fn)
#define OBJECT(unref, fn, ...)   ROW_OF(fn)
#define NOTHING(fn, ...)         ROW_OF(fn)
    static struct row rows[] = {
#include "misuse.h"
    };
    static struct CMUnitTest tests[3 * COUNT_OF(rows)];
    void (*const places[])(void **state) = {without_a_loop, in_a_callback, in_a_task};

    for (size_t i = 0; i < COUNT_OF(tests); i++)
        tests[i] =
            (struct CMUnitTest){rows[i / 3].name, places[i % 3], set_up, tear_down, &rows[i / 3]};
    return RUN_TESTS(tests, warm_up, NULL);
}
