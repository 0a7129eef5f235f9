/* SPDX-License-Identifier: MIT */
/*
 * unit.h - cmocka, with the headers it asks for before itself
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
/* clang-format on */

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* main()'s result: cmocka gives a number of failures, of which exit() keeps 8 bits. */
#define RUN_TESTS(tests, setup, teardown)                                                          \
    (cmocka_run_group_tests((tests), (setup), (teardown)) == 0 ? EXIT_SUCCESS : EXIT_FAILURE)

#endif
