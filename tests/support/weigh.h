/* SPDX-License-Identifier: MIT */
/*
 * weigh.h - how many bytes the library holds
 *
 * For tests of what must not grow. What OpenSSL and libuv take for themselves is not counted.
 */
#ifndef TESTS_WEIGH_H
#define TESTS_WEIGH_H

#include <stddef.h>

/* cmocka's setup and teardown: weigh what the library allocates in between, and fail if anything is
 * left. */
int weigh_allocations(void **state);
int check_weight(void **state);

/* Bytes now; and the most since weigh_again(), which gives what they are now. */
size_t weight(void);
size_t weight_peak(void);
size_t weigh_again(void);

#endif
