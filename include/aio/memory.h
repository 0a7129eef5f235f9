/* SPDX-License-Identifier: MIT */
/*
 * memory.h - where the library's memory comes from
 */
#ifndef AIO_MEMORY_H
#define AIO_MEMORY_H

#include <aio/common.h>

AIO_BEGIN_DECLS

/**
 * The functions the library allocates with. They have the meaning of the C
 * library's malloc, realloc and free; each gets @p arg as its last argument. They
 * may be called from any thread, and may fail: the call that needed the memory
 * then returns AIO_ENOMEM, and nothing leaks or breaks.
 */
typedef struct aio_allocator {
    size_t size; /**< sizeof(aio_allocator) */
    void *(*allocate)(size_t bytes, void *arg);
    void *(*reallocate)(void *old, size_t bytes, void *arg);
    void (*release)(void *memory, void *arg);
    void *arg;
} aio_allocator;

/**
 * Replace the allocator, for the whole process. To be called before any other
 * function of the library: memory goes back to the allocator in force when it is
 * freed. Stacks of fibers are mapped, not allocated.
 *
 * @param allocator  Copied. NULL: the C library's again.
 * @return 0, or AIO_EVALUE if a function is missing or the size is wrong.
 * Thread: any, while no other uses the library.                  Since: 0.1
 */
AIO_API int aio_set_allocator(const aio_allocator *allocator);

/** Allocate as the library does; free with aio_free(). NULL when short. Since: 0.1 */
AIO_API void *aio_malloc(size_t bytes);
/** The same, cleared: @p count objects of @p bytes. NULL when short or too large. Since: 0.1 */
AIO_API void *aio_calloc(size_t count, size_t bytes);
/** Resize what aio_malloc() gave. NULL when short; @p memory then stays as it was. Since: 0.1 */
AIO_API void *aio_realloc(void *memory, size_t bytes);
/** Copy a string with aio_malloc(). NULL when short or @p text is NULL. Since: 0.1 */
AIO_API char *aio_strdup(const char *text);
/** Free what one of these gave. NULL is allowed. Since: 0.1 */
AIO_API void aio_free(void *memory);

AIO_END_DECLS

#endif
