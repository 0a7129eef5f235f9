/* SPDX-License-Identifier: MIT */
/*
 * log.h - reporting what nobody can be told by a return value
 *
 * For every internal file. What asyncio sends to its logger goes through aio__log().
 */
#ifndef AIO__LOG_H
#define AIO__LOG_H

#include <aio/log.h>

/*
 * Report to the program's handler. Without one the report is dropped, but for a
 * loop that a runner owns: see aio__log_fallback(). A format without newline at the
 * end. Keeps errno. When memory is short a long text is cut.
 */
void aio__log(aio_log_level level, const char *format, ...) AIO_PRINTF(2, 3);

/*
 * Whether anybody would hear a report: to be asked before a costly text is made.
 */
bool aio__log_heard(void);

/*
 * A runner of this thread begins to own a loop (true), or has given it up (false):
 * while one does, reports without a handler go to standard error, those of the thread
 * itself and those of threads that run no loop, workers above all. A thread that is
 * running some host's loop stays silent.
 */
void aio__log_fallback(bool own);

#endif
