/* SPDX-License-Identifier: MIT */
/*
 * allocation.h - tests that leak nothing, and survive every shortage of memory
 */
#ifndef TESTS_ALLOCATION_H
#define TESTS_ALLOCATION_H

#include <stddef.h>

/*
 * cmocka's per-test setup and teardown: count what the library allocates in between.
 * The teardown drops an error still travelling in this thread, and fails the test if
 * anything else is left. The setup keeps `state` as it is.
 */
int count_allocations(void **state);
int check_allocations(void **state);

/* Between the two: blocks the library has allocated and not freed, in all threads. */
size_t live_allocations(void);
/* How often it has allocated or moved one. */
size_t made_allocations(void);

/*
 * Call `body` with the first allocation failing, then with the second, and so on,
 * until it runs without any failure. It asserts for itself what must hold when one
 * failed; that it leaks nothing is asserted here. Gives the number of allocations made
 * by the run in which none failed.
 */
size_t with_each_allocation_failing(void (*body)(void *arg), void *arg);

#endif
