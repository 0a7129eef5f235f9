/* SPDX-License-Identifier: MIT */
/*
 * error.c - the classes of MySQL's errors, and which of them a number is
 *
 * The classes are PEP 249's, and the numbers of each are those that Python's clients give it.
 */
#include "mysql/mysql_internal.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const aio_error_class classes[] = {
    {AIO_MYSQL_ERROR, 0, "Error", NULL},
    {AIO_MYSQL_EINTERFACE, AIO_MYSQL_ERROR, "InterfaceError", NULL},
    {AIO_MYSQL_EDATABASE, AIO_MYSQL_ERROR, "DatabaseError", NULL},
    {AIO_MYSQL_EDATA, AIO_MYSQL_EDATABASE, "DataError", NULL},
    {AIO_MYSQL_EOPERATIONAL, AIO_MYSQL_EDATABASE, "OperationalError", NULL},
    {AIO_MYSQL_EINTEGRITY, AIO_MYSQL_EDATABASE, "IntegrityError", NULL},
    {AIO_MYSQL_EINTERNAL, AIO_MYSQL_EDATABASE, "InternalError", NULL},
    {AIO_MYSQL_EPROGRAMMING, AIO_MYSQL_EDATABASE, "ProgrammingError", NULL},
    {AIO_MYSQL_ENOTSUPPORTED, AIO_MYSQL_EDATABASE, "NotSupportedError", NULL},
    {0, 0, NULL, NULL},
};

void aio__mysql_register_errors(void)
{
    (void)aio_error_register(classes); /* what is not registered has plainer names */
}

/* --- numbers ---------------------------------------------------------------------------------- */

static bool is_among(unsigned number, const unsigned *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (numbers[i] == number)
            return true;
    }
    return false;
}

#define IS_AMONG(number, numbers) is_among(number, numbers, sizeof(numbers) / sizeof((numbers)[0]))

static const unsigned programming[] = {
    ER_DB_CREATE_EXISTS,
    ER_SYNTAX_ERROR,
    ER_PARSE_ERROR,
    ER_NO_SUCH_TABLE,
    ER_WRONG_DB_NAME,
    ER_WRONG_TABLE_NAME,
    ER_FIELD_SPECIFIED_TWICE,
    ER_INVALID_GROUP_FUNC_USE,
    ER_UNSUPPORTED_EXTENSION,
    ER_TABLE_MUST_HAVE_COLUMNS,
    ER_CANT_DO_THIS_DURING_AN_TRANSACTION,
};
static const unsigned data[] = {
    WARN_DATA_TRUNCATED,           ER_WARN_NULL_TO_NOTNULL,
    ER_WARN_DATA_OUT_OF_RANGE,     ER_NO_DEFAULT,
    ER_PRIMARY_CANT_HAVE_NULL,     ER_DATA_TOO_LONG,
    ER_DATETIME_FUNCTION_OVERFLOW, ER_TRUNCATED_WRONG_VALUE_FOR_FIELD,
    ER_ILLEGAL_VALUE_FOR_TYPE,
};
static const unsigned integrity[] = {
    ER_DUP_ENTRY,           ER_NO_REFERENCED_ROW,  ER_NO_REFERENCED_ROW_2, ER_ROW_IS_REFERENCED,
    ER_ROW_IS_REFERENCED_2, ER_CANNOT_ADD_FOREIGN, ER_BAD_NULL_ERROR,
};
static const unsigned not_supported[] = {
    ER_WARNING_NOT_COMPLETE_ROLLBACK,
    ER_NOT_SUPPORTED_YET,
    ER_FEATURE_DISABLED,
    ER_UNKNOWN_STORAGE_ENGINE,
};
static const unsigned operational[] = {
    ER_DBACCESS_DENIED_ERROR,
    ER_ACCESS_DENIED_ERROR,
    ER_CON_COUNT_ERROR,
    ER_TABLEACCESS_DENIED_ERROR,
    ER_COLUMNACCESS_DENIED_ERROR,
    ER_CONSTRAINT_FAILED,
    ER_LOCK_DEADLOCK,
    ER_LOCK_WAIT_TIMEOUT,
    ER_QUERY_INTERRUPTED,
    ER_CONNECTION_KILLED,
    ER_SERVER_SHUTDOWN,
    ER_BAD_DB_ERROR,
    ER_HOST_IS_BLOCKED,
    ER_HOST_NOT_PRIVILEGED,
    ER_TOO_MANY_USER_CONNECTIONS,
    ER_OPTION_PREVENTS_STATEMENT,
};

static int code_of(unsigned number)
{
    if (IS_AMONG(number, integrity))
        return AIO_MYSQL_EINTEGRITY;
    if (IS_AMONG(number, data))
        return AIO_MYSQL_EDATA;
    if (IS_AMONG(number, programming))
        return AIO_MYSQL_EPROGRAMMING;
    if (IS_AMONG(number, not_supported))
        return AIO_MYSQL_ENOTSUPPORTED;
    if (IS_AMONG(number, operational))
        return AIO_MYSQL_EOPERATIONAL;
    if (number == CR_OUT_OF_MEMORY)
        return AIO_ENOMEM;
    if (number >= CR_MIN_ERROR && number < CR_MIN_ERROR + 1000)
        return AIO_MYSQL_EOPERATIONAL; /* the client library's: no connection, or none any more */
    return number < 1000 ? AIO_MYSQL_EINTERNAL : AIO_MYSQL_EOPERATIONAL;
}

static int raise_with(unsigned number, const char *sqlstate, const char *message)
{
    int code = code_of(number);

    if (code == AIO_ENOMEM)
        return code;
    return aio_raise(code, "%u (%s): %s", number, sqlstate, message);
}

int aio__mysql_raise_of(MYSQL *mysql)
{
    return raise_with(mysql_errno(mysql), mysql_sqlstate(mysql), mysql_error(mysql));
}

int aio__mysql_raise_stmt(MYSQL_STMT *stmt)
{
    return raise_with(mysql_stmt_errno(stmt), mysql_stmt_sqlstate(stmt), mysql_stmt_error(stmt));
}

/* --- taking errors apart --------------------------------------------------------------------------- */

int aio_mysql_error_get_info(const aio_exception *error, aio_mysql_error_info *ret_info)
{
    const char *text = error == NULL ? NULL : aio_exception_message(error);
    aio_mysql_error_info info = {0};
    char *rest = NULL;

    if (text == NULL || ret_info == NULL ||
        !aio_error_is(aio_exception_code(error), AIO_MYSQL_ERROR))
        return aio_raise(AIO_EVALUE, "an error of the server's is needed");
    info.number = (unsigned)strtoul(text, &rest, 10);
    if (rest == text || strncmp(rest, " (", 2) != 0 || strnlen(rest, 10) < 10 ||
        strncmp(rest + 7, "): ", 3) != 0)
        return aio_raise(AIO_EVALUE, "this error is not the server's");
    memcpy(info.sqlstate, rest + 2, 5);
    info.message = rest + 10;
    *ret_info = info;
    return 0;
}
