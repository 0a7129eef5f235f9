/* SPDX-License-Identifier: MIT */
/*
 * worker.c - a worker process from the inside: it gets requests, runs them, and replies
 *
 * It ends when the pool closes its end of the socket, or is gone: nobody has to tell it to.
 *
 * Thread: the process's first, before there are others; jobs run in it.
 */
#include "executor/worker.h"

#include "base/error.h"
#include "base/type.h"
#include "executor/chunk.h"
#include "executor/function.h"
#include "executor/message.h"

#include <aio/executor.h>
#include <aio/memory.h>
#include <aio/process_pool.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *program_name; /* NULL: this program cannot start workers of its own */

const char *aio__worker_program_name(void)
{
    return program_name;
}

/* --- a request --------------------------------------------------------------------------- */

/* A request whose places were found in this process. */
struct call {
    aio_job_fn fn;
    const aio_codec *arg_codec;
    const aio_codec *result_codec;
    const aio_type *result_type;
    void *arg;
};

static int raise_unknown(const char *what)
{
    return aio_raise(AIO_ELOOKUP,
                     "a worker process does not find %s: it is not of the same build, or in a "
                     "library that was loaded later; functions can be registered by name",
                     what);
}

/* Functions are found by address or by name. */
static int find_function(struct aio__place place, aio_job_fn *ret_fn,
                         const aio_function **ret_function)
{
    const aio_function *function = NULL;
    void *address = NULL;

    if (place.module == AIO__PLACE_NAMED) {
        function = aio__function_by_hash(place.offset);
        if (function == NULL)
            return raise_unknown("a function of that name");
        *ret_fn = function->fn;
    } else {
        if (!aio__place_find(place, true, &address))
            return raise_unknown("the function");
        *ret_fn = (aio_job_fn)(uintptr_t)address;
    }
    *ret_function = function;
    return 0;
}

static int find_codec(struct aio__place place, const aio_codec *registered,
                      const aio_codec **ret_codec)
{
    void *address = NULL;

    if (place.module == AIO__PLACE_NAMED) {
        *ret_codec = registered;
        return 0;
    }
    if (!aio__place_find(place, false, &address))
        return raise_unknown("a codec");
    *ret_codec = address;
    return 0;
}

static int find_type(struct aio__place place, const aio_type **ret_type)
{
    void *address = NULL;

    if (place.module == AIO__PLACE_NAMED) {
        *ret_type = &aio__chunk_type;
        return 0;
    }
    if (!aio__place_find(place, false, &address))
        return raise_unknown("a type");
    *ret_type = address;
    return 0;
}

static int find_call(const struct aio__request *request, struct call *call)
{
    const aio_function *function = NULL;
    int err = find_function(request->fn, &call->fn, &function);

    if (err == 0)
        err = find_codec(request->arg_codec, function == NULL ? NULL : function->arg_codec,
                         &call->arg_codec);
    if (err == 0)
        err = find_codec(request->result_codec, function == NULL ? NULL : function->result_codec,
                         &call->result_codec);
    if (err == 0)
        err = find_type(request->result_type, &call->result_type);
    return err;
}

static int decode_arg(struct call *call, void *bytes, size_t size)
{
    call->arg = bytes;
    if (call->arg_codec == NULL)
        return 0;
    return call->arg_codec->decode(call->arg_codec, bytes, size, &call->arg);
}

/* --- running it -------------------------------------------------------------------------- */

static int encode_result(const struct call *call, void *value, struct aio__outcome *outcome)
{
    if (call->result_codec != NULL)
        return call->result_codec->encode(call->result_codec, value, &outcome->bytes,
                                          &outcome->size);
    if (value == NULL)
        return 0;
    return aio_raise(AIO_ETYPE, "a result cannot be sent to another process: it needs a "
                                "result_codec");
}

static int run_job(const struct call *call, struct aio__outcome *outcome)
{
    void *value = NULL;
    int code = call->fn(call->arg, &value);

    if (code >= 0) {
        code = encode_result(call, value, outcome);
        if (value != NULL)
            aio__value_destroy(call->result_type, value);
    }
    return code;
}

static int initialize(const struct call *call)
{
    int (*initializer)(void *arg) = (int (*)(void *))(uintptr_t)call->fn;

    return initializer == NULL ? 0 : initializer(call->arg);
}

int aio__worker_obey(const struct aio__request *request, void *bytes, struct aio__outcome *outcome)
{
    struct call call = {0};
    int code = find_call(request, &call);

    if (code == 0)
        code = decode_arg(&call, bytes, (size_t)request->size);
    if (code < 0)
        return code;
    code = request->kind == AIO__REQUEST_JOB ? run_job(&call, outcome) : initialize(&call);
    if (call.arg_codec != NULL && call.arg != NULL)
        aio__value_destroy(call.arg_codec->type, call.arg);
    return code < 0 ? code : 0;
}

/* --- getting and replying ---------------------------------------------------------------- */

static int reply(int fd, int code, struct aio__outcome *outcome)
{
    struct aio__reply head;
    struct aio__outgoing out = {.head = &head, .head_size = sizeof(head)};
    int err;

    memset(&head, 0, sizeof(head));
    head.code = code;
    head.size = outcome->size;
    out.bytes = outcome->bytes;
    out.size = outcome->size;
    err = aio__send(fd, &out, 0);
    aio_free(outcome->bytes);
    return err;
}

/* Without memory for all that is to be told, the code is. */
static void pack_error(int code, struct aio__outcome *outcome)
{
    aio_exception *error = aio_error_catch(code);

    (void)aio__error_pack(error, &outcome->bytes, &outcome->size);
    aio_exception_unref(error);
}

static int serve_one(int fd)
{
    struct aio__incoming in = {0};
    struct aio__outcome outcome = {0};
    int code = aio__receive(fd, &in, sizeof(in.head.request), 0);

    if (code < 0) {
        aio_free(in.bytes);
        return code;
    }
    code = in.is_lost ? AIO_ENOMEM : aio__worker_obey(&in.head.request, in.bytes, &outcome);
    if (code < 0)
        pack_error(code, &outcome);
    aio__error_forget(); /* what was raised and not returned */
    aio_free(in.bytes);
    return reply(fd, code, &outcome);
}

static void serve(int fd)
{
    while (serve_one(fd) >= 0)
        continue;
}

/* --- becoming one ------------------------------------------------------------------------ */

static bool is_worker(int argc, char **argv)
{
    struct stat info;

    if (argc != 2 || strcmp(argv[1], AIO__WORKER_OPTION) != 0)
        return false;
    /* Whoever starts a program with more rights than his own must not choose what it calls. */
    if (getauxval(AT_SECURE) != 0)
        return false;
    return fstat(AIO__WORKER_FD, &info) == 0 && S_ISSOCK(info.st_mode);
}

bool aio_process_worker_main(int argc, char **argv)
{
    static char buffer[65536]; /* a line of this length is written at once */

    if (argc <= 0 || argv == NULL)
        return false;
    program_name = argv[0];
    if (!is_worker(argc, argv))
        return false;
    (void)fcntl(AIO__WORKER_FD, F_SETFD, FD_CLOEXEC);
    (void)setvbuf(stdout, buffer, _IOLBF, sizeof(buffer));
    serve(AIO__WORKER_FD);
    program_name = NULL; /* whoever goes on all the same starts no workers that do so as well */
    return true;
}
