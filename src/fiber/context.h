/* SPDX-License-Identifier: MIT */
/*
 * context.h - a place to go on from, and the jump to another one
 *
 * For fiber.h alone. Two backends have the same three operations: check, init and
 * switch. The build chooses one with AIO__FIBER_ASM or AIO__FIBER_UCONTEXT.
 *
 *   asm       x86-64 and AArch64. The switch is inline: it names every register as
 *             clobbered but the stack and frame pointers, so that the compiler
 *             saves just what is alive, and pushes no return address, so that the
 *             processor's prediction of returns stays right for both sides. It
 *             writes nothing below the stack pointer: red zones stay whole.
 *   ucontext  Any system with ucontext. makecontext() builds a stack, which is
 *             entered once with setcontext(); later switches are
 *             sigsetjmp()/siglongjmp() without the signal mask. No system call
 *             after the first entry.
 *
 * Floating point control words (rounding, exception masks) are not switched, as
 * that would cost more than the rest. They belong to the thread: a task that
 * changes them has to restore them before it suspends.
 *
 * Stack pointer, frame pointer and place are kept in plain form at the start of
 * struct aio__context, for debuggers and for walking a suspended stack.
 */
#ifndef AIO__FIBER_CONTEXT_H
#define AIO__FIBER_CONTEXT_H

#include "fiber/sanitize.h"

#include <stdbool.h>
#include <stddef.h>

#if defined(AIO__FIBER_ASM) == defined(AIO__FIBER_UCONTEXT)
#error "define one of AIO__FIBER_ASM and AIO__FIBER_UCONTEXT"
#endif

/*
 * A program built for shadow stacks (-fcf-protection=return) may run with them, and
 * then the plain jump would be taken for an attack. Such builds carry glibc's own
 * switch as well, which knows shadow stacks, and choose when they run.
 */
#if defined(AIO__FIBER_ASM) && defined(__CET__) && (__CET__ & 2)
#define AIO__CONTEXT_MAY_SHADOW 1
#else
#define AIO__CONTEXT_MAY_SHADOW 0
#endif

#if defined(AIO__FIBER_UCONTEXT) || AIO__CONTEXT_MAY_SHADOW
#define AIO__CONTEXT_JUMPS 1
#include <setjmp.h>
#else
#define AIO__CONTEXT_JUMPS 0
#endif

struct aio__context;

/* The first function on a stack. Gets the context that was entered; never returns. */
typedef void (*aio__context_fn)(struct aio__context *self);

struct aio__context {
    void *stack_pointer; /* where it went away; valid while suspended */
    void *frame_pointer;
    void *place;
#if AIO__TSAN
    void *tsan; /* ThreadSanitizer's idea of this stack; made and freed by fiber.c */
#endif
#if AIO__CONTEXT_JUMPS
    aio__context_fn fresh; /* not NULL: never entered, and env is not valid */
    char *low;             /* the stack to enter it on */
    char *high;
    sigjmp_buf env;
#endif
};

/* Find out how to switch in this process. 0, or -ENOTSUP if it is not possible. */
int aio__context_check(void);

/* Name of the backend in use. */
const char *aio__context_backend(void);

/* Make a context that enters fn on the stack [low, high). */
void aio__context_init(struct aio__context *context, char *low, char *high, aio__context_fn fn);

#if AIO__CONTEXT_JUMPS
void aio__context_jump(struct aio__context *from, struct aio__context *to);
#endif

#if AIO__CONTEXT_MAY_SHADOW
extern AIO__HIDDEN bool aio__context_shadowed; /* the thread that asked first has a shadow stack */
#endif

#if defined(AIO__FIBER_ASM) && defined(__x86_64__)
#include "fiber/context_x86_64.h"
#elif defined(AIO__FIBER_ASM) && defined(__aarch64__)
#include "fiber/context_aarch64.h"
#elif defined(AIO__FIBER_ASM)
#error "no assembly for this processor: configure with -Dfiber=ucontext"
#endif

/* Go on at `to`; returns when somebody switches to `from`. */
static inline __attribute__((always_inline)) void aio__context_switch(struct aio__context *from,
                                                                      struct aio__context *to)
{
#if AIO__CONTEXT_MAY_SHADOW
    if (AIO__UNLIKELY(aio__context_shadowed)) {
        aio__context_jump(from, to);
        return;
    }
#endif
#if defined(AIO__FIBER_ASM)
#if AIO__TSAN
    __tsan_switch_to_fiber(to->tsan, 0);
#endif
    aio__context_swap(from, to);
#else
    aio__context_jump(from, to);
#endif
}

#endif
