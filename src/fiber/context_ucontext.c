/* SPDX-License-Identifier: MIT */
/*
 * context_ucontext.c - switching with what every Unix has
 *
 * A stack is entered once with setcontext(); from then on the jumps are
 * sigsetjmp()/siglongjmp() that leave the signal mask alone, so there is no system
 * call in them.
 *
 * The ucontext_t is made at the first entry, not before, so that signal mask and
 * floating point environment are those of the thread at that moment and setcontext()
 * changes neither. It lies on the stack to be entered: setcontext() has read all of
 * it when the first frame is written over it. (On AArch64 it is larger than a page, so
 * that a small stack costs three pages there. That processor has the assembly.)
 */
#include "fiber/context.h"

#if AIO__CONTEXT_JUMPS

#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>

/*
 * With _FORTIFY_SOURCE siglongjmp() becomes a function that refuses to go to a lower
 * stack, which is half of what we do. This name for it is out of its reach.
 */
extern _Noreturn void jump(sigjmp_buf env, int value) __asm__("siglongjmp");

/* Where to put the ucontext_t: below what makecontext() writes at the stack's top,
 * and still in the page that the first frames touch anyway. */
enum { UCONTEXT_DISTANCE = 256 + sizeof(ucontext_t) };

#if defined(AIO__FIBER_UCONTEXT)
int aio__context_check(void)
{
    return 0;
}

const char *aio__context_backend(void)
{
    return "ucontext";
}

void aio__context_init(struct aio__context *context, char *low, char *high, aio__context_fn fn)
{
    context->stack_pointer = high - sizeof(void *);
    context->frame_pointer = NULL;
    context->place = NULL;
    context->fresh = fn;
    context->low = low;
    context->high = high;
}
#endif

/* A return address that is signed cannot be replaced by zero. */
#if defined(__aarch64__)
#define UNSIGNED __attribute__((target("branch-protection=bti")))
#else
#define UNSIGNED
#endif

/*
 * What makecontext() calls. The pointer comes in two halves, as its arguments are of
 * type int. Walking up the stack has to end here, but makecontext() has left a return
 * address into the C library: a frame pointer and return address of zero instead.
 */
AIO__UNSANITIZED UNSIGNED static void entry(unsigned low_half, unsigned high_half)
{
    uintptr_t bits = (uintptr_t)low_half | (uintptr_t)((uint64_t)high_half << 32);
    struct aio__context *self = (struct aio__context *)bits;
    aio__context_fn fn = self->fresh;

#if defined(__x86_64__) || defined(__aarch64__)
    void *volatile *frame = __builtin_frame_address(0);

    frame[0] = NULL;
    frame[1] = NULL;
#endif
    self->fresh = NULL;
    fn(self);
    abort();
}

AIO__UNSANITIZED static void enter(struct aio__context *to)
{
    uintptr_t bits = (uintptr_t)to;
    uintptr_t place = ((uintptr_t)to->high - UCONTEXT_DISTANCE) & ~(uintptr_t)63;
    ucontext_t *uc = (ucontext_t *)place;

    if (getcontext(uc) < 0)
        abort(); /* it has nothing to fail with */
    uc->uc_stack.ss_sp = to->low;
    uc->uc_stack.ss_size = (size_t)(to->high - to->low);
    uc->uc_link = NULL;
    makecontext(uc, (void (*)(void))entry, 2, (unsigned)bits, (unsigned)((uint64_t)bits >> 32));
    setcontext(uc);
    abort();
}

/* Leave behind what a debugger can use: env has it too, but mangled. */
#if defined(__x86_64__)
#define RECORD(context)                                                                            \
    __asm__ volatile("leaq 1f(%%rip), %%rax\n\t"                                                   \
                     "movq %%rsp, 0(%0)\n\t"                                                       \
                     "movq %%rbp, 8(%0)\n\t"                                                       \
                     "movq %%rax, 16(%0)\n"                                                        \
                     "1:"                                                                          \
                     :                                                                             \
                     : "r"(context)                                                                \
                     : "rax", "memory")
#elif defined(__aarch64__)
#define RECORD(context)                                                                            \
    __asm__ volatile("adr x9, 1f\n\t"                                                              \
                     "mov x10, sp\n\t"                                                             \
                     "stp x10, x29, [%0]\n\t"                                                      \
                     "str x9, [%0, #16]\n"                                                         \
                     "1:"                                                                          \
                     :                                                                             \
                     : "r"(context)                                                                \
                     : "x9", "x10", "memory")
#else
#define RECORD(context)                                                                            \
    do {                                                                                           \
        (context)->stack_pointer = __builtin_frame_address(0);                                     \
        (context)->frame_pointer = __builtin_frame_address(0);                                     \
    } while (0)
#endif

AIO__UNSANITIZED void aio__context_jump(struct aio__context *from, struct aio__context *to)
{
    RECORD(from);
    if (sigsetjmp(from->env, 0) != 0)
        return;
#if AIO__TSAN
    __tsan_switch_to_fiber(to->tsan, 0); /* no sooner: env is noted for the stack we leave */
#endif
    if (to->fresh != NULL)
        enter(to);
    jump(to->env, 1);
}

#endif
