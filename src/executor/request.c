/* SPDX-License-Identifier: MIT */
/*
 * request.c - what a job is called in another process
 *
 * Thread: any.
 */
#include "executor/chunk.h"
#include "executor/function.h"
#include "executor/message.h"

#include <string.h>

/* A codec; those that are registered with the function need no place. */
static bool put_codec(const aio_codec *codec, bool is_registered, struct aio__place *place)
{
    if (!is_registered)
        return aio__place_of(codec, place);
    *place = (struct aio__place){AIO__PLACE_NAMED, 0};
    return true;
}

/* A type; that of chunks has a name instead. */
static bool put_type(const aio_type *type, struct aio__place *place)
{
    if (type != &aio__chunk_type)
        return aio__place_of(type, place);
    *place = (struct aio__place){AIO__PLACE_NAMED, 0};
    return true;
}

static bool put_all(struct aio__request *request, aio_job_fn fn, const aio_codec *arg_codec,
                    const aio_codec *result_codec, const aio_type *result_type)
{
    const aio_function *function = aio_function_of(fn);

    if (!put_type(result_type, &request->result_type))
        return false;
    if (function == NULL)
        return aio__place_of((const void *)(uintptr_t)fn, &request->fn) &&
               aio__place_of(arg_codec, &request->arg_codec) &&
               aio__place_of(result_codec, &request->result_codec);
    request->fn = (struct aio__place){AIO__PLACE_NAMED, aio__function_hash(function)};
    return put_codec(arg_codec, arg_codec == function->arg_codec, &request->arg_codec) &&
           put_codec(result_codec, result_codec == function->result_codec, &request->result_codec);
}

int aio__request_fill(struct aio__request *request, aio_job_fn fn, const aio_codec *arg_codec,
                      const aio_codec *result_codec, const aio_type *result_type)
{
    memset(request, 0, sizeof(*request));
    request->kind = AIO__REQUEST_JOB;
    if (put_all(request, fn, arg_codec, result_codec, result_type))
        return 0;
    return aio_raise(AIO_ETYPE, "a worker cannot find the function, or a codec or type of it: "
                                "they have to be constants of a program or library");
}
