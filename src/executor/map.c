/* SPDX-License-Identifier: MIT */
/*
 * map.c - one function for many arguments: Executor.map()
 *
 * A queue of the jobs whose results were not yet asked for, in the order of the arguments (S165).
 * A job is one call, or a chunk of several.
 *
 * Thread: the one that has the results.
 */
#include "executor/chunk.h"
#include "executor/manager.h"
#include "future/future_internal.h"

#include <aio/executor_map.h>
#include <aio/memory.h>
#include <math.h>
#include <string.h>
#include <time.h>

/* A job that was submitted. */
struct ahead {
    struct ahead *next;
    aio_concurrent_future *fut;
};

/* Arguments that are in an array. */
struct array {
    void *const *next;
    size_t left;
};

struct aio_executor_results {
    struct aio__chunk_plan plan;
    aio_source_fn next_arg; /* NULL: there are no more */
    void *source;
    struct array array; /* the source, if that is an array */
    size_t chunksize;
    size_t buffersize; /* 0: no limit */
    double deadline;   /* of the monotonic clock, in seconds */
    struct ahead *first;
    struct ahead **end;
    aio_concurrent_future *current; /* whose results are given; may be NULL */
    struct aio__chunk_reader reader;
    void *args[]; /* of one chunk */
};

static double now(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int next_of_array(void *source, void **ret_arg)
{
    struct array *array = source;

    if (array->left == 0)
        return AIO_ESTOP;
    array->left--;
    *ret_arg = (void *)(uintptr_t)*array->next++;
    return 0;
}

/* --- submitting -------------------------------------------------------------------------- */

static bool is_chunked(const aio_executor_results *results)
{
    return results->chunksize > 1;
}

static void drop_args(const aio_executor_results *results, size_t count)
{
    for (size_t i = 0; i < count && results->plan.job.arg_destroy != NULL; i++)
        results->plan.job.arg_destroy(results->args[i]);
}

/* The arguments of the next job; none if there are no more. 0, or the code of the source. */
static int collect(aio_executor_results *results, size_t *ret_count)
{
    size_t count = 0;
    int err = 0;

    while (results->next_arg != NULL && count < results->chunksize && err == 0) {
        err = results->next_arg(results->source, &results->args[count]);
        count += err == 0;
    }
    if (err < 0)
        results->next_arg = NULL;
    if (err < 0 && err != AIO_ESTOP) {
        drop_args(results, count);
        return err;
    }
    *ret_count = count;
    return 0;
}

static aio_concurrent_future *submit(aio_executor_results *results, size_t count)
{
    const struct aio__chunk_plan *plan = &results->plan;

    if (is_chunked(results))
        return aio__chunk_submit(plan, results->args, count);
    return aio_executor_submit_with(plan->executor, plan->fn, results->args[0], &plan->job);
}

/* Submit one more job. 0, also without any arguments, or a code. */
static int submit_next(aio_executor_results *results, bool *ret_submitted)
{
    struct ahead *ahead;
    size_t count = 0;
    int err = collect(results, &count);

    *ret_submitted = false;
    if (err < 0 || count == 0)
        return err;
    ahead = aio_malloc(sizeof(*ahead));
    if (ahead == NULL) {
        drop_args(results, count);
        return AIO_ENOMEM;
    }
    ahead->next = NULL;
    ahead->fut = submit(results, count);
    if (ahead->fut == NULL) {
        aio_free(ahead);
        return aio_last_failure();
    }
    *results->end = ahead;
    results->end = &ahead->next;
    *ret_submitted = true;
    return 0;
}

static int submit_first(aio_executor_results *results)
{
    bool submitted = true;
    int err = 0;

    for (size_t i = 0; submitted && (results->buffersize == 0 || i < results->buffersize); i++) {
        err = submit_next(results, &submitted);
        if (err < 0)
            break;
    }
    return err;
}

/* --- the end ----------------------------------------------------------------------------- */

static void drop_current(aio_executor_results *results)
{
    aio__chunk_forget(&results->reader);
    aio_concurrent_future_unref(results->current);
    results->current = NULL;
}

static aio_concurrent_future *take_ahead(aio_executor_results *results)
{
    struct ahead *ahead = results->first;
    aio_concurrent_future *fut = ahead->fut;

    results->first = ahead->next;
    if (results->first == NULL)
        results->end = &results->first;
    aio_free(ahead);
    return fut;
}

/* The end: cancel what has not begun. */
static void stop(aio_executor_results *results)
{
    drop_current(results);
    results->next_arg = NULL;
    while (results->first != NULL) {
        aio_concurrent_future *fut = take_ahead(results);

        (void)aio_concurrent_future_cancel(fut);
        aio_concurrent_future_unref(fut);
    }
}

/* The same because of an error, which travels on: callbacks of what is cancelled may raise too. */
static int stop_with(aio_executor_results *results, int code)
{
    aio_exception *error = aio_error_catch(code);

    stop(results);
    code = aio_raise_exception(error);
    aio_exception_unref(error);
    return code;
}

/* --- making ------------------------------------------------------------------------------ */

static int check(const aio_executor *executor, aio_job_fn fn, const aio_map_options *options)
{
    if (executor == NULL)
        return aio__null_future();
    if (options->size < sizeof(*options))
        return aio_raise(AIO_EVALUE, "bad map options");
    if (isnan(options->timeout))
        return aio_raise(AIO_EVALUE, "Invalid timeout: NaN (not a number)");
    return aio__job_options_check(fn, options, options->job); /* the arguments come later */
}

static aio_executor_results *results_new(aio_executor *executor, aio_job_fn fn, size_t chunksize,
                                         const aio_map_options *options)
{
    aio_executor_results *results;

    if (chunksize > SIZE_MAX / 4 / sizeof(void *))
        return NULL;
    results = aio_malloc(sizeof(*results) + chunksize * sizeof(void *));
    if (results == NULL)
        return NULL;
    memset(results, 0, sizeof(*results));
    results->plan.executor = aio_executor_ref(executor);
    results->plan.fn = fn;
    results->plan.job = (aio_job_options)AIO_JOB_OPTIONS_INIT;
    if (options->job != NULL)
        results->plan.job = *options->job;
    aio__chunk_plan(&results->plan);
    results->chunksize = chunksize;
    results->buffersize = options->buffersize;
    results->deadline = now() + options->timeout;
    results->end = &results->first;
    return results;
}

/* Engines of others run functions that they know; ours runs a chunk. */
static size_t choose_chunksize(const aio_executor *executor, size_t chunksize)
{
    if (chunksize == 0 || (executor->ops->is_remote && !aio__is_process_pool(executor)))
        return 1;
    return chunksize;
}

/* `source` NULL: the array. */
static aio_executor_results *make(aio_executor *executor, aio_job_fn fn, aio_source_fn next,
                                  void *source, const struct array *array,
                                  const aio_map_options *options)
{
    static const aio_map_options defaults = AIO_MAP_OPTIONS_INIT;
    aio_executor_results *results;
    size_t chunksize;
    int err;

    if (options == NULL)
        options = &defaults;
    err = check(executor, fn, options);
    if (err < 0)
        return aio__failed(err);
    chunksize = choose_chunksize(executor, options->chunksize);
    if (array != NULL && chunksize > array->left)
        chunksize = array->left > 1 ? array->left : 1;
    results = results_new(executor, fn, chunksize, options);
    if (results == NULL)
        return aio__failed(AIO_ENOMEM);
    if (array != NULL)
        results->array = *array;
    results->next_arg = next;
    results->source = array != NULL ? &results->array : source;
    err = submit_first(results);
    if (err < 0) {
        err = stop_with(results, err);
        aio_executor_results_unref(results);
        return aio__failed(err);
    }
    return results;
}

aio_executor_results *aio_executor_map(aio_executor *executor, aio_job_fn fn, void *const *args,
                                       size_t count, const aio_map_options *options)
{
    const struct array array = {args, count};

    if (args == NULL && count != 0)
        return aio__failed(aio_raise(AIO_EVALUE, "no arguments given"));
    return make(executor, fn, next_of_array, NULL, &array, options);
}

aio_executor_results *aio_executor_map_from(aio_executor *executor, aio_job_fn fn,
                                            aio_source_fn next, void *source,
                                            const aio_map_options *options)
{
    if (next == NULL)
        return aio__failed(aio_raise(AIO_EVALUE, "no source of arguments given"));
    return make(executor, fn, next, source, NULL, options);
}

/* --- results ----------------------------------------------------------------------------- */

/* Wait for the next job. */
static int advance(aio_executor_results *results, void **ret_value)
{
    bool submitted;
    int err = results->buffersize == 0 ? 0 : submit_next(results, &submitted);

    if (err < 0)
        return err;
    if (results->first == NULL)
        return AIO_ESTOP;
    results->current = take_ahead(results);
    err = aio_concurrent_future_result(results->current, results->deadline - now(), ret_value);
    if (err < 0)
        (void)aio_concurrent_future_cancel(results->current);
    /* As in Python, where this would look like the end of the iteration. */
    return err == AIO_ESTOP ? aio_raise(AIO_ERUNTIME, "a call raised StopIteration") : err;
}

static int next_result(aio_executor_results *results, void **ret_value)
{
    int err;

    if (!is_chunked(results)) {
        drop_current(results);
        return advance(results, ret_value);
    }
    while (true) {
        err = results->current == NULL ? AIO_ESTOP : aio__chunk_next(&results->reader, ret_value);
        if (err != AIO_ESTOP)
            return err;
        drop_current(results);
        results->reader = (struct aio__chunk_reader){.plan = &results->plan};
        err = advance(results, &results->reader.value);
        if (err < 0)
            return err;
    }
}

int aio_executor_results_next(aio_executor_results *results, void **ret_value)
{
    void *value = NULL;
    int err;

    if (results == NULL)
        return aio__null_future();
    err = next_result(results, &value);
    if (err < 0)
        return err == AIO_ESTOP ? AIO_ESTOP : stop_with(results, err);
    if (ret_value != NULL)
        *ret_value = value;
    return 0;
}

void aio_executor_results_unref(aio_executor_results *results)
{
    if (results == NULL)
        return;
    stop(results);
    aio_executor_unref(results->plan.executor);
    aio_free(results);
}
