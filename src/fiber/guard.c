/* SPDX-License-Identifier: MIT */
/*
 * guard.c - pages that fault when they are touched
 *
 * Owns what the process knows about guards: whether the kernel has the cheap kind,
 * and how many mappings the dear kind may still take. Both are found out at the first
 * stack, never at start-up: a program without fibers pays nothing.
 *
 * Thread: any; the state is atomic.
 */
#include "fiber/guard.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Newer than the C library's headers. */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum advice { ADVICE_UNKNOWN, ADVICE_WORKS, ADVICE_FAILS };

static atomic_int advice = ADVICE_UNKNOWN;
static atomic_int best_guard = AIO__GUARD_ADVISED;
static atomic_size_t protected_guards;
static atomic_size_t protected_limit; /* 0: not known yet */
static atomic_flag reported = ATOMIC_FLAG_INIT;

/*
 * Asked of a page of its own, as success alone proves nothing: user-mode emulators
 * answer 0 to advice they have never heard of. The kernel cannot read a true guard.
 */
static enum advice probe_advice(size_t size)
{
    enum advice found = ADVICE_FAILS;
    char *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return ADVICE_UNKNOWN;
    if (madvise(page, size, MADV_GUARD_INSTALL) == 0 &&
        madvise(page, size, MADV_POPULATE_READ) < 0 && errno == EFAULT)
        found = ADVICE_WORKS;
    /* Under mlockall() the probe fails as every later try would: locked pages cannot
     * be guards. Unlocked later, stacks still get the other kind. */
    munmap(page, size);
    return found;
}

static bool advice_works(size_t size)
{
    int known = atomic_load_explicit(&advice, memory_order_relaxed);

    if (known == ADVICE_UNKNOWN) {
        known = probe_advice(size);
        atomic_store_explicit(&advice, known, memory_order_relaxed);
    }
    return known == ADVICE_WORKS;
}

/* vm.max_map_count; its default where it cannot be read. */
static size_t read_max_map_count(void)
{
    char text[32];
    ssize_t length = -1;
    unsigned long count = 0;
    int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        length = read(fd, text, sizeof(text) - 1);
        close(fd);
    }
    if (length > 0) {
        text[length] = '\0';
        count = strtoul(text, NULL, 10);
    }
    return count != 0 ? count : 65530;
}

/* Two mappings a guard, and a quarter of all for the rest of the program. */
static size_t protected_budget(void)
{
    size_t limit = atomic_load_explicit(&protected_limit, memory_order_relaxed);

    if (limit == 0) {
        limit = read_max_map_count() / 8 * 3 + 1;
        atomic_store_explicit(&protected_limit, limit, memory_order_relaxed);
    }
    return limit;
}

static bool protect(char *page, size_t size)
{
    if (atomic_fetch_add_explicit(&protected_guards, 1, memory_order_relaxed) <
            protected_budget() &&
        mprotect(page, size, PROT_NONE) == 0)
        return true;
    atomic_fetch_sub_explicit(&protected_guards, 1, memory_order_relaxed);
    return false;
}

enum aio__guard aio__guard_install(char *page, size_t size)
{
    int best = atomic_load_explicit(&best_guard, memory_order_relaxed);

    if (best >= AIO__GUARD_ADVISED && advice_works(size) &&
        madvise(page, size, MADV_GUARD_INSTALL) == 0)
        return AIO__GUARD_ADVISED;
    if (best >= AIO__GUARD_PROTECTED && protect(page, size))
        return AIO__GUARD_PROTECTED;
    if (!atomic_flag_test_and_set(&reported))
        aio__log(AIO_LOG_WARNING,
                 "new stacks have no guard page: no mapping is left for one (vm.max_map_count); "
                 "an overflow is found only when the task ends");
    return AIO__GUARD_NONE;
}

void aio__guard_forget(size_t count)
{
    atomic_fetch_sub_explicit(&protected_guards, count, memory_order_relaxed);
}

void aio__guard_pretend(enum aio__guard best, size_t budget)
{
    size_t used = atomic_load_explicit(&protected_guards, memory_order_relaxed);

    atomic_store_explicit(&best_guard, (int)best, memory_order_relaxed);
    atomic_store_explicit(&protected_limit, budget == 0 ? 0 : used + budget, memory_order_relaxed);
    atomic_flag_clear(&reported);
}
