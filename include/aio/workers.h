/* SPDX-License-Identifier: MIT */
/*
 * workers.h - a server on several cores: a thread and a loop for each, one port for all
 *
 *     static int work(aio_worker *worker, void *arg)
 *     {
 *         AIO_AUTO(aio_server) server = NULL;
 *         aio_server_options options = AIO_SERVER_OPTIONS_INIT;
 *
 *         options.sock = aio_worker_take_socket(worker);
 *         int err = aio_start_server_with(serve_client, arg, &options, 0, &server);
 *         return err < 0 ? err : aio_server_serve_forever(server);
 *     }
 *
 * Each worker has a socket of its own, bound to the same address (SO_REUSEPORT): the kernel shares
 * the connections out. Workers share no task, future or connection: what belongs to one loop stays
 * in its thread.
 */
#ifndef AIO_WORKERS_H
#define AIO_WORKERS_H

#include <aio/loop.h>

AIO_BEGIN_DECLS

/** One worker, seen from inside: borrowed, for as long as its coroutine runs. Thread: its own. */
typedef struct aio_worker aio_worker;

/**
 * What a worker does, in the main task of its loop.
 *
 * @return 0 if it has ended by itself, which leaves the others alone; AIO_ECANCELLED if it was
 *         stopped; any other code stops all.
 */
typedef int (*aio_worker_fn)(aio_worker *worker, void *arg);

/** Its number, from 0 on. Since: 0.1 */
AIO_API unsigned aio_worker_index(const aio_worker *worker);
/** How many there are. Since: 0.1 */
AIO_API unsigned aio_worker_count(const aio_worker *worker);
/** The port that all share; -1 without one. Since: 0.1 */
AIO_API int aio_worker_port(const aio_worker *worker);
/** Its stream socket, for the sock of aio_server_options: non-blocking, and listening already, so
 *  that connections wait until it is served. The caller's from now on; -1 if it was taken before, or there is none. Since: 0.1 */
AIO_API int aio_worker_take_socket(aio_worker *worker);

/** How workers are run. Zero in a field means the default, but for port. */
typedef struct aio_workers_options {
    size_t size;       /**< sizeof(aio_workers_options) */
    unsigned count;    /**< default: as many as processors that this process may use */
    const char *host;  /**< a name or number, its first address counts; default: 127.0.0.1 */
    int port;          /**< 0: any that is free; -1: no sockets are made */
    double grace;      /**< seconds that a stopped worker has before it is cancelled once more;
                            default 30; AIO_FOREVER: any time */
    bool keep_sigterm; /**< leave SIGTERM alone; default: it stops the workers, and the call
                            returns 0. Only in the main thread */
    /** Called once in the caller's thread when the port can be connected to, before the workers
     *  start. */
    void (*started)(int port, void *arg);
} aio_workers_options;

/** The defaults. */
#define AIO_WORKERS_OPTIONS_INIT AIO_SIZED_WITH(aio_workers_options, AIO_SET(port, -1))

/**
 * Run a coroutine on several loops, each in a thread of its own, until all have ended.
 *
 * Stopping is cancelling: the calling task's cancellation (Ctrl-C under aio_main(), say), SIGTERM,
 * or a worker that fails cancels the main task of every worker. A server that serves then closes
 * and waits for its clients. When the grace is over, or the caller is cancelled again, they are
 * cancelled once more, which ends that wait too; what tasks they leave is cancelled with the loop.
 *
 * @param fn       Called in each worker's thread with @p arg.
 * @param arg      Borrowed until the call returns; for several threads at once.
 * @param options  Borrowed; NULL: the defaults.
 * @return 0; or a negative code, when no worker runs any more:
 *   AIO_ECANCELLED  the calling task was cancelled
 *   any other       the first that a worker failed with, or that a socket could not be bound with
 *   AIO_EVALUE, AIO_ENOTASK, AIO_ENOMEM
 *
 * Suspends:            until no worker is left
 * Cancellation point:  yes, but the call goes on until they have ended
 * Thread:              a loop's
 * asyncio:             none; as uvicorn's --workers             Since: 0.1
 */
AIO_API int aio_run_workers(aio_worker_fn fn, void *arg,
                            const aio_workers_options *options) AIO_MUST_CHECK;

AIO_END_DECLS

#endif
