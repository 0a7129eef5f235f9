/* SPDX-License-Identifier: MIT */
/*
 * log.c - the log handler of the process
 *
 * Thread: aio__log() from any. The handler is set while no loop runs, so it needs no
 * lock.
 */
#include "base/log.h"

#include "base/thread.h"

#include <aio/memory.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

/* Enough for nearly every report, and little beside a fiber's stack. */
#define SHORT_TEXT 512

static aio_log_fn handler;
static void *handler_arg;

/* How many loops are owned by runners, over all threads. */
static atomic_uint owned_loops;

void aio_log_set_handler(aio_log_fn fn, void *arg)
{
    handler = fn;
    handler_arg = fn == NULL ? NULL : arg;
}

void aio_log_stderr(aio_log_level level, const char *text, void *arg)
{
    /* One call, so that reports of several threads do not mix within a line. */
    if (level >= AIO_LOG_WARNING)
        (void)fprintf(stderr, "%s\n", text);
}

void aio__log_fallback(bool own)
{
    struct aio__thread *thread = aio__thread();

    if (own) {
        thread->log_fallback++;
        atomic_fetch_add(&owned_loops, 1);
    } else if (thread->log_fallback > 0) {
        thread->log_fallback--;
        atomic_fetch_sub(&owned_loops, 1);
    }
}

static aio_log_fn choose_handler(void)
{
    const struct aio__thread *thread = aio__thread();

    if (handler != NULL)
        return handler;
    if (thread->log_fallback > 0)
        return aio_log_stderr;
    if (thread->running == NULL && atomic_load(&owned_loops) > 0)
        return aio_log_stderr;
    return NULL;
}

bool aio__log_heard(void)
{
    return choose_handler() != NULL;
}

static void report(aio_log_fn fn, aio_log_level level, const char *format, va_list args)
{
    char text[SHORT_TEXT];
    char *whole = NULL;
    va_list again;
    int length;

    va_copy(again, args);
    length = vsnprintf(text, sizeof(text), format, args);
    if (length >= (int)sizeof(text)) {
        whole = aio_malloc((size_t)length + 1);
        if (whole != NULL)
            (void)vsnprintf(whole, (size_t)length + 1, format, again);
    }
    va_end(again);

    if (length >= 0)
        fn(level, whole != NULL ? whole : text, handler_arg);
    aio_free(whole);
}

void aio__log(aio_log_level level, const char *format, ...)
{
    aio_log_fn fn = choose_handler();
    int saved_errno = errno;
    va_list args;

    if (fn == NULL)
        return;
    va_start(args, format);
    report(fn, level, format, args);
    va_end(args);
    errno = saved_errno;
}
