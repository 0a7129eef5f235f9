/* SPDX-License-Identifier: MIT */
/*
 * backtrace.h - who has called, and the names of functions
 *
 * For reports: of slow callbacks, of what nobody looked at, of what tasks wait in. Nothing here is
 * kept between calls; finding a name reads the file of the program or library.
 */
#ifndef AIO__BACKTRACE_H
#define AIO__BACKTRACE_H

#include <aio/common.h>

enum { AIO__SYMBOL_NAME = 128, AIO__SYMBOL_OBJECT = 256 };

/*
 * The calls that led here, the newest first, this function's own left out: the places where they
 * go on. Walks the stack it is on, to where that begins. Gives their number.
 */
size_t aio__backtrace(const void **places, size_t limit);

/* Whether such a place is in a function, which may have no name. */
bool aio__place_is_in(const void *place, void (*function)(void));

struct aio__symbol {
    char name[AIO__SYMBOL_NAME];     /* of the function; "" if it has none */
    char object[AIO__SYMBOL_OBJECT]; /* the file it comes from; "" if that is not known */
    uintptr_t offset;                /* of the place in that file, as addr2line takes it */
};

/* What there is to know about a place. */
void aio__symbol_find(const void *place, struct aio__symbol *ret_symbol);

/* The place of a function's beginning, for the same. */
static inline const void *aio__place_of(void (*function)(void))
{
    return (const char *)(uintptr_t)function + 1;
}

/*
 * A line for each place, the oldest first, as "  fetch (prog+0x11d4)"; functions of the library's
 * inside are left out. No newline at the end. To be freed; NULL: no memory.
 */
char *aio__backtrace_text(const void *const *places, size_t count);

#endif
