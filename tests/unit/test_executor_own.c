/* SPDX-License-Identifier: MIT */
/*
 * test_executor_own.c - an executor of one's own: a table of functions, and jobs to keep
 */
#include "support/jobs.h"

#include <aio/codec.h>
#include <aio/memory.h>

static char A[] = "A", OK[] = "OK";

/* Keeps a job until it is told to run it. */
struct keeper {
    aio_executor base;
    aio_job *job;
    bool refuses;
};

static int keep(aio_executor *executor, aio_job *job)
{
    struct keeper *keeper = (struct keeper *)executor;

    if (keeper->refuses)
        return aio_raise(AIO_EBROKENEXECUTOR, "full");
    keeper->job = job;
    return 0;
}

static int shut_keeper(aio_executor *executor, double timeout, bool cancel_futures)
{
    return 0;
}

static void free_keeper(aio_executor *executor)
{
    count_destroyed(executor);
}

static const aio_executor_ops keeper_ops = {
    .size = sizeof(keeper_ops),
    .name = "Keeper",
    .submit = keep,
    .shutdown = shut_keeper,
    .destroy = free_keeper,
};

static const aio_executor_ops remote_ops = {
    .size = sizeof(remote_ops),
    .name = "RemoteKeeper",
    .is_remote = true,
    .submit = keep,
    .shutdown = shut_keeper,
    .destroy = free_keeper,
};

static void custom_executor_runs_a_job_when_it_likes(void **state)
{
    struct fixture *f = *state;
    struct keeper keeper = {.job = NULL};

    aio_executor_init(&keeper.base, &keeper_ops);
    f->subject = &keeper.base;
    (void)fx_spawn(f, "T", run_give_back);
    fx_step(f);
    assert_non_null(keeper.job);
    assert_false(aio_concurrent_future_running(aio_job_future(keeper.job)));
    aio_job_run(keeper.job);
    fx_settle(f);
    fx_assert_trace(f, "T got OK");
    aio_executor_unref(&keeper.base);
    assert_int_equal(count_of_destroyed(), 1);
    f->subject = NULL;
}

static void custom_executor_lets_go_of_a_cancelled_job_by_running_it(void **state)
{
    struct keeper keeper = {.job = NULL};
    aio_concurrent_future *fut;

    aio_executor_init(&keeper.base, &keeper_ops);
    fut = aio_executor_submit(&keeper.base, job_stop, A);
    assert_true(aio_concurrent_future_cancel(fut));
    aio_job_run(keeper.job); /* would not return if it ran */
    aio_concurrent_future_unref(fut);
    aio_executor_unref(&keeper.base);
    assert_int_equal(count_of_destroyed(), 1);
}

static void custom_executor_can_fail_a_job_or_refuse_it(void **state)
{
    struct keeper keeper = {.job = NULL};
    aio_executor_stats stats = AIO_EXECUTOR_STATS_INIT;
    AIO_AUTO(aio_concurrent_future) fut = NULL;

    aio_executor_init(&keeper.base, &keeper_ops);
    fut = aio_executor_submit(&keeper.base, job_give_back, A);
    aio_job_fail(keeper.job, aio_raise(AIO_EVALUE, "lost"));
    assert_int_equal(aio_concurrent_future_result(fut, 0, NULL), AIO_EVALUE);
    keeper.refuses = true;
    assert_null(aio_executor_submit(&keeper.base, job_give_back, A));
    assert_int_equal(aio_concurrent_future_result(NULL, 0, NULL), AIO_EBROKENEXECUTOR);
    assert_int_equal(aio_executor_get_stats(&keeper.base, &stats), AIO_ENOTIMPLEMENTED);
    assert_int_equal(aio_executor_shutdown(&keeper.base, AIO_FOREVER, false), 0);
    aio_executor_unref(&keeper.base);
}

static void custom_executor_hangs_its_data_on_a_job(void **state)
{
    struct keeper keeper = {.job = NULL};
    aio_concurrent_future *fut;

    aio_executor_init(&keeper.base, &keeper_ops);
    fut = aio_executor_submit(&keeper.base, job_give_back, A);
    assert_null(aio_job_data(keeper.job));
    aio_job_set_data(keeper.job, OK, count_destroyed);
    assert_ptr_equal(aio_job_data(keeper.job), OK);
    assert_ptr_equal(aio_job_function(keeper.job), job_give_back);
    aio_job_finish(keeper.job, A, NULL);
    assert_int_equal(count_of_destroyed(), 0);
    aio_concurrent_future_unref(fut);
    aio_executor_unref(&keeper.base);
    assert_int_equal(count_of_destroyed(), 2);
}

struct point {
    int x, y;
};

static const aio_codec point_codec = AIO_CODEC_STRUCT(struct point);

static void remote_executor_gets_bytes_and_gives_bytes(void **state)
{
    struct keeper keeper = {.job = NULL};
    struct point point = {3, 4};
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    aio_concurrent_future *fut;
    void *bytes = NULL;
    void *value = NULL;
    size_t size = 0;

    aio_executor_init(&keeper.base, &remote_ops);
    options.arg_size = sizeof(point);
    options.arg_destroy = count_destroyed;
    options.result_codec = &point_codec;
    fut = aio_executor_submit_with(&keeper.base, job_give_back, &point, &options);
    assert_int_equal(aio_job_encode(keeper.job, &bytes, &size), 0);
    assert_int_equal(count_of_destroyed(), 1); /* what it was made of is over */
    assert_int_equal(size, sizeof(point));
    assert_ptr_equal(aio_job_result_codec(keeper.job), &point_codec);
    aio_job_finish_encoded(keeper.job, bytes, size);
    assert_int_equal(aio_concurrent_future_result(fut, 0, &value), 0);
    assert_memory_equal(value, &point, sizeof(point));
    aio_concurrent_future_unref(fut);
    aio_executor_unref(&keeper.base);
}

static void remote_executor_refuses_an_argument_that_nothing_encodes(void **state)
{
    struct keeper keeper = {.job = NULL};
    aio_concurrent_future *fut;
    void *bytes = NULL;
    size_t size = 0;

    aio_executor_init(&keeper.base, &remote_ops);
    fut = aio_executor_submit(&keeper.base, job_give_back, A);
    assert_int_equal(aio_job_encode(keeper.job, &bytes, &size), AIO_ETYPE);
    aio_job_finish_encoded(keeper.job, aio_strdup("what is this?"), 14);
    assert_int_equal(aio_concurrent_future_result(fut, 0, NULL), AIO_ETYPE);
    aio_concurrent_future_unref(fut);
    aio_executor_unref(&keeper.base);
}

static void remote_executor_is_no_default(void **state)
{
    struct fixture *f = *state;
    struct keeper keeper = {.job = NULL};

    aio_executor_init(&keeper.base, &remote_ops);
    assert_int_equal(aio_loop_set_default_executor(f->loop, &keeper.base), AIO_ETYPE);
    aio_executor_unref(&keeper.base);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        JOB_TEST(custom_executor_runs_a_job_when_it_likes),
        JOB_TEST(custom_executor_lets_go_of_a_cancelled_job_by_running_it),
        JOB_TEST(custom_executor_can_fail_a_job_or_refuse_it),
        JOB_TEST(custom_executor_hangs_its_data_on_a_job),
        JOB_TEST(remote_executor_gets_bytes_and_gives_bytes),
        JOB_TEST(remote_executor_refuses_an_argument_that_nothing_encodes),
        JOB_TEST(remote_executor_is_no_default),
    };

    return RUN_TESTS(tests, limit_threads, NULL);
}
