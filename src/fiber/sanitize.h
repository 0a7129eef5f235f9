/* SPDX-License-Identifier: MIT */
/*
 * sanitize.h - what AddressSanitizer, ThreadSanitizer and valgrind have to be told
 *
 * For src/fiber only, by way of fiber.h. All three follow one stack a thread, and
 * take a change of stack pointer for wild memory use unless they are told of it.
 * Every hook is nothing in a build without the tool. Valgrind's are a few
 * instructions that do nothing outside it, once a stack and never a switch.
 */
#ifndef AIO__FIBER_SANITIZE_H
#define AIO__FIBER_SANITIZE_H

#include "base/compiler.h"

#include <stddef.h>

#if AIO__ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#if AIO__TSAN
#include <sanitizer/tsan_interface.h>
#endif

/*
 * For code that runs while a sanitizer's notion of the stack is in flux, or that
 * looks at the stack memory of others. Not to be inlined, as its instrumented
 * caller would instrument it again.
 */
#if AIO__ASAN || AIO__TSAN
#define AIO__UNSANITIZED        __attribute__((noinline, no_sanitize_address, no_sanitize_thread))
#define AIO__UNSANITIZED_INLINE AIO__UNSANITIZED __attribute__((unused)) static
#else
#define AIO__UNSANITIZED
#define AIO__UNSANITIZED_INLINE static inline
#endif

#if defined(AIO__HAVE_VALGRIND)
#include <valgrind/memcheck.h>
#include <valgrind/valgrind.h>
#define AIO__VALGRIND_STACK(low, high) VALGRIND_STACK_REGISTER((low), (high))
#define AIO__VALGRIND_FORGET(id)       VALGRIND_STACK_DEREGISTER(id)
/* We look below the stack pointer of a stack, which memcheck rightly thinks strange. */
#define AIO__VALGRIND_READABLE(low, size) ((void)VALGRIND_MAKE_MEM_DEFINED((low), (size)))
#define AIO__ON_VALGRIND                  (RUNNING_ON_VALGRIND != 0)
#else
#define AIO__VALGRIND_STACK(low, high)    0U
#define AIO__VALGRIND_FORGET(id)          ((void)(id))
#define AIO__VALGRIND_READABLE(low, size) ((void)0)
#define AIO__ON_VALGRIND                  0
#endif

#endif
