/* SPDX-License-Identifier: MIT */
/*
 * test_runner.c - a main coroutine, from the first line to an orderly end, and Ctrl-C
 */
#include "support/allocation.h"
#include "support/unit.h"

#include <aio/aio.h>
#include <aio/log.h>
#include <aio/testing.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static char trace[512];
static char logged[1024];
static aio_future *kept; /* a reference that a test wants back */

static void note(const char *text)
{
    (void)snprintf(trace + strlen(trace), sizeof(trace) - strlen(trace), "%s%s",
                   trace[0] != '\0' ? ", " : "", text);
}

static void note_code(const char *what, int code)
{
    char text[64];

    (void)snprintf(text, sizeof(text), code < 0 ? "%s ! %s" : "%s", what, aio_error_name(code));
    note(text);
}

static void note_log(aio_log_level level, const char *text, void *arg)
{
    (void)level;
    (void)arg;
    (void)strncat(logged, text, sizeof(logged) - strlen(logged) - 1);
}

/* Time is virtual, so that nobody waits for it. */
static aio_loop *make_virtual(void *arg)
{
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;

    (void)arg;
    options.clock = AIO_CLOCK_VIRTUAL;
    return aio_loop_new(&options);
}

static aio_runner_options options_of_tests(void)
{
    aio_runner_options options = AIO_RUNNER_OPTIONS_INIT;

    options.loop_factory = make_virtual;
    return options;
}

static int run(aio_coro_fn fn, void *arg, void **ret_value)
{
    aio_runner_options options = options_of_tests();

    return aio_run_with(fn, arg, &options, ret_value);
}

static int setup(void **state)
{
    trace[0] = '\0';
    logged[0] = '\0';
    aio_log_set_handler(note_log, NULL);
    return count_allocations(state);
}

static int teardown(void **state)
{
    aio_future_unref(kept);
    kept = NULL;
    aio_log_set_handler(NULL, NULL);
    return check_allocations(state);
}

/* --- running ---------------------------------------------------------------------------- */

static int give_argument(void *arg, void **ret_result)
{
    *ret_result = arg;
    return 0;
}

/* after asyncio's test_runners.RunTests.test_asyncio_run_return */
static void run_gives_what_the_coroutine_gives(void **state)
{
    void *value = NULL;

    (void)state;
    assert_int_equal(run(give_argument, trace, &value), 0);
    assert_ptr_equal(value, trace);
}

static int raise_key_error(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return aio_raise(AIO_EKEY, "no such thing");
}

/* after asyncio's test_runners.RunTests.test_asyncio_run_raises */
static void run_gives_the_error_the_coroutine_ended_with(void **state)
{
    (void)state;
    assert_int_equal(run(raise_key_error, NULL, NULL), AIO_EKEY);
    assert_string_equal(aio_error_text(AIO_EKEY), "no such thing");
}

static int run_inside(void *arg, void **ret_result)
{
    aio_runner *runner = arg;

    (void)ret_result;
    note_code("run", aio_run(give_argument, NULL, NULL));
    note_code("runner", aio_runner_run(runner, give_argument, NULL, NULL, NULL));
    note_code("close", aio_runner_close(runner));
    return 0;
}

/* S108; after asyncio's test_runners.RunTests.test_asyncio_run_from_running_loop */
static void runner_is_not_run_inside_a_running_loop(void **state)
{
    aio_runner *runner = aio_runner_new(NULL);

    (void)state;
    assert_int_equal(aio_runner_run(runner, run_inside, runner, NULL, NULL), 0);
    assert_string_equal(trace, "run ! RuntimeError, runner ! RuntimeError, "
                               "close ! RuntimeError");
    aio_runner_free(runner);
}

static int give_loop(void *arg, void **ret_result)
{
    (void)arg;
    *ret_result = aio_get_running_loop();
    return 0;
}

/* S108; after asyncio's test_runners.RunnerTests.test_run, test_second_with_block_raises */
static void runner_makes_one_loop_when_it_is_needed_and_keeps_it(void **state)
{
    aio_runner_options options = options_of_tests();
    aio_runner *runner = aio_runner_new(&options);
    void *first = NULL;
    void *second = NULL;

    (void)state;
    assert_int_equal(aio_runner_run(runner, give_loop, NULL, NULL, &first), 0);
    assert_int_equal(aio_runner_run(runner, give_loop, NULL, NULL, &second), 0);
    assert_ptr_equal(first, second);
    assert_ptr_equal(aio_runner_get_loop(runner), first);
    assert_int_equal(aio_runner_close(runner), 0);
    assert_int_equal(aio_runner_close(runner), 0);
    assert_int_equal(aio_runner_run(runner, give_loop, NULL, NULL, NULL), AIO_ERUNTIME);
    assert_string_equal(aio_error_text(AIO_ERUNTIME), "Runner is closed");
    assert_null(aio_runner_get_loop(runner));
    aio_runner_free(runner);
}

static void runner_that_was_never_used_has_nothing_to_close(void **state)
{
    aio_runner *runner = aio_runner_new(NULL);

    (void)state;
    assert_int_equal(aio_runner_close(runner), 0);
    aio_runner_free(runner);
}

static aio_loop *make_nothing(void *arg)
{
    (void)arg;
    return NULL;
}

/* after asyncio.constants */
static void runner_gives_the_default_executor_five_minutes(void **state)
{
    (void)state;
    assert_true(AIO_THREAD_JOIN_TIMEOUT == 5 * 60);
}

static void runner_whose_factory_fails_fails_likewise(void **state)
{
    aio_runner_options options = AIO_RUNNER_OPTIONS_INIT;

    (void)state;
    options.loop_factory = make_nothing;
    assert_true(aio_run_with(give_argument, NULL, &options, NULL) < 0);
}

static int give_debug(void *arg, void **ret_result)
{
    (void)arg;
    *ret_result = aio_loop_get_debug(aio_get_running_loop()) ? trace : NULL;
    return 0;
}

/* after asyncio's test_runners.RunTests.test_asyncio_run_debug */
static void run_may_turn_debug_mode_on(void **state)
{
    aio_runner_options options = options_of_tests();
    void *value = NULL;

    (void)state;
    options.debug = 1;
    assert_int_equal(aio_run_with(give_debug, NULL, &options, &value), 0);
    assert_non_null(value);
    options.debug = -1;
    assert_int_equal(aio_run_with(give_debug, NULL, &options, &value), 0);
    assert_null(value);
}

static aio_contextvar *variable;

static int set_variable(void *arg, void **ret_result)
{
    (void)ret_result;
    return aio_contextvar_set(variable, arg, NULL);
}

static int get_variable(void *arg, void **ret_result)
{
    (void)arg;
    return aio_contextvar_get(variable, ret_result);
}

/* S55; after asyncio's test_runners.RunnerTests.test_run_keeps_context */
static void runner_has_one_context_for_all_its_runs(void **state)
{
    aio_runner_options options = options_of_tests();
    aio_runner *runner = aio_runner_new(&options);
    void *value = NULL;

    (void)state;
    variable = aio_contextvar_new("variable", NULL);
    assert_int_equal(aio_runner_run(runner, set_variable, trace, NULL, NULL), 0);
    assert_int_equal(aio_runner_run(runner, get_variable, NULL, NULL, &value), 0);
    assert_ptr_equal(value, trace);
    assert_int_equal(aio_contextvar_get(variable, &value), AIO_ELOOKUP);
    aio_runner_free(runner);
    aio_contextvar_unref(variable);
}

/* S55: a coroutine object runs in it, too */
static void runner_runs_coroutine_objects_in_its_context(void **state)
{
    aio_runner_options options = options_of_tests();
    aio_runner *runner = aio_runner_new(&options);
    AIO_AUTO(aio_coroutine) setter = aio_coroutine_new(set_variable, trace, NULL);
    AIO_AUTO(aio_coroutine) getter = aio_coroutine_new(get_variable, NULL, NULL);
    void *value = NULL;

    (void)state;
    variable = aio_contextvar_new("variable", NULL);
    assert_int_equal(aio_runner_run_awaitable(runner, setter, NULL), 0);
    assert_int_equal(aio_runner_run_awaitable(runner, getter, &value), 0);
    assert_ptr_equal(value, trace);
    assert_int_equal(aio_contextvar_get(variable, &value), AIO_ELOOKUP);
    aio_runner_free(runner);
    aio_contextvar_unref(variable);
}

/* after asyncio's test_runners.RunnerTests.test_explicit_run_context */
static void run_may_be_given_another_context(void **state)
{
    aio_runner_options options = options_of_tests();
    aio_task_options task_options = AIO_TASK_OPTIONS_INIT;
    aio_runner *runner = aio_runner_new(&options);
    aio_context *context = aio_context_new();
    void *value = NULL;

    (void)state;
    variable = aio_contextvar_new("variable", NULL);
    task_options.context = context;
    assert_int_equal(aio_runner_run(runner, set_variable, trace, &task_options, NULL), 0);
    assert_int_equal(aio_runner_run(runner, get_variable, NULL, NULL, NULL), AIO_ELOOKUP);
    assert_true(aio_context_get(context, variable, &value));
    assert_ptr_equal(value, trace);
    aio_runner_free(runner);
    aio_context_unref(context);
    aio_contextvar_unref(variable);
}

/* after asyncio's test_runners.RunnerTests.test_run_... : Runner.run(awaitable), 3.14 */
static void runner_runs_a_coroutine_object(void **state)
{
    aio_runner_options options = options_of_tests();
    aio_runner *runner = aio_runner_new(&options);
    AIO_AUTO(aio_coroutine) coro = aio_coroutine_new(give_argument, trace, NULL);
    void *value = NULL;

    (void)state;
    assert_int_equal(aio_runner_run_awaitable(runner, coro, &value), 0);
    assert_ptr_equal(value, trace);
    aio_runner_free(runner);
}

struct awaited {
    aio_future *fut;
    aio_loop *loop;
    size_t tasks; /* that there are while it is waited for */
};

static int finish_awaited(void *arg)
{
    struct awaited *awaited = arg;
    aio_task **tasks = NULL;

    assert_int_equal(aio_all_tasks(awaited->loop, &tasks, &awaited->tasks), 0);
    aio_task_list_free(tasks, awaited->tasks);
    return aio_future_set_result(awaited->fut, trace);
}

static void runner_awaits_a_future_in_a_task_of_its_own(void **state)
{
    aio_runner_options options = options_of_tests();
    aio_runner *runner = aio_runner_new(&options);
    struct awaited awaited = {.loop = aio_runner_get_loop(runner)};
    void *value = NULL;

    (void)state;
    awaited.fut = aio_future_new(awaited.loop);
    assert_int_equal(aio_loop_call_later(awaited.loop, 0.001, finish_awaited, &awaited, NULL), 0);
    assert_int_equal(aio_runner_run_awaitable(runner, awaited.fut, &value), 0);
    assert_ptr_equal(value, trace);
    assert_int_equal(awaited.tasks, 1);
    aio_future_unref(awaited.fut);
    aio_runner_free(runner);
}

/* --- the end ---------------------------------------------------------------------------- */

static int sleep_for_ever(void *arg, void **ret_result)
{
    int err = aio_sleep(1000);

    (void)ret_result;
    note_code(arg, err);
    return err;
}

static int leave_two_behind(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    aio_future_unref(aio_create_task(sleep_for_ever, aio_constant("A")));
    aio_future_unref(aio_create_task(sleep_for_ever, aio_constant("B")));
    return aio_sleep(0);
}

/* S106; after asyncio's test_runners.RunTests.test_asyncio_run_cancels_hanging_tasks */
static void run_cancels_the_tasks_that_are_left_and_waits_for_them(void **state)
{
    (void)state;
    assert_int_equal(run(leave_two_behind, NULL, NULL), 0);
    assert_string_equal(trace, "A ! CancelledError, B ! CancelledError");
    assert_string_equal(logged, "");
}

static int die_badly(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    (void)aio_sleep(1000);
    return aio_raise(AIO_EVALUE, "died badly");
}

static int leave_a_bad_loser_behind(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    aio_future_unref(aio_create_task(die_badly, NULL));
    return aio_sleep(0);
}

/* S106, S114; after asyncio's test_runners.RunTests.test_asyncio_run_reports_hanging_tasks */
static void run_reports_the_errors_of_those_that_fail_instead(void **state)
{
    (void)state;
    assert_int_equal(run(leave_a_bad_loser_behind, NULL, NULL), 0);
    assert_non_null(strstr(logged, "unhandled exception during asyncio.run() shutdown"));
    assert_non_null(strstr(logged, "died badly"));
}

static int exit_while_dying(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    (void)aio_sleep(1000);
    return aio_raise(AIO_ESYSTEMEXIT, "enough");
}

static int fail_beside_one_that_exits(void *arg, void **ret_result)
{
    (void)ret_result;
    aio_future_unref(aio_create_task(exit_while_dying, arg));
    (void)aio_sleep(0);
    return aio_raise(AIO_EKEY, "no such thing");
}

/* S40, S106: what leaves the end takes the place of what left the run, and ends the end */
static void run_gives_what_leaves_its_end(void **state)
{
    (void)state;
    assert_int_equal(run(fail_beside_one_that_exits, NULL, NULL), AIO_ESYSTEMEXIT);
    assert_string_equal(aio_error_text(AIO_ESYSTEMEXIT), "enough");
    assert_null(strstr(logged, "unhandled exception during asyncio.run() shutdown"));
    assert_null(aio_get_event_loop()); /* it is closed all the same */
}

static int exit_at_once(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return aio_raise(AIO_ESYSTEMEXIT, "enough");
}

static int exit_in_a_group(void *arg, void **ret_result)
{
    AIO_AUTO(aio_taskgroup) group = aio_taskgroup_new();
    int err = aio_taskgroup_enter(group);

    (void)ret_result;
    if (err == 0)
        err = aio_taskgroup_start(group, sleep_for_ever, aio_constant("sibling"));
    if (err == 0)
        err = aio_taskgroup_start(group, exit_at_once, arg);
    err = aio_taskgroup_exit(group, err);
    note_code("left", err);
    return err;
}

/* S84, S106, bpo-95571: the run is left by the child, its end by the parent */
static void system_exit_in_a_group_comes_out_of_the_run(void **state)
{
    (void)state;
    assert_int_equal(run(exit_in_a_group, NULL, NULL), AIO_ESYSTEMEXIT);
    assert_string_equal(aio_error_text(AIO_ESYSTEMEXIT), "enough");
    assert_string_equal(trace, "sibling ! CancelledError, left ! SystemExit");
    assert_non_null(strstr(logged, "Task exception was never retrieved"));
}

static int yield_and_clean_up(void *arg, void **ret_result)
{
    int err = aio_yield(arg, NULL);

    (void)ret_result;
    note_code("generator", err);
    return err;
}

static int job(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return 0;
}

static int use_everything(void *arg, void **ret_result)
{
    aio_asyncgen *generator = aio_asyncgen_new(yield_and_clean_up, NULL, NULL);
    void *item = NULL;
    int err = aio_anext(aio_asyncgen_iterator(generator), &item);

    (void)arg;
    *ret_result = generator;
    aio_future_unref(aio_create_task(sleep_for_ever, aio_constant("task")));
    if (err == 0)
        err = aio_to_thread(job, NULL, NULL);
    return err;
}

/* S106; after asyncio's test_runners.RunTests.test_asyncio_run_shutdown_asyncgens... */
static void run_ends_tasks_before_generators(void **state)
{
    void *generator = NULL;

    (void)state;
    assert_int_equal(run(use_everything, NULL, &generator), 0);
    assert_string_equal(trace, "task ! CancelledError, generator ! GeneratorExit");
    assert_true(aio_asyncgen_done(generator));
    aio_asyncgen_unref(generator);
    assert_null(aio_get_running_loop());
    assert_null(aio_get_event_loop()); /* unset */
}

static int count_iterations(void *arg, void **ret_result)
{
    int err = 0;

    (void)arg;
    (void)ret_result;
    for (int i = 0; i < 20 && err == 0; i++) {
        note("late");
        err = aio_sleep(0);
    }
    return err;
}

static int make_another_while_dying(void *arg, void **ret_result)
{
    int err = aio_sleep(1000);

    (void)arg;
    (void)ret_result;
    kept = aio_create_task(count_iterations, NULL);
    return err;
}

static int leave_a_maker_behind(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    aio_future_unref(aio_create_task(make_another_while_dying, NULL));
    return aio_sleep(0);
}

/* S107: as many iterations as CPython gives it, counted there. */
static void run_gives_a_task_made_while_dying_a_little_time_and_abandons_it(void **state)
{
    (void)state;
    assert_int_equal(run(leave_a_maker_behind, NULL, NULL), 0);
    assert_string_equal(trace, "late, late, late, late, late, late");
    assert_non_null(strstr(logged, "Task was destroyed but it is pending!"));
}

/* --- Ctrl-C ----------------------------------------------------------------------------- */

static void (*sigint_action(void))(int)
{
    struct sigaction action;

    (void)sigaction(SIGINT, NULL, &action);
    return action.sa_handler;
}

static int interrupt_and_sleep(void *arg, void **ret_result)
{
    int err;

    (void)arg;
    (void)ret_result;
    (void)raise(SIGINT);
    note("goes on");
    err = aio_sleep(1000);
    note_code("slept", err);
    return err;
}

/* S109, S110; after asyncio's test_runners.RunnerTests.test_interrupt_call_soon */
static void sigint_cancels_the_main_task_and_comes_out_as_keyboard_interrupt(void **state)
{
    (void)state;
    assert_int_equal(run(interrupt_and_sleep, NULL, NULL), AIO_EKEYBOARDINTERRUPT);
    assert_string_equal(trace, "goes on, slept ! CancelledError");
    assert_ptr_equal(sigint_action(), SIG_DFL);
}

static void *interrupt_process(void *arg)
{
    (void)arg;
    (void)kill(getpid(), SIGINT);
    return NULL;
}

static int wait_for_interrupt(void *arg, void **ret_result)
{
    AIO_AUTO(aio_future) never = aio_future_new(NULL);
    pthread_t thread;
    int err;

    (void)arg;
    if (pthread_create(&thread, NULL, interrupt_process, NULL) != 0)
        return AIO_ERUNTIME;
    err = aio_await(never, ret_result);
    (void)pthread_join(thread, NULL);
    return err;
}

/* S109; after asyncio's test_runners.RunnerTests.test_interrupt_wait */
static void sigint_wakes_a_loop_that_sleeps(void **state)
{
    (void)state;
    assert_int_equal(aio_run(wait_for_interrupt, NULL, NULL), AIO_EKEYBOARDINTERRUPT);
}

static int swallow_interrupt(void *arg, void **ret_result)
{
    (void)raise(SIGINT);
    (void)aio_sleep(1000);
    *ret_result = arg;
    return 0;
}

/* S110; after asyncio's test_runners.RunnerTests.test_interrupt_cancelled_task */
static void sigint_that_main_swallows_is_no_error(void **state)
{
    void *value = NULL;

    (void)state;
    assert_int_equal(run(swallow_interrupt, trace, &value), 0);
    assert_ptr_equal(value, trace);
}

static int interrupt_and_cancel(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    (void)raise(SIGINT);
    (void)aio_task_cancel(aio_current_task(NULL), NULL);
    return aio_sleep(1000);
}

/* S110: uncancel() does not give 0. */
static void sigint_beside_another_cancellation_stays_a_cancellation(void **state)
{
    (void)state;
    assert_int_equal(run(interrupt_and_cancel, NULL, NULL), AIO_ECANCELLED);
}

static int interrupt_and_return_at_once(void *arg, void **ret_result)
{
    (void)raise(SIGINT);
    *ret_result = arg;
    return 0;
}

/* S33, S109 */
static void sigint_in_the_last_step_of_main_counts_too(void **state)
{
    void *value = NULL;

    (void)state;
    assert_int_equal(run(interrupt_and_return_at_once, trace, &value), AIO_EKEYBOARDINTERRUPT);
    assert_null(value);
}

static int interrupt_twice(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    (void)raise(SIGINT);
    (void)raise(SIGINT);
    note("goes on");
    note_code("slept", aio_sleep(1000));
    return 0;
}

/* S109 */
static void sigint_that_comes_twice_leaves_the_run_at_once(void **state)
{
    (void)state;
    assert_int_equal(run(interrupt_twice, NULL, NULL), AIO_EKEYBOARDINTERRUPT);
    assert_string_equal(trace, "goes on, slept ! CancelledError");
}

static int fail_after_interrupt(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    (void)raise(SIGINT);
    (void)aio_sleep(1000);
    return aio_raise(AIO_EKEY, "no such thing");
}

/* S110 */
static void sigint_after_which_main_fails_gives_that_error(void **state)
{
    (void)state;
    assert_int_equal(run(fail_after_interrupt, NULL, NULL), AIO_EKEY);
}

static void on_own_sigint(int signum)
{
    (void)signum;
    note("own handler");
}

static int interrupt_and_return(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    (void)raise(SIGINT);
    return aio_sleep(0);
}

/* S109; after asyncio's test_runners.RunnerTests.test_signal_install_not_supported_ok */
static void sigint_that_the_program_handles_is_left_alone(void **state)
{
    struct sigaction own = {.sa_handler = on_own_sigint};
    struct sigaction before;

    (void)state;
    (void)sigaction(SIGINT, &own, &before);
    assert_int_equal(run(interrupt_and_return, NULL, NULL), 0);
    assert_string_equal(trace, "own handler");
    assert_ptr_equal(sigint_action(), on_own_sigint);
    (void)sigaction(SIGINT, &before, NULL);
}

static int note_action(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    note(sigint_action() == SIG_DFL ? "default" : "taken");
    return 0;
}

static void *run_in_thread(void *arg)
{
    *(int *)arg = run(note_action, NULL, NULL);
    return NULL;
}

/* S109 */
static void sigint_is_taken_in_the_main_thread_only(void **state)
{
    pthread_t thread;
    int code = -1;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, run_in_thread, &code), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(code, 0);
    assert_int_equal(run(note_action, NULL, NULL), 0);
    assert_string_equal(trace, "default, taken");
}

static void sigint_can_be_left_to_the_program(void **state)
{
    aio_runner_options options = options_of_tests();

    (void)state;
    options.ignore_sigint = true;
    assert_int_equal(aio_run_with(note_action, NULL, &options, NULL), 0);
    assert_string_equal(trace, "default");
}

static void run_short_of_memory(void *arg)
{
    (void)arg;
    (void)run(leave_two_behind, NULL, NULL);
}

static void run_survives_every_shortage_of_memory(void **state)
{
    (void)state;
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) > 5);
}

/* What the first generator of a thread leaves for the next is not a test's. */
static int warm_up(void **state)
{
    aio_generator *generator = aio_generator_new(yield_and_clean_up, NULL, NULL);
    int err = aio_next(generator, NULL);

    (void)state;
    if (err == 0)
        err = aio_generator_close(generator);
    aio_generator_unref(generator);
    return err;
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(run_gives_what_the_coroutine_gives),
        TEST(run_gives_the_error_the_coroutine_ended_with),
        TEST(runner_is_not_run_inside_a_running_loop),
        TEST(runner_makes_one_loop_when_it_is_needed_and_keeps_it),
        TEST(runner_that_was_never_used_has_nothing_to_close),
        TEST(runner_gives_the_default_executor_five_minutes),
        TEST(runner_whose_factory_fails_fails_likewise),
        TEST(run_may_turn_debug_mode_on),
        TEST(runner_has_one_context_for_all_its_runs),
        TEST(run_may_be_given_another_context),
        TEST(runner_runs_a_coroutine_object),
        TEST(runner_awaits_a_future_in_a_task_of_its_own),
        TEST(runner_runs_coroutine_objects_in_its_context),
        TEST(run_cancels_the_tasks_that_are_left_and_waits_for_them),
        TEST(run_reports_the_errors_of_those_that_fail_instead),
        TEST(run_gives_what_leaves_its_end),
        TEST(system_exit_in_a_group_comes_out_of_the_run),
        TEST(run_ends_tasks_before_generators),
        TEST(run_gives_a_task_made_while_dying_a_little_time_and_abandons_it),
        TEST(sigint_cancels_the_main_task_and_comes_out_as_keyboard_interrupt),
        TEST(sigint_wakes_a_loop_that_sleeps),
        TEST(sigint_that_main_swallows_is_no_error),
        TEST(sigint_beside_another_cancellation_stays_a_cancellation),
        TEST(sigint_in_the_last_step_of_main_counts_too),
        TEST(sigint_that_comes_twice_leaves_the_run_at_once),
        TEST(sigint_after_which_main_fails_gives_that_error),
        TEST(sigint_that_the_program_handles_is_left_alone),
        TEST(sigint_is_taken_in_the_main_thread_only),
        TEST(sigint_can_be_left_to_the_program),
        TEST(run_survives_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, warm_up, NULL);
}
