/* SPDX-License-Identifier: MIT */
/*
 * test_process_job.c - what a job in another process takes and gives (S166)
 *
 * After CPython's test_concurrent_futures: ProcessPoolExecutorTest.
 */
#include "executor/message.h"
#include "executor/place.h"
#include "fiber/sanitize.h"
#include "support/allocation.h"
#include "support/processes.h"

#include <aio/memory.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* --- jobs: they run in a worker --------------------------------------------------------- */

struct point {
    int x, y;
};

static const aio_codec point_codec = AIO_CODEC_STRUCT(struct point);

static int mirror(void *arg, void **ret_result)
{
    struct point *point = arg;
    int x = point->x;

    point->x = point->y;
    point->y = x;
    *ret_result = point;
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

/* --- arguments and results --------------------------------------------------------------- */

static void job_takes_and_gives_plain_structs(void **state)
{
    aio_executor *pool = make_pool(1);
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
    finish_pool(pool);
}

static void job_takes_nothing_and_gives_nothing(void **state)
{
    aio_executor *pool = make_pool(1);
    aio_concurrent_future *fut = aio_executor_submit(pool, give_null, NULL);
    void *value = &fut;

    assert_int_equal(aio_concurrent_future_result(fut, AIO_FOREVER, &value), 0);
    assert_null(value);
    aio_concurrent_future_unref(fut);
    finish_pool(pool);
}

static void job_of_a_registered_function_needs_no_options(void **state)
{
    aio_executor *pool = make_pool(1);

    assert_int_equal(result_of(aio_executor_submit(pool, add_one, (void *)41)), 42);
    finish_pool(pool);
}

static void job_result_is_destroyed_where_it_was_made(void **state)
{
    aio_executor *pool = make_pool(1);
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
    finish_pool(pool);
}

static void job_argument_that_nothing_encodes_is_refused(void **state)
{
    aio_executor *pool = make_pool(1);

    assert_null(aio_executor_submit(pool, give_null, pool));
    assert_int_equal(aio_last_failure(), AIO_ETYPE);
    finish_pool(pool);
}

static void job_result_that_nothing_encodes_is_an_error(void **state)
{
    aio_executor *pool = make_pool(1);
    struct point point = {1, 2};
    aio_job_options options = AIO_JOB_OPTIONS_INIT;

    options.arg_size = sizeof(point);
    assert_fails(aio_executor_submit_with(pool, mirror, &point, &options), AIO_ETYPE,
                 "a result cannot be sent");
    assert_int_equal(result_of(submit(pool, add_one, 1)), 2);
    finish_pool(pool);
}

static void job_function_of_no_program_is_refused(void **state)
{
    aio_executor *pool = make_pool(1);
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_null(aio_executor_submit(pool, (aio_job_fn)(uintptr_t)page, NULL));
    assert_int_equal(aio_last_failure(), AIO_ETYPE);
    (void)munmap(page, 4096);
    finish_pool(pool);
}

static void job_bytes_of_a_hundred_mebibytes_go_both_ways(void **state)
{
    const size_t size = (size_t)(AIO__ON_VALGRIND ? 4 : 100) << 20; /* memcheck is slow at this */
    aio_executor *pool = make_pool(2);
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
    finish_pool(pool);
}

/* --- errors ------------------------------------------------------------------------------ */

static void job_error_comes_back_with_message_and_place(void **state)
{
    aio_executor *pool = make_pool(1);
    aio_concurrent_future *fut = submit(pool, raise_in_it, 7);
    aio_exception *error = NULL;

    assert_int_equal(aio_concurrent_future_exception(fut, AIO_FOREVER, &error), 0);
    assert_int_equal(aio_exception_code(error), AIO_EVALUE);
    assert_string_equal(aio_exception_message(error), "no such image: 7");
    assert_string_equal(aio_exception_function(error), "raise_in_it");
    assert_non_null(strstr(aio_exception_file(error), "test_process_job.c"));
    aio_concurrent_future_unref(fut);
    finish_pool(pool);
}

static void job_error_comes_back_with_its_cause(void **state)
{
    aio_executor *pool = make_pool(1);
    aio_concurrent_future *fut = submit(pool, raise_from_it, 8);
    aio_exception *error = NULL;

    assert_int_equal(aio_concurrent_future_exception(fut, AIO_FOREVER, &error), 0);
    assert_int_equal(aio_exception_code(error), AIO_EKEY);
    assert_string_equal(aio_exception_message(error), "not found");
    error = aio_exception_cause(error);
    assert_int_equal(aio_exception_code(error), AIO_EVALUE);
    assert_string_equal(aio_exception_message(error), "no such image: 8");
    aio_concurrent_future_unref(fut);
    finish_pool(pool);
}

static void job_error_group_comes_back_with_its_members(void **state)
{
    aio_executor *pool = make_pool(1);
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
    finish_pool(pool);
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

/* --- inside ------------------------------------------------------------------------------ */

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
    finish_pool(pool);
}

static void pool_survives_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) >= 6);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(job_takes_and_gives_plain_structs),
        PROCESS_TEST(job_takes_nothing_and_gives_nothing),
        PROCESS_TEST(job_of_a_registered_function_needs_no_options),
        PROCESS_TEST(job_result_is_destroyed_where_it_was_made),
        PROCESS_TEST(job_argument_that_nothing_encodes_is_refused),
        PROCESS_TEST(job_result_that_nothing_encodes_is_an_error),
        PROCESS_TEST(job_function_of_no_program_is_refused),
        PROCESS_TEST(job_bytes_of_a_hundred_mebibytes_go_both_ways),
        PROCESS_TEST(job_error_comes_back_with_message_and_place),
        PROCESS_TEST(job_error_comes_back_with_its_cause),
        PROCESS_TEST(job_error_group_comes_back_with_its_members),
        PROCESS_TEST(error_that_comes_in_pieces_is_at_least_its_code),
        PROCESS_TEST(error_with_very_many_causes_loses_the_last),
        PROCESS_TEST(place_is_found_where_it_was_and_nowhere_else),
        PROCESS_TEST(pool_survives_every_shortage_of_memory),
    };

    if (aio_function_register(&add_one_by_name) < 0)
        return EXIT_FAILURE;
    if (be_worker(argc, argv))
        return EXIT_SUCCESS;
    return RUN_TESTS(tests, make_shared, drop_shared);
}
