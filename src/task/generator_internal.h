/* SPDX-License-Identifier: MIT */
/*
 * generator_internal.h - a body that yields: what plain and asynchronous generators share
 *
 * For src/task/generator.c and asyncgen.c.
 */
#ifndef AIO__GENERATOR_INTERNAL_H
#define AIO__GENERATOR_INTERNAL_H

#include "task/stacks.h"

#include <aio/generator.h>

enum aio__body_state {
    AIO__BODY_CREATED,   /* not begun: has no fiber */
    AIO__BODY_SUSPENDED, /* at a yield */
    AIO__BODY_RUNNING,   /* somebody has resumed it; it may itself be waiting in a task */
    AIO__BODY_OVER       /* ended, or never to run: has no fiber */
};

struct aio__body {
    struct aio__stack_owner owner; /* removed once it is over */
    const char *name;              /* of the function, or NULL */
    aio_generator_fn fn;
    void *arg;
    void (*arg_destroy)(void *arg); /* NULL once called */
    const aio_type *result_type;
    size_t stack_size;
    enum aio__body_state state;
    bool is_async;
    bool returned;             /* OVER by a normal return: result counts */
    struct aio__fiber *fiber;  /* SUSPENDED, RUNNING */
    struct aio__fiber *caller; /* RUNNING: who waits for the next yield */
    aio__ctx *context;         /* RUNNING: the caller's current context */
    struct aio__scope *scopes; /* the innermost block it is in */
    unsigned depth;            /* RUNNING: bodies in bodies, this one counted */
    int code;                  /* handed over: thrown in, or what the body ended with */
    void *value;               /* handed over: sent in, or yielded */
    void *result;              /* owned by result_type */
};

/* Cleared memory for an object of that size, with room behind it for a copy of the argument.
 * NULL: no memory. */
void *aio__body_alloc(size_t object_size, const aio_generator_options *options);

/* Prepare a body in an object of that size, allocated so. 0, or a code, and nothing is held. */
int aio__body_init(struct aio__body *body, aio_site site, aio_generator_fn fn, void *arg,
                   const aio_generator_options *options, void *object, size_t object_size);

/* The object could not be made: its argument goes all the same. */
void aio__body_drop_refused_arg(void *arg, const aio_generator_options *options);

/*
 * Run a body that is CREATED or SUSPENDED up to its next yield: throw a negative code in, or
 * send the value. 0: it has yielded *ret_item. AIO_ESTOP: it has returned. Any other code: it
 * ended with that, or (still CREATED) could not begin.
 */
int aio__body_resume(struct aio__body *body, int code, void *value, void **ret_item);

/* It never begins, or its frames are given up: CREATED or SUSPENDED becomes OVER. */
void aio__body_give_up(struct aio__body *body);

/*
 * Nobody can resume it any more: unwind what is suspended, or give it up if it yields again.
 * What goes wrong is logged. It is OVER then, unless it is RUNNING.
 */
void aio__body_unwind(struct aio__body *body);

/* Who waits for the next yield of the body on a fiber, and the thread's stacks; NULL if no body
 * runs there. */
struct aio__fiber *aio__body_caller(const struct aio__fiber *fiber,
                                    struct aio__stacks **ret_stacks);

/* The blocks of the body that runs on a fiber; NULL if none does. */
struct aio__scope **aio__body_scopes(const struct aio__fiber *fiber);

/* Free the result. It is OVER. */
void aio__body_destroy(struct aio__body *body);

/* For reports: "count". */
static inline const char *aio__body_name(const struct aio__body *body)
{
    return body->name != NULL ? body->name : "?";
}

#endif
