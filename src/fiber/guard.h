/* SPDX-License-Identifier: MIT */
/*
 * guard.h - pages that fault when they are touched
 *
 * For slab.c. A guard costs least where the kernel has MADV_GUARD_INSTALL (Linux
 * 6.13): it lives in the page tables and needs no mapping of its own, so that a
 * million stacks fit under vm.max_map_count. Elsewhere mprotect() serves, at two
 * mappings a guard, until the share of the limit that is ours is used up.
 */
#ifndef AIO__FIBER_GUARD_H
#define AIO__FIBER_GUARD_H

#include <stddef.h>

enum aio__guard {
    AIO__GUARD_NONE,
    AIO__GUARD_PROTECTED, /* by mprotect() */
    AIO__GUARD_ADVISED    /* by madvise(); survives MADV_DONTNEED, not munmap() */
};

/*
 * Make [page, page + size), which is mapped and untouched, fault. The best kind that
 * can be had; AIO__GUARD_NONE if none, which the first time is reported to the log.
 * Thread: any.
 */
enum aio__guard aio__guard_install(char *page, size_t size);

/* So many guards made by mprotect() have been unmapped. */
void aio__guard_forget(size_t count);

/*
 * For tests: behave like a system whose best guard is this, and that has mappings for
 * so many protected ones. AIO__GUARD_ADVISED and 0: as the system really is.
 */
void aio__guard_pretend(enum aio__guard best, size_t budget);

#endif
