/* SPDX-License-Identifier: MIT */
/*
 * cmocka.h - as much of cmocka as the tests of fibers use, for processors it is not
 * installed for
 *
 * Stands in for <cmocka.h> where a test is cross-compiled and run under an emulator. The
 * first assertion that fails ends the program.
 */
#ifndef TESTS_CROSS_CMOCKA_H
#define TESTS_CROSS_CMOCKA_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*test)(void **state);
    int (*set_up)(void **state);
    int (*tear_down)(void **state);
};

#define cmocka_unit_test(name) cmocka_unit_test_setup_teardown(name, NULL, NULL)
#define cmocka_unit_test_setup_teardown(name, set_up, tear_down)                                   \
    {                                                                                              \
#name, name, set_up, tear_down                                                             \
    }

static jmp_buf cmocka_skipped;

/* To be called on the thread's own stack, not on a fiber. */
static inline void skip(void)
{
    longjmp(cmocka_skipped, 1);
}

static inline void cmocka_assert(bool holds, const char *what, const char *file, int line)
{
    if (holds)
        return;
    printf("%s:%d: %s does not hold\n", file, line, what);
    exit(EXIT_FAILURE);
}

#define assert_true(condition)        cmocka_assert((condition), #condition, __FILE__, __LINE__)
#define assert_false(condition)       assert_true(!(condition))
#define assert_null(pointer)          assert_true((pointer) == NULL)
#define assert_non_null(pointer)      assert_true((pointer) != NULL)
#define assert_int_equal(a, b)        assert_true((uintmax_t)(a) == (uintmax_t)(b))
#define assert_int_not_equal(a, b)    assert_true((uintmax_t)(a) != (uintmax_t)(b))
#define assert_ptr_equal(a, b)        assert_true((const void *)(a) == (const void *)(b))
#define assert_ptr_not_equal(a, b)    assert_true((const void *)(a) != (const void *)(b))
#define assert_string_equal(a, b)     assert_true(strcmp((a), (b)) == 0)
#define assert_in_range(a, low, high) assert_true((a) >= (low) && (a) <= (high))
#define print_error(...)              printf(__VA_ARGS__)

static inline int cmocka_run_one(const struct CMUnitTest *test)
{
    void *state = NULL;

    printf("%s\n", test->name);
    if (test->set_up != NULL && test->set_up(&state) != 0)
        return 1;
    if (setjmp(cmocka_skipped) == 0)
        test->test(&state);
    else
        printf("  skipped\n");
    return test->tear_down != NULL && test->tear_down(&state) != 0;
}

static inline int cmocka_run_tests(const struct CMUnitTest *tests, size_t count)
{
    int failed = 0;

    for (size_t i = 0; i < count; i++)
        failed += cmocka_run_one(&tests[i]);
    return failed;
}

#define cmocka_run_group_tests(tests, set_up, tear_down)                                           \
    cmocka_run_tests((tests), sizeof(tests) / sizeof((tests)[0]))

#endif
