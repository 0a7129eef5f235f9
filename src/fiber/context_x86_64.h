/* SPDX-License-Identifier: MIT */
/*
 * context_x86_64.h - the switch on x86-64, System V ABI. For context.h alone.
 *
 * rbp is saved by hand: it cannot be named as clobbered where it is the frame
 * pointer. rdi and rsi hold the two contexts until the jump; a context entered for
 * the first time finds itself in rsi (context_asm.c).
 */
#ifdef __APX_F__
#error "the registers of APX are not switched: configure with -Dfiber=ucontext"
#endif

/* With indirect branch tracking, a place that is jumped to has to say so. */
#if defined(__CET__) && (__CET__ & 1)
#define AIO__CONTEXT_LANDING "endbr64\n\t"
#else
#define AIO__CONTEXT_LANDING ""
#endif

#ifdef __AVX512F__
#define AIO__CONTEXT_AVX512                                                                        \
    , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",    \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5",  \
        "k6", "k7"
#else
#define AIO__CONTEXT_AVX512
#endif

static inline __attribute__((always_inline)) void aio__context_swap(struct aio__context *from,
                                                                    struct aio__context *to)
{
    __asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
                     "movq %%rsp, 0(%%rdi)\n\t"
                     "movq %%rbp, 8(%%rdi)\n\t"
                     "movq %%rax, 16(%%rdi)\n\t"
                     "movq 0(%%rsi), %%rsp\n\t"
                     "movq 8(%%rsi), %%rbp\n\t"
                     "jmpq *16(%%rsi)\n"
                     "1:\n\t" AIO__CONTEXT_LANDING
                     : "+D"(from), "+S"(to)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "st",
                       "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "cc",
                       "memory" AIO__CONTEXT_AVX512);
}
