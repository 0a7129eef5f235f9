/* SPDX-License-Identifier: MIT */
/*
 * context_asm.c - the first entry of a stack for the assembly backend
 *
 * A context that was never entered looks like a suspended one: its place is
 * aio__context_entry, its frame pointer the function to call. The switch jumps
 * there with the stack pointer set and the context itself in the register of its
 * second operand.
 *
 * The entry says that it has no caller (.cfi_undefined), keeps a frame pointer of
 * zero and zeros where a return address would be: whichever way a debugger or
 * backtrace() walks the stack, it ends here cleanly. An exception that gets here
 * ends the program, as it does when it leaves a thread.
 */
#include "fiber/context.h"

#if defined(AIO__FIBER_ASM)

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* clang-format off */
#if defined(__x86_64__)
__asm__(
    ".text\n\t"
    ".p2align 4\n\t"
    ".globl aio__context_entry\n\t"
    ".hidden aio__context_entry\n\t"
    ".type aio__context_entry, @function\n"
    "aio__context_entry:\n\t"
    ".cfi_startproc\n\t"
    ".cfi_undefined rip\n\t"
    AIO__CONTEXT_LANDING
    "movq %rbp, %rax\n\t"
    "xorl %ebp, %ebp\n\t"
    "movq %rsi, %rdi\n\t"
    "callq *%rax\n\t"
    "ud2\n\t"
    ".cfi_endproc\n\t"
    ".size aio__context_entry, .-aio__context_entry\n");
#elif defined(__aarch64__)
__asm__(
    ".text\n\t"
    ".p2align 4\n\t"
    ".globl aio__context_entry\n\t"
    ".hidden aio__context_entry\n\t"
    ".type aio__context_entry, %function\n"
    "aio__context_entry:\n\t"
    ".cfi_startproc\n\t"
    ".cfi_undefined x30\n\t"
    AIO__CONTEXT_LANDING
    "mov x9, x29\n\t"
    "mov x29, xzr\n\t"
    "mov x30, xzr\n\t"
    "mov x0, x1\n\t"
    "blr x9\n\t"
    "brk #1\n\t"
    ".cfi_endproc\n\t"
    ".size aio__context_entry, .-aio__context_entry\n");
#endif
/* clang-format on */

extern const char aio__context_entry[] __attribute__((visibility("hidden")));

/* The shadow stack's pointer; 0 where there is none. A no-op on older processors. */
static uint64_t shadow_stack_pointer(void)
{
    uint64_t pointer = 0;

#if defined(__x86_64__)
    __asm__ volatile("rdsspq %0" : "+r"(pointer));
#endif
    return pointer;
}

#if AIO__CONTEXT_MAY_SHADOW
bool aio__context_shadowed;

int aio__context_check(void)
{
    if (shadow_stack_pointer() != 0)
        aio__context_shadowed = true;
    return 0;
}

const char *aio__context_backend(void)
{
    return aio__context_shadowed ? "ucontext" : "asm";
}
#else
int aio__context_check(void)
{
    return shadow_stack_pointer() == 0 ? 0 : -ENOTSUP;
}

const char *aio__context_backend(void)
{
    return "asm";
}
#endif

void aio__context_init(struct aio__context *context, char *low, char *high, aio__context_fn fn)
{
    char *top = high - (uintptr_t)high % 16 - 2 * sizeof(void *);

    memset(top, 0, 2 * sizeof(void *));
    context->stack_pointer = top;
    memcpy(&context->frame_pointer, &fn, sizeof(fn)); /* ISO C has no cast for this */
    context->place = (void *)(uintptr_t)aio__context_entry;
#if AIO__CONTEXT_JUMPS
    context->fresh = fn;
    context->low = low;
    context->high = high;
#else
    (void)low;
#endif
}

#endif
