/* SPDX-License-Identifier: MIT */
/*
 * test_process_pool.c - an executor whose jobs run in processes of their own (S166)
 *
 * After CPython's test_concurrent_futures: ProcessPoolExecutorTest, ProcessPoolShutdownTest,
 * InitializerMixin, and the tests of dying workers. The workers are this program. What they and
 * the tests tell each other beside the pool is in a file that all have mapped.
 */
#include "base/memory.h"
#include "executor/manager.h"
#include "fiber/sanitize.h"
#include "support/allocation.h"
#include "support/child.h"
#include "support/unit.h"

#include <aio/executor_map.h>
#include <aio/log.h>
#include <aio/memory.h>
#include <aio/process_pool.h>
#include <aio/runner.h>
#include <aio/thread_pool.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHARED_NAME "AIOC_TEST_SHARED"
#define FORGETFUL   "--forgetful"
#define LEAVING     "--leaving"
#define LAZY_NAME   "AIOC_TEST_LAZY" /* in the environment of workers that never begin */

struct shared {
    sem_t reached; /* by each job that stops there */
    sem_t open;    /* for one each time */
    atomic_int initialized;
    atomic_int destroyed;
    atomic_int runs;
};

static struct shared *shared;

static void map_shared(void)
{
    int fd = open(getenv(SHARED_NAME), O_RDWR | O_CLOEXEC);

    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
}

static int make_shared(void **state)
{
    char path[] = "/tmp/aioc-test-XXXXXX";
    int fd = mkstemp(path);

    if (fd < 0 || ftruncate(fd, sizeof(*shared)) < 0 || setenv(SHARED_NAME, path, 1) < 0)
        return -1;
    close(fd);
    map_shared();
    return shared == MAP_FAILED ? -1 : 0;
}

static int drop_shared(void **state)
{
    return unlink(getenv(SHARED_NAME));
}

static int setup(void **state)
{
    memset(shared, 0, sizeof(*shared));
    (void)sem_init(&shared->reached, 1, 0);
    (void)sem_init(&shared->open, 1, 0);
    return count_allocations(state);
}

/* No test leaves a process behind, running or ended. */
static int teardown(void **state)
{
    if (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD)
        return -1;
    return check_allocations(state);
}

/* --- jobs: they run in a worker --------------------------------------------------------- */

struct point {
    int x, y;
};

static const aio_codec point_codec = AIO_CODEC_STRUCT(struct point);

static int add_one(void *arg, void **ret_result)
{
    *ret_result = (void *)((intptr_t)arg + 1);
    return 0;
}

static int mirror(void *arg, void **ret_result)
{
    struct point *point = arg;
    int x = point->x;

    point->x = point->y;
    point->y = x;
    *ret_result = point;
    return 0;
}

static int tell_pid(void *arg, void **ret_result)
{
    atomic_fetch_add(&shared->runs, 1);
    *ret_result = (void *)(intptr_t)getpid();
    return 0;
}

static int stop_at_gate(void *arg, void **ret_result)
{
    (void)sem_post(&shared->reached);
    while (sem_wait(&shared->open) < 0)
        continue;
    *ret_result = arg;
    return 0;
}

static int raise_in_it(void *arg, void **ret_result)
{
    return aio_raise(AIO_EVALUE, "no such image: %d", (int)(intptr_t)arg);
}

static int raise_from_it(void *arg, void **ret_result)
{
    int code = raise_in_it(arg, ret_result);
    aio_exception *cause = aio_error_catch(code);

    code = aio_raise_from(cause, AIO_EKEY, "not found");
    aio_exception_unref(cause);
    return code;
}

static int raise_group(void *arg, void **ret_result)
{
    aio_exception *members[] = {aio_exception_new(AIO_EVALUE, "first"),
                                aio_exception_new(-ENOENT, NULL)};
    aio_exception *group = aio_exception_group_new("both", members, 2);
    int code = aio_raise_exception(group);

    aio_exception_unref(group);
    aio_exception_unref(members[0]);
    aio_exception_unref(members[1]);
    return code;
}

static int crash(void *arg, void **ret_result)
{
    return raise(SIGKILL);
}

static int leave(void *arg, void **ret_result)
{
    _exit((int)(intptr_t)arg);
}

/* The socket to the pool, too. */
static int close_everything(void *arg, void **ret_result)
{
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    return 0;
}

static int copy_text(void *arg, void **ret_result)
{
    *ret_result = aio_strdup(arg);
    return *ret_result == NULL ? AIO_ENOMEM : 0;
}

static void destroy_text(void *text)
{
    atomic_fetch_add(&shared->destroyed, 1);
    aio_free(text);
}

static const aio_type counted_text = {.destroy = destroy_text};

/* How many descriptors are open, but for the one that looks. */
static int count_descriptors(void *arg, void **ret_result)
{
    DIR *folder = opendir("/proc/self/fd");
    intptr_t count = -3; /* ".", ".." and the folder */

    while (readdir(folder) != NULL)
        count++;
    (void)closedir(folder);
    *ret_result = (void *)count;
    return 0;
}

static int fill(void *arg, void **ret_result)
{
    const aio_buffer *buffer = arg;
    static aio_buffer result;
    unsigned char *bytes = malloc(buffer->size);

    if (bytes == NULL)
        return AIO_ENOMEM;
    for (size_t i = 0; i < buffer->size; i++)
        bytes[i] = ((const unsigned char *)buffer->data)[i] ^ 0xff;
    result = (aio_buffer){bytes, buffer->size};
    *ret_result = &result;
    return 0;
}

static void free_filled(void *value)
{
    free((void *)(uintptr_t)((aio_buffer *)value)->data);
}

static const aio_type filled = {.destroy = free_filled};

static int give_null(void *arg, void **ret_result)
{
    return arg == NULL ? 0 : AIO_EVALUE;
}

static const aio_function registered = {
    .size = sizeof(aio_function),
    .name = "test.add_one",
    .fn = add_one,
    .arg_codec = &aio_codec_int,
    .result_codec = &aio_codec_int,
};

/* --- what tests have in common ----------------------------------------------------------- */

static aio_executor *make(size_t max_workers)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    aio_executor *pool;

    options.max_workers = max_workers;
    pool = aio_process_pool_new(&options);
    assert_non_null(pool);
    return pool;
}

static void finish(aio_executor *pool)
{
    assert_int_equal(aio_executor_shutdown(pool, AIO_FOREVER, false), 0);
    aio_executor_unref(pool);
}

static aio_concurrent_future *submit(aio_executor *pool, aio_job_fn fn, intptr_t arg)
{
    aio_job_options options = AIO_JOB_OPTIONS_INIT;

    options.arg_codec = &aio_codec_int;
    options.result_codec = &aio_codec_int;
    return aio_executor_submit_with(pool, fn, (void *)arg, &options);
}

/* The number that a job gives; drops the future. */
static intptr_t result_of(aio_concurrent_future *fut)
{
    void *value = NULL;

    assert_int_equal(aio_concurrent_future_result(fut, AIO_FOREVER, &value), 0);
    aio_concurrent_future_unref(fut);
    return (intptr_t)value;
}

/* That a job ends with a code, and a message that begins so; drops the future. */
static void assert_fails(aio_concurrent_future *fut, int code, const char *text)
{
    assert_int_equal(aio_concurrent_future_result(fut, AIO_FOREVER, NULL), code);
    assert_ptr_equal(strstr(aio_error_text(code), text), aio_error_text(code));
    aio_concurrent_future_unref(fut);
}

static aio_executor_stats stats_of(aio_executor *pool)
{
    aio_executor_stats stats = AIO_EXECUTOR_STATS_INIT;

    assert_int_equal(aio_executor_get_stats(pool, &stats), 0);
    return stats;
}

static void reach_gate(int jobs)
{
    while (jobs > 0)
        jobs -= sem_wait(&shared->reached) == 0;
}

static void open_gate(int jobs)
{
    while (jobs-- > 0)
        (void)sem_post(&shared->open);
}

static void wait_until_broken(aio_executor *pool)
{
    aio_concurrent_future *fut;

    while ((fut = submit(pool, add_one, 0)) != NULL) {
        aio_concurrent_future_unref(fut);
        sched_yield();
    }
    assert_int_equal(aio_last_failure(), AIO_EBROKENPROCESSPOOL);
}

/* --- results and errors ------------------------------------------------------------------ */

static void pool_runs_a_job_in_another_process(void **state)
{
    aio_executor *pool = make(1);
    intptr_t pid = result_of(submit(pool, tell_pid, 0));

    assert_true(pid > 1);
    assert_int_not_equal(pid, getpid());
    assert_int_equal(result_of(submit(pool, tell_pid, 0)), pid);
    finish(pool);
}

static void job_takes_and_gives_plain_structs(void **state)
{
    aio_executor *pool = make(1);
    struct point point = {3, 4};
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    aio_concurrent_future *fut;
    void *value = NULL;

    options.arg_size = sizeof(point);
    options.result_codec = &point_codec;
    fut = aio_executor_submit_with(pool, mirror, &point, &options);
    point.x = 99; /* sent already */
    assert_int_equal(aio_concurrent_future_result(fut, AIO_FOREVER, &value), 0);
    assert_int_equal(((struct point *)value)->x, 4);
    assert_int_equal(((struct point *)value)->y, 3);
    aio_concurrent_future_unref(fut);
    finish(pool);
}

static void job_takes_nothing_and_gives_nothing(void **state)
{
    aio_executor *pool = make(1);
    aio_concurrent_future *fut = aio_executor_submit(pool, give_null, NULL);
    void *value = &fut;

    assert_int_equal(aio_concurrent_future_result(fut, AIO_FOREVER, &value), 0);
    assert_null(value);
    aio_concurrent_future_unref(fut);
    finish(pool);
}

static void job_of_a_registered_function_needs_no_options(void **state)
{
    aio_executor *pool = make(1);

    assert_int_equal(result_of(aio_executor_submit(pool, add_one, (void *)41)), 42);
    finish(pool);
}

static void job_result_is_destroyed_where_it_was_made(void **state)
{
    aio_executor *pool = make(1);
    char text[] = "text";
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    aio_concurrent_future *fut;
    void *value = NULL;

    options.arg_codec = &aio_codec_string;
    options.result_codec = &aio_codec_string;
    options.result_type = &counted_text;
    fut = aio_executor_submit_with(pool, copy_text, text, &options);
    assert_int_equal(aio_concurrent_future_result(fut, AIO_FOREVER, &value), 0);
    assert_string_equal(value, "text");
    assert_int_equal(atomic_load(&shared->destroyed), 1);
    aio_concurrent_future_unref(fut);
    assert_int_equal(atomic_load(&shared->destroyed), 1);
    finish(pool);
}

static void job_argument_that_nothing_encodes_is_refused(void **state)
{
    aio_executor *pool = make(1);

    assert_null(aio_executor_submit(pool, give_null, pool));
    assert_int_equal(aio_last_failure(), AIO_ETYPE);
    finish(pool);
}

static void job_result_that_nothing_encodes_is_an_error(void **state)
{
    aio_executor *pool = make(1);
    struct point point = {1, 2};
    aio_job_options options = AIO_JOB_OPTIONS_INIT;

    options.arg_size = sizeof(point);
    assert_fails(aio_executor_submit_with(pool, mirror, &point, &options), AIO_ETYPE,
                 "a result cannot be sent");
    assert_int_equal(result_of(submit(pool, add_one, 1)), 2);
    finish(pool);
}

static void job_function_of_no_program_is_refused(void **state)
{
    aio_executor *pool = make(1);
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_null(aio_executor_submit(pool, (aio_job_fn)(uintptr_t)page, NULL));
    assert_int_equal(aio_last_failure(), AIO_ETYPE);
    (void)munmap(page, 4096);
    finish(pool);
}

static void job_error_comes_back_with_message_and_place(void **state)
{
    aio_executor *pool = make(1);
    aio_concurrent_future *fut = submit(pool, raise_in_it, 7);
    aio_exception *error = NULL;

    assert_int_equal(aio_concurrent_future_exception(fut, AIO_FOREVER, &error), 0);
    assert_int_equal(aio_exception_code(error), AIO_EVALUE);
    assert_string_equal(aio_exception_message(error), "no such image: 7");
    assert_string_equal(aio_exception_function(error), "raise_in_it");
    assert_non_null(strstr(aio_exception_file(error), "test_process_pool.c"));
    aio_concurrent_future_unref(fut);
    finish(pool);
}

static void job_error_comes_back_with_its_cause(void **state)
{
    aio_executor *pool = make(1);
    aio_concurrent_future *fut = submit(pool, raise_from_it, 8);
    aio_exception *error = NULL;

    assert_int_equal(aio_concurrent_future_exception(fut, AIO_FOREVER, &error), 0);
    assert_int_equal(aio_exception_code(error), AIO_EKEY);
    assert_string_equal(aio_exception_message(error), "not found");
    error = aio_exception_cause(error);
    assert_int_equal(aio_exception_code(error), AIO_EVALUE);
    assert_string_equal(aio_exception_message(error), "no such image: 8");
    aio_concurrent_future_unref(fut);
    finish(pool);
}

static void job_error_group_comes_back_with_its_members(void **state)
{
    aio_executor *pool = make(1);
    aio_concurrent_future *fut = submit(pool, raise_group, 0);
    aio_exception *error = NULL;

    assert_int_equal(aio_concurrent_future_exception(fut, AIO_FOREVER, &error), 0);
    assert_int_equal(aio_exception_code(error), AIO_EGROUP);
    assert_string_equal(aio_exception_message(error), "both");
    assert_int_equal(aio_exception_member_count(error), 2);
    assert_string_equal(aio_exception_message(aio_exception_member(error, 0)), "first");
    assert_int_equal(aio_exception_code(aio_exception_member(error, 1)), -ENOENT);
    assert_null(aio_exception_message(aio_exception_member(error, 1)));
    aio_concurrent_future_unref(fut);
    finish(pool);
}

/* Each with the one before as its cause. */
static aio_exception *make_chain(int length)
{
    aio_exception *error = aio_exception_new(AIO_EVALUE, "the first");

    for (int i = 1; i < length; i++) {
        int code = aio_raise_from(error, AIO_EKEY, "number %d", i);

        aio_exception_unref(error);
        error = aio_error_catch(code);
    }
    return error;
}

static void error_that_comes_in_pieces_is_at_least_its_code(void **state)
{
    aio_exception *error = make_chain(3);
    void *bytes = NULL;
    size_t size = 0;

    assert_int_equal(aio__error_pack(error, &bytes, &size), 0);
    for (size_t cut = 0; cut < size; cut++) {
        aio_exception *part = aio__error_unpack(AIO_EKEY, bytes, cut);

        assert_int_equal(aio_exception_code(part), AIO_EKEY);
        aio_exception_unref(part);
    }
    for (size_t i = 0; i < size; i++) {
        aio_exception *changed;

        ((unsigned char *)bytes)[i] ^= 0xff;
        changed = aio__error_unpack(AIO_EKEY, bytes, size);
        assert_true(aio_exception_code(changed) < 0);
        aio_exception_unref(changed);
        ((unsigned char *)bytes)[i] ^= 0xff;
    }
    aio_free(bytes);
    aio_exception_unref(error);
}

static void error_with_very_many_causes_loses_the_last(void **state)
{
    aio_exception *error = make_chain(1000);
    aio_exception *copy;
    void *bytes = NULL;
    size_t size = 0;
    int depth = 0;

    assert_int_equal(aio__error_pack(error, &bytes, &size), 0);
    copy = aio__error_unpack(AIO_EKEY, bytes, size);
    assert_string_equal(aio_exception_message(copy), "number 999");
    for (aio_exception *cause = copy; cause != NULL; cause = aio_exception_cause(cause))
        depth++;
    assert_int_equal(depth, 33);
    aio_exception_unref(copy);
    aio_free(bytes);
    aio_exception_unref(error);
}

static void place_is_found_where_it_was_and_nowhere_else(void **state)
{
    struct aio__place place = {AIO__PLACE_NULL, 0};
    void *found = NULL;

    assert_true(aio__place_of(&point_codec, &place));
    assert_true(aio__place_find(place, false, &found));
    assert_ptr_equal(found, &point_codec);
    assert_false(aio__place_find(place, true, &found)); /* it is no code */
    place.module++;
    assert_false(aio__place_find(place, false, &found));
    place.module--;
    place.offset += (uint64_t)1 << 40;
    assert_false(aio__place_find(place, false, &found));
    assert_true(aio__place_of(NULL, &place));
    assert_true(aio__place_find(place, true, &found));
    assert_null(found);
    assert_false(aio__place_of(&place, &place)); /* on the stack */
}

static void job_bytes_of_a_hundred_mebibytes_go_both_ways(void **state)
{
    const size_t size = (size_t)(AIO__ON_VALGRIND ? 4 : 100) << 20; /* memcheck is slow at this */
    aio_executor *pool = make(2);
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    unsigned char *bytes = calloc(1, size);
    const aio_buffer arg = {bytes, size};
    aio_concurrent_future *futs[2];

    options.arg_codec = &aio_codec_bytes;
    options.result_codec = &aio_codec_bytes;
    options.result_type = &filled;
    for (int i = 0; i < 2; i++)
        futs[i] = aio_executor_submit_with(pool, fill, (void *)(uintptr_t)&arg, &options);
    for (int i = 0; i < 2; i++) {
        void *value = NULL;
        const aio_buffer *result;

        assert_int_equal(aio_concurrent_future_result(futs[i], AIO_FOREVER, &value), 0);
        result = value;
        assert_int_equal(result->size, size);
        assert_int_equal(((const unsigned char *)result->data)[0], 0xff);
        assert_int_equal(memcmp(result->data, (const char *)result->data + 1, size - 1), 0);
        aio_concurrent_future_unref(futs[i]);
    }
    free(bytes);
    finish(pool);
}

/* --- states and queue -------------------------------------------------------------------- */

/* As the first lines of a program that submits ten to five workers at once show it. */
static void job_that_starts_the_pool_is_running_and_the_others_wait(void **state)
{
    aio_executor *pool = make(1);
    aio_concurrent_future *first = submit(pool, stop_at_gate, 1);
    aio_concurrent_future *second;

    assert_true(aio_concurrent_future_running(first));
    second = submit(pool, stop_at_gate, 2);
    reach_gate(1);
    assert_false(aio_concurrent_future_running(second));
    assert_int_equal(stats_of(pool).running, 1);
    assert_int_equal(stats_of(pool).queued, 1);
    open_gate(2);
    assert_int_equal(result_of(first), 1);
    assert_int_equal(result_of(second), 2);
    assert_int_equal(stats_of(pool).completed, 2);
    finish(pool);
}

static void pool_starts_a_worker_only_when_none_is_idle(void **state)
{
    aio_executor *pool = make(3);

    assert_int_equal(stats_of(pool).workers, 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(result_of(submit(pool, add_one, i)), i + 1);
    assert_int_equal(stats_of(pool).workers, 1);
    finish(pool);
}

static void pool_starts_no_more_workers_than_it_may(void **state)
{
    aio_executor *pool = make(2);
    aio_concurrent_future *futs[4];

    for (int i = 0; i < 4; i++)
        futs[i] = submit(pool, stop_at_gate, i);
    reach_gate(2);
    assert_int_equal(stats_of(pool).workers, 2);
    assert_int_equal(stats_of(pool).queued, 2);
    open_gate(4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(result_of(futs[i]), i);
    finish(pool);
}

static void job_cancelled_before_it_begins_is_never_run(void **state)
{
    aio_executor *pool = make(1);
    aio_concurrent_future *running = submit(pool, stop_at_gate, 0);
    aio_concurrent_future *queued = submit(pool, tell_pid, 0);

    reach_gate(1);
    assert_true(aio_concurrent_future_cancel(queued));
    assert_false(aio_concurrent_future_cancel(running));
    assert_int_equal(stats_of(pool).queued, 0);
    assert_int_equal(stats_of(pool).cancelled, 1);
    open_gate(1);
    assert_int_equal(result_of(running), 0);
    aio_concurrent_future_unref(queued);
    finish(pool);
    assert_int_equal(atomic_load(&shared->runs), 0);
}

static void worker_is_replaced_after_so_many_jobs(void **state)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    aio_executor *pool;
    intptr_t pids[6];

    options.max_workers = 1;
    options.max_tasks_per_child = 2;
    pool = aio_process_pool_new(&options);
    for (int i = 0; i < 6; i++)
        pids[i] = result_of(submit(pool, tell_pid, 0));
    for (int i = 0; i < 6; i += 2) {
        assert_int_equal(pids[i], pids[i + 1]);
        assert_true(i == 0 || pids[i] != pids[i - 1]);
    }
    finish(pool);
}

/* --- what a worker has ------------------------------------------------------------------- */

static void worker_has_no_descriptor_of_the_program(void **state)
{
    aio_executor *pool = make(2);
    int fds[2];

    assert_int_equal(pipe(fds), 0); /* not marked to be closed by exec */
    assert_int_equal(result_of(submit(pool, count_descriptors, 0)), 4);
    assert_int_equal(result_of(submit(pool, count_descriptors, 0)), 4);
    close(fds[0]);
    close(fds[1]);
    finish(pool);
}

static int read_input(void *arg, void **ret_result)
{
    *ret_result = (void *)(intptr_t)getchar();
    return 0;
}

static void worker_reads_nothing_of_what_is_for_the_program(void **state)
{
    aio_executor *pool = make(1);
    int input = dup(STDIN_FILENO);
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
    assert_int_equal(result_of(submit(pool, read_input, 0)), EOF);
    assert_int_equal(dup2(input, STDIN_FILENO), STDIN_FILENO);
    close(input);
    close(fds[0]);
    close(fds[1]);
    finish(pool);
}

static int blocks_usr1(void *arg, void **ret_result)
{
    sigset_t mask;

    (void)sigprocmask(SIG_SETMASK, NULL, &mask);
    *ret_result = (void *)(intptr_t)(sigismember(&mask, SIGUSR1) * 2 + sigismember(&mask, SIGINT));
    return 0;
}

static void worker_has_the_signal_mask_of_who_started_the_pool(void **state)
{
    aio_executor *pool = make(1);
    aio_concurrent_future *fut;
    sigset_t usr1;

    (void)sigemptyset(&usr1);
    (void)sigaddset(&usr1, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &usr1, NULL);
    fut = submit(pool, blocks_usr1, 0);
    (void)sigprocmask(SIG_UNBLOCK, &usr1, NULL);
    assert_int_equal(result_of(fut), 2);
    finish(pool);
}

static int initialize(void *arg)
{
    const struct point *point = arg;

    atomic_fetch_add(&shared->initialized, point == NULL ? 1 : point->x);
    return 0;
}

static void initializer_runs_once_in_each_worker_before_its_jobs(void **state)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    const struct point point = {.x = 100};
    aio_concurrent_future *futs[2];
    aio_executor *pool;

    options.max_workers = 2;
    options.initializer = initialize;
    options.initarg = &point;
    options.initarg_size = sizeof(point);
    pool = aio_process_pool_new(&options);
    for (int i = 0; i < 2; i++)
        futs[i] = submit(pool, stop_at_gate, i);
    reach_gate(2);
    assert_int_equal(atomic_load(&shared->initialized), 200);
    open_gate(2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(result_of(futs[i]), i);
    finish(pool);
}

static int initialize_text(void *arg)
{
    atomic_fetch_add(&shared->initialized, strcmp(arg, "hello") == 0);
    return 0;
}

static void initializer_argument_may_have_a_codec(void **state)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    aio_executor *pool;

    options.initializer = initialize_text;
    options.initarg = "hello";
    options.initarg_codec = &aio_codec_string;
    pool = aio_process_pool_new(&options);
    assert_int_equal(result_of(submit(pool, add_one, 0)), 1);
    assert_int_equal(atomic_load(&shared->initialized), 1);
    finish(pool);
}

static int fail_to_initialize(void *arg)
{
    reach_gate(1);
    return aio_raise(AIO_EKEY, "no licence");
}

static void keep_log(aio_log_level level, const char *text, void *arg)
{
    (void)snprintf(arg, 128, "%d %s", (int)level, text);
}

static void initializer_that_fails_breaks_the_pool(void **state)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    const char *text = "A process initializer failed, the process pool is not usable anymore";
    aio_concurrent_future *first, *second;
    aio_executor *pool;
    char log[128] = "";

    aio_log_set_handler(keep_log, log);
    options.max_workers = 1;
    options.initializer = fail_to_initialize;
    pool = aio_process_pool_new(&options);
    first = submit(pool, add_one, 0);
    second = submit(pool, add_one, 0);
    (void)sem_post(&shared->reached);
    assert_fails(first, AIO_EBROKENPROCESSPOOL, text);
    assert_fails(second, AIO_EBROKENPROCESSPOOL, text);
    assert_null(submit(pool, add_one, 0));
    assert_int_equal(aio_last_failure(), AIO_EBROKENPROCESSPOOL);
    assert_true(aio_error_is(AIO_EBROKENPROCESSPOOL, AIO_EBROKENEXECUTOR));
    finish(pool);
    aio_log_set_handler(NULL, NULL);
    assert_string_equal(log, "3 Exception in initializer: KeyError: no licence");
}

/* --- workers that end -------------------------------------------------------------------- */

static const char abruptly[] = "A process in the process pool was terminated abruptly while the "
                               "future was running or pending";

static void worker_that_dies_breaks_the_pool_for_all_its_jobs(void **state)
{
    aio_executor *pool = make(2);
    aio_concurrent_future *other = submit(pool, stop_at_gate, 0);
    aio_concurrent_future *dying, *queued[3];

    reach_gate(1);
    dying = submit(pool, crash, 0);
    for (int i = 0; i < 3; i++)
        queued[i] = submit(pool, stop_at_gate, i);
    assert_fails(dying, AIO_EBROKENPROCESSPOOL, abruptly);
    assert_fails(other, AIO_EBROKENPROCESSPOOL, abruptly);
    for (int i = 0; i < 3; i++)
        if (queued[i] != NULL) /* the pool may have broken before */
            assert_fails(queued[i], AIO_EBROKENPROCESSPOOL, abruptly);
    assert_null(submit(pool, add_one, 0));
    assert_int_equal(aio_last_failure(), AIO_EBROKENPROCESSPOOL);
    finish(pool);
}

static void worker_that_dies_is_named_with_its_end(void **state)
{
    aio_executor *pool = make(1);
    aio_concurrent_future *fut = submit(pool, leave, 3);

    assert_int_equal(aio_concurrent_future_result(fut, AIO_FOREVER, NULL), AIO_EBROKENPROCESSPOOL);
    assert_non_null(strstr(aio_error_text(AIO_EBROKENPROCESSPOOL), "exited with status 3"));
    aio_concurrent_future_unref(fut);
    finish(pool);
    pool = make(1);
    fut = submit(pool, crash, 0);
    assert_int_equal(aio_concurrent_future_result(fut, AIO_FOREVER, NULL), AIO_EBROKENPROCESSPOOL);
    assert_non_null(strstr(aio_error_text(AIO_EBROKENPROCESSPOOL), "was killed by signal 9"));
    aio_concurrent_future_unref(fut);
    finish(pool);
}

static void worker_that_dies_without_a_job_breaks_the_pool_as_well(void **state)
{
    aio_executor *pool = make(1);
    pid_t pid = (pid_t)result_of(submit(pool, tell_pid, 0));

    assert_int_equal(kill(pid, SIGKILL), 0);
    while (stats_of(pool).workers != 0)
        sched_yield();
    wait_until_broken(pool);
    finish(pool);
}

static void worker_that_closes_its_socket_is_killed(void **state)
{
    aio_executor *pool = make(1);

    assert_fails(submit(pool, close_everything, 0), AIO_EBROKENPROCESSPOOL, abruptly);
    finish(pool);
}

static int setup_without_pidfd(void **state)
{
    aio__worker_without_pidfd = true;
    return setup(state);
}

static int teardown_without_pidfd(void **state)
{
    aio__worker_without_pidfd = false;
    return teardown(state);
}

static void workers_that_are_terminated_fail_what_they_run(void **state)
{
    int (*const ways[])(aio_executor *) = {aio_process_pool_terminate_workers,
                                           aio_process_pool_kill_workers};

    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        aio_executor *pool = make(1);
        aio_concurrent_future *running = submit(pool, stop_at_gate, 0);
        aio_concurrent_future *queued = submit(pool, stop_at_gate, 0);

        reach_gate(1);
        assert_int_equal(ways[i](pool), 0);
        assert_true(aio_concurrent_future_cancelled(queued));
        assert_fails(running, AIO_EBROKENPROCESSPOOL, abruptly);
        assert_null(submit(pool, add_one, 0));
        aio_concurrent_future_unref(queued);
        finish(pool);
    }
}

static int ignore_sigterm(void *arg)
{
    (void)signal(SIGTERM, SIG_IGN);
    return 0;
}

static void worker_that_ignores_sigterm_is_killed_when_the_pool_breaks(void **state)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    aio_concurrent_future *stubborn, *dying;
    aio_executor *pool;

    options.max_workers = 2;
    options.initializer = ignore_sigterm;
    pool = aio_process_pool_new(&options);
    stubborn = submit(pool, stop_at_gate, 0);
    reach_gate(1);
    dying = submit(pool, crash, 0);
    assert_fails(dying, AIO_EBROKENPROCESSPOOL, abruptly);
    assert_fails(stubborn, AIO_EBROKENPROCESSPOOL, abruptly);
    finish(pool); /* waits for the process */
}

static void terminating_needs_a_process_pool(void **state)
{
    aio_executor *threads = aio_thread_pool_new(NULL);

    assert_int_equal(aio_process_pool_terminate_workers(threads), AIO_ETYPE);
    assert_int_equal(aio_process_pool_kill_workers(threads), AIO_ETYPE);
    aio_executor_unref(threads);
}

static void other_children_are_left_alone(void **state)
{
    aio_executor *pool = make(1);
    pid_t child = fork();
    int status = 0;

    if (child == 0)
        end_child(7);
    assert_int_equal(result_of(submit(pool, add_one, 0)), 1);
    finish(pool);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 7);
}

static void children_that_nobody_waits_for_are_no_problem(void **state)
{
    aio_executor *pool;

    (void)signal(SIGCHLD, SIG_IGN); /* the system waits for all */
    pool = make(1);
    assert_int_equal(result_of(submit(pool, add_one, 0)), 1);
    finish(pool);
    (void)signal(SIGCHLD, SIG_DFL);
}

/* --- another program as the worker ------------------------------------------------------- */

/* Never called here: what stands for it is found by name, in tests/support/other_worker.c. */
static int square_elsewhere(void *arg, void **ret_result)
{
    return aio_raise(AIO_EASSERTION, "this is not the worker");
}

static const aio_function elsewhere = {sizeof(aio_function), "other.square", square_elsewhere,
                                       &aio_codec_int, &aio_codec_int};

/* Where this program is. Under valgrind the link itself leads to that. */
static void find_self(char path[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - sizeof("other_worker"));

    assert_true(length > 0);
    path[length] = '\0';
}

static aio_executor *make_of_other_program(void)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    char path[PATH_MAX];
    aio_executor *pool;

    find_self(path);
    (void)strcpy(strrchr(path, '/') + 1, "other_worker");
    options.worker_program = path;
    options.max_workers = 2;
    pool = aio_process_pool_new(&options);
    assert_non_null(pool);
    return pool;
}

static void other_program_is_the_worker_for_registered_functions(void **state)
{
    aio_executor *pool = make_of_other_program();

    assert_int_equal(result_of(aio_executor_submit(pool, square_elsewhere, (void *)7)), 49);
    finish(pool);
}

static void other_program_works_off_chunks_of_a_map(void **state)
{
    aio_executor *pool = make_of_other_program();
    aio_map_options options = AIO_MAP_OPTIONS_INIT;
    aio_executor_results *results;
    void *numbers[10];
    void *value;

    for (intptr_t i = 0; i < 10; i++)
        numbers[i] = (void *)i;
    options.chunksize = 3;
    results = aio_executor_map(pool, square_elsewhere, numbers, 10, &options);
    for (intptr_t i = 0; i < 10; i++) {
        assert_int_equal(aio_executor_results_next(results, &value), 0);
        assert_int_equal((intptr_t)value, i * i);
    }
    assert_int_equal(aio_executor_results_next(results, &value), AIO_ESTOP);
    aio_executor_results_unref(results);
    finish(pool);
}

static void other_program_without_the_function_says_so(void **state)
{
    aio_executor *pool = make_of_other_program();

    assert_fails(submit(pool, add_one, 0), AIO_ELOOKUP, "a worker process does not find");
    finish(pool);
}

/* --- workers that cannot be had ---------------------------------------------------------- */

static void pool_whose_program_is_not_there_fails_its_jobs(void **state)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    aio_executor *pool;

    if (AIO__ON_VALGRIND)
        skip(); /* its vfork() is a fork(): what fails in the child of posix_spawn() is not heard of */
    options.worker_program = "/nowhere/worker";
    pool = aio_process_pool_new(&options);
    assert_fails(submit(pool, add_one, 0), -ENOENT, "No such file or directory: '/nowhere/worker'");
    assert_fails(submit(pool, add_one, 0), -ENOENT, "No such file or directory: '/nowhere/worker'");
    finish(pool);
}

static void pool_whose_program_is_no_worker_is_broken(void **state)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    aio_executor *pool;

    options.worker_program = "/bin/true";
    pool = aio_process_pool_new(&options);
    assert_fails(submit(pool, add_one, 0), AIO_EBROKENPROCESSPOOL,
                 "A process of the pool ended before it was a worker; its main() has to call "
                 "aio_process_worker_main()");
    finish(pool);
}

static void worker_that_does_not_begin_in_time_is_killed(void **state)
{
    aio_executor *pool = make(1);

    aio__worker_start_limit = 50;
    (void)setenv(LAZY_NAME, "1", 1);
    assert_fails(submit(pool, add_one, 0), AIO_EBROKENPROCESSPOOL,
                 "A process of the pool ended before it was a worker");
    (void)unsetenv(LAZY_NAME);
    aio__worker_start_limit = 60000;
    finish(pool);
}

static void pool_of_a_program_that_cannot_be_a_worker_is_refused(void **state)
{
    char path[PATH_MAX];
    int status = 0;
    pid_t child;

    find_self(path);
    child = fork();
    if (child == 0) {
        (void)execl(path, "forgetful", FORGETFUL, (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int be_forgetful(void)
{
    return aio_process_pool_new(NULL) == NULL && aio_last_failure() == AIO_ERUNTIME ? 0 : 1;
}

static void program_with_the_option_but_no_socket_is_no_worker(void **state)
{
    char name[] = "program", option[] = "--aio-process-worker";
    char *argv[] = {name, option, NULL};
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        close(3);
        end_child(aio_process_worker_main(2, argv) ? 1 : 5);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 5);
}

static void pool_options_are_checked(void **state)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    options.size = 1;
    assert_null(aio_process_pool_new(&options));
    assert_int_equal(aio_last_failure(), AIO_EVALUE);
    options.size = sizeof(options);
    options.initarg_size = 1;
    assert_null(aio_process_pool_new(&options));
    assert_int_equal(aio_last_failure(), AIO_EVALUE);
    options.initarg_size = 0;
    options.initarg = "text";
    assert_null(aio_process_pool_new(&options));
    assert_int_equal(aio_last_failure(), AIO_ETYPE);
    options.initarg = NULL;
    options.initializer = (int (*)(void *))(uintptr_t)page;
    assert_null(aio_process_pool_new(&options));
    assert_int_equal(aio_last_failure(), AIO_ETYPE);
    (void)munmap(page, 4096);
}

/* --- the end ----------------------------------------------------------------------------- */

static void shutdown_runs_what_is_queued_and_waits_for_the_processes(void **state)
{
    aio_executor *pool = make(1);
    aio_concurrent_future *futs[3];

    for (int i = 0; i < 3; i++)
        futs[i] = submit(pool, add_one, i);
    assert_int_equal(aio_executor_shutdown(pool, AIO_FOREVER, false), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(result_of(futs[i]), i + 1);
    assert_null(submit(pool, add_one, 0));
    assert_int_equal(aio_last_failure(), AIO_ERUNTIME);
    assert_int_equal(aio_executor_shutdown(pool, AIO_FOREVER, true), 0);
    aio_executor_unref(pool);
}

static void shutdown_can_cancel_what_is_queued(void **state)
{
    aio_executor *pool = make(1);
    aio_concurrent_future *running = submit(pool, stop_at_gate, 5);
    aio_concurrent_future *queued = submit(pool, stop_at_gate, 0);

    reach_gate(1);
    assert_int_equal(aio_executor_shutdown(pool, 0, true), 0);
    assert_true(aio_concurrent_future_cancelled(queued));
    open_gate(1);
    assert_int_equal(result_of(running), 5);
    aio_concurrent_future_unref(queued);
    finish(pool);
}

static void shutdown_waits_no_longer_than_it_is_told(void **state)
{
    aio_executor *pool = make(1);
    aio_concurrent_future *fut = submit(pool, stop_at_gate, 5);

    reach_gate(1);
    assert_int_equal(aio_executor_shutdown(pool, 0.001, false), AIO_ETIMEDOUT);
    assert_int_equal(aio_executor_shutdown(pool, NAN, false), AIO_EVALUE);
    open_gate(1);
    assert_int_equal(result_of(fut), 5);
    finish(pool);
}

static void shutdown_of_a_pool_that_never_had_a_job_returns_at_once(void **state)
{
    aio_executor *pool = make(0);

    assert_true(stats_of(pool).max_workers >= 1);
    assert_int_equal(stats_of(pool).workers, 0);
    finish(pool);
    aio_executor_unref(make(1));
}

static int shut_down_in_callback(aio_concurrent_future *fut, void *arg)
{
    atomic_store(&shared->runs, -aio_executor_shutdown(arg, AIO_FOREVER, false));
    return 0;
}

static void shutdown_is_not_waited_for_by_a_callback_of_the_pool(void **state)
{
    aio_executor *pool = make(1);
    aio_concurrent_future *fut = submit(pool, stop_at_gate, 0);

    reach_gate(1);
    assert_int_equal(aio_concurrent_future_add_done_callback(fut, shut_down_in_callback, pool), 0);
    open_gate(1);
    assert_int_equal(result_of(fut), 0);
    finish(pool);
    assert_int_equal(atomic_load(&shared->runs), -AIO_ERUNTIME);
}

static void pool_that_is_dropped_still_runs_its_jobs(void **state)
{
    aio_executor *pool = make(1);
    aio_concurrent_future *first = submit(pool, stop_at_gate, 1);
    aio_concurrent_future *second = submit(pool, add_one, 1);
    size_t before;

    aio_executor_unref(pool);
    open_gate(1);
    assert_int_equal(result_of(first), 1);
    before = live_allocations();
    assert_true(before > 0);
    assert_int_equal(result_of(second), 2);
    while (live_allocations() != 0 || waitpid(-1, NULL, WNOHANG) == 0)
        sched_yield();
}

static void child_of_a_fork_is_told_that_the_workers_are_not_its_own(void **state)
{
    aio_executor *pool = make(1);
    pid_t child;
    int status = 0;

    assert_int_equal(result_of(submit(pool, add_one, 0)), 1);
    child = fork();
    if (child == 0) {
        bool refused = submit(pool, add_one, 0) == NULL &&
                       aio_last_failure() == AIO_EBROKENPROCESSPOOL &&
                       aio_executor_shutdown(pool, AIO_FOREVER, true) == 0;

        aio_executor_unref(pool);
        end_child(refused ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(result_of(submit(pool, add_one, 0)), 1);
    finish(pool);
}

static void pool_null_gives_the_failure_behind_it(void **state)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;

    options.size = 0;
    assert_null(aio_process_pool_new(&options));
    assert_int_equal(aio_process_pool_kill_workers(NULL), AIO_EVALUE);
    assert_int_equal(aio_process_pool_terminate_workers(NULL), AIO_EVALUE);
}

/* --- beside a loop, and at the end of the program ---------------------------------------- */

static int await_in_pool(void *arg, void **ret_result)
{
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    aio_future *fut;
    int err;

    options.arg_codec = &aio_codec_int;
    options.result_codec = &aio_codec_int;
    fut = aio_loop_run_in_executor_with(NULL, arg, stop_at_gate, (void *)8, &options);
    err = aio_await(fut, ret_result);
    aio_future_unref(fut);
    return err;
}

static int take_result(void *arg, void **ret_result)
{
    open_gate(1);
    return await_in_pool(arg, ret_result);
}

static void task_waits_for_a_job_in_another_process(void **state)
{
    aio_executor *pool = make(1);
    void *value = NULL;

    assert_int_equal(aio_run(take_result, pool, &value), 0);
    assert_int_equal((intptr_t)value, 8);
    finish(pool);
}

static int cancel_waiter(void *arg, void **ret_result)
{
    aio_task *task = aio_create_task(await_in_pool, arg);
    int err = aio_sleep(0);

    reach_gate(1); /* the job runs */
    (void)aio_task_cancel(task, NULL);
    if (err == 0)
        err = aio_await(task, NULL);
    aio_future_unref(task);
    return err == AIO_ECANCELLED ? 0 : AIO_EASSERTION;
}

/* S163; and the loop is closed by then, with the job still running. */
static void task_that_is_cancelled_goes_on_at_once_and_the_loop_closes(void **state)
{
    aio_executor *pool = make(1);

    assert_int_equal(aio_run(cancel_waiter, pool, NULL), 0);
    assert_int_equal(stats_of(pool).running, 1);
    open_gate(1);
    finish(pool);
}

/* In a program of its own: it ends with a job running, and never waits for it. */
static int leave_with_a_job(void)
{
    aio_executor *pool = aio_process_pool_new(NULL);
    aio_concurrent_future *fut = submit(pool, stop_at_gate, 0);

    reach_gate(1);
    aio_concurrent_future_unref(fut);
    aio_executor_unref(pool);
    return 0;
}

static void program_that_ends_with_a_job_running_is_followed_by_its_workers(void **state)
{
    char path[PATH_MAX];
    pid_t child, worker;
    int status = 0;

    find_self(path);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L), 0);
    child = fork();
    if (child == 0) {
        (void)execl(path, "leaving", LEAVING, (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    open_gate(1);
    worker = waitpid(-1, &status, 0); /* now ours to wait for */
    assert_true(worker > 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0L, 0L, 0L, 0L), 0);
}

/* Whatever cannot be had, each job ends, and the pool too. */
static void run_short_of_memory(void *arg)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    aio_executor *pool;
    aio_concurrent_future *futs[2];

    options.max_workers = 1;
    options.initarg = "x";
    options.initarg_codec = &aio_codec_string;
    pool = aio_process_pool_new(&options);
    if (pool == NULL)
        return;
    futs[0] = submit(pool, add_one, 1);
    futs[1] = submit(pool, raise_from_it, 1);
    for (int i = 0; i < 2; i++) {
        int code = aio_concurrent_future_result(futs[i], AIO_FOREVER, NULL);

        assert_true(code == AIO_ENOMEM || code == (i == 0 ? 0 : AIO_EKEY));
        aio_concurrent_future_unref(futs[i]);
    }
    finish(pool);
}

static void pool_survives_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) >= 6);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define WITHOUT_PIDFD(test)                                                                        \
    cmocka_unit_test_setup_teardown(test, setup_without_pidfd, teardown_without_pidfd)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(pool_runs_a_job_in_another_process),
        TEST(job_takes_and_gives_plain_structs),
        TEST(job_takes_nothing_and_gives_nothing),
        TEST(job_of_a_registered_function_needs_no_options),
        TEST(job_result_is_destroyed_where_it_was_made),
        TEST(job_argument_that_nothing_encodes_is_refused),
        TEST(job_result_that_nothing_encodes_is_an_error),
        TEST(job_function_of_no_program_is_refused),
        TEST(job_error_comes_back_with_message_and_place),
        TEST(job_error_comes_back_with_its_cause),
        TEST(job_error_group_comes_back_with_its_members),
        TEST(error_that_comes_in_pieces_is_at_least_its_code),
        TEST(error_with_very_many_causes_loses_the_last),
        TEST(place_is_found_where_it_was_and_nowhere_else),
        TEST(job_bytes_of_a_hundred_mebibytes_go_both_ways),
        TEST(job_that_starts_the_pool_is_running_and_the_others_wait),
        TEST(pool_starts_a_worker_only_when_none_is_idle),
        TEST(pool_starts_no_more_workers_than_it_may),
        TEST(job_cancelled_before_it_begins_is_never_run),
        TEST(worker_is_replaced_after_so_many_jobs),
        TEST(worker_has_no_descriptor_of_the_program),
        TEST(worker_reads_nothing_of_what_is_for_the_program),
        TEST(worker_has_the_signal_mask_of_who_started_the_pool),
        TEST(initializer_runs_once_in_each_worker_before_its_jobs),
        TEST(initializer_argument_may_have_a_codec),
        TEST(initializer_that_fails_breaks_the_pool),
        TEST(worker_that_dies_breaks_the_pool_for_all_its_jobs),
        TEST(worker_that_dies_is_named_with_its_end),
        TEST(worker_that_dies_without_a_job_breaks_the_pool_as_well),
        TEST(worker_that_closes_its_socket_is_killed),
        TEST(workers_that_are_terminated_fail_what_they_run),
        TEST(worker_that_ignores_sigterm_is_killed_when_the_pool_breaks),
        WITHOUT_PIDFD(worker_is_replaced_after_so_many_jobs),
        WITHOUT_PIDFD(worker_that_dies_breaks_the_pool_for_all_its_jobs),
        WITHOUT_PIDFD(worker_that_dies_is_named_with_its_end),
        WITHOUT_PIDFD(worker_that_dies_without_a_job_breaks_the_pool_as_well),
        WITHOUT_PIDFD(worker_that_closes_its_socket_is_killed),
        WITHOUT_PIDFD(workers_that_are_terminated_fail_what_they_run),
        WITHOUT_PIDFD(worker_that_ignores_sigterm_is_killed_when_the_pool_breaks),
        TEST(terminating_needs_a_process_pool),
        TEST(other_children_are_left_alone),
        TEST(children_that_nobody_waits_for_are_no_problem),
        TEST(other_program_is_the_worker_for_registered_functions),
        TEST(other_program_works_off_chunks_of_a_map),
        TEST(other_program_without_the_function_says_so),
        TEST(pool_whose_program_is_not_there_fails_its_jobs),
        TEST(pool_whose_program_is_no_worker_is_broken),
        TEST(worker_that_does_not_begin_in_time_is_killed),
        TEST(pool_of_a_program_that_cannot_be_a_worker_is_refused),
        TEST(program_with_the_option_but_no_socket_is_no_worker),
        TEST(pool_options_are_checked),
        TEST(shutdown_runs_what_is_queued_and_waits_for_the_processes),
        TEST(shutdown_can_cancel_what_is_queued),
        TEST(shutdown_waits_no_longer_than_it_is_told),
        TEST(shutdown_of_a_pool_that_never_had_a_job_returns_at_once),
        TEST(shutdown_is_not_waited_for_by_a_callback_of_the_pool),
        TEST(pool_that_is_dropped_still_runs_its_jobs),
        TEST(child_of_a_fork_is_told_that_the_workers_are_not_its_own),
        TEST(pool_null_gives_the_failure_behind_it),
        TEST(task_waits_for_a_job_in_another_process),
        TEST(task_that_is_cancelled_goes_on_at_once_and_the_loop_closes),
        TEST(program_that_ends_with_a_job_running_is_followed_by_its_workers),
        TEST(pool_survives_every_shortage_of_memory),
    };

    if (argc == 2 && strcmp(argv[1], FORGETFUL) == 0)
        return be_forgetful();
    while (getenv(LAZY_NAME) != NULL)
        (void)pause();
    if (aio_function_register(&registered) < 0 || aio_function_register(&elsewhere) < 0)
        return EXIT_FAILURE;
    if (getenv(SHARED_NAME) != NULL)
        map_shared();
    if (aio_process_worker_main(argc, argv))
        return EXIT_SUCCESS;
    if (argc == 2 && strcmp(argv[1], LEAVING) == 0)
        return leave_with_a_job();
    return RUN_TESTS(tests, make_shared, drop_shared);
}
