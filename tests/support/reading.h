/* SPDX-License-Identifier: MIT */
/*
 * reading.h - tasks that read from a stream's reader, in every way there is, and note what they get
 *
 * A test's state is a fixture, whose subject is a reader that the test feeds.
 */
#ifndef TESTS_READING_H
#define TESTS_READING_H

#include "support/fixture.h"

#include <aio/stream.h>

enum { READING_LIMIT = 8, READING_COUNT = 8 };

/* cmocka's, and a table's entry. */
int reading_setup(void **state);
int reading_teardown(void **state);
#define READING_TEST(test) cmocka_unit_test_setup_teardown(test, reading_setup, reading_teardown)

/* Feed the reader. */
void reading_feed(struct fixture *f, const char *text);

/* Coroutines of the fixture: each notes the name of the read, then how many bytes, and which, or the
 * error. Those that say no number want at most 100, up to 4 into memory. */
int reading_read_some(void *arg, void **ret_result);
int reading_read_all(void *arg, void **ret_result);
int reading_readline(void *arg, void **ret_result);
int reading_readuntil(void *arg, void **ret_result);
int reading_read_four_exactly(void *arg, void **ret_result);
int reading_read_into(void *arg, void **ret_result);
int reading_read_into_to_the_end(void *arg, void **ret_result);
int reading_read_ten_exactly_into(void *arg, void **ret_result);
int reading_peek_four(void *arg, void **ret_result);

/* Every read there is, and the name it notes. */
struct reading {
    aio_coro_fn fn;
    const char *name;
};
extern const struct reading reading_all[READING_COUNT];

#endif
