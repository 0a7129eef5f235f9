/* SPDX-License-Identifier: MIT */
/*
 * error.h - what internal files do with error objects beyond the public calls
 */
#ifndef AIO__ERROR_H
#define AIO__ERROR_H

#include <aio/error.h>
#include <assert.h>
#include <stdbool.h>

/* Whether it leaves the run call of the loop: KeyboardInterrupt, SystemExit. */
static inline bool aio__ends_run(int code)
{
    return code == AIO_EKEYBOARDINTERRUPT || code == AIO_ESYSTEMEXIT;
}

/*
 * Hang data on an error just made, before anybody else has it: the bytes of an
 * IncompleteReadError, say. Its meaning follows from the error's code. Taken: it goes
 * with the error, or at once when there is none (NULL, as aio_exception_new() gives it,
 * or the object that stands for AIO_ENOMEM).
 */
void aio__error_set_detail(aio_exception *error, void *data, void (*destroy)(void *data));

/* The object that stands for a shortage of memory, which needs none; not counted. */
aio_exception *aio__error_no_memory(void);

/* The code that is returned next travels alone: drop what was raised before. */
void aio__error_forget(void);

/* The code of the error that travels; 0: none does. */
int aio__error_travelling(void);

/* A constructor fails: note the code for whoever gets its NULL. Returns NULL. */
void *aio__failed(int code);

/* What a NULL in the place of an object stands for: the failure of its constructor. Raised, if
 * nobody has raised it. */
int aio__noted_failure(void);
static inline int aio__null_future(void)
{
    int code = aio__noted_failure();

    assert(code < 0);
    return code;
}

/* The data, borrowed; NULL if none was set. */
void *aio__error_detail(const aio_exception *error);

#endif
