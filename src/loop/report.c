/* SPDX-License-Identifier: MIT */
/*
 * report.c - errors that nobody can be told: the exception handler
 *
 * Thread: the loop's.
 */
#include "base/error.h"
#include "base/log.h"
#include "loop/handle.h"
#include "loop/origin.h"

#include <aio/error.h>
#include <aio/future.h>
#include <aio/memory.h>
#include <stdio.h>
#include <string.h>

enum { OBJECT_TEXT = 512, PLACE_TEXT = 512 };

void aio_loop_set_exception_handler(aio_loop *loop, aio_exception_handler_fn fn, void *arg)
{
    if (loop == NULL)
        return;
    loop->handler = fn;
    loop->handler_arg = arg;
}

aio_exception_handler_fn aio_loop_get_exception_handler(const aio_loop *loop)
{
    return loop == NULL ? NULL : loop->handler;
}

/* An error as text of whatever length; NULL if there is none, or no memory. */
static char *error_text(const aio_exception *error)
{
    size_t size;
    char *text;

    if (error == NULL)
        return NULL;
    size = aio_exception_format(error, NULL, 0) + 1;
    text = aio_malloc(size);
    if (text != NULL)
        (void)aio_exception_format(error, text, size);
    return text;
}

/* The keys in alphabetic order, as asyncio logs them, then the error with its trace. */
void aio_loop_default_exception_handler(aio_loop *loop, const aio_exception_context *context)
{
    char future[OBJECT_TEXT] = "";
    char handle[OBJECT_TEXT] = "";
    const char *message;
    const char *source;
    char *error;

    (void)loop;
    if (context == NULL || !aio__log_heard())
        return;
    message = context->message;
    source = context->source;
    if (message == NULL || *message == '\0')
        message = "Unhandled exception in event loop";
    if (context->future != NULL)
        (void)aio_future_format(context->future, future, sizeof(future));
    if (context->handle != NULL)
        (void)aio_handle_format(context->handle, handle, sizeof(handle));
    error = error_text(context->error);
    aio__log(AIO_LOG_ERROR, "%s%s%s%s%s%s%s%s%s", message, *future ? "\nfuture: " : "", future,
             *handle ? "\nhandle: " : "", handle, source ? "\nsource: " : "", source ? source : "",
             error ? "\n" : "", error ? error : "");
    aio_free(error);
}

/* The context variables a handler sees: those of what the report names (S57). */
static aio__ctx *context_of(aio_loop *loop, const aio_exception_context *context)
{
    aio__ctx *slot = NULL;

    if (context->future != NULL && loop->strand_ops != NULL)
        slot = loop->strand_ops->context(context->future);
    if (slot == NULL && context->handle != NULL)
        slot = aio__handle_context_slot(context->handle);
    return slot;
}

void aio_loop_call_exception_handler(aio_loop *loop, const aio_exception_context *context)
{
    struct aio__thread *thread = aio__thread();
    aio__ctx *outer = thread->context;
    aio__ctx *slot;
    int code;

    if (loop == NULL || context == NULL)
        return;
    if (loop->handler == NULL) {
        aio_loop_default_exception_handler(loop, context);
        return;
    }

    slot = context_of(loop, context);
    if (slot != NULL)
        thread->context = slot;
    code = loop->handler(loop, context, loop->handler_arg);
    thread->context = outer;
    if (aio__ends_run(code)) {
        aio__loop_leave(loop, code, aio_error_catch(code));
    } else if (code < 0) {
        aio_exception_context failed = *context;
        aio_exception *error = aio_error_catch(code);

        failed.message = "Unhandled error in exception handler";
        failed.error = error;
        aio_loop_default_exception_handler(loop, &failed);
        aio_exception_unref(error);
    }
}

/* Call the handler with where the future or handle was made: all of the stack in debug mode, else
 * for tasks the line. */
static void report_with_source(aio_loop *loop, aio_exception_context *context)
{
    const struct aio__origin *origin = NULL;
    char place[PLACE_TEXT];
    char *stack;

    if (context->future != NULL)
        origin = aio__origin_find(loop, context->future);
    else if (context->handle != NULL)
        origin = context->handle->origin;
    stack = aio__origin_text(origin, "Object");
    if (stack != NULL)
        context->source = stack;
    else if (aio_future_is_task(context->future) &&
             loop->strand_ops->place(context->future, place, sizeof(place)) != 0)
        context->source = place;
    aio_loop_call_exception_handler(loop, context);
    context->source = NULL; /* it ends here */
    aio_free(stack);
}

void aio__loop_report(aio_loop *loop, const char *message, aio_exception *error, aio_future *future)
{
    aio_exception_context context = {
        .size = sizeof(context),
        .message = message,
        .error = error,
        .future = future,
    };

    report_with_source(loop, &context);
}

void aio__loop_callback_failed(aio_loop *loop, int code, aio_handle *handle)
{
    aio_exception_context context = {.size = sizeof(context), .handle = handle};
    char message[OBJECT_TEXT] = "Exception in callback";

    if (aio__ends_run(code)) {
        aio__loop_leave(loop, code, aio_error_catch(code));
        return;
    }
    if (handle != NULL) {
        (void)strcat(message, " ");
        (void)aio_handle_format(handle, message + strlen(message),
                                sizeof(message) - strlen(message));
    }
    context.message = message;
    context.error = aio_error_catch(code);
    report_with_source(loop, &context);
    aio_exception_unref(context.error);
}
