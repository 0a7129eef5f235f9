/* SPDX-License-Identifier: MIT */
/*
 * test_error_code.c - names, classes and texts of codes
 */
#include "support/unit.h"

#include <aio/error.h>
#include <string.h>
#include <uv.h>

static const int outside_exception[] = {AIO_ECANCELLED, AIO_EGENERATOREXIT, AIO_EKEYBOARDINTERRUPT,
                                        AIO_ESYSTEMEXIT, AIO_EBASEGROUP};

static bool is_outside_exception(int code)
{
    for (size_t i = 0; i < COUNT_OF(outside_exception); i++) {
        if (outside_exception[i] == code)
            return true;
    }
    return false;
}

static void code_is_of_its_own_class(void **state)
{
    for (int code = -1; code > -21000; code--)
        assert_true(aio_error_is(code, code));
}

static void code_below_zero_is_a_base_exception_and_no_other(void **state)
{
    assert_false(aio_error_is(0, AIO_EBASEEXCEPTION));
    assert_false(aio_error_is(1, AIO_EBASEEXCEPTION));
    assert_false(aio_error_is(0, 0));
    for (int code = -1; code > -21000; code--)
        assert_true(aio_error_is(code, AIO_EBASEEXCEPTION));
}

/* S39, S40 */
static void code_is_an_exception_but_for_those_that_leave_everything(void **state)
{
    for (int code = -1; code > -21000; code--) {
        if (code != AIO_EBASEEXCEPTION)
            assert_int_equal(aio_error_is(code, AIO_EEXCEPTION), !is_outside_exception(code));
    }
    assert_false(aio_error_is(AIO_EBASEEXCEPTION, AIO_EEXCEPTION));
}

/* Every pair of class and subclass among the codes, as Python's issubclass() has them. */
static void code_is_of_the_classes_python_gives_it(void **state)
{
    static const struct {
        int class_code;
        int codes[12];
    } kinds[] = {
        {AIO_ERUNTIME,
         {AIO_ERUNTIME, AIO_EBROKENBARRIER, AIO_ESENDFILENOTAVAILABLE, AIO_EBROKENEXECUTOR,
          AIO_EBROKENTHREADPOOL, AIO_EBROKENPROCESSPOOL, AIO_ENOTASK, AIO_ENOLOOP, AIO_ECLOSED,
          AIO_ENOTIMPLEMENTED, AIO_ERECURSION}},
        {AIO_EBROKENEXECUTOR, {AIO_EBROKENEXECUTOR, AIO_EBROKENTHREADPOOL, AIO_EBROKENPROCESSPOOL}},
        {AIO_ELOOKUP, {AIO_ELOOKUP, AIO_EKEY, AIO_EINDEX}},
        {AIO_EVALUE, {AIO_EVALUE, AIO_EUNICODE}},
        {AIO_EEOF, {AIO_EEOF, AIO_EINCOMPLETEREAD, UV_EOF}},
        {AIO_EBASEGROUP, {AIO_EBASEGROUP, AIO_EGROUP}},
        {AIO_EARITHMETIC, {AIO_EARITHMETIC}},
        {AIO_ECANCELLED, {AIO_ECANCELLED}},
        {AIO_EGROUP, {AIO_EGROUP}},
    };

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        for (int code = -1; code > -20010; code--) {
            bool expected = false;

            for (size_t k = 0; k < COUNT_OF(kinds[i].codes); k++)
                expected = expected || (kinds[i].codes[k] == code);
            assert_int_equal(aio_error_is(code, kinds[i].class_code), expected);
        }
    }
}

static void code_of_the_system_is_an_os_error(void **state)
{
    for (int code = -1; code >= -4095; code--)
        assert_int_equal(aio_error_is(code, AIO_EOS), code != AIO_ENOMEM && code != UV_EOF);
    assert_true(aio_error_is(AIO_ETIMEDOUT, AIO_EOS));
    assert_true(aio_error_is(UV_EAI_NONAME, AIO_EOS));
    assert_true(aio_error_is(AIO_EOS, AIO_EOS));
    assert_false(aio_error_is(AIO_EVALUE, AIO_EOS));
    assert_false(aio_error_is(AIO_EUSER, AIO_EOS));
}

static void code_has_pythons_name(void **state)
{
    static const struct {
        int code;
        const char *name;
    } names[] = {
        {AIO_ECANCELLED, "CancelledError"},
        {AIO_EINVALIDSTATE, "InvalidStateError"},
        {AIO_EQUEUEEMPTY, "QueueEmpty"},
        {AIO_EQUEUEFULL, "QueueFull"},
        {AIO_EQUEUESHUTDOWN, "QueueShutDown"},
        {AIO_EINCOMPLETEREAD, "IncompleteReadError"},
        {AIO_ELIMITOVERRUN, "LimitOverrunError"},
        {AIO_EBROKENBARRIER, "BrokenBarrierError"},
        {AIO_ESENDFILENOTAVAILABLE, "SendfileNotAvailableError"},
        {AIO_EBROKENEXECUTOR, "BrokenExecutor"},
        {AIO_EBROKENTHREADPOOL, "BrokenThreadPool"},
        {AIO_EBROKENPROCESSPOOL, "BrokenProcessPool"},
        {AIO_EGROUP, "ExceptionGroup"},
        {AIO_EBASEGROUP, "BaseExceptionGroup"},
        {AIO_ESTOP, "StopIteration"},
        {AIO_EGENERATOREXIT, "GeneratorExit"},
        {AIO_EKEYBOARDINTERRUPT, "KeyboardInterrupt"},
        {AIO_ESYSTEMEXIT, "SystemExit"},
        {AIO_ENOTASK, "RuntimeError"},
        {AIO_ENOLOOP, "RuntimeError"},
        {AIO_ECLOSED, "RuntimeError"},
        {AIO_ESSL, "SSLError"},
        {AIO_ESSLCERT, "SSLCertVerificationError"},
        {AIO_EEXCEPTION, "Exception"},
        {AIO_EVALUE, "ValueError"},
        {AIO_ETYPE, "TypeError"},
        {AIO_EKEY, "KeyError"},
        {AIO_EINDEX, "IndexError"},
        {AIO_ELOOKUP, "LookupError"},
        {AIO_ERUNTIME, "RuntimeError"},
        {AIO_ENOTIMPLEMENTED, "NotImplementedError"},
        {AIO_ERECURSION, "RecursionError"},
        {AIO_EASSERTION, "AssertionError"},
        {AIO_EATTRIBUTE, "AttributeError"},
        {AIO_EARITHMETIC, "ArithmeticError"},
        {AIO_EUNICODE, "UnicodeError"},
        {AIO_EEOF, "EOFError"},
        {AIO_EOS, "OSError"},
        {AIO_EBASEEXCEPTION, "BaseException"},
        {AIO_EUSER, "Error"},
        {AIO_EUSER - 12345, "Error"},
        {-15000, "Exception"}, /* in no range */
        {AIO_ENOMEM, "MemoryError"},
        {AIO_ETIMEDOUT, "TimeoutError"},
        {-ECONNRESET, "ConnectionResetError"},
        {-ECONNREFUSED, "ConnectionRefusedError"},
        {-ECONNABORTED, "ConnectionAbortedError"},
        {-EPIPE, "BrokenPipeError"},
        {-ESHUTDOWN, "BrokenPipeError"},
        {-ENOENT, "FileNotFoundError"},
        {-EEXIST, "FileExistsError"},
        {-EACCES, "PermissionError"},
        {-EPERM, "PermissionError"},
        {-ESRCH, "ProcessLookupError"},
        {-ECHILD, "ChildProcessError"},
        {-EINTR, "InterruptedError"},
        {-EISDIR, "IsADirectoryError"},
        {-ENOTDIR, "NotADirectoryError"},
        {-EAGAIN, "BlockingIOError"},
        {-EALREADY, "BlockingIOError"},
        {-EINPROGRESS, "BlockingIOError"},
        {-EIO, "OSError"},
        {UV_ECANCELED, "OSError"},
        {UV_EOF, "EOFError"},
        {UV_UNKNOWN, "OSError"},
        {UV_EAI_NONAME, "gaierror"},
        {UV_EAI_ADDRFAMILY, "gaierror"},
        {UV_EAI_PROTOCOL, "gaierror"},
    };

    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_string_equal(aio_error_name(names[i].code), names[i].name);
}

static void what_is_no_error_is_called_none(void **state)
{
    assert_string_equal(aio_error_name(0), "None");
    assert_string_equal(aio_error_name(77), "None");
}

static void code_says_what_its_exception_says(void **state)
{
    assert_string_equal(aio_strerror(AIO_ENOLOOP), "no running event loop");
    assert_string_equal(aio_strerror(AIO_ECLOSED), "Event loop is closed");
    assert_string_equal(aio_strerror(AIO_EINVALIDSTATE), "invalid state");
    assert_string_equal(aio_strerror(AIO_EQUEUEEMPTY), "");
    assert_string_equal(aio_strerror(AIO_ETIMEDOUT), "");
    assert_string_equal(aio_strerror(AIO_ENOMEM), "");
    assert_string_equal(aio_strerror(AIO_EUSER - 1), "");
    assert_string_equal(aio_strerror(0), "");
    assert_string_equal(aio_strerror(77), "");
}

static void code_of_the_system_says_what_the_system_says(void **state)
{
    assert_string_equal(aio_strerror(-ECONNRESET), "Connection reset by peer");
    assert_string_equal(aio_strerror(-ENOENT), "No such file or directory");
    assert_string_equal(aio_strerror(-4000), "unknown error");
    assert_string_equal(aio_strerror(UV_EOF), "end of file");
    assert_string_equal(aio_strerror(UV_UNKNOWN), "unknown error");
    assert_string_equal(aio_strerror(UV_EAI_NONAME), "Name or service not known");
    assert_string_equal(aio_strerror(UV_EAI_AGAIN), "Temporary failure in name resolution");
    assert_string_equal(aio_strerror(UV_EAI_BADHINTS), "");
}

/* src/base/ has libuv's numbers by heart. */
#define KNOWS_TO_BE_NO_ERRNO(name, text)                                                           \
    if (UV_##name <= -3000)                                                                        \
        assert_string_not_equal(aio_error_name(UV_##name), "Exception");

static void code_of_libuv_is_an_errno_or_known(void **state)
{
    UV_ERRNO_MAP(KNOWS_TO_BE_NO_ERRNO)
    assert_int_equal(UV_ECONNRESET, -ECONNRESET);
    for (int code = UV_EAI_ADDRFAMILY; code >= UV_EAI_PROTOCOL; code--)
        assert_string_equal(aio_error_name(code), "gaierror");
    assert_string_equal(aio_error_name(UV_EAI_ADDRFAMILY + 1), "OSError");
    assert_string_equal(aio_error_name(UV_EAI_PROTOCOL - 1), "OSError");
}

static const aio_error_class added[] = {
    {AIO_EUSER - 900, 0, "ShopError", NULL},
    {AIO_EUSER - 901, AIO_EUSER - 900, "SoldOutError", "sold out"},
    {AIO_EUSER - 902, AIO_ERUNTIME, "ClosedError", NULL},
    {0, 0, NULL, NULL},
};

static void code_of_a_program_gets_the_class_it_is_registered_with(void **state)
{
    assert_string_equal(aio_error_name(AIO_EUSER - 901), "Error");
    assert_int_equal(aio_error_register(added), 0);
    assert_int_equal(aio_error_register(added), 0); /* again */
    assert_string_equal(aio_error_name(AIO_EUSER - 901), "SoldOutError");
    assert_string_equal(aio_strerror(AIO_EUSER - 901), "sold out");
    assert_string_equal(aio_strerror(AIO_EUSER - 900), "");
    assert_true(aio_error_is(AIO_EUSER - 901, AIO_EUSER - 900));
    assert_true(aio_error_is(AIO_EUSER - 901, AIO_EEXCEPTION));
    assert_false(aio_error_is(AIO_EUSER - 900, AIO_EUSER - 901));
    assert_true(aio_error_is(AIO_EUSER - 902, AIO_ERUNTIME));
    assert_string_equal(aio_error_name(AIO_EUSER - 903), "Error");
}

static void code_that_is_not_its_own_or_has_no_parent_is_not_registered(void **state)
{
    static const aio_error_class tables[][3] = {
        {{AIO_EVALUE, 0, "ValueError", NULL}},      /* the library's */
        {{-ENOENT, 0, "FileNotFoundError", NULL}},  /* the system's */
        {{AIO_EUSER - 900, 0, "OtherError", NULL}}, /* taken */
        {{AIO_EUSER - 910, 0, NULL, NULL}},         /* nameless */
        {{AIO_EUSER - 910, AIO_EUSER - 911, "A", NULL}, {AIO_EUSER - 911, 0, "B", NULL}},
        {{AIO_EUSER - 910, AIO_EUSER - 910, "A", NULL}},
        {{AIO_EUSER - 910, 0, "A", NULL}, {AIO_EUSER - 910, 0, "B", NULL}},
    };

    for (size_t i = 0; i < COUNT_OF(tables); i++)
        assert_int_equal(aio_error_register(tables[i]), AIO_EVALUE);
    assert_int_equal(aio_error_register(NULL), AIO_EVALUE);
    assert_string_equal(aio_error_name(AIO_EUSER - 910), "Error");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_is_of_its_own_class),
        cmocka_unit_test(code_below_zero_is_a_base_exception_and_no_other),
        cmocka_unit_test(code_is_an_exception_but_for_those_that_leave_everything),
        cmocka_unit_test(code_is_of_the_classes_python_gives_it),
        cmocka_unit_test(code_of_the_system_is_an_os_error),
        cmocka_unit_test(code_has_pythons_name),
        cmocka_unit_test(what_is_no_error_is_called_none),
        cmocka_unit_test(code_says_what_its_exception_says),
        cmocka_unit_test(code_of_the_system_says_what_the_system_says),
        cmocka_unit_test(code_of_libuv_is_an_errno_or_known),
        cmocka_unit_test(code_of_a_program_gets_the_class_it_is_registered_with),
        cmocka_unit_test(code_that_is_not_its_own_or_has_no_parent_is_not_registered),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
