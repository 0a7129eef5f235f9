/* SPDX-License-Identifier: MIT */
/*
 * error_internal.h - the inside of error objects and what is known of codes
 *
 * For the error*.c files of src/base alone.
 */
#ifndef AIO__ERROR_INTERNAL_H
#define AIO__ERROR_INTERNAL_H

#include "base/error.h"

#include <stdatomic.h>

/* One allocation: the members follow the structure, the message follows them. */
struct aio_exception {
    atomic_size_t refs; /* AIO__ERROR_IMMORTAL: not counted */
    int code;
    int line;             /* 0: unknown */
    const char *file;     /* borrowed, a literal; NULL: unknown */
    const char *function; /* borrowed, a literal; NULL: unknown */
    const char *message;  /* in this allocation; NULL: none was given */
    aio_exception *cause; /* one reference; NULL: none */
    void *detail;         /* owned; see aio__error_set_detail() */
    void (*destroy_detail)(void *data);
    size_t member_count;      /* 0 unless it is a group */
    aio_exception *members[]; /* one reference each */
};

#define AIO__ERROR_IMMORTAL SIZE_MAX

/*
 * An error with one reference, a copy of the message (NULL: none) and room for
 * `capacity` members, of which it has none so far. NULL when memory is short.
 */
aio_exception *aio__error_alloc(int code, size_t capacity, const char *message);

/* The number Python shows for a system code: errno's, or getaddrinfo()'s. Writes it
 * and gives true; false for a code of another kind. */
bool aio__error_number(int code, int *ret_number);

#endif
