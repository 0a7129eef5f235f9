/* SPDX-License-Identifier: MIT */
/*
 * test_log.c - the log handler of the process, and the fallback of runners
 */
#include "base/log.h"

#include "base/memory.h"
#include "base/thread.h"
#include "support/allocation.h"
#include "support/unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct heard {
    int count;
    aio_log_level level;
    char text[4096];
};

static void hear(aio_log_level level, const char *text, void *arg)
{
    struct heard *heard = arg;

    heard->count++;
    heard->level = level;
    (void)snprintf(heard->text, sizeof(heard->text), "%s", text);
    errno = EINVAL;
}

static int silence(void **state)
{
    aio_log_set_handler(NULL, NULL);
    return check_allocations(state);
}

/* Run `body` with standard error in a file; give what it wrote. */
static char *standard_error_of(void (*body)(void), char *buffer, size_t size)
{
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    size_t length;

    assert_non_null(file);
    assert_true(saved >= 0);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    body();
    (void)fflush(stderr);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    rewind(file);
    length = fread(buffer, 1, size - 1, file);
    buffer[length] = '\0';
    (void)fclose(file);
    return buffer;
}

static void report_all_levels(void)
{
    aio__log(AIO_LOG_DEBUG, "debug %d", 1);
    aio__log(AIO_LOG_INFO, "info %d", 2);
    aio__log(AIO_LOG_WARNING, "warning %d", 3);
    aio__log(AIO_LOG_ERROR, "error %d\nof two lines", 4);
}

static void log_reaches_the_handler(void **state)
{
    static struct heard heard;

    memset(&heard, 0, sizeof(heard));
    aio_log_set_handler(hear, &heard);
    aio__log(AIO_LOG_WARNING, "%s was %s", "socket", "left open");
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.level, AIO_LOG_WARNING);
    assert_string_equal(heard.text, "socket was left open");
}

static void log_keeps_errno(void **state)
{
    static struct heard heard;

    aio_log_set_handler(hear, &heard);
    errno = ENOENT;
    aio__log(AIO_LOG_ERROR, "anything");
    assert_int_equal(errno, ENOENT);
}

static void log_gives_long_texts_whole(void **state)
{
    static struct heard heard;
    static char word[3001];

    memset(word, 'w', sizeof(word) - 1);
    aio_log_set_handler(hear, &heard);
    aio__log(AIO_LOG_ERROR, "%s", word);
    assert_string_equal(heard.text, word);
}

static void log_cuts_long_texts_when_memory_is_short(void **state)
{
    static struct heard heard;
    static char word[3001];

    memset(&heard, 0, sizeof(heard));
    memset(word, 'w', sizeof(word) - 1);
    aio_log_set_handler(hear, &heard);
    aio__fail_allocation(1);
    aio__log(AIO_LOG_ERROR, "%s", word);
    assert_true(aio__fail_allocation_happened());
    assert_int_equal(heard.count, 1);
    assert_in_range(strlen(heard.text), 100, 3000);
    assert_memory_equal(heard.text, word, strlen(heard.text));
}

static void log_is_silent_without_a_handler(void **state)
{
    char text[256];

    assert_false(aio__log_heard());
    assert_string_equal(standard_error_of(report_all_levels, text, sizeof(text)), "");
}

static void log_of_an_owned_loop_goes_to_standard_error(void **state)
{
    char text[256];

    aio__log_fallback(true);
    assert_true(aio__log_heard());
    assert_string_equal(standard_error_of(report_all_levels, text, sizeof(text)),
                        "warning 3\nerror 4\nof two lines\n");
    aio__log_fallback(false);
    assert_string_equal(standard_error_of(report_all_levels, text, sizeof(text)), "");
}

static void log_goes_to_the_handler_also_when_a_loop_is_owned(void **state)
{
    static struct heard heard;
    char text[256];

    memset(&heard, 0, sizeof(heard));
    aio__log_fallback(true);
    aio_log_set_handler(hear, &heard);
    assert_string_equal(standard_error_of(report_all_levels, text, sizeof(text)), "");
    assert_int_equal(heard.count, 4);
    aio__log_fallback(false);
}

static void *is_heard_in_a_worker(void *arg)
{
    return aio__log_heard() ? arg : NULL;
}

static void *is_heard_beside_a_hosts_loop(void *arg)
{
    aio__thread()->running = arg; /* never looked into */
    return aio__log_heard() ? arg : NULL;
}

static bool heard_in_thread(void *(*body)(void *))
{
    pthread_t thread;
    void *result;
    char anything;

    assert_int_equal(pthread_create(&thread, NULL, body, &anything), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    return result != NULL;
}

static void log_of_workers_follows_the_owned_loop_and_that_of_guests_does_not(void **state)
{
    assert_false(heard_in_thread(is_heard_in_a_worker));
    aio__log_fallback(true);
    assert_true(heard_in_thread(is_heard_in_a_worker));
    assert_false(heard_in_thread(is_heard_beside_a_hosts_loop));
    aio__log_fallback(false);
    assert_false(heard_in_thread(is_heard_in_a_worker));
}

static void log_fallback_counts_its_owners(void **state)
{
    aio__log_fallback(true);
    aio__log_fallback(true);
    aio__log_fallback(false);
    assert_true(aio__log_heard());
    aio__log_fallback(false);
    assert_false(aio__log_heard());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, silence)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(log_reaches_the_handler),
        TEST(log_keeps_errno),
        TEST(log_gives_long_texts_whole),
        TEST(log_cuts_long_texts_when_memory_is_short),
        TEST(log_is_silent_without_a_handler),
        TEST(log_of_an_owned_loop_goes_to_standard_error),
        TEST(log_goes_to_the_handler_also_when_a_loop_is_owned),
        TEST(log_of_workers_follows_the_owned_loop_and_that_of_guests_does_not),
        TEST(log_fallback_counts_its_owners),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
