/* SPDX-License-Identifier: MIT */
/*
 * log.h - the single channel of the library's warnings and reports
 *
 * The library never prints by itself while it is a guest. A program that lets
 * aioc own main (aio_run(), aio_runner) sees reports on standard error, as
 * asyncio's programs do; anybody else sets a handler, or hears nothing.
 */
#ifndef AIO_LOG_H
#define AIO_LOG_H

#include <aio/common.h>

AIO_BEGIN_DECLS

typedef enum aio_log_level {
    AIO_LOG_DEBUG,
    AIO_LOG_INFO,
    AIO_LOG_WARNING,
    AIO_LOG_ERROR
} aio_log_level;

/**
 * Receives a report: one text of one or more lines, without a final newline.
 * Called in the thread that has something to report; it must not suspend.
 */
typedef void (*aio_log_fn)(aio_log_level level, const char *text, void *arg);

/**
 * Set the log handler of the process.
 *
 * @param fn   NULL: back to the start: silent, but for loops that a runner owns.
 * @param arg  Given to each call.
 * Thread: any, while no loop runs.    asyncio: logging.getLogger('asyncio')   Since: 0.1
 */
AIO_API void aio_log_set_handler(aio_log_fn fn, void *arg);

/** A ready-made handler: warnings and errors go to standard error. Since: 0.1 */
AIO_API void aio_log_stderr(aio_log_level level, const char *text, void *arg);

AIO_END_DECLS

#endif
