/* SPDX-License-Identifier: MIT */
/*
 * children.h - tests of child processes, which are coroutines
 *
 * With real programs, /bin/sh above all. No test waits for a time: those that need a child in some
 * state hold it there with a pipe, or see it from what the child does.
 */
#ifndef TESTS_CHILDREN_H
#define TESTS_CHILDREN_H

#include "support/fixture.h"

#include <aio/aio.h>
#include <string.h>

/* cmocka's setup and teardown of a test, whose state is a fixture on the real clock. Nobody is left
 * behind: no child, and no zombie. With a thread: that waits for a child, where pidfd is not used. */
int children_setup(void **state);
int children_setup_with_thread(void **state);
int children_teardown(void **state);

/* Run a coroutine to its end: what it gave. */
int children_run(struct fixture *f, aio_coro_fn fn);

/* cmocka jumps where an assertion fails, which must not happen out of a coroutine: there we note
 * it and go on, for the test to fail outside. */
extern unsigned children_failures;
void children_expect(bool is_true, const char *file, int line, const char *condition);

#define EXPECT(is_true, text)     children_expect((is_true), __FILE__, __LINE__, (text))
#define expect_true(condition)    EXPECT((condition), #condition)
#define expect_false(condition)   EXPECT(!(condition), "not " #condition)
#define expect_int_equal(a, b)    EXPECT((intmax_t)(a) == (intmax_t)(b), #a " == " #b)
#define expect_null(pointer)      EXPECT((pointer) == NULL, #pointer " == NULL")
#define expect_string_equal(a, b) EXPECT(strcmp((a), (b)) == 0, #a " == " #b)

/* A test that is a coroutine, in_TEST(). */
#define IN_TASK(test)                                                                              \
    static void test(void **state)                                                                 \
    {                                                                                              \
        children_failures = 0;                                                                     \
        assert_int_equal(children_run(*state, in_##test), 0);                                      \
        assert_int_equal(children_failures, 0);                                                    \
    }                                                                                              \
    struct fixture /* takes the semicolon */

/* A table's entries. */
#define CHILDREN_TEST(test) cmocka_unit_test_setup_teardown(test, children_setup, children_teardown)
#define CHILDREN_TEST_WITH_THREAD(test)                                                            \
    {                                                                                              \
#test "_by_thread", test, children_setup_with_thread, children_teardown, NULL              \
    }

/* Run a command line by the shell; NULL, which is noted, if it cannot be started. */
aio_process *start_command(const char *command, const aio_subprocess_options *options);

/* Options: these for the three streams; or its output, piped. */
aio_subprocess_options with_pipes(int std_in, int std_out, int std_err);
aio_subprocess_options with_output(void);

#endif
