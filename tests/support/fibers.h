/* SPDX-License-Identifier: MIT */
/*
 * fibers.h - a pool of fibers, and what runs on them in tests
 */
#ifndef TESTS_FIBERS_H
#define TESTS_FIBERS_H

#include "fiber/fiber.h"

#include <string.h>
#include <ucontext.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

/* As in the pool: with these sanitizers stacks are four times the size. */
enum { STACK_FACTOR = AIO__ASAN || AIO__TSAN ? 4 : 1 };

/* Whether pages of a stack are touched by what runs on it alone. Sanitizers and valgrind
 * touch some of their own accord, and so does the first entry by ucontext where it takes
 * more than a page. */
#define COUNTS_PAGES                                                                               \
    (!AIO__ASAN && !AIO__TSAN && !AIO__ON_VALGRIND &&                                              \
     (strcmp(aio__fiber_backend(), "asm") == 0 || sizeof(ucontext_t) < KIB))

/* One test's: what a fiber's user is in the functions below. */
struct fibers {
    struct aio__fiber_pool *pool; /* made by the test */
    struct aio__fiber_root root;
    struct aio__fiber *main; /* the test itself */
    size_t use;              /* bytes of stack that use_much_stack() uses */
    unsigned warnings;       /* reports to the log */
    char warning[256];       /* the last of them */
};

/* cmocka's per-test setup and teardown: nothing allocated is left, guards are the real ones. */
int fibers_set_up(void **state);
int fibers_tear_down(void **state);

void fibers_make_pool(struct fibers *f, size_t stack_size, size_t idle_bytes, bool measure);
struct aio__fiber_pool_stats fibers_stats(const struct fibers *f);

/* Take a fiber of the pool's size, or another, with `f` as its user. */
struct aio__fiber *fibers_take(struct fibers *f, aio__fiber_fn fn);
struct aio__fiber *fibers_take_sized(struct fibers *f, size_t size, aio__fiber_fn fn);

/* What can run on a fiber: goes back to the test without giving its fiber back; */
struct aio__fiber *return_main(struct aio__fiber *self);
/* gives it back; */
struct aio__fiber *give_and_return(struct aio__fiber *self);
/* goes back half way first; */
struct aio__fiber *suspend_once(struct aio__fiber *self);
/* writes to f->use bytes of its stack. */
struct aio__fiber *use_much_stack(struct aio__fiber *self);

/* Write to so many bytes of stack. */
void use_stack(size_t bytes);

#endif
