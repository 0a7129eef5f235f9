/* SPDX-License-Identifier: MIT */
/*
 * chunk.c - several calls of one function as one job
 *
 * As in Python, the first call that fails is the end of its chunk, and what the calls before it
 * gave is lost.
 *
 * Thread: any; the functions that run chunks, the worker's.
 */
#include "executor/chunk.h"

#include "base/error.h"
#include "base/type.h"
#include "executor/worker.h"
#include "future/future_internal.h"

#include <aio/memory.h>
#include <string.h>

enum { ALIGN = 16 };

static size_t align(size_t size)
{
    return (size + ALIGN - 1) / ALIGN * ALIGN;
}

static void drop_args(const struct aio__chunk_plan *plan, void *const *args, size_t count)
{
    for (size_t i = 0; i < count && plan->job.arg_destroy != NULL; i++)
        plan->job.arg_destroy(args[i]);
}

/* --- in this process --------------------------------------------------------------------- */

struct chunk {
    aio_job_fn fn;
    void (*arg_destroy)(void *arg);
    const aio_type *result_type;
    size_t count;
    void *args[]; /* copies follow, if they are copied */
};

struct results {
    const aio_type *type;
    size_t count;
    void *values[];
};

static void free_chunk(void *arg)
{
    struct chunk *chunk = arg;

    for (size_t i = 0; i < chunk->count && chunk->arg_destroy != NULL; i++)
        chunk->arg_destroy(chunk->args[i]);
    aio_free(chunk);
}

static void free_results(void *value)
{
    struct results *results = value;

    for (size_t i = 0; i < results->count; i++)
        if (results->values[i] != NULL)
            aio__value_destroy(results->type, results->values[i]);
    aio_free(results);
}

static const aio_type results_type = {.destroy = free_results};

static int run_chunk(void *arg, void **ret_result)
{
    const struct chunk *chunk = arg;
    struct results *results = aio_malloc(sizeof(*results) + chunk->count * sizeof(void *));

    if (results == NULL)
        return AIO_ENOMEM;
    results->type = chunk->result_type;
    results->count = 0;
    while (results->count < chunk->count) {
        void **place = &results->values[results->count];
        int code;

        *place = NULL;
        code = chunk->fn(chunk->args[results->count], place);
        if (code < 0) {
            free_results(results);
            return code;
        }
        results->count++;
    }
    *ret_result = results;
    return 0;
}

static struct chunk *chunk_new(const struct aio__chunk_plan *plan, void *const *args, size_t count)
{
    size_t room = align(plan->job.arg_size);
    size_t start = align(sizeof(struct chunk) + count * sizeof(void *));
    struct chunk *chunk;

    if (count > SIZE_MAX / 4 / (room + sizeof(void *)))
        return NULL;
    chunk = aio_malloc(start + count * room);
    if (chunk == NULL)
        return NULL;
    chunk->fn = plan->fn;
    chunk->arg_destroy = plan->job.arg_destroy;
    chunk->result_type = plan->job.result_type;
    chunk->count = count;
    for (size_t i = 0; i < count; i++) {
        chunk->args[i] = args[i];
        if (room != 0)
            chunk->args[i] = memcpy((char *)chunk + start + i * room, args[i], plan->job.arg_size);
    }
    return chunk;
}

static aio_concurrent_future *submit_chunk(const struct aio__chunk_plan *plan, void *const *args,
                                           size_t count)
{
    struct chunk *chunk = chunk_new(plan, args, count);
    aio_job_options options = AIO_JOB_OPTIONS_INIT;

    if (chunk == NULL) {
        drop_args(plan, args, count);
        return aio__failed(AIO_ENOMEM);
    }
    options.arg_destroy = free_chunk;
    options.result_type = &results_type;
    options.copy_context = plan->job.copy_context;
    return aio_executor_submit_with(plan->executor, run_chunk, chunk, &options);
}

/* --- for a worker: a head, then the arguments of the calls, each aligned behind its size -- */

struct packed_head {
    struct aio__request request;
    size_t count;
};

/* Bytes that grow; begin with zeros. */
struct pack {
    char *bytes;
    size_t size;
    size_t room;
};

static int make_room(struct pack *pack, size_t size)
{
    size_t room = pack->room;
    char *bytes;

    if (size > SIZE_MAX / 4 - pack->size)
        return AIO_ENOMEM;
    if (pack->size + size <= room)
        return 0;
    room = room * 2 > pack->size + size ? room * 2 : pack->size + size;
    bytes = aio_realloc(pack->bytes, room);
    if (bytes == NULL)
        return AIO_ENOMEM;
    pack->bytes = bytes;
    pack->room = room;
    return 0;
}

static int append(struct pack *pack, const void *bytes, size_t size)
{
    size_t room = align(size);
    int err = make_room(pack, room);

    if (err < 0)
        return err;
    if (room != 0)
        memset(pack->bytes + pack->size + room - ALIGN, 0, ALIGN);
    if (size != 0)
        memcpy(pack->bytes + pack->size, bytes, size);
    pack->size += room;
    return 0;
}

static int append_sized(struct pack *pack, const void *bytes, size_t size)
{
    int err = append(pack, &size, sizeof(size));

    return err < 0 ? err : append(pack, bytes, size);
}

/* What was appended so, and where the next one is. false: not what is to be there. */
static bool read_sized(const char *bytes, size_t size, size_t *at, void **ret_bytes,
                       size_t *ret_size)
{
    if (*at > size || size - *at < ALIGN)
        return false;
    memcpy(ret_size, bytes + *at, sizeof(*ret_size));
    *at += ALIGN;
    if (*ret_size > size - *at)
        return false;
    *ret_bytes = *ret_size == 0 ? NULL : (void *)(uintptr_t)(bytes + *at);
    *at += align(*ret_size);
    return true;
}

static int pack_args(const struct aio__chunk_plan *plan, void *const *args, size_t count,
                     struct pack *pack)
{
    struct packed_head head;
    int err;

    memset(&head, 0, sizeof(head));
    head.count = count;
    err = aio__request_fill(&head.request, plan->fn, plan->job.arg_codec, plan->job.result_codec,
                            plan->job.result_type);
    if (err == 0)
        err = append(pack, &head, sizeof(head));
    for (size_t i = 0; i < count && err == 0; i++) {
        void *bytes = NULL;
        size_t size = 0;

        err = aio__arg_encode(plan->job.arg_codec, plan->job.arg_size, args[i], &bytes, &size);
        if (err == 0)
            err = append_sized(pack, bytes, size);
        aio_free(bytes);
    }
    return err;
}

/* --- in a worker --- */

struct packed_results {
    aio_buffer buffer;
    struct pack pack;
};

static void free_packed(void *value)
{
    struct packed_results *results = aio__container_of(value, struct packed_results, buffer);

    aio_free(results->pack.bytes);
    aio_free(results);
}

const aio_type aio__chunk_type = {.destroy = free_packed};

static int run_packed_call(struct aio__request *request, void *bytes, size_t size,
                           struct pack *results)
{
    struct aio__outcome outcome = {0};
    int code;

    request->size = size;
    code = aio__worker_obey(request, bytes, &outcome);
    if (code == 0)
        code = append_sized(results, outcome.bytes, outcome.size);
    aio_free(outcome.bytes);
    return code;
}

static int run_packed_calls(const aio_buffer *chunk, struct pack *results)
{
    const char *bytes = chunk->data;
    size_t at = align(sizeof(struct packed_head));
    struct packed_head head;
    int code = 0;

    if (chunk->size < at)
        return aio_raise(AIO_EVALUE, "too few bytes for a chunk of calls");
    memcpy(&head, bytes, sizeof(head));
    for (size_t i = 0; i < head.count && code == 0; i++) {
        void *arg;
        size_t size;

        if (!read_sized(bytes, chunk->size, &at, &arg, &size))
            return aio_raise(AIO_EVALUE, "too few bytes for a chunk of calls");
        code = run_packed_call(&head.request, arg, size, results);
    }
    return code;
}

static int run_packed_chunk(void *arg, void **ret_result)
{
    struct packed_results *results = aio_calloc(1, sizeof(*results));
    int code;

    if (results == NULL)
        return AIO_ENOMEM;
    code = run_packed_calls(arg, &results->pack);
    if (code < 0) {
        free_packed(&results->buffer);
        return code;
    }
    results->buffer = (aio_buffer){results->pack.bytes, results->pack.size};
    *ret_result = &results->buffer;
    return 0;
}

const aio_function aio__chunk_function = {
    .size = sizeof(aio_function),
    .name = "aio.chunk",
    .fn = run_packed_chunk,
    .arg_codec = &aio_codec_bytes,
    .result_codec = &aio_codec_bytes,
};

static aio_concurrent_future *submit_packed(const struct aio__chunk_plan *plan, void *const *args,
                                            size_t count)
{
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    aio_concurrent_future *fut = NULL;
    struct pack pack = {0};
    int err = pack_args(plan, args, count, &pack);

    drop_args(plan, args, count);
    options.arg_codec = &aio_codec_bytes;
    options.result_codec = &aio_codec_bytes;
    options.result_type = &aio__chunk_type;
    if (err < 0) {
        fut = aio__failed(err);
    } else {
        aio_buffer buffer = {pack.bytes, pack.size};

        fut = aio_executor_submit_with(plan->executor, run_packed_chunk, &buffer, &options);
    }
    aio_free(pack.bytes);
    return fut;
}

/* --- both -------------------------------------------------------------------------------- */

void aio__chunk_plan(struct aio__chunk_plan *plan)
{
    const aio_function *function = aio_function_of(plan->fn);

    plan->is_packed = plan->executor->ops->is_remote;
    if (plan->is_packed && function != NULL)
        aio__use_registered_codecs(function, plan->job.arg_size, &plan->job.arg_codec,
                                   &plan->job.result_codec);
}

aio_concurrent_future *aio__chunk_submit(const struct aio__chunk_plan *plan, void *const *args,
                                         size_t count)
{
    for (size_t i = 0; i < count && plan->job.arg_size != 0; i++) {
        if (args[i] == NULL) {
            drop_args(plan, args, count);
            return aio__failed(aio_raise(AIO_EVALUE, "arg_size without an argument"));
        }
    }
    return plan->is_packed ? submit_packed(plan, args, count) : submit_chunk(plan, args, count);
}

static int decode_next(struct aio__chunk_reader *reader, void **ret_value)
{
    const aio_buffer *buffer = reader->value;
    const aio_codec *codec = reader->plan->job.result_codec;
    void *bytes;
    size_t size;
    int err;

    if (buffer == NULL || reader->next >= buffer->size)
        return AIO_ESTOP;
    if (!read_sized(buffer->data, buffer->size, &reader->next, &bytes, &size))
        return aio_raise(AIO_EVALUE, "too few bytes for the results of a chunk");
    *ret_value = NULL;
    if (codec == NULL)
        return 0;
    err = codec->decode(codec, bytes, size, ret_value);
    if (err < 0)
        return err;
    reader->decoded = *ret_value;
    reader->has_decoded = true;
    return 0;
}

int aio__chunk_next(struct aio__chunk_reader *reader, void **ret_value)
{
    const struct results *results = reader->value;

    aio__chunk_forget(reader);
    if (reader->plan->is_packed)
        return decode_next(reader, ret_value);
    if (reader->next == results->count)
        return AIO_ESTOP;
    *ret_value = results->values[reader->next++];
    return 0;
}

void aio__chunk_forget(struct aio__chunk_reader *reader)
{
    if (reader->has_decoded && reader->decoded != NULL)
        aio__value_destroy(reader->plan->job.result_codec->type, reader->decoded);
    reader->has_decoded = false;
}
