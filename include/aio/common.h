/* SPDX-License-Identifier: MIT */
/*
 * common.h - the attributes and small helpers that every public header uses
 */
#ifndef AIO_COMMON_H
#define AIO_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define AIO_BEGIN_DECLS extern "C" {
#define AIO_END_DECLS   }
#else
#define AIO_BEGIN_DECLS
#define AIO_END_DECLS
#endif

#if defined(__GNUC__)
#define AIO_API                __attribute__((visibility("default")))
#define AIO_PRINTF(text, args) __attribute__((format(printf, text, args)))
#else
#define AIO_API
#define AIO_PRINTF(text, args)
#endif

/*
 * The result has to be looked at, or dropped with a (void) cast. Left out
 * where the compiler would not accept that cast as an answer (GCC's
 * warn_unused_result).
 */
#if defined(__clang__)
#define AIO_MUST_CHECK __attribute__((warn_unused_result))
#else
#define AIO_MUST_CHECK
#endif

/**
 * Bind a reference to its scope: it is dropped when the scope is left, on any
 * way out. Only where the compiler has cleanup attributes (GCC, clang).
 *
 *     AIO_AUTO(aio_future) reply = aio_future_new(NULL);
 *
 * @param type  aio_future, aio_task, aio_exception, aio_handle, aio_timeout, ...:
 *              every counted type of the library.
 */
#if defined(__GNUC__)
#define AIO_AUTO(type) __attribute__((cleanup(type##_auto_unref), unused)) type *
#define AIO_DEFINE_AUTO(type)                                                                      \
    static inline void type##_auto_unref(type **object)                                            \
    {                                                                                              \
        type##_unref(*object);                                                                     \
    }
#else
#define AIO_DEFINE_AUTO(type)
#endif

/**
 * Hand on something constant, a string literal above all, where the library has `void *`:
 * `*ret_result = aio_constant("done");`. Whoever gets it must not write to it.
 */
static inline void *aio_constant(const void *value)
{
    return (void *)(uintptr_t)value;
}

/*
 * What the AIO_..._INIT of structs with a size expand to: all is zero but the size and what is
 * set. In C that is an initializer, with designators. C++ has none before C++20, and warns of
 * members that are left out: there it is a value, of an object that sets them while it is made.
 *
 *     #define AIO_SERVER_OPTIONS_INIT AIO_SIZED_WITH(aio_server_options, AIO_SET(port, -1))
 */
#ifdef __cplusplus
#define AIO_VALUE(type, ...)                                                                       \
    ([]() -> type {                                                                                \
        struct type##_made : type {                                                                \
            type##_made() : type()                                                                 \
            {                                                                                      \
                __VA_ARGS__                                                                        \
            }                                                                                      \
        };                                                                                         \
        return type##_made();                                                                      \
    }())
#define AIO_SET(member, value) this->member = value;
#else
#define AIO_VALUE(type, ...)                                                                       \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define AIO_SET(member, value) .member = value,
#endif
#define AIO_SIZED(type)                AIO_VALUE(type, AIO_SET(size, sizeof(type)))
#define AIO_SIZED_WITH(type, settings) AIO_VALUE(type, AIO_SET(size, sizeof(type)) settings)

/** A time that never comes: no timeout, no deadline. */
#define AIO_FOREVER (__builtin_inf())

AIO_BEGIN_DECLS

/** Some bytes, borrowed. */
typedef struct aio_buffer {
    const void *data;
    size_t size;
} aio_buffer;

typedef struct aio_loop aio_loop;
typedef struct aio_handle aio_handle;
/** An error object; see aio/error.h. <aio.h> has a function aio_exception(). */
typedef struct aio_exception aio_exception;
typedef struct aio_context aio_context;

/**
 * A result that comes later. A Task is a Future, and a coroutine object becomes
 * a Task: the three are one type, so every function that takes a future takes a
 * task without a cast. Functions that need one kind say so and check it.
 */
typedef struct aio_future aio_future;
typedef struct aio_future aio_task;
typedef struct aio_future aio_coroutine;

AIO_END_DECLS

#endif
