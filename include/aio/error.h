/* SPDX-License-Identifier: MIT */
/*
 * error.h - error codes and error objects
 *
 * A function that can fail returns 0 or a negative code. The code is the truth.
 * An error object (message, place, cause, members of a group) may travel with
 * it: in the current task, or in the thread where there is no task. It counts
 * only for the code it was raised with, so the two can never disagree.
 *
 * Codes come from five ranges:
 *   -1 .. -4095      the system's and libuv's, as they are: -ENOENT, UV_EOF
 *   -10000 .. -10099 asyncio's own exceptions
 *   -10100 .. -10199 Python's common exceptions
 *   -10200 .. -10999 those of optional libraries, a hundred each: see their headers
 *   AIO_EUSER and below: the program's
 */
#ifndef AIO_ERROR_H
#define AIO_ERROR_H

#include <aio/common.h>
#include <errno.h>

AIO_BEGIN_DECLS

/** MemoryError: an allocation failed. */
#define AIO_ENOMEM (-ENOMEM)
/** TimeoutError, which is the system's ETIMEDOUT as well. */
#define AIO_ETIMEDOUT (-ETIMEDOUT)

enum {
    /* asyncio's, and those of the language that asyncio's behaviour rests on */
    AIO_ECANCELLED = -10000,            /**< asyncio.CancelledError */
    AIO_EINVALIDSTATE = -10001,         /**< asyncio.InvalidStateError */
    AIO_EQUEUEEMPTY = -10002,           /**< asyncio.QueueEmpty */
    AIO_EQUEUEFULL = -10003,            /**< asyncio.QueueFull */
    AIO_EQUEUESHUTDOWN = -10004,        /**< asyncio.QueueShutDown */
    AIO_EINCOMPLETEREAD = -10005,       /**< asyncio.IncompleteReadError */
    AIO_ELIMITOVERRUN = -10006,         /**< asyncio.LimitOverrunError */
    AIO_EBROKENBARRIER = -10007,        /**< asyncio.BrokenBarrierError, a RuntimeError */
    AIO_ESENDFILENOTAVAILABLE = -10008, /**< asyncio.SendfileNotAvailableError, a RuntimeError */
    AIO_EBROKENEXECUTOR = -10009,       /**< concurrent.futures.BrokenExecutor, a RuntimeError */
    AIO_EGROUP = -10010,                /**< ExceptionGroup: the object has members */
    AIO_EBASEGROUP = -10011,            /**< BaseExceptionGroup */
    AIO_ESTOP = -10012,                 /**< StopIteration, StopAsyncIteration: the normal end */
    AIO_EGENERATOREXIT = -10013,        /**< GeneratorExit */
    AIO_EKEYBOARDINTERRUPT = -10014,    /**< KeyboardInterrupt: leaves the loop's run call */
    AIO_ESYSTEMEXIT = -10015,           /**< SystemExit: leaves the loop's run call */
    AIO_ENOTASK = -10016,               /**< RuntimeError: needs a task, and there is none */
    AIO_ENOLOOP = -10017,               /**< RuntimeError: no running event loop */
    AIO_ECLOSED = -10018,               /**< RuntimeError: the event loop is closed */
    AIO_ESSL = -10019,                  /**< ssl.SSLError, an OSError */
    AIO_ESSLCERT = -10020,              /**< ssl.SSLCertVerificationError, an SSLError */
    AIO_EBROKENTHREADPOOL = -10021,     /**< concurrent.futures.thread.BrokenThreadPool */
    AIO_EBROKENPROCESSPOOL = -10022,    /**< concurrent.futures.process.BrokenProcessPool: both are
                                             a BrokenExecutor */

    /* Python's common ones */
    AIO_EEXCEPTION = -10100,      /**< Exception, nothing more is known */
    AIO_EVALUE = -10101,          /**< ValueError */
    AIO_ETYPE = -10102,           /**< TypeError */
    AIO_EKEY = -10103,            /**< KeyError, a LookupError */
    AIO_EINDEX = -10104,          /**< IndexError, a LookupError */
    AIO_ELOOKUP = -10105,         /**< LookupError */
    AIO_ERUNTIME = -10106,        /**< RuntimeError */
    AIO_ENOTIMPLEMENTED = -10107, /**< NotImplementedError, a RuntimeError */
    AIO_ERECURSION = -10108,      /**< RecursionError, a RuntimeError */
    AIO_EASSERTION = -10109,      /**< AssertionError */
    AIO_EATTRIBUTE = -10110,      /**< AttributeError */
    AIO_EARITHMETIC = -10111,     /**< ArithmeticError, OverflowError, ZeroDivisionError */
    AIO_EUNICODE = -10112,        /**< UnicodeError, a ValueError */
    AIO_EEOF = -10113,            /**< EOFError */
    AIO_EOS = -10114,             /**< OSError without a number; the class of every system code */

    /* Classes that no code is, for aio_error_is() only */
    AIO_EBASEEXCEPTION = -10199, /**< BaseException: every code */

    AIO_EUSER = -20000 /**< the program's codes: AIO_EUSER - n, n >= 0 */
};

/**
 * Say whether a code belongs to a class, as `except CLASS` asks.
 *
 * @param code   A negative code.
 * @param class_code  A code as class: AIO_ERUNTIME also takes in
 *               AIO_EBROKENBARRIER, AIO_ENOLOOP, ...; AIO_EOS every system code but
 *               AIO_ENOMEM (a MemoryError) and UV_EOF (an EOFError); AIO_EEXCEPTION
 *               all but AIO_ECANCELLED, AIO_EGENERATOREXIT, AIO_EKEYBOARDINTERRUPT,
 *               AIO_ESYSTEMEXIT and AIO_EBASEGROUP; AIO_EBASEEXCEPTION everything
 *               below 0.
 * Thread: any.      asyncio: isinstance() of an exception      Since: 0.1
 */
AIO_API bool aio_error_is(int code, int class_code);

/**
 * The Python name of a code's exception: "ValueError", "CancelledError",
 * "ConnectionResetError" or "OSError" for system codes, "Error" for the
 * program's own that were not registered; "None" for 0 and above, which are no error.
 *
 * @return A string that lives for ever, never NULL.
 * Thread: any.                                                  Since: 0.1
 */
AIO_API const char *aio_error_name(int code);

/**
 * What a code says when nobody gave it a message: "no running event loop",
 * "Connection reset by peer". Empty for codes that say nothing by themselves, as
 * AIO_ETIMEDOUT and AIO_EQUEUEEMPTY: their name says it all.
 *
 * @return A string that lives for ever, never NULL.
 * Thread: any.                                                  Since: 0.1
 */
AIO_API const char *aio_strerror(int code);

/** A class of errors that a library or program adds, for aio_error_register(). */
typedef struct aio_error_class {
    int code;         /**< AIO_EUSER and below for a program; 0 ends a table */
    int parent;       /**< the class it is a kind of; 0: AIO_EEXCEPTION */
    const char *name; /**< "AuthError" */
    const char *text; /**< what it says without a message; NULL: nothing */
} aio_error_class;

/**
 * Let aio_error_name(), aio_error_is() and aio_strerror() know codes of a library or program.
 *
 * @param classes  A table that lives for ever, ended by a code of 0. A parent that is not one of
 *                 the library's codes stands before its kinds.
 * @return 0, also if the table is known already; AIO_EVALUE for a code that is not the caller's to
 *         name, that has a name already or no parent; AIO_ERUNTIME if there are too many tables.
 * Thread: any.   asyncio: class CLASS(Exception)                 Since: 0.1
 */
AIO_API int aio_error_register(const aio_error_class *classes);

/**
 * Raise an error: attach message and place to a code, and give the code back,
 * so that `return aio_raise(AIO_EVALUE, "no such image: %d", n);` reads as
 * Python's raise. The error raised before, if its code was not given up, is
 * replaced.
 *
 * @param code  Negative; 0 or above becomes AIO_ERUNTIME.
 * @param ...   A printf format and its arguments. The message is cut at 1023
 *              bytes. When memory is short the code travels without an object.
 * @return @p code.
 * Suspends: no.    Thread: any.    asyncio: raise                Since: 0.1
 */
#define aio_raise(code, ...) aio_raise_at(__FILE__, __LINE__, __func__, (code), __VA_ARGS__)
/** What aio_raise() calls, for those who give the place themselves: @p file and
 *  @p function are borrowed for as long as the error lives, as literals are. */
AIO_API int aio_raise_at(const char *file, int line, const char *function, int code,
                         const char *format, ...) AIO_PRINTF(5, 6);

/**
 * Raise from a cause: `raise ... from cause`.
 *
 * @param cause  Kept. NULL: no cause.
 * Otherwise as aio_raise().                                      Since: 0.1
 */
#define aio_raise_from(cause, code, ...)                                                           \
    aio_raise_from_at((cause), __FILE__, __LINE__, __func__, (code), __VA_ARGS__)
/** What aio_raise_from() calls. */
AIO_API int aio_raise_from_at(aio_exception *cause, const char *file, int line,
                              const char *function, int code, const char *format, ...)
    AIO_PRINTF(6, 7);

/**
 * Raise an error object again, or one that was made with aio_exception_new().
 *
 * @param error  Kept. NULL gives AIO_ENOMEM, so that a constructor's result can
 *               be passed on unchecked.
 * @return The error's code.
 * Suspends: no.    Thread: any.    asyncio: raise exc            Since: 0.1
 */
AIO_API int aio_raise_exception(aio_exception *error);

/**
 * Catch: take the object that travels with a code that a call has just returned.
 *
 * @param code  The negative code returned.
 * @return The object raised with that code, or a bare one of that code if none
 *         travels with it. Returned: drop it with aio_exception_unref(). Never NULL:
 *         when memory is short, the immortal object of AIO_ENOMEM. It travels no more: ask it
 *         for its message, not aio_error_text().
 * Suspends: no.    Thread: any.    asyncio: except ... as exc    Since: 0.1
 */
AIO_API aio_exception *aio_error_catch(int code);

/**
 * Look at the message that travels with a code, without catching it.
 *
 * @return The message of the object raised with @p code, else aio_strerror().
 *         Borrowed: valid until the task's next call that fails or suspends.
 * Suspends: no.    Thread: any.    asyncio: str(exc)             Since: 0.1
 */
AIO_API const char *aio_error_text(int code);

/**
 * Why the thread's last constructor that failed gave NULL. What takes objects answers a NULL with
 * the same code, so that one check where the object is used is enough; this is for those who look
 * at once.
 *
 * @return A negative code; 0 if none has failed in this thread.
 * Suspends: no.    Thread: any.                                  Since: 0.1
 */
AIO_API int aio_last_failure(void);

/** @name Error objects
 *  Immutable and counted: any thread may have a reference. @{ */

/**
 * Make an error object without raising it.
 *
 * @param code  Negative; 0 or above becomes AIO_ERUNTIME.
 * @return Returned; NULL when memory is short.
 * Thread: any.    asyncio: an exception's constructor            Since: 0.1
 */
#define aio_exception_new(code, ...)                                                               \
    aio_exception_new_at(__FILE__, __LINE__, __func__, (code), __VA_ARGS__)
/** What aio_exception_new() calls. @p format NULL: no message; @p file NULL: no place. */
AIO_API aio_exception *aio_exception_new_at(const char *file, int line, const char *function,
                                            int code, const char *format, ...) AIO_PRINTF(5, 6);

/**
 * Make an exception group.
 *
 * @param message  Copied. NULL counts as empty.
 * @param members  The @p count members, in order; each kept. None may be NULL.
 * @param count    At least 1.
 * @return Returned: code AIO_EGROUP, or AIO_EBASEGROUP if a member is outside
 *         AIO_EEXCEPTION. NULL when memory is short or @p count is 0.
 * Thread: any.    asyncio: BaseExceptionGroup(message, exceptions)   Since: 0.1
 */
AIO_API aio_exception *aio_exception_group_new(const char *message, aio_exception *const *members,
                                               size_t count);

/** Take another reference. NULL is allowed and given back. Since: 0.1 */
AIO_API aio_exception *aio_exception_ref(aio_exception *error);
/** Drop a reference. NULL is allowed. Since: 0.1 */
AIO_API void aio_exception_unref(aio_exception *error);
AIO_DEFINE_AUTO(aio_exception)

/** The code; 0 for NULL. Since: 0.1 */
AIO_API int aio_exception_code(const aio_exception *error);
/** The message given, borrowed; NULL if none was given. Since: 0.1 */
AIO_API const char *aio_exception_message(const aio_exception *error);
/** The cause (`__cause__`), borrowed; NULL if none. Since: 0.1 */
AIO_API aio_exception *aio_exception_cause(const aio_exception *error);
/** Where it was raised: source file (NULL if unknown), line and function. Since: 0.1 */
AIO_API const char *aio_exception_file(const aio_exception *error);
/** The line; 0 if unknown. Since: 0.1 */
AIO_API int aio_exception_line(const aio_exception *error);
/** The function; NULL if unknown. Since: 0.1 */
AIO_API const char *aio_exception_function(const aio_exception *error);
/** How many members: 0 unless it is a group. asyncio: len(exc.exceptions). Since: 0.1 */
AIO_API size_t aio_exception_member_count(const aio_exception *error);
/** The member at @p index, borrowed; NULL past the end. asyncio: exc.exceptions[index]. Since: 0.1 */
AIO_API aio_exception *aio_exception_member(const aio_exception *error, size_t index);

/**
 * Split a group into what is of a class and what is not, nested groups included;
 * their structure is kept. What except* is built on.
 *
 * @param class_code       As in aio_error_is(); asked of every leaf.
 * @param[out] ret_match   The matching part, returned; NULL if empty. May be NULL.
 * @param[out] ret_rest    The remaining part, returned; NULL if empty. May be NULL.
 * @return 0, or AIO_ENOMEM. An error that is no group counts as its own only leaf.
 * Thread: any.    asyncio: BaseExceptionGroup.split(), .subgroup()   Since: 0.1
 */
AIO_API int aio_exception_split(aio_exception *error, int class_code, aio_exception **ret_match,
                                aio_exception **ret_rest);

/**
 * Write an error as text: "ValueError: no such image: 12", its place, its
 * members and its causes, one a line as a traceback has them.
 *
 * @param[out] buffer  Gets at most @p size bytes, the final 0 among them. May be
 *                     NULL when @p size is 0.
 * @return The length of the whole text, without the final 0, as snprintf does.
 * Thread: any.    asyncio: traceback.format_exception()          Since: 0.1
 */
AIO_API size_t aio_exception_format(const aio_exception *error, char *buffer, size_t size);
/** @} */

AIO_END_DECLS

#endif
