/* SPDX-License-Identifier: MIT */
/*
 * type.h - what internal files do with values through their type
 */
#ifndef AIO__TYPE_H
#define AIO__TYPE_H

#include <aio/type.h>

/* Free a value by its type; nothing for a NULL type or one without destructor. */
static inline void aio__value_destroy(const aio_type *type, void *value)
{
    if (type != NULL && type->destroy != NULL)
        type->destroy(value);
}

/*
 * Write a value as text: by its type; as "None" or an address where that says nothing.
 * As snprintf.
 */
size_t aio__value_format(const aio_type *type, const void *value, char *buffer, size_t size);

#endif
