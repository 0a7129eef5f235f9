/* SPDX-License-Identifier: MIT */
/*
 * error_code.c - what a code is called, which class it belongs to and what it says
 *
 * Class, name and text follow Python's exceptions. What a code says is str() of its
 * exception made without arguments, or, of a system code, strerror()'s text.
 */
#include "base/error_internal.h"

#include <netdb.h>
#include <stdatomic.h>
#include <string.h>

/*
 * libuv's codes that are no errno, from its uv-errno.h and uv.h (1.x): this folder
 * does not include them. The others are the negated errno on the systems served.
 */
#define UV_EOF       (-4095)
#define UV_UNKNOWN   (-4094)
#define UV_ECHARSET  (-4080)
#define UV_EAI_FIRST (-3000) /* UV_EAI_ADDRFAMILY */
#define UV_EAI_LAST  (-3014) /* UV_EAI_PROTOCOL */
#define SYSTEM_LAST  UV_EOF

struct code_info {
    const char *name;
    int parent;       /* the class it is a kind of; 0: AIO_EEXCEPTION */
    const char *text; /* NULL: it says nothing */
};

#define ASYNCIO(code) [AIO_ECANCELLED - (code)]
#define PYTHON(code)  [AIO_EEXCEPTION - (code)]

static const struct code_info asyncio_codes[] = {
    ASYNCIO(AIO_ECANCELLED) = {"CancelledError", AIO_EBASEEXCEPTION, NULL},
    ASYNCIO(AIO_EINVALIDSTATE) = {"InvalidStateError", 0, "invalid state"},
    ASYNCIO(AIO_EQUEUEEMPTY) = {"QueueEmpty", 0, NULL},
    ASYNCIO(AIO_EQUEUEFULL) = {"QueueFull", 0, NULL},
    ASYNCIO(AIO_EQUEUESHUTDOWN) = {"QueueShutDown", 0, NULL},
    ASYNCIO(AIO_EINCOMPLETEREAD) = {"IncompleteReadError", AIO_EEOF, NULL},
    ASYNCIO(AIO_ELIMITOVERRUN) = {"LimitOverrunError", 0, NULL},
    ASYNCIO(AIO_EBROKENBARRIER) = {"BrokenBarrierError", AIO_ERUNTIME, NULL},
    ASYNCIO(AIO_ESENDFILENOTAVAILABLE) = {"SendfileNotAvailableError", AIO_ERUNTIME, NULL},
    ASYNCIO(AIO_EBROKENEXECUTOR) = {"BrokenExecutor", AIO_ERUNTIME, NULL},
    /* ExceptionGroup has two bases; aio_error_is() knows of the other. */
    ASYNCIO(AIO_EGROUP) = {"ExceptionGroup", AIO_EBASEGROUP, NULL},
    ASYNCIO(AIO_EBASEGROUP) = {"BaseExceptionGroup", AIO_EBASEEXCEPTION, NULL},
    ASYNCIO(AIO_ESTOP) = {"StopIteration", 0, NULL},
    ASYNCIO(AIO_EGENERATOREXIT) = {"GeneratorExit", AIO_EBASEEXCEPTION, NULL},
    ASYNCIO(AIO_EKEYBOARDINTERRUPT) = {"KeyboardInterrupt", AIO_EBASEEXCEPTION, NULL},
    ASYNCIO(AIO_ESYSTEMEXIT) = {"SystemExit", AIO_EBASEEXCEPTION, NULL},
    ASYNCIO(AIO_ENOTASK) = {"RuntimeError", AIO_ERUNTIME, "no current task"},
    ASYNCIO(AIO_ENOLOOP) = {"RuntimeError", AIO_ERUNTIME, "no running event loop"},
    ASYNCIO(AIO_ECLOSED) = {"RuntimeError", AIO_ERUNTIME, "Event loop is closed"},
    ASYNCIO(AIO_ESSL) = {"SSLError", AIO_EOS, "TLS failed"},
    ASYNCIO(AIO_ESSLCERT) = {"SSLCertVerificationError", AIO_ESSL, "certificate verify failed"},
    ASYNCIO(AIO_EBROKENTHREADPOOL) = {"BrokenThreadPool", AIO_EBROKENEXECUTOR, NULL},
    ASYNCIO(AIO_EBROKENPROCESSPOOL) = {"BrokenProcessPool", AIO_EBROKENEXECUTOR, NULL},
};

static const struct code_info python_codes[] = {
    PYTHON(AIO_EEXCEPTION) = {"Exception", AIO_EBASEEXCEPTION, NULL},
    PYTHON(AIO_EVALUE) = {"ValueError", 0, NULL},
    PYTHON(AIO_ETYPE) = {"TypeError", 0, NULL},
    PYTHON(AIO_EKEY) = {"KeyError", AIO_ELOOKUP, NULL},
    PYTHON(AIO_EINDEX) = {"IndexError", AIO_ELOOKUP, NULL},
    PYTHON(AIO_ELOOKUP) = {"LookupError", 0, NULL},
    PYTHON(AIO_ERUNTIME) = {"RuntimeError", 0, NULL},
    PYTHON(AIO_ENOTIMPLEMENTED) = {"NotImplementedError", AIO_ERUNTIME, NULL},
    PYTHON(AIO_ERECURSION) = {"RecursionError", AIO_ERUNTIME, NULL},
    PYTHON(AIO_EASSERTION) = {"AssertionError", 0, NULL},
    PYTHON(AIO_EATTRIBUTE) = {"AttributeError", 0, NULL},
    PYTHON(AIO_EARITHMETIC) = {"ArithmeticError", 0, NULL},
    PYTHON(AIO_EUNICODE) = {"UnicodeError", AIO_EVALUE, NULL},
    PYTHON(AIO_EEOF) = {"EOFError", 0, NULL},
    PYTHON(AIO_EOS) = {"OSError", 0, NULL},
};

static const struct code_info base_code = {"BaseException", AIO_EBASEEXCEPTION, NULL};
static const struct code_info user_code = {"Error", 0, NULL};
static const struct code_info unknown_code = {"Exception", 0, NULL};

/* The classes Python gives to a system code of its own (its PEP 3151). */
static const struct {
    int code;
    struct code_info info;
} system_classes[] = {
    {-EAGAIN, {"BlockingIOError", AIO_EOS, NULL}},
    {-EALREADY, {"BlockingIOError", AIO_EOS, NULL}},
    {-EINPROGRESS, {"BlockingIOError", AIO_EOS, NULL}},
    {-ECHILD, {"ChildProcessError", AIO_EOS, NULL}},
    {-EPIPE, {"BrokenPipeError", AIO_EOS, NULL}},
    {-ESHUTDOWN, {"BrokenPipeError", AIO_EOS, NULL}},
    {-ECONNABORTED, {"ConnectionAbortedError", AIO_EOS, NULL}},
    {-ECONNREFUSED, {"ConnectionRefusedError", AIO_EOS, NULL}},
    {-ECONNRESET, {"ConnectionResetError", AIO_EOS, NULL}},
    {-EEXIST, {"FileExistsError", AIO_EOS, NULL}},
    {-ENOENT, {"FileNotFoundError", AIO_EOS, NULL}},
    {-EINTR, {"InterruptedError", AIO_EOS, NULL}},
    {-EISDIR, {"IsADirectoryError", AIO_EOS, NULL}},
    {-ENOTDIR, {"NotADirectoryError", AIO_EOS, NULL}},
    {-EACCES, {"PermissionError", AIO_EOS, NULL}},
    {-EPERM, {"PermissionError", AIO_EOS, NULL}},
    {-ESRCH, {"ProcessLookupError", AIO_EOS, NULL}},
    /* A timeout of ours, mostly: as asyncio's, it says nothing by itself. */
    {AIO_ETIMEDOUT, {"TimeoutError", AIO_EOS, ""}},
    {AIO_ENOMEM, {"MemoryError", AIO_EEXCEPTION, ""}},
    {UV_EOF, {"EOFError", AIO_EEOF, "end of file"}},
    {UV_UNKNOWN, {"OSError", AIO_EOS, "unknown error"}},
    {UV_ECHARSET, {"OSError", AIO_EOS, "invalid Unicode character"}},
};

static const struct code_info plain_os_error = {"OSError", AIO_EOS, NULL};
static const struct code_info resolver_error = {"gaierror", AIO_EOS, NULL};

/* getaddrinfo()'s numbers by UV_EAI_FIRST - code; 0 where this system has none. */
static const int resolver_numbers[] = {
#ifdef EAI_ADDRFAMILY
    [0] = EAI_ADDRFAMILY,
#endif
    [1] = EAI_AGAIN,      [2] = EAI_BADFLAGS,
#ifdef EAI_CANCELED
    [3] = EAI_CANCELED,
#endif
    [4] = EAI_FAIL,       [5] = EAI_FAMILY,   [6] = EAI_MEMORY,
#ifdef EAI_NODATA
    [7] = EAI_NODATA,
#endif
    [8] = EAI_NONAME,     [9] = EAI_OVERFLOW, [10] = EAI_SERVICE, [11] = EAI_SOCKTYPE, [14] = 0,
};

static bool is_resolver_code(int code)
{
    return code <= UV_EAI_FIRST && code >= UV_EAI_LAST;
}

static bool is_system_code(int code)
{
    return code < 0 && code >= SYSTEM_LAST;
}

static const struct code_info *system_info(int code)
{
    for (size_t i = 0; i < sizeof(system_classes) / sizeof(system_classes[0]); i++) {
        if (system_classes[i].code == code)
            return &system_classes[i].info;
    }
    return is_resolver_code(code) ? &resolver_error : &plain_os_error;
}

/* --- classes that others add ------------------------------------------------------------ */

enum { MAX_TABLES = 64, FIRST_LIBRARY_CODE = -10200, LAST_LIBRARY_CODE = -10999 };

/* Filled from the start, never emptied. */
static const aio_error_class *_Atomic tables[MAX_TABLES];

static bool is_added_code(int code)
{
    return code <= AIO_EUSER || (code <= FIRST_LIBRARY_CODE && code >= LAST_LIBRARY_CODE);
}

static const aio_error_class *find_class(const aio_error_class *table, int code)
{
    while (table->code != 0 && table->code != code)
        table++;
    return table->code != 0 ? table : NULL;
}

static const aio_error_class *added_class(int code)
{
    const aio_error_class *found = NULL;

    for (size_t i = 0; i < MAX_TABLES && found == NULL; i++) {
        const aio_error_class *table = atomic_load_explicit(&tables[i], memory_order_acquire);

        if (table == NULL)
            break;
        found = find_class(table, code);
    }
    return found;
}

static bool has_parent(const aio_error_class *classes, const aio_error_class *one)
{
    const aio_error_class *parent = find_class(classes, one->parent);

    if (!is_added_code(one->parent))
        return one->parent <= 0;
    return added_class(one->parent) != NULL || (parent != NULL && parent < one);
}

/* Parents come first, so that asking for a class always comes to an end. */
static int check_classes(const aio_error_class *classes)
{
    if (classes == NULL)
        return aio_raise(AIO_EVALUE, "a table of classes is needed, not NULL");
    for (const aio_error_class *one = classes; one->code != 0; one++) {
        if (!is_added_code(one->code) || one->name == NULL)
            return aio_raise(AIO_EVALUE, "code %d cannot be given a name", one->code);
        if (added_class(one->code) != NULL || find_class(classes, one->code) != one)
            return aio_raise(AIO_EVALUE, "code %d has a name already", one->code);
        if (!has_parent(classes, one))
            return aio_raise(AIO_EVALUE, "code %d has no parent before it", one->code);
    }
    return 0;
}

int aio_error_register(const aio_error_class *classes)
{
    const aio_error_class *there;
    int err = 0;

    for (size_t i = 0; i < MAX_TABLES && classes != NULL; i++) {
        if (atomic_load_explicit(&tables[i], memory_order_acquire) == classes)
            return 0;
    }
    err = check_classes(classes);
    for (size_t i = 0; i < MAX_TABLES && err == 0; i++) {
        there = NULL;
        if (atomic_compare_exchange_strong(&tables[i], &there, classes) || there == classes)
            return 0;
    }
    return err < 0 ? err : aio_raise(AIO_ERUNTIME, "too many tables of error classes");
}

/* --- what is known of a code ------------------------------------------------------------ */

static struct code_info info_of(int code)
{
    const aio_error_class *added = is_added_code(code) ? added_class(code) : NULL;

    if (is_system_code(code))
        return *system_info(code);
    if (added != NULL)
        return (struct code_info){added->name, added->parent, added->text};
    if (code <= AIO_EUSER)
        return user_code;
    if (code == AIO_EBASEEXCEPTION)
        return base_code;
    if (code <= AIO_ECANCELLED && code >= AIO_EBROKENPROCESSPOOL)
        return asyncio_codes[AIO_ECANCELLED - code];
    if (code <= AIO_EEXCEPTION && code >= AIO_EOS)
        return python_codes[AIO_EEXCEPTION - code];
    return unknown_code;
}

bool aio_error_is(int code, int class_code)
{
    if (code >= 0)
        return false;
    if (code == AIO_EGROUP && class_code == AIO_EEXCEPTION)
        return true;
    while (code != class_code && code != AIO_EBASEEXCEPTION) {
        int parent = info_of(code).parent;

        code = parent != 0 ? parent : AIO_EEXCEPTION;
    }
    return code == class_code;
}

const char *aio_error_name(int code)
{
    return code < 0 ? info_of(code).name : "None";
}

bool aio__error_number(int code, int *ret_number)
{
    if (!is_system_code(code) || !aio_error_is(code, AIO_EOS))
        return false;
    if (!is_resolver_code(code))
        *ret_number = -code;
    else if (resolver_numbers[UV_EAI_FIRST - code] != 0)
        *ret_number = resolver_numbers[UV_EAI_FIRST - code];
    else
        return false;
    return true;
}

/*
 * The C library's text of an errno, which must outlive the call and not change under
 * another thread: strerror() promises neither for numbers it does not know.
 */
static const char *errno_text(int number)
{
    const char *text;

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 32)
    text = strerrordesc_np(number);
#else
    text = number < 4096 ? strerror(number) : NULL;
    if (text != NULL && strncmp(text, "Unknown", 7) == 0)
        text = NULL;
#endif
    return text != NULL ? text : "unknown error";
}

const char *aio_strerror(int code)
{
    const char *text = info_of(code).text;
    int number;

    if (code >= 0)
        return "";
    if (text != NULL || !aio__error_number(code, &number))
        return text != NULL ? text : "";
    return is_resolver_code(code) ? gai_strerror(number) : errno_text(number);
}
