/* SPDX-License-Identifier: MIT */
/*
 * test_fiber_tools.c - threads with fibers, and what the sanitizers make of fibers
 *
 * Under ThreadSanitizer the tests with threads are what shows that nothing is shared
 * unlocked. What asks AddressSanitizer is skipped without it.
 */
#include "fiber/fiber.h"

#include "support/unit.h"

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct worker {
    pthread_t thread;
    struct aio__fiber_root root;
    size_t sum;
};

static struct aio__fiber *add_twice(struct aio__fiber *self)
{
    struct worker *worker = aio__fiber_user(self);

    worker->sum++;
    aio__fiber_switch(self, &worker->root.fiber);
    worker->sum++;
    aio__fiber_give(self);
    return &worker->root.fiber;
}

/* Make slabs of several sizes, drop idle stacks, free all. */
static void *work(void *arg)
{
    struct aio__fiber_pool_options options = {.idle_bytes = 64 << 10};
    struct worker *worker = arg;
    struct aio__fiber *self = aio__fiber_root_init(&worker->root);
    struct aio__fiber *fibers[100];
    struct aio__fiber_pool *pool;

    for (int round = 0; round < 3; round++) {
        if (aio__fiber_pool_new(&options, &pool) < 0)
            return NULL;
        for (size_t i = 0; i < COUNT_OF(fibers); i++) {
            size_t size = (size_t)(64 << i % 3) << 10;

            if (aio__fiber_take(pool, size, add_twice, worker, &fibers[i]) < 0)
                return NULL;
            aio__fiber_switch(self, fibers[i]);
        }
        for (size_t i = 0; i < COUNT_OF(fibers); i++)
            aio__fiber_switch(self, fibers[i]);
        aio__fiber_pool_free(pool);
    }
    return NULL;
}

static void threads_have_pools_of_their_own(void **state)
{
    struct worker workers[4];

    for (size_t i = 0; i < COUNT_OF(workers); i++) {
        workers[i].sum = 0;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(workers); i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].sum, 3 * 100 * 2);
    }
}

struct handed_over {
    struct aio__fiber_pool *pool;
    struct worker worker;
};

static void *use_pool_made_elsewhere(void *arg)
{
    struct handed_over *over = arg;
    struct aio__fiber *self = aio__fiber_root_init(&over->worker.root);
    struct aio__fiber *fiber;

    for (int i = 0; i < 2; i++) {
        if (aio__fiber_take(over->pool, 0, add_twice, &over->worker, &fiber) < 0)
            return NULL;
        aio__fiber_switch(self, fiber);
        aio__fiber_switch(self, fiber);
    }
    return NULL;
}

/* A loop may be made in one thread and run in another, fibers parked in between. */
static void pool_can_move_to_another_thread_when_no_fiber_is_half_way(void **state)
{
    struct handed_over over = {.worker.sum = 0};
    pthread_t thread;

    assert_int_equal(aio__fiber_pool_new(NULL, &over.pool), 0);
    use_pool_made_elsewhere(&over);
    assert_int_equal(pthread_create(&thread, NULL, use_pool_made_elsewhere, &over), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    use_pool_made_elsewhere(&over);
    assert_int_equal(over.worker.sum, 3 * 4);
    aio__fiber_pool_free(over.pool);
}

#if AIO__ASAN
static struct aio__fiber *hold_memory(struct aio__fiber *self)
{
    struct worker *worker = aio__fiber_user(self);
    char *volatile held = malloc(1000);

    memset(held, 1, 1000);
    aio__fiber_switch(self, &worker->root.fiber);
    free(held);
    aio__fiber_give(self);
    return &worker->root.fiber;
}

/* Write over what the calls above have left of the pointer. */
static __attribute__((noinline)) void scrub_stack(void)
{
    char scrub[4096];

    memset(scrub, 0, sizeof(scrub));
    __asm__ volatile("" ::"r"(scrub) : "memory");
}

static void memory_held_by_a_suspended_fiber_is_no_leak(void **state)
{
    struct worker worker = {.sum = 0};
    struct aio__fiber *self = aio__fiber_root_init(&worker.root);
    struct aio__fiber_pool *pool;
    struct aio__fiber *fiber;
    int leaks;

    assert_int_equal(aio__fiber_pool_new(NULL, &pool), 0);
    assert_int_equal(aio__fiber_take(pool, 0, hold_memory, &worker, &fiber), 0);
    aio__fiber_switch(self, fiber);
    scrub_stack();
    leaks = __lsan_do_recoverable_leak_check();
    aio__fiber_switch(self, fiber);
    aio__fiber_pool_free(pool);
    assert_int_equal(leaks, 0);
}

static struct aio__fiber *overrun_local(struct aio__fiber *self)
{
    char local[16] = "";
    volatile char *volatile past = local + sizeof(local);

    *past = 1;
    return &((struct worker *)aio__fiber_user(self))->root.fiber;
}

static struct aio__fiber *leave_half_way(struct aio__fiber *self)
{
    struct worker *worker = aio__fiber_user(self);
    volatile char local[3][100];

    for (size_t i = 0; i < sizeof(local[0]); i++)
        local[i % 3][i] = 1;
    aio__fiber_switch(self, &worker->root.fiber);
    worker->sum += (size_t)local[0][0];
    return &worker->root.fiber;
}

static void overrun_of_a_local_is_found_on_a_fiber(void **state)
{
    char text[4096] = "";
    size_t length = 0;
    ssize_t count;
    int status;
    int fds[2];
    pid_t child;

    assert_int_equal(pipe(fds), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct worker worker = {.sum = 0};
        struct aio__fiber *self = aio__fiber_root_init(&worker.root);
        struct aio__fiber_pool *pool;
        struct aio__fiber *fiber;

        dup2(fds[1], STDERR_FILENO);
        if (aio__fiber_pool_new(NULL, &pool) == 0 &&
            aio__fiber_take(pool, 0, overrun_local, &worker, &fiber) == 0)
            aio__fiber_switch(self, fiber);
        _exit(0);
    }
    close(fds[1]);
    while (length < sizeof(text) - 1 &&
           (count = read(fds[0], text + length, sizeof(text) - 1 - length)) > 0)
        length += (size_t)count;
    close(fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_non_null(strstr(text, "stack-buffer-overflow"));
}

/* The red zones of frames that were never left are no red zones for the next ones. */
static void stack_of_an_abandoned_fiber_is_clean_for_the_next(void **state)
{
    struct worker worker = {.sum = 0};
    struct aio__fiber *self = aio__fiber_root_init(&worker.root);
    struct aio__fiber_pool *pool;
    struct aio__fiber *fiber;
    char *low, *high;

    assert_int_equal(aio__fiber_pool_new(NULL, &pool), 0);
    assert_int_equal(aio__fiber_take(pool, 0, leave_half_way, &worker, &fiber), 0);
    aio__fiber_switch(self, fiber);
    aio__fiber_bounds(fiber, &low, &high);
    aio__fiber_abandon(fiber);
    assert_null(__asan_region_is_poisoned(low, (size_t)(high - low)));
    aio__fiber_pool_free(pool);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_have_pools_of_their_own),
        cmocka_unit_test(pool_can_move_to_another_thread_when_no_fiber_is_half_way),
#if AIO__ASAN
        cmocka_unit_test(memory_held_by_a_suspended_fiber_is_no_leak),
        cmocka_unit_test(overrun_of_a_local_is_found_on_a_fiber),
        cmocka_unit_test(stack_of_an_abandoned_fiber_is_clean_for_the_next),
#endif
    };

    return RUN_TESTS(tests, NULL, NULL);
}
