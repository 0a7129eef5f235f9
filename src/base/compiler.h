/* SPDX-License-Identifier: MIT */
/*
 * compiler.h - what the compiler can be told and asked, under one name each
 *
 * For every internal file. Attributes of the public headers are in aio/common.h.
 */
#ifndef AIO__COMPILER_H
#define AIO__COMPILER_H

#define AIO__LIKELY(condition)   __builtin_expect(!!(condition), 1)
#define AIO__UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* Stays a call of its own, also under link time optimisation. */
#ifdef __clang__
#define AIO__NOINLINE __attribute__((noinline))
#else
#define AIO__NOINLINE __attribute__((noinline, noclone))
#endif

/* Shared between our files, invisible outside: reached without the GOT. */
#define AIO__HIDDEN __attribute__((visibility("hidden")))

/* The sanitizer this file is compiled for: 1 or 0, as GCC and clang each tell it. */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define AIO__ASAN 1
#else
#define AIO__ASAN 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define AIO__TSAN 1
#else
#define AIO__TSAN 0
#endif

#endif
