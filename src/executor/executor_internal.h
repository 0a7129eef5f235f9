/* SPDX-License-Identifier: MIT */
/*
 * executor_internal.h - jobs from the inside
 *
 * For src/executor alone. Executors of the library's own link the jobs they have queued, and know
 * whether one has run; all else they do through the public functions.
 */
#ifndef AIO__EXECUTOR_INTERNAL_H
#define AIO__EXECUTOR_INTERNAL_H

#include "base/context.h"
#include "base/list.h"
#include "future/concurrent_internal.h"

#include <aio/executor.h>

/* A function to be called elsewhere, with its argument. */
struct aio__call {
    aio_job_fn fn;
    void *arg;
    void (*arg_destroy)(void *arg); /* NULL once it is over */
    const aio_type *result_type;    /* may be NULL */
    aio__ctx context;               /* owned; the function's own if has_context */
    bool has_context;
};

/* Whether options can be used: 0, or AIO_EVALUE raised. NULL: the defaults. */
int aio__job_options_check(aio_job_fn fn, const void *arg, const aio_job_options *options);

/* Bytes that a copy of the argument takes. */
static inline size_t aio__call_room(const aio_job_options *options)
{
    return options == NULL ? 0 : options->arg_size;
}

/* Fill in a call; its argument is copied to `room`, if that is not NULL. Options are checked. */
void aio__call_init(struct aio__call *call, aio_job_fn fn, void *arg,
                    const aio_job_options *options, void *room);

/* Call, and let go of the argument. */
int aio__call_run(struct aio__call *call, void **ret_result);

/* It is over, or will never be: let go of the argument, once. */
void aio__call_drop(struct aio__call *call);

/* A job: what a concurrent future stands for. Its executor holds one reference until it ends. */
struct aio_job {
    aio_concurrent_future fut;
    struct aio__list link;  /* the executor's, while it is in a queue */
    aio_executor *executor; /* referenced */
    struct aio__call call;
    size_t arg_size;               /* what follows is for other processes: */
    const aio_codec *arg_codec;    /* may be NULL */
    const aio_codec *result_codec; /* may be NULL */
    void *bytes;                   /* of the argument, until it is sent; then of the result */
    size_t bytes_size;             /* of the argument's */
    void *data;                    /* aio_job_set_data() */
    void (*data_destroy)(void *data);
    _Alignas(16) unsigned char arg[]; /* its own copy, if it has one */
};

static inline aio_job *aio__job_of(struct aio__list *link)
{
    return aio__container_of(link, aio_job, link);
}

/* aio_job_run(), saying whether it ran: false if it was cancelled before. */
bool aio__job_run(aio_job *job);

/* End a job with an error, which is kept. Taken. */
void aio__job_fail(aio_job *job, aio_exception *error);

/* Where codecs are needed, those of a registered function serve for want of others. */
void aio__use_registered_codecs(const aio_function *function, size_t arg_size,
                                const aio_codec **arg_codec, const aio_codec **result_codec);

/* An argument as bytes: by its codec, or so many as they are. As aio_job_encode(). */
int aio__arg_encode(const aio_codec *codec, size_t size, const void *arg, void **ret_bytes,
                    size_t *ret_size);

/* What submitting says once an executor is shut down: AIO_ERUNTIME raised. */
int aio__raise_shut_down(void);

/* Processors this process may use; at least 1. */
size_t aio__cpu_count(void);

/* min(32, processors + 4): the threads a pool has unless told otherwise. */
size_t aio__default_threads(void);

/* Says that a limit in seconds is no number: AIO_EVALUE raised, or 0. */
int aio__check_timeout(double timeout);

#endif
