/* SPDX-License-Identifier: MIT */
/*
 * chunk.h - several calls of one function as one job
 *
 * For map.c. How a chunk is run depends on where: in this process its arguments and results are
 * pointers; for a worker process both are packed into bytes.
 */
#ifndef AIO__CHUNK_H
#define AIO__CHUNK_H

#include "executor/executor_internal.h"

/* What all chunks of a map have in common. */
struct aio__chunk_plan {
    aio_executor *executor;
    aio_job_fn fn;
    aio_job_options job; /* of each call; its codecs are known if is_packed */
    bool is_packed;      /* for a worker process */
};

/* Complete a plan that has executor, fn and job. */
void aio__chunk_plan(struct aio__chunk_plan *plan);

/* Submit a chunk. The arguments are over or taken over, also on failure: NULL, as
 * aio_executor_submit(). */
aio_concurrent_future *aio__chunk_submit(const struct aio__chunk_plan *plan, void *const *args,
                                         size_t count);

/* What runs a chunk in a worker, and the type of what it gives: known by name to every program, for
 * a worker may be another one than this. */
extern const aio_function aio__chunk_function;
extern const aio_type aio__chunk_type;

/* The results of one chunk, one after the other. */
struct aio__chunk_reader {
    const struct aio__chunk_plan *plan;
    void *value;   /* what the job gave; borrowed */
    size_t next;   /* call, or byte if packed */
    void *decoded; /* the last result, to be destroyed by the codec's type */
    bool has_decoded;
};

/* 0; AIO_ESTOP; or a code of the codec's. A result is borrowed until the next call. */
int aio__chunk_next(struct aio__chunk_reader *reader, void **ret_value);
/* Let go of the last result. */
void aio__chunk_forget(struct aio__chunk_reader *reader);

#endif
