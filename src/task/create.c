/* SPDX-License-Identifier: MIT */
/*
 * create.c - the ways to make a task: functions, factories, coroutine objects
 */
#include "loop/origin.h"
#include "task/task_internal.h"

#include <aio/memory.h>

/* The macros of these names note the place; here they are functions. */
#undef aio_create_task
#undef aio_create_task_copy
#undef aio_create_task_with
#undef aio_loop_create_task
#undef aio_coroutine_new

static const aio_site nowhere = {NULL, NULL, 0};

/* Making the task failed: its argument goes all the same. Gives NULL. */
static aio_task *fail(int code, void *arg, const aio_task_options *options)
{
    if (options != NULL && options->size >= sizeof(*options) && options->arg_destroy != NULL)
        options->arg_destroy(arg);
    return aio__failed(code);
}

static bool is_eager(const aio_task_options *options)
{
    return options != NULL && options->eager_start == AIO_EAGER_YES;
}

/* Of a wrong size, they are refused when they are applied. */
static bool is_of_object(const aio_task_options *options)
{
    return options != NULL && options->size >= sizeof(*options) && options->coroutine != NULL;
}

static inline aio_task *new_task(aio_loop *loop, const aio_site *site, aio_coro_fn fn, void *arg,
                                 const aio_task_options *options)
{
    struct aio__task *task;
    int err;

    if (AIO__UNLIKELY(loop->closed))
        return fail(aio_raise(AIO_ECLOSED, "Event loop is closed"), arg, options);
    if (AIO__UNLIKELY(is_of_object(options))) {
        err = aio__coroutine_take(loop, site, fn, arg, options);
        return err < 0 ? fail(err, arg, options) : aio_future_ref(options->coroutine);
    }
    task = aio__loop_alloc(loop, sizeof(*task));
    if (task == NULL)
        return fail(AIO_ENOMEM, arg, options);
    aio__future_init(&task->fut, loop, &aio__task_ops);
    err = aio__task_init(task, site, fn, arg, options);
    if (AIO__UNLIKELY(err < 0)) {
        aio__origin_forget(loop, &task->fut);
        aio__loop_free(loop, task, sizeof(*task));
        return fail(err, arg, options);
    }
    aio__task_start(task, loop, is_eager(options));
    return &task->fut;
}

aio_task *aio_task_new(aio_loop *loop, aio_site site, aio_coro_fn fn, void *arg,
                       const aio_task_options *options)
{
    if (loop == NULL)
        return fail(aio_raise(AIO_ENOLOOP, "no event loop given"), arg, options);
    return new_task(loop, &site, fn, arg, options);
}

aio_task *aio_loop_create_task_at(aio_site site, aio_loop *loop, aio_coro_fn fn, void *arg,
                                  const aio_task_options *options)
{
    if (AIO__UNLIKELY(loop != NULL && loop->factory != NULL))
        return loop->factory(loop, site, fn, arg, options, loop->factory_arg);
    return aio_task_new(loop, site, fn, arg, options);
}

aio_task *aio_create_task_at(aio_site site, aio_coro_fn fn, void *arg,
                             const aio_task_options *options)
{
    aio_loop *loop = aio_get_running_loop();

    if (AIO__UNLIKELY(loop == NULL))
        return fail(AIO_ENOLOOP, arg, options);
    if (AIO__UNLIKELY(loop->factory != NULL))
        return loop->factory(loop, site, fn, arg, options, loop->factory_arg);
    return new_task(loop, &site, fn, arg, options);
}

aio_task *aio_create_task_copy_at(aio_site site, aio_coro_fn fn, const void *arg, size_t size)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;

    options.arg_size = size;
    return aio_create_task_at(site, fn, (void *)(uintptr_t)arg, &options);
}

aio_task *aio_create_task(aio_coro_fn fn, void *arg)
{
    return aio_create_task_at(nowhere, fn, arg, NULL);
}

aio_task *aio_create_task_copy(aio_coro_fn fn, const void *arg, size_t size)
{
    return aio_create_task_copy_at(nowhere, fn, arg, size);
}

aio_task *aio_create_task_with(aio_coro_fn fn, void *arg, const aio_task_options *options)
{
    return aio_create_task_at(nowhere, fn, arg, options);
}

aio_task *aio_loop_create_task(aio_loop *loop, aio_coro_fn fn, void *arg,
                               const aio_task_options *options)
{
    return aio_loop_create_task_at(nowhere, loop, fn, arg, options);
}

aio_coroutine *aio_coroutine_new(aio_coro_fn fn, void *arg, const aio_task_options *options)
{
    return aio_coroutine_new_at(nowhere, fn, arg, options);
}

/* --- factories ------------------------------------------------------------------------- */

void aio_loop_set_task_factory(aio_loop *loop, aio_task_factory_fn fn, void *factory_arg)
{
    if (loop == NULL)
        return;
    loop->factory = fn;
    loop->factory_arg = factory_arg;
}

aio_task_factory_fn aio_loop_get_task_factory(const aio_loop *loop)
{
    return loop == NULL ? NULL : loop->factory;
}

aio_task *aio_eager_task_factory(aio_loop *loop, aio_site site, aio_coro_fn fn, void *arg,
                                 const aio_task_options *options, void *factory_arg)
{
    const aio_task_constructor *constructor = factory_arg;
    aio_task_options eager = AIO_TASK_OPTIONS_INIT;

    eager.eager_start = AIO_EAGER_YES;
    if (options != NULL) {
        /* Of a wrong size, they are for the constructor to refuse. */
        if (options->size >= sizeof(*options) && options->eager_start == AIO_EAGER_DEFAULT) {
            eager = *options;
            eager.eager_start = AIO_EAGER_YES;
            options = &eager;
        }
    } else {
        options = &eager;
    }
    if (constructor != NULL)
        return constructor->fn(loop, site, fn, arg, options, constructor->arg);
    return aio_task_new(loop, site, fn, arg, options);
}
