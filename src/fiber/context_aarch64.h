/* SPDX-License-Identifier: MIT */
/*
 * context_aarch64.h - the switch on AArch64, AAPCS64. For context.h alone.
 *
 * x29 is saved by hand: it cannot be named as clobbered where it is the frame
 * pointer. x0 and x1 hold the two contexts until the jump; a context entered for
 * the first time finds itself in x1 (context_asm.c).
 */
#if defined(__ARM_FEATURE_GCS_DEFAULT)
#error "the guarded control stack is not switched: configure with -Dfiber=ucontext"
#endif
#if defined(__has_feature)
#if __has_feature(shadow_call_stack)
#error "the shadow call stack is not switched"
#endif
#endif

/* With branch target identification, a place that is jumped to has to say so: bti j. */
#if defined(__ARM_FEATURE_BTI_DEFAULT)
#define AIO__CONTEXT_LANDING "hint #36\n\t"
#else
#define AIO__CONTEXT_LANDING ""
#endif

#ifdef __ARM_FEATURE_SVE
#define AIO__CONTEXT_SVE                                                                           \
    , "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13",      \
        "p14", "p15"
#else
#define AIO__CONTEXT_SVE
#endif

static inline __attribute__((always_inline)) void aio__context_swap(struct aio__context *from,
                                                                    struct aio__context *to)
{
    register struct aio__context *x0 __asm__("x0") = from;
    register struct aio__context *x1 __asm__("x1") = to;

    __asm__ volatile("adr x9, 1f\n\t"
                     "mov x10, sp\n\t"
                     "stp x10, x29, [x0]\n\t"
                     "str x9, [x0, #16]\n\t"
                     "ldp x10, x29, [x1]\n\t"
                     "ldr x9, [x1, #16]\n\t"
                     "mov sp, x10\n\t"
                     "br x9\n"
                     "1:\n\t" AIO__CONTEXT_LANDING
                     : "+r"(x0), "+r"(x1)
                     :
                     : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
                       "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24",
                       "x25", "x26", "x27", "x28", "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6",
                       "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17",
                       "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28",
                       "v29", "v30", "v31", "cc", "memory" AIO__CONTEXT_SVE);
}
