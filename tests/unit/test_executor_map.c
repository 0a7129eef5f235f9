/* SPDX-License-Identifier: MIT */
/*
 * test_executor_map.c - one function for many arguments, in threads and processes (S165)
 *
 * After CPython's test_concurrent_futures: ExecutorTest.test_map*, ProcessPoolExecutorTest's of
 * chunks.
 */
#include "base/memory.h"
#include "support/allocation.h"
#include "support/unit.h"

#include <aio/executor_map.h>
#include <aio/memory.h>
#include <aio/process_pool.h>
#include <aio/thread_pool.h>
#include <math.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

enum { COUNT = 10 };

static struct {
    sem_t reached;
    sem_t open;
} gate;

static atomic_int destroyed;
static void *numbers[COUNT]; /* 0, 1, 2, ... as pointers */
static aio_executor *pool;

static int setup(void **state)
{
    (void)sem_init(&gate.reached, 0, 0);
    (void)sem_init(&gate.open, 0, 0);
    atomic_store(&destroyed, 0);
    for (size_t i = 0; i < COUNT; i++)
        numbers[i] = (void *)i;
    return count_allocations(state);
}

static int setup_threads(void **state)
{
    aio_thread_pool_options options = AIO_THREAD_POOL_OPTIONS_INIT;

    if (setup(state) < 0)
        return -1;
    options.max_workers = 1;
    pool = aio_thread_pool_new(&options);
    return pool == NULL ? -1 : 0;
}

static int setup_processes(void **state)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;

    if (setup(state) < 0)
        return -1;
    options.max_workers = 2;
    pool = aio_process_pool_new(&options);
    return pool == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    int err = aio_executor_shutdown(pool, AIO_FOREVER, false);

    aio_executor_unref(pool);
    (void)sem_destroy(&gate.reached);
    (void)sem_destroy(&gate.open);
    return err < 0 ? -1 : check_allocations(state);
}

static aio_executor_stats stats_of(void)
{
    aio_executor_stats stats = AIO_EXECUTOR_STATS_INIT;

    assert_int_equal(aio_executor_get_stats(pool, &stats), 0);
    return stats;
}

/* --- calls ------------------------------------------------------------------------------- */

static int square(void *arg, void **ret_result)
{
    *ret_result = (void *)((intptr_t)arg * (intptr_t)arg);
    return 0;
}

static int fail_at_five(void *arg, void **ret_result)
{
    if ((intptr_t)arg == 5)
        return aio_raise(AIO_EVALUE, "five");
    return square(arg, ret_result);
}

static int stop_iteration(void *arg, void **ret_result)
{
    return AIO_ESTOP;
}

static int stop_at_gate(void *arg, void **ret_result)
{
    (void)sem_post(&gate.reached);
    (void)sem_wait(&gate.open);
    return square(arg, ret_result);
}

static void count_destroyed(void *arg)
{
    atomic_fetch_add(&destroyed, 1);
}

struct point {
    int x, y;
};

static const aio_codec point_codec = AIO_CODEC_STRUCT(struct point);

static int mirror(void *arg, void **ret_result)
{
    const struct point *point = arg;
    struct point *mirrored = aio_malloc(sizeof(*mirrored));

    if (mirrored == NULL)
        return AIO_ENOMEM;
    *mirrored = (struct point){point->y, point->x};
    *ret_result = mirrored;
    return 0;
}

/* --- sources ----------------------------------------------------------------------------- */

struct counter {
    intptr_t next;
    intptr_t end; /* with `code` */
    int code;
};

static int count_up(void *source, void **ret_arg)
{
    struct counter *counter = source;

    if (counter->next == counter->end)
        return counter->code == AIO_ESTOP ? AIO_ESTOP : aio_raise(counter->code, "dry");
    *ret_arg = (void *)counter->next++;
    return 0;
}

/* --- expectations ------------------------------------------------------------------------ */

static void assert_next(aio_executor_results *results, intptr_t expected)
{
    void *value = NULL;

    assert_int_equal(aio_executor_results_next(results, &value), 0);
    assert_int_equal((intptr_t)value, expected);
}

static void assert_squares(aio_executor_results *results, intptr_t from, intptr_t below)
{
    for (intptr_t i = from; i < below; i++)
        assert_next(results, i * i);
}

static void assert_over(aio_executor_results *results, int code)
{
    assert_int_equal(aio_executor_results_next(results, NULL), code);
    assert_int_equal(aio_executor_results_next(results, NULL), AIO_ESTOP);
    assert_int_equal(aio_executor_results_next(results, NULL), AIO_ESTOP);
    aio_executor_results_unref(results);
}

/* --- threads ----------------------------------------------------------------------------- */

static void map_gives_results_in_the_order_of_the_arguments(void **state)
{
    aio_executor_results *results = aio_executor_map(pool, square, numbers, COUNT, NULL);

    assert_squares(results, 0, COUNT);
    assert_over(results, AIO_ESTOP);
}

static void map_waits_for_a_result_that_others_have_overtaken(void **state)
{
    aio_thread_pool_options options = AIO_THREAD_POOL_OPTIONS_INIT;
    aio_executor_results *first, *others;
    aio_executor *threads;

    options.max_workers = 2;
    threads = aio_thread_pool_new(&options);
    first = aio_executor_map(threads, stop_at_gate, numbers, 1, NULL);
    others = aio_executor_map(threads, square, numbers, COUNT, NULL);
    assert_squares(others, 0, COUNT);
    (void)sem_post(&gate.open);
    assert_next(first, 0);
    assert_over(first, AIO_ESTOP);
    assert_over(others, AIO_ESTOP);
    assert_int_equal(aio_executor_shutdown(threads, AIO_FOREVER, false), 0);
    aio_executor_unref(threads);
}

static void map_submits_all_before_the_first_result_is_asked_for(void **state)
{
    aio_executor_results *results = aio_executor_map(pool, square, numbers, COUNT, NULL);

    assert_int_equal(stats_of().submitted, COUNT);
    aio_executor_results_unref(results);
}

static void map_with_a_buffer_takes_arguments_only_as_results_are_asked_for(void **state)
{
    aio_map_options options = AIO_MAP_OPTIONS_INIT;
    struct counter counter = {.end = 1000000, .code = AIO_ESTOP};
    aio_executor_results *results;

    options.buffersize = 3;
    results = aio_executor_map_from(pool, square, count_up, &counter, &options);
    assert_int_equal(counter.next, 3);
    assert_next(results, 0);
    assert_int_equal(counter.next, 4);
    assert_next(results, 1);
    assert_int_equal(counter.next, 5);
    assert_int_equal(stats_of().submitted, 5);
    aio_executor_results_unref(results);
}

static void map_without_arguments_is_over_at_once(void **state)
{
    assert_over(aio_executor_map(pool, square, NULL, 0, NULL), AIO_ESTOP);
}

static void map_ends_with_the_first_error_and_cancels_the_rest(void **state)
{
    aio_executor_results *gated = aio_executor_map(pool, stop_at_gate, numbers, 1, NULL);
    aio_executor_results *results = aio_executor_map(pool, fail_at_five, numbers, COUNT, NULL);
    aio_executor_results *behind = aio_executor_map(pool, stop_at_gate, numbers, 2, NULL);

    (void)sem_post(&gate.open);
    assert_squares(results, 0, 5);
    assert_int_equal(aio_executor_results_next(results, NULL), AIO_EVALUE);
    assert_string_equal(aio_error_text(AIO_EVALUE), "five");
    assert_int_equal(aio_executor_results_next(results, NULL), AIO_ESTOP);
    aio_executor_results_unref(results);
    (void)sem_post(&gate.open);
    (void)sem_post(&gate.open);
    assert_squares(behind, 0, 2);
    aio_executor_results_unref(gated);
    aio_executor_results_unref(behind);
}

static void map_that_is_dropped_cancels_what_has_not_begun(void **state)
{
    aio_executor_results *results = aio_executor_map(pool, stop_at_gate, numbers, COUNT, NULL);

    (void)sem_wait(&gate.reached);
    aio_executor_results_unref(results);
    assert_int_equal(stats_of().cancelled, COUNT - 1);
    (void)sem_post(&gate.open);
}

static void map_times_out_from_its_call_on(void **state)
{
    aio_map_options options = AIO_MAP_OPTIONS_INIT;
    aio_executor_results *results;

    options.timeout = 0.001;
    results = aio_executor_map(pool, stop_at_gate, numbers, 2, &options);
    assert_over(results, AIO_ETIMEDOUT);
    (void)sem_post(&gate.open);
    (void)sem_post(&gate.open);
}

static void map_makes_an_error_of_a_call_that_ends_like_an_iteration(void **state)
{
    assert_over(aio_executor_map(pool, stop_iteration, numbers, 2, NULL), AIO_ERUNTIME);
}

static void map_in_chunks_has_a_job_for_each_and_the_same_results(void **state)
{
    aio_map_options options = AIO_MAP_OPTIONS_INIT;
    aio_executor_results *results;

    options.chunksize = 4;
    results = aio_executor_map(pool, square, numbers, COUNT, &options);
    assert_int_equal(stats_of().submitted, 3);
    assert_squares(results, 0, COUNT);
    assert_over(results, AIO_ESTOP);
    options.chunksize = SIZE_MAX / 2;
    results = aio_executor_map(pool, square, numbers, COUNT, &options);
    assert_int_equal(stats_of().submitted, 4);
    assert_squares(results, 0, COUNT);
    assert_over(results, AIO_ESTOP);
}

static void map_in_chunks_fails_with_a_chunk_as_a_whole(void **state)
{
    aio_map_options options = AIO_MAP_OPTIONS_INIT;
    aio_executor_results *results;

    options.chunksize = 4;
    results = aio_executor_map(pool, fail_at_five, numbers, COUNT, &options);
    assert_squares(results, 0, 4);
    assert_over(results, AIO_EVALUE);
}

/* Mirror three points, two to a chunk, which are gone when this returns. */
static aio_executor_results *map_points(const aio_codec *codec)
{
    aio_map_options options = AIO_MAP_OPTIONS_INIT;
    aio_job_options job = AIO_JOB_OPTIONS_INIT;
    struct point points[3] = {{1, 2}, {3, 4}, {5, 6}};
    void *args[] = {&points[0], &points[1], &points[2]};
    aio_executor_results *results;

    options.chunksize = 2;
    options.job = &job;
    job.arg_size = sizeof(points[0]);
    job.arg_destroy = count_destroyed;
    job.result_type = &aio_type_owned;
    job.result_codec = codec;
    results = aio_executor_map(pool, mirror, args, 3, &options);
    memset(points, 0, sizeof(points));
    return results;
}

static void assert_mirrored(aio_executor_results *results)
{
    void *value = NULL;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(aio_executor_results_next(results, &value), 0);
        assert_int_equal(((struct point *)value)->x, 2 * i + 2);
        assert_int_equal(((struct point *)value)->y, 2 * i + 1);
    }
    assert_over(results, AIO_ESTOP);
}

static void map_in_chunks_copies_and_destroys_what_options_say(void **state)
{
    assert_mirrored(map_points(NULL));
    assert_int_equal(atomic_load(&destroyed), 3);
}

static void map_fails_if_the_source_does_and_gives_what_came_before_if_buffered(void **state)
{
    aio_map_options options = AIO_MAP_OPTIONS_INIT;
    struct counter counter = {.end = 4, .code = AIO_EKEY};
    aio_executor_results *results;

    assert_null(aio_executor_map_from(pool, square, count_up, &counter, NULL));
    assert_int_equal(aio_last_failure(), AIO_EKEY);
    assert_string_equal(aio_error_text(AIO_EKEY), "dry");
    counter.next = 0;
    options.buffersize = 2;
    results = aio_executor_map_from(pool, square, count_up, &counter, &options);
    assert_squares(results, 0, 2);
    assert_over(results, AIO_EKEY);
}

static void map_arguments_are_checked(void **state)
{
    aio_map_options options = AIO_MAP_OPTIONS_INIT;
    aio_job_options job = AIO_JOB_OPTIONS_INIT;

    options.timeout = NAN;
    assert_null(aio_executor_map(pool, square, numbers, 1, &options));
    assert_int_equal(aio_last_failure(), AIO_EVALUE);
    options.timeout = 1;
    options.size = 1;
    assert_null(aio_executor_map(pool, square, numbers, 1, &options));
    assert_int_equal(aio_last_failure(), AIO_EVALUE);
    options.size = sizeof(options);
    assert_null(aio_executor_map(pool, NULL, numbers, 1, NULL));
    assert_int_equal(aio_last_failure(), AIO_EVALUE);
    assert_null(aio_executor_map(pool, square, NULL, 1, NULL));
    assert_int_equal(aio_last_failure(), AIO_EVALUE);
    assert_null(aio_executor_map_from(pool, square, NULL, NULL, NULL));
    assert_int_equal(aio_last_failure(), AIO_EVALUE);
    options.job = &job;
    job.arg_size = 4;
    for (options.chunksize = 1; options.chunksize < 3; options.chunksize++) {
        assert_null(aio_executor_map(pool, square, numbers, 2, &options)); /* 0 is a NULL */
        assert_int_equal(aio_last_failure(), AIO_EVALUE);
    }
    assert_null(aio_executor_map(NULL, square, numbers, 1, NULL));
    assert_int_equal(aio_executor_results_next(NULL, NULL), AIO_EVALUE);
    aio_executor_results_unref(NULL);
}

static void map_of_a_pool_that_was_shut_down_is_refused(void **state)
{
    assert_int_equal(aio_executor_shutdown(pool, AIO_FOREVER, false), 0);
    assert_null(aio_executor_map(pool, square, numbers, 1, NULL));
    assert_int_equal(aio_last_failure(), AIO_ERUNTIME);
}

static void run_short_of_memory(void *arg)
{
    struct point point = {1, 2};
    void *args[] = {&point, &point, &point};
    aio_map_options options = AIO_MAP_OPTIONS_INIT;
    aio_job_options job = AIO_JOB_OPTIONS_INIT;
    aio_executor_results *results;
    aio_executor *threads = aio_thread_pool_new(NULL);
    void *value = NULL;
    int code = 0;

    if (threads == NULL)
        return;
    options.chunksize = 2;
    options.job = &job;
    job.arg_size = sizeof(point);
    job.arg_destroy = count_destroyed;
    job.result_type = &aio_type_owned;
    atomic_store(&destroyed, 0);
    results = aio_executor_map(threads, mirror, args, 3, &options);
    for (int i = 0; results != NULL && i < 3 && code == 0; i++)
        code = aio_executor_results_next(results, &value);
    assert_true(code == 0 || code == AIO_ENOMEM);
    aio_executor_results_unref(results);
    assert_int_equal(aio_executor_shutdown(threads, AIO_FOREVER, false), 0);
    aio_executor_unref(threads);
}

static void map_survives_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) >= 8);
}

/* --- processes --------------------------------------------------------------------------- */

static void map_in_processes_gives_the_same_in_chunks_of_any_size(void **state)
{
    aio_map_options options = AIO_MAP_OPTIONS_INIT;
    aio_job_options job = AIO_JOB_OPTIONS_INIT;

    options.job = &job;
    job.arg_codec = &aio_codec_int;
    job.result_codec = &aio_codec_int;
    for (options.chunksize = 0; options.chunksize <= COUNT + 1; options.chunksize++) {
        aio_executor_results *results = aio_executor_map(pool, square, numbers, COUNT, &options);

        assert_squares(results, 0, COUNT);
        assert_over(results, AIO_ESTOP);
    }
}

static void map_in_processes_sends_structs_in_chunks(void **state)
{
    aio_executor_results *results = map_points(&point_codec);

    assert_int_equal(atomic_load(&destroyed), 3); /* they are sent */
    assert_mirrored(results);
}

static void map_in_processes_fails_with_a_chunk_as_a_whole(void **state)
{
    aio_map_options options = AIO_MAP_OPTIONS_INIT;
    aio_job_options job = AIO_JOB_OPTIONS_INIT;
    aio_executor_results *results;

    options.chunksize = 4;
    options.job = &job;
    job.arg_codec = &aio_codec_int;
    job.result_codec = &aio_codec_int;
    results = aio_executor_map(pool, fail_at_five, numbers, COUNT, &options);
    assert_squares(results, 0, 4);
    assert_int_equal(aio_executor_results_next(results, NULL), AIO_EVALUE);
    assert_string_equal(aio_error_text(AIO_EVALUE), "five");
    aio_executor_results_unref(results);
}

static void map_in_processes_refuses_what_cannot_be_sent(void **state)
{
    aio_map_options options = AIO_MAP_OPTIONS_INIT;

    for (options.chunksize = 1; options.chunksize < 3; options.chunksize++) {
        assert_null(aio_executor_map(pool, square, numbers, COUNT, &options));
        assert_int_equal(aio_last_failure(), AIO_ETYPE);
    }
}

#define IN_THREADS(test)   cmocka_unit_test_setup_teardown(test, setup_threads, teardown)
#define IN_PROCESSES(test) cmocka_unit_test_setup_teardown(test, setup_processes, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        IN_THREADS(map_gives_results_in_the_order_of_the_arguments),
        IN_THREADS(map_waits_for_a_result_that_others_have_overtaken),
        IN_THREADS(map_submits_all_before_the_first_result_is_asked_for),
        IN_THREADS(map_with_a_buffer_takes_arguments_only_as_results_are_asked_for),
        IN_THREADS(map_without_arguments_is_over_at_once),
        IN_THREADS(map_ends_with_the_first_error_and_cancels_the_rest),
        IN_THREADS(map_that_is_dropped_cancels_what_has_not_begun),
        IN_THREADS(map_times_out_from_its_call_on),
        IN_THREADS(map_makes_an_error_of_a_call_that_ends_like_an_iteration),
        IN_THREADS(map_in_chunks_has_a_job_for_each_and_the_same_results),
        IN_THREADS(map_in_chunks_fails_with_a_chunk_as_a_whole),
        IN_THREADS(map_in_chunks_copies_and_destroys_what_options_say),
        IN_THREADS(map_fails_if_the_source_does_and_gives_what_came_before_if_buffered),
        IN_THREADS(map_arguments_are_checked),
        IN_THREADS(map_of_a_pool_that_was_shut_down_is_refused),
        IN_THREADS(map_survives_every_shortage_of_memory),
        IN_PROCESSES(map_in_processes_gives_the_same_in_chunks_of_any_size),
        IN_PROCESSES(map_in_processes_sends_structs_in_chunks),
        IN_PROCESSES(map_in_processes_fails_with_a_chunk_as_a_whole),
        IN_PROCESSES(map_in_processes_refuses_what_cannot_be_sent),
    };

    if (aio_process_worker_main(argc, argv))
        return EXIT_SUCCESS;
    return RUN_TESTS(tests, NULL, NULL);
}
