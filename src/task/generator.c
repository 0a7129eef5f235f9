/* SPDX-License-Identifier: MIT */
/*
 * generator.c - plain generators: next, send, throw, close, and yield from
 *
 * The rules of Python's generators around a body that yields; how it runs is generator_body.c's.
 *
 * Thread: the one that made the generator.
 */
#include "future/future_internal.h"
#include "task/generator_internal.h"

#include <aio/memory.h>

struct aio_generator {
    size_t refs;
    struct aio__body body;
};

/* --- life ------------------------------------------------------------------------------ */

/* The thread ends. */
static void end_with_thread(struct aio__stack_owner *owner)
{
    aio_generator *generator = aio__container_of(owner, aio_generator, body.owner);

    generator->refs++; /* frames that go may hold the others */
    aio__body_unwind(&generator->body);
    owner->stacks = NULL;
    aio_generator_unref(generator);
}

aio_generator *aio_generator_new_at(aio_site site, aio_generator_fn fn, void *arg,
                                    const aio_generator_options *options)
{
    aio_generator *generator = aio__body_alloc(sizeof(*generator), options);
    int err = AIO_ENOMEM;

    if (generator != NULL)
        err =
            aio__body_init(&generator->body, site, fn, arg, options, generator, sizeof(*generator));
    if (err < 0) {
        aio_free(generator);
        aio__body_drop_refused_arg(arg, options);
        return aio__failed(err);
    }
    generator->refs = 1;
    generator->body.owner.end = end_with_thread;
    return generator;
}

#undef aio_generator_new
aio_generator *aio_generator_new(aio_generator_fn fn, void *arg,
                                 const aio_generator_options *options)
{
    return aio_generator_new_at(aio_site_make(NULL, NULL, 0), fn, arg, options);
}

aio_generator *aio_generator_ref(aio_generator *generator)
{
    if (generator != NULL)
        generator->refs++;
    return generator;
}

void aio_generator_unref(aio_generator *generator)
{
    if (generator == NULL)
        return;
    if (generator->refs == 1)
        aio__body_unwind(&generator->body); /* still held: the frames may ref and unref it */
    if (--generator->refs != 0)
        return;
    aio__body_destroy(&generator->body);
    aio_free(generator);
}

/* --- running --------------------------------------------------------------------------- */

/* 0 if a generator can be resumed, or AIO_ESTOP if it is over. */
static int check(const aio_generator *generator)
{
    if (generator == NULL)
        return aio__null_future();
    if (generator->body.state == AIO__BODY_OVER)
        return AIO_ESTOP;
    if (!aio__stack_owner_is_here(&generator->body.owner, "generator"))
        return AIO_ERUNTIME;
    if (generator->body.state == AIO__BODY_RUNNING)
        return aio_raise(AIO_EVALUE, "generator already executing");
    return 0;
}

static int resume(aio_generator *generator, int code, void *value, void **ret_item)
{
    int err;

    generator->refs++;
    err = aio__body_resume(&generator->body, code, value, ret_item);
    aio_generator_unref(generator);
    return err;
}

int aio_generator_send(aio_generator *generator, void *value, void **ret_item)
{
    int err = check(generator);

    if (err < 0)
        return err;
    if (value != NULL && generator->body.state == AIO__BODY_CREATED)
        return aio_raise(AIO_ETYPE, "can't send non-None value to a just-started generator");
    return resume(generator, 0, value, ret_item);
}

int aio_next(aio_generator *generator, void **ret_item)
{
    return aio_generator_send(generator, NULL, ret_item);
}

int aio_generator_throw(aio_generator *generator, int code, void **ret_item)
{
    int err = check(generator);

    if (code >= 0)
        return aio_raise(AIO_ETYPE, "an error to throw is below 0, not %d", code);
    if (err == AIO_ESTOP)
        return code;
    if (err < 0)
        return err;
    if (generator->body.state == AIO__BODY_SUSPENDED)
        return resume(generator, code, NULL, ret_item);
    aio__body_give_up(&generator->body);
    return code;
}

int aio_generator_close(aio_generator *generator)
{
    int err = check(generator);

    if (err < 0)
        return err == AIO_ESTOP ? 0 : err;
    if (generator->body.state == AIO__BODY_CREATED) {
        aio__body_give_up(&generator->body);
        return 0;
    }
    err = resume(generator, AIO_EGENERATOREXIT, NULL, NULL);
    if (err == 0)
        return aio_raise(AIO_ERUNTIME, "generator ignored GeneratorExit");
    return err == AIO_ESTOP || err == AIO_EGENERATOREXIT ? 0 : err;
}

bool aio_generator_done(const aio_generator *generator)
{
    return generator == NULL || generator->body.state == AIO__BODY_OVER;
}

int aio_generator_result(const aio_generator *generator, void **ret_result)
{
    if (generator == NULL || !generator->body.returned)
        return AIO_EINVALIDSTATE;
    if (ret_result != NULL)
        *ret_result = generator->body.result;
    return 0;
}

/* --- yield from ------------------------------------------------------------------------ */

/* Pass one step on: what was sent, or what was thrown in, of which a close is a close. */
static int pass_on(aio_generator *generator, int code, void *value, void **ret_item)
{
    aio_exception *error;
    int err;

    if (code >= 0)
        return aio_generator_send(generator, value, ret_item);
    if (code != AIO_EGENERATOREXIT)
        return aio_generator_throw(generator, code, ret_item);

    error = aio__error_stash();
    err = aio_generator_close(generator);
    if (err < 0) {
        aio_exception_unref(error);
        return err;
    }
    aio__error_unstash(error);
    return code;
}

int aio_yield_from(aio_generator *generator, void **ret_result)
{
    void *value = NULL;
    int code = 0;
    int err;

    if (generator == NULL)
        return aio__null_future();
    generator->refs++;
    for (;;) {
        void *item = NULL;

        err = pass_on(generator, code, value, &item);
        if (err < 0)
            break;
        code = aio_yield(item, &value);
    }
    if (err == AIO_ESTOP) {
        err = 0;
        if (ret_result != NULL)
            *ret_result = generator->body.result;
    }
    aio_generator_unref(generator);
    return err;
}
