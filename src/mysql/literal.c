/* SPDX-License-Identifier: MIT */
/*
 * literal.c - values as SQL, and statements with values put into them
 *
 * Text goes between quotes, escaped by libmariadb for the connection's charset and SQL mode; bytes go
 * as X'6162', which no charset can misread. What is put in thus never ends a literal.
 */
#include "mysql/mysql_internal.h"

#include <aio/memory.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- text that grows ----------------------------------------------------------------------------------- */

static bool reserve(struct aio__mysql_text *text, size_t more)
{
    size_t room = text->room < 256 ? 256 : text->room;
    char *data;

    if (text->failed || more > SIZE_MAX / 4 - text->size) {
        text->failed = true;
        return false;
    }
    if (more <= text->room - text->size)
        return true;
    while (room < text->size + more)
        room *= 2;
    data = aio_realloc(text->data, room);
    text->failed = data == NULL;
    if (data == NULL)
        return false;
    text->data = data;
    text->room = room;
    return true;
}

void aio__mysql_put(struct aio__mysql_text *text, const void *data, size_t size)
{
    if (size == 0 || !reserve(text, size))
        return;
    memcpy(text->data + text->size, data, size);
    text->size += size;
}

static void put_text(struct aio__mysql_text *text, const char *string)
{
    aio__mysql_put(text, string, strlen(string));
}

/* --- literals ------------------------------------------------------------------------------------------- */

static void put_quoted(MYSQL *mysql, struct aio__mysql_text *text, const char *string, size_t size)
{
    if (size > SIZE_MAX / 8 || !reserve(text, 2 * size + 3)) {
        text->failed = true;
        return;
    }
    text->data[text->size++] = '\'';
    text->size += mysql_real_escape_string(mysql, text->data + text->size, string, size);
    text->data[text->size++] = '\'';
}

static void put_hex(struct aio__mysql_text *text, const char *bytes, size_t size)
{
    if (size > SIZE_MAX / 8 || !reserve(text, 2 * size + 3)) {
        text->failed = true;
        return;
    }
    text->data[text->size++] = 'X';
    text->data[text->size++] = '\'';
    text->size += mysql_hex_string(text->data + text->size, bytes, size);
    put_text(text, "'");
}

/* Digits that give the same number again; with an exponent, or it would be a decimal. */
static int put_double(struct aio__mysql_text *text, double number)
{
    char digits[40];

    if (!isfinite(number))
        return aio_raise(AIO_EVALUE, "%g can not be used with MySQL", number);
    (void)snprintf(digits, sizeof(digits), "%.16e", number);
    for (char *c = digits; *c != '\0'; c++) {
        if (*c == ',') /* of another locale */
            *c = '.';
    }
    put_text(text, digits);
    return 0;
}

static int put_decimal(struct aio__mysql_text *text, const char *digits, size_t size)
{
    size_t at = size > 0 && (digits[0] == '-' || digits[0] == '+') ? 1 : 0;
    size_t numbers = 0;
    size_t points = 0;

    for (; at < size; at++) {
        if (digits[at] == '.')
            points++;
        else if (digits[at] >= '0' && digits[at] <= '9')
            numbers++;
        else
            return aio_raise(AIO_EVALUE, "a decimal has digits, a point and a sign");
    }
    if (numbers == 0 || points > 1)
        return aio_raise(AIO_EVALUE, "a decimal has digits, a point and a sign");
    aio__mysql_put(text, digits, size);
    return 0;
}

static int put_moment(struct aio__mysql_text *text, aio_mysql_type type, const aio_mysql_time *time)
{
    char digits[80];
    int size = 0;

    if (time->year > 9999 || time->month > 12 || time->day > 31 || time->minute > 59 ||
        time->second > 59 || time->microsecond > 999999 ||
        time->hour > (type == AIO_MYSQL_TIME ? 838 : 23))
        return aio_raise(AIO_EVALUE, "a date or time out of bounds");
    put_text(text, "'");
    if (type != AIO_MYSQL_TIME)
        size =
            snprintf(digits, sizeof(digits), "%04u-%02u-%02u", time->year, time->month, time->day);
    else if (time->negative)
        put_text(text, "-");
    if (type == AIO_MYSQL_DATETIME)
        digits[size++] = ' ';
    if (type != AIO_MYSQL_DATE)
        size += snprintf(digits + size, sizeof(digits) - (size_t)size, "%02u:%02u:%02u.%06u",
                         time->hour, time->minute, time->second, time->microsecond);
    aio__mysql_put(text, digits, (size_t)size);
    put_text(text, "'");
    return 0;
}

static int put_value(MYSQL *mysql, struct aio__mysql_text *text, const aio_mysql_value *value)
{
    char digits[32];

    switch (value->type) {
    case AIO_MYSQL_NULL: put_text(text, "NULL"); return 0;
    case AIO_MYSQL_INT:
        (void)snprintf(digits, sizeof(digits), "%lld", (long long)value->integer);
        put_text(text, digits);
        return 0;
    case AIO_MYSQL_UINT:
        (void)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value->unsigned_integer);
        put_text(text, digits);
        return 0;
    case AIO_MYSQL_DOUBLE: return put_double(text, value->number);
    case AIO_MYSQL_DECIMAL: return put_decimal(text, value->text, value->size);
    case AIO_MYSQL_TEXT: put_quoted(mysql, text, value->text, value->size); return 0;
    case AIO_MYSQL_BYTES: put_hex(text, value->text, value->size); return 0;
    case AIO_MYSQL_DATE:
    case AIO_MYSQL_TIME:
    case AIO_MYSQL_DATETIME: return put_moment(text, value->type, &value->time);
    }
    return aio_raise(AIO_EVALUE, "%d is no type of a value", (int)value->type);
}

int aio_mysql_escape(aio_mysql *conn, aio_mysql_value value, char **ret_sql)
{
    struct aio__mysql_text text = {0};
    int err;

    if (conn == NULL || ret_sql == NULL)
        return aio_raise(AIO_EVALUE, "a connection, and a place for the text, are needed");
    if (conn->mysql == NULL)
        return aio_raise(AIO_MYSQL_EINTERFACE, "the connection is closed");
    err = put_value(conn->mysql, &text, &value);
    aio__mysql_put(&text, "", 1);
    if (err == 0 && text.failed)
        err = AIO_ENOMEM;
    if (err == 0)
        *ret_sql = text.data;
    else
        aio_free(text.data);
    return err;
}

/* --- statements ------------------------------------------------------------------------------------------ */

int aio__mysql_fill_in(MYSQL *mysql, const char *sql, const aio_mysql_value *values, size_t count,
                       struct aio__mysql_text *text)
{
    size_t used = 0;
    int err = 0;

    while (err == 0) {
        const char *percent = strchr(sql, '%');

        if (percent == NULL)
            break;
        aio__mysql_put(text, sql, (size_t)(percent - sql));
        if (percent[1] == '%')
            put_text(text, "%");
        else if (percent[1] != 's')
            err = aio_raise(AIO_EVALUE, "a %% that is neither %%s nor %%%%");
        else if (used == count)
            err = aio_raise(AIO_ETYPE, "not enough arguments for format string");
        else
            err = put_value(mysql, text, &values[used++]);
        sql = percent + 2;
    }
    if (err < 0)
        return err;
    put_text(text, sql);
    if (used < count)
        return aio_raise(AIO_ETYPE, "not all arguments converted during string formatting");
    return text->failed ? AIO_ENOMEM : 0;
}
