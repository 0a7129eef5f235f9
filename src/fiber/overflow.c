/* SPDX-License-Identifier: MIT */
/*
 * overflow.c - a word to the user before a stack overflow ends the process
 *
 * Owns the handler of SIGSEGV and SIGBUS, what it replaced, and the alternate stacks
 * it runs on. Which fiber overflowed is found by the address that was touched: it lies
 * in the guard of exactly one stack. So a switch need not write down who runs.
 *
 * The address is what counts, not si_code, which differs with the kind of guard.
 *
 * Everything under "In the handler" is async-signal-safe: no allocation, no printf, no
 * lock but the one of slab.c, which it does not wait for.
 */
#include "fiber/overflow.h"

#include "fiber/slab.h"

#include <aio/error.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* Room for the handler of the host too, which may well walk the stack. */
#define ALTERNATE_SIZE ((size_t)128 << 10)

/* A frame may be larger than the guard; more than this is no frame. */
#define LARGEST_FRAME ((uintptr_t)1 << 20)

enum { DESCRIPTION_SIZE = 512, MESSAGE_SIZE = 768 };

typedef void (*describe_fn)(struct aio__fiber *fiber, char *buffer, size_t size);

static _Atomic(describe_fn) describe_fiber;
static atomic_uint users;
static pthread_mutex_t install_lock = PTHREAD_MUTEX_INITIALIZER;

/* The signals, and for each what ours replaced: written while ours is not in place. */
static struct watched {
    int signal;
    bool in_place; /* ours is installed, perhaps with others over it */
    struct sigaction previous;
} watched[] = {{.signal = SIGSEGV}, {.signal = SIGBUS}};

enum { WATCHED = sizeof(watched) / sizeof(watched[0]) };

static _Thread_local struct {
    unsigned entered;
    char *stack; /* NULL while the thread has one from somebody else */
} alternate;

/* ---- In the handler ---- */

struct text {
    size_t length;
    char bytes[MESSAGE_SIZE];
};

static void add_text(struct text *text, const char *more)
{
    while (*more != '\0' && text->length < sizeof(text->bytes))
        text->bytes[text->length++] = *more++;
}

static void add_number(struct text *text, uintptr_t number, unsigned base)
{
    char digits[24];
    size_t at = sizeof(digits);

    digits[--at] = '\0';
    do {
        digits[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    add_text(text, &digits[at]);
}

/* The interrupted stack pointer; 0 where we do not know how to get at it. */
static uintptr_t interrupted_stack_pointer(const void *context)
{
#if defined(__x86_64__) && defined(__linux__)
    return (uintptr_t)((const ucontext_t *)context)->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__) && defined(__linux__)
    return (uintptr_t)((const ucontext_t *)context)->uc_mcontext.sp;
#else
    (void)context;
    return 0;
#endif
}

enum verdict { SOMETHING_ELSE, PERHAPS_OVERFLOW, OVERFLOW };

/*
 * A wild pointer may hit a guard too. An overflow is sure if the stack pointer is on
 * the very stack. Somewhat below it, a frame may be larger than the guard.
 */
static enum verdict judge(const struct aio__fiber *fiber, uintptr_t stack_pointer)
{
    uintptr_t base = (uintptr_t)aio__slot_base(fiber->slab, fiber->slot);

    if (stack_pointer == 0)
        return PERHAPS_OVERFLOW;
    if (stack_pointer >= base && stack_pointer < (uintptr_t)fiber)
        return OVERFLOW;
    if (stack_pointer < base && base - stack_pointer <= LARGEST_FRAME)
        return PERHAPS_OVERFLOW;
    return SOMETHING_ELSE;
}

static void report(struct aio__fiber *fiber, enum verdict verdict)
{
    describe_fn describe = atomic_load(&describe_fiber);
    char description[DESCRIPTION_SIZE] = "";
    struct text text = {.length = 0};
    size_t written = 0;

    if (describe != NULL)
        describe(fiber, description, sizeof(description));
    add_text(&text, verdict == OVERFLOW ? "aioc: stack overflow in "
                                        : "aioc: stack overflow, or a wild pointer, in ");
    add_text(&text, description[0] != '\0' ? description : "a fiber");
    add_text(&text, ", stack of ");
    add_number(&text, fiber->slab->space->size, 10);
    add_text(&text, " bytes at 0x");
    add_number(&text, (uintptr_t)fiber->low, 16);
    add_text(&text, "\n");

    while (written < text.length) {
        ssize_t count = write(STDERR_FILENO, text.bytes + written, text.length - written);

        if (count < 0)
            break; /* there is nobody to tell */
        written += (size_t)count;
    }
}

/* What the kernel would do with the signal by itself. */
static void die_of(int signal, bool sent)
{
    struct sigaction action = {.sa_handler = SIG_DFL};

    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, NULL);
    /* A fault happens again when we return. What somebody sent has to be sent again;
     * it arrives when we return. */
    if (sent)
        syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), signal);
}

/* Do what was to happen without us. */
static void pass_on(struct watched *of, siginfo_t *info, void *context)
{
    struct sigaction to = of->previous;
    bool sent = info->si_code <= 0;

    if (!(to.sa_flags & SA_SIGINFO) && (to.sa_handler == SIG_DFL || to.sa_handler == SIG_IGN)) {
        if (to.sa_handler == SIG_DFL || !sent) /* a fault cannot be ignored */
            die_of(of->signal, sent);
        return;
    }

    if (to.sa_flags & (int)SA_RESETHAND)
        of->previous = (struct sigaction){.sa_handler = SIG_DFL};
    if (to.sa_flags & SA_NODEFER) {
        sigset_t own;

        sigemptyset(&own);
        sigaddset(&own, of->signal);
        pthread_sigmask(SIG_UNBLOCK, &own, NULL);
    }
    pthread_sigmask(SIG_BLOCK, &to.sa_mask, NULL); /* the end of our handler unblocks */
    if (to.sa_flags & SA_SIGINFO)
        to.sa_sigaction(of->signal, info, context);
    else
        to.sa_handler(of->signal);
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    int saved_errno = errno;

    if (atomic_load(&users) > 0 && info->si_code > 0) {
        struct aio__fiber *fiber = aio__slab_find_guard(info->si_addr);
        enum verdict verdict = SOMETHING_ELSE;

        if (fiber != NULL)
            verdict = judge(fiber, interrupted_stack_pointer(context));
        if (verdict != SOMETHING_ELSE)
            report(fiber, verdict);
    }
    errno = saved_errno;
    for (size_t i = 0; i < WATCHED; i++)
        if (watched[i].signal == signal)
            pass_on(&watched[i], info, context);
}

/* ---- Outside it ---- */

static bool is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == on_fault;
}

static void watch(struct watched *what)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};

    if (what->in_place)
        return; /* others lie over it, from before it was uninstalled */
    action.sa_sigaction = on_fault;
    sigemptyset(&action.sa_mask);
    /* First read, then replaced: the handler may run in between. */
    sigaction(what->signal, NULL, &what->previous);
    sigaction(what->signal, &action, NULL);
    what->in_place = true;
}

static void unwatch(struct watched *what)
{
    struct sigaction current;

    sigaction(what->signal, NULL, &current);
    if (!is_ours(&current))
        return;
    sigaction(what->signal, &what->previous, NULL);
    what->in_place = false;
}

int aio__overflow_install(void)
{
    if (AIO__ASAN)
        return -ENOTSUP;
    pthread_mutex_lock(&install_lock);
    if (atomic_fetch_add(&users, 1) == 0) {
        for (size_t i = 0; i < WATCHED; i++)
            watch(&watched[i]);
    }
    pthread_mutex_unlock(&install_lock);
    return 0;
}

void aio__overflow_uninstall(void)
{
    pthread_mutex_lock(&install_lock);
    if (atomic_fetch_sub(&users, 1) == 1) {
        for (size_t i = 0; i < WATCHED; i++)
            unwatch(&watched[i]);
    }
    pthread_mutex_unlock(&install_lock);
}

int aio__overflow_thread_enter(void)
{
    stack_t current = {.ss_flags = 0};
    stack_t ours = {.ss_size = ALTERNATE_SIZE};
    char *stack;

    if (alternate.entered > 0) {
        alternate.entered++;
        return 0;
    }
    if (sigaltstack(NULL, &current) == 0 && !(current.ss_flags & SS_DISABLE)) {
        alternate.entered = 1;
        return 0;
    }

    stack = mmap(NULL, ALTERNATE_SIZE, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED)
        return AIO_ENOMEM;
    ours.ss_sp = stack;
    if (sigaltstack(&ours, NULL) < 0) {
        int err = -errno;

        munmap(stack, ALTERNATE_SIZE);
        return err;
    }
    alternate.stack = stack;
    alternate.entered = 1;
    return 0;
}

void aio__overflow_thread_leave(void)
{
    stack_t current = {.ss_flags = 0};
    stack_t none = {.ss_flags = SS_DISABLE};

    if (alternate.entered == 0 || --alternate.entered > 0 || alternate.stack == NULL)
        return;
    if (sigaltstack(NULL, &current) == 0 && current.ss_sp == alternate.stack)
        sigaltstack(&none, NULL);
    munmap(alternate.stack, ALTERNATE_SIZE);
    alternate.stack = NULL;
}

void aio__overflow_set_describe(describe_fn describe)
{
    atomic_store(&describe_fiber, describe);
}
