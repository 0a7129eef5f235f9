/* SPDX-License-Identifier: MIT */
/*
 * type.h - what the library may do with a value it only knows as `void *`
 *
 * Results, items and context variables are pointers. Who gives one to the library says with
 * a type how it is freed and printed; without a type it is borrowed and prints as an address.
 */
#ifndef AIO_TYPE_H
#define AIO_TYPE_H

#include <aio/common.h>

AIO_BEGIN_DECLS

/** How to free and print a kind of value. A constant: the library keeps the pointer. */
typedef struct aio_type {
    /** Free a value; NULL: nothing to free. */
    void (*destroy)(void *value);
    /** Write it as text, like snprintf; NULL: "0x..." (and "None" for NULL). */
    int (*format)(const void *value, char *buffer, size_t size);
} aio_type;

/** A `const char *` that is not freed; prints as Python prints a str: 'text'. Since: 0.1 */
AIO_API extern const aio_type aio_type_string;
/** A `char *` that aio_free() frees; prints as 'text'. Since: 0.1 */
AIO_API extern const aio_type aio_type_owned_string;
/** An intptr_t kept in the pointer itself; prints as a number. Since: 0.1 */
AIO_API extern const aio_type aio_type_int;
/** A pointer that aio_free() frees. Since: 0.1 */
AIO_API extern const aio_type aio_type_owned;

/**
 * Write text as Python's repr() does: 'text', "it's", 'a\n'; bytes that are not UTF-8 as b'\xff'.
 *
 * @param[out] buffer  Gets at most @p room bytes, the final 0 among them. May be NULL when @p room
 *                     is 0.
 * @return The length of the whole text, as snprintf does.
 * Thread: any.   asyncio: repr()                                 Since: 0.1
 */
AIO_API size_t aio_repr_text(const char *text, size_t size, char *buffer, size_t room);
/** The same of bytes, whatever they are: b'text'. Since: 0.1 */
AIO_API size_t aio_repr_bytes(const void *bytes, size_t size, char *buffer, size_t room);

AIO_END_DECLS

#endif
