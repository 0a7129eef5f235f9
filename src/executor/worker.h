/* SPDX-License-Identifier: MIT */
/*
 * worker.h - worker processes, as their pool sees them, and from the inside
 *
 * For src/executor. A worker is a process and the socket to it. All calls about one but the signal
 * are made by one thread, the pool's manager; the pool's lock protects the signal from the end.
 */
#ifndef AIO__WORKER_H
#define AIO__WORKER_H

#include "base/list.h"
#include "executor/message.h"

#include <signal.h>
#include <sys/types.h>

/* What main() was called as, if it called aio_process_worker_main(); else NULL. */
const char *aio__worker_program_name(void);

/* In a worker: what a request gave; owned. */
struct aio__outcome {
    void *bytes;
    size_t size;
};

/* In a worker: do what is requested. 0, or what the function or a codec has returned. */
int aio__worker_obey(const struct aio__request *request, void *bytes, struct aio__outcome *outcome);

struct aio__worker {
    pid_t pid;
    int pidfd;                   /* readable when it has ended; -1: the system has no such thing */
    int fd;                      /* the socket */
    struct aio__request request; /* in hand, as are: */
    struct aio__outgoing out;
    struct aio__incoming in;
};

/* For tests: as on a system that has no descriptors of processes. */
extern bool aio__worker_without_pidfd;

/* Start a process: `program` is its path, `name` what it is called as, and `mask` the signals it
 * has blocked. 0, or the system's code, raised. */
int aio__worker_start(struct aio__worker *worker, const char *program, const char *name,
                      const sigset_t *mask);

/* Begin with a request, which is in worker->request; its bytes are borrowed until it is sent.
 * Then aio__worker_send() goes on, and aio__worker_receive() with the reply, as aio__send() and
 * aio__receive() do. */
int aio__worker_ask(struct aio__worker *worker, const void *bytes);
int aio__worker_send(struct aio__worker *worker);
int aio__worker_receive(struct aio__worker *worker);

/* Tell it that there will be no more requests: it will end. */
void aio__worker_dismiss(struct aio__worker *worker);

/* It has not been waited for. */
void aio__worker_signal(const struct aio__worker *worker, int signum);

/* Wait for its end, which has come or is about to, and let go of all. The status of waitpid(); -1:
 * somebody else has waited for it. */
int aio__worker_end(struct aio__worker *worker);

#endif
