/* SPDX-License-Identifier: MIT */
/*
 * error.c - error objects: made, counted, raised and caught
 *
 * Owns struct aio_exception. A raised object waits in a slot, the running task's or the
 * thread's (base/thread.h), until it is caught or another is raised.
 *
 * Invariants
 *   - An object does not change once its maker has let go of it, so objects form no
 *     cycles: a cause or a member is older than what it belongs to.
 *   - Freeing needs no stack for a chain of causes or for nested groups, however
 *     deep: fibers have small stacks.
 *   - Raising never fails. When memory is short the code travels alone.
 *
 *   - The last holder needs no atomic write to find out that it is the last.
 *
 * Thread: any. References are counted atomically: an error that came out of a worker thread
 * is looked at by whoever waits for it, in several threads at a time.
 */
#include "base/error_internal.h"
#include "base/thread.h"

#include <aio/memory.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Longer messages are cut, so that raising needs one known piece of stack. */
#define MESSAGE_BYTES 1024

static aio_exception no_memory = {.refs = AIO__ERROR_IMMORTAL, .code = AIO_ENOMEM};

aio_exception *aio__error_no_memory(void)
{
    return &no_memory;
}

aio_exception *aio__error_alloc(int code, size_t capacity, const char *message)
{
    size_t message_bytes = message == NULL ? 0 : strlen(message) + 1;
    size_t bytes;
    aio_exception *error;

    if (__builtin_mul_overflow(capacity, sizeof(aio_exception *), &bytes) ||
        __builtin_add_overflow(bytes, sizeof(*error) + message_bytes, &bytes))
        return NULL;
    error = aio_malloc(bytes);
    if (error == NULL)
        return NULL;

    memset(error, 0, sizeof(*error));
    atomic_init(&error->refs, 1);
    error->code = code < 0 ? code : AIO_ERUNTIME;
    if (message != NULL)
        error->message = memcpy(&error->members[capacity], message, message_bytes);
    return error;
}

static aio_exception *error_new(aio_exception *cause, const char *file, int line,
                                const char *function, int code, const char *format, va_list args)
{
    char message[MESSAGE_BYTES];
    aio_exception *error;

    if (format != NULL && vsnprintf(message, sizeof(message), format, args) < 0)
        format = NULL; /* a text that cannot be made is no text */
    error = aio__error_alloc(code, 0, format == NULL ? NULL : message);
    if (error == NULL)
        return NULL;

    error->file = file;
    error->line = file == NULL ? 0 : line;
    error->function = function;
    error->cause = aio_exception_ref(cause);
    return error;
}

aio_exception *aio_exception_new_at(const char *file, int line, const char *function, int code,
                                    const char *format, ...)
{
    aio_exception *error;
    va_list args;

    va_start(args, format);
    error = error_new(NULL, file, line, function, code, format, args);
    va_end(args);
    return error;
}

static bool is_counted(aio_exception *error)
{
    return error != NULL &&
           atomic_load_explicit(&error->refs, memory_order_relaxed) != AIO__ERROR_IMMORTAL;
}

aio_exception *aio_exception_ref(aio_exception *error)
{
    if (is_counted(error))
        atomic_fetch_add_explicit(&error->refs, 1, memory_order_relaxed);
    return error;
}

static bool drop_reference(aio_exception *error)
{
    return atomic_load_explicit(&error->refs, memory_order_acquire) == 1 ||
           atomic_fetch_sub_explicit(&error->refs, 1, memory_order_acq_rel) == 1;
}

/* Drop a reference; the last one puts the object on the list of those to free, which
 * is linked through `cause`, once the cause itself has been dropped. */
static void drop(aio_exception *error, aio_exception **doomed)
{
    while (is_counted(error) && drop_reference(error)) {
        aio_exception *cause = error->cause;

        error->cause = *doomed;
        *doomed = error;
        error = cause;
    }
}

void aio_exception_unref(aio_exception *error)
{
    aio_exception *doomed = NULL;

    drop(error, &doomed);
    while (doomed != NULL) {
        error = doomed;
        doomed = error->cause;
        for (size_t i = 0; i < error->member_count; i++)
            drop(error->members[i], &doomed);
        if (error->destroy_detail != NULL)
            error->destroy_detail(error->detail);
        aio_free(error);
    }
}

void aio__error_set_detail(aio_exception *error, void *data, void (*destroy)(void *data))
{
    if (!is_counted(error)) {
        if (destroy != NULL)
            destroy(data);
        return;
    }
    error->detail = data;
    error->destroy_detail = destroy;
}

void *aio__error_detail(const aio_exception *error)
{
    return error == NULL ? NULL : error->detail;
}

/*
 * Put an error, or none, where the one raised before is. That one goes last: the
 * message of the new one may have been made from its text.
 */
static void travel(aio_exception *error)
{
    aio_exception **slot = aio__thread_error_slot(aio__thread());
    aio_exception *before;

    if (slot == NULL) {
        aio_exception_unref(error);
        return;
    }
    before = *slot;
    *slot = error;
    aio_exception_unref(before);
}

void aio__error_forget(void)
{
    travel(NULL);
}

int aio__error_travelling(void)
{
    aio_exception **slot = aio__thread_error_slot(aio__thread());

    return slot == NULL ? 0 : aio_exception_code(*slot);
}

int aio_raise_at(const char *file, int line, const char *function, int code, const char *format,
                 ...)
{
    va_list args;

    if (code >= 0)
        code = AIO_ERUNTIME;
    va_start(args, format);
    travel(error_new(NULL, file, line, function, code, format, args));
    va_end(args);
    return code;
}

int aio_raise_from_at(aio_exception *cause, const char *file, int line, const char *function,
                      int code, const char *format, ...)
{
    va_list args;

    if (code >= 0)
        code = AIO_ERUNTIME;
    va_start(args, format);
    travel(error_new(cause, file, line, function, code, format, args));
    va_end(args);
    return code;
}

int aio_raise_exception(aio_exception *error)
{
    int code = error == NULL ? AIO_ENOMEM : error->code;

    travel(aio_exception_ref(error));
    return code;
}

aio_exception *aio_error_catch(int code)
{
    aio_exception **slot = aio__thread_error_slot(aio__thread());
    aio_exception *error;

    if (slot != NULL && *slot != NULL && (*slot)->code == code) {
        error = *slot;
        *slot = NULL;
        return error;
    }
    error = aio__error_alloc(code, 0, NULL);
    return error != NULL ? error : &no_memory;
}

const char *aio_error_text(int code)
{
    aio_exception **slot = aio__thread_error_slot(aio__thread());

    if (slot != NULL && *slot != NULL && (*slot)->code == code && (*slot)->message != NULL)
        return (*slot)->message;
    return aio_strerror(code);
}

int aio_exception_code(const aio_exception *error)
{
    return error == NULL ? 0 : error->code;
}

const char *aio_exception_message(const aio_exception *error)
{
    return error == NULL ? NULL : error->message;
}

aio_exception *aio_exception_cause(const aio_exception *error)
{
    return error == NULL ? NULL : error->cause;
}

const char *aio_exception_file(const aio_exception *error)
{
    return error == NULL ? NULL : error->file;
}

int aio_exception_line(const aio_exception *error)
{
    return error == NULL ? 0 : error->line;
}

const char *aio_exception_function(const aio_exception *error)
{
    return error == NULL ? NULL : error->function;
}

size_t aio_exception_member_count(const aio_exception *error)
{
    return error == NULL ? 0 : error->member_count;
}

aio_exception *aio_exception_member(const aio_exception *error, size_t index)
{
    return error == NULL || index >= error->member_count ? NULL : error->members[index];
}

/* --- NULL in the place of an object ------------------------------------------------------ */

static _Thread_local int last_failure;

void *aio__failed(int code)
{
    last_failure = code;
    return NULL;
}

int aio__noted_failure(void)
{
    int code = last_failure;

    if (code == 0)
        return aio_raise(AIO_ETYPE, "an object is required, not NULL");
    /* What was raised then may have been replaced since; a shortage of memory needs no words. */
    if (code != AIO_ENOMEM && aio_error_text(code)[0] == '\0')
        return aio_raise(code, "the object is NULL: it could not be made");
    return code;
}

int aio_last_failure(void)
{
    return last_failure;
}
