/* SPDX-License-Identifier: MIT */
/*
 * processes.c - process pools whose workers are the test program itself
 */
#include "support/processes.h"

#include "support/allocation.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHARED_NAME "AIOC_TEST_SHARED" /* in the environment: where the file is */

struct shared *shared;

static void map_shared(void)
{
    int fd = open(getenv(SHARED_NAME), O_RDWR | O_CLOEXEC);

    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
}

bool be_worker(int argc, char **argv)
{
    if (getenv(SHARED_NAME) != NULL)
        map_shared();
    return aio_process_worker_main(argc, argv);
}

int make_shared(void **state)
{
    char path[] = "/tmp/aioc-test-XXXXXX";
    int fd = mkstemp(path);

    if (fd < 0 || ftruncate(fd, sizeof(*shared)) < 0 || setenv(SHARED_NAME, path, 1) < 0)
        return -1;
    close(fd);
    map_shared();
    return shared == MAP_FAILED ? -1 : 0;
}

int drop_shared(void **state)
{
    return unlink(getenv(SHARED_NAME));
}

int set_up_processes(void **state)
{
    memset(shared, 0, sizeof(*shared));
    (void)sem_init(&shared->reached, 1, 0);
    (void)sem_init(&shared->open, 1, 0);
    return count_allocations(state);
}

int tear_down_processes(void **state)
{
    if (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD)
        return -1;
    return check_allocations(state);
}

aio_executor *make_pool(size_t max_workers)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    aio_executor *pool;

    options.max_workers = max_workers;
    pool = aio_process_pool_new(&options);
    assert_non_null(pool);
    return pool;
}

void finish_pool(aio_executor *pool)
{
    assert_int_equal(aio_executor_shutdown(pool, AIO_FOREVER, false), 0);
    aio_executor_unref(pool);
}

aio_executor_stats stats_of(aio_executor *pool)
{
    aio_executor_stats stats = AIO_EXECUTOR_STATS_INIT;

    assert_int_equal(aio_executor_get_stats(pool, &stats), 0);
    return stats;
}

aio_concurrent_future *submit(aio_executor *pool, aio_job_fn fn, intptr_t arg)
{
    aio_job_options options = AIO_JOB_OPTIONS_INIT;

    options.arg_codec = &aio_codec_int;
    options.result_codec = &aio_codec_int;
    return aio_executor_submit_with(pool, fn, (void *)arg, &options);
}

intptr_t result_of(aio_concurrent_future *fut)
{
    void *value = NULL;

    assert_int_equal(aio_concurrent_future_result(fut, AIO_FOREVER, &value), 0);
    aio_concurrent_future_unref(fut);
    return (intptr_t)value;
}

void assert_fails(aio_concurrent_future *fut, int code, const char *text)
{
    assert_int_equal(aio_concurrent_future_result(fut, AIO_FOREVER, NULL), code);
    assert_ptr_equal(strstr(aio_error_text(code), text), aio_error_text(code));
    aio_concurrent_future_unref(fut);
}

int add_one(void *arg, void **ret_result)
{
    *ret_result = (void *)((intptr_t)arg + 1);
    return 0;
}

int tell_pid(void *arg, void **ret_result)
{
    atomic_fetch_add(&shared->runs, 1);
    *ret_result = (void *)(intptr_t)getpid();
    return 0;
}

int stop_at_gate(void *arg, void **ret_result)
{
    (void)sem_post(&shared->reached);
    while (sem_wait(&shared->open) < 0)
        continue;
    *ret_result = arg;
    return 0;
}

const aio_function add_one_by_name = {
    .size = sizeof(aio_function),
    .name = "test.add_one",
    .fn = add_one,
    .arg_codec = &aio_codec_int,
    .result_codec = &aio_codec_int,
};

void reach_gate(int jobs)
{
    while (jobs > 0)
        jobs -= sem_wait(&shared->reached) == 0;
}

void open_gate(int jobs)
{
    while (jobs-- > 0)
        (void)sem_post(&shared->open);
}

/* Under valgrind the link itself leads to that. */
void find_self(char path[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - sizeof("other_worker"));

    assert_true(length > 0);
    path[length] = '\0';
}
