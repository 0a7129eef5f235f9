/* SPDX-License-Identifier: MIT */
/*
 * value.c - values: those a program makes, and those a server gives as text
 */
#include "mysql/mysql_internal.h"

#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* --- made by the program ---------------------------------------------------------------------------- */

aio_mysql_value aio_mysql_null(void)
{
    return (aio_mysql_value){.type = AIO_MYSQL_NULL};
}

aio_mysql_value aio_mysql_int(int64_t integer)
{
    return (aio_mysql_value){.type = AIO_MYSQL_INT, .integer = integer};
}

aio_mysql_value aio_mysql_uint(uint64_t integer)
{
    return (aio_mysql_value){.type = AIO_MYSQL_UINT, .unsigned_integer = integer};
}

aio_mysql_value aio_mysql_double(double number)
{
    return (aio_mysql_value){.type = AIO_MYSQL_DOUBLE, .number = number};
}

static aio_mysql_value make_text(aio_mysql_type type, const char *text, size_t size)
{
    aio_mysql_value value = {.type = text == NULL ? AIO_MYSQL_NULL : type};

    if (text != NULL) {
        value.text = text;
        value.size = size;
    }
    return value;
}

aio_mysql_value aio_mysql_decimal(const char *digits)
{
    return make_text(AIO_MYSQL_DECIMAL, digits, digits == NULL ? 0 : strlen(digits));
}

aio_mysql_value aio_mysql_text(const char *text)
{
    return make_text(AIO_MYSQL_TEXT, text, text == NULL ? 0 : strlen(text));
}

aio_mysql_value aio_mysql_bytes(const void *bytes, size_t size)
{
    return make_text(AIO_MYSQL_BYTES, bytes == NULL && size == 0 ? "" : bytes, size);
}

aio_mysql_value aio_mysql_moment(aio_mysql_type type, aio_mysql_time time)
{
    return (aio_mysql_value){.type = type, .time = time};
}

/* --- given by a server ------------------------------------------------------------------------------- */

enum { BINARY_CHARSET = 63 };

aio_mysql_type aio__mysql_type_of(const MYSQL_FIELD *field)
{
    switch ((int)field->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_YEAR: return AIO_MYSQL_INT;
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE: return AIO_MYSQL_DOUBLE;
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL: return AIO_MYSQL_DECIMAL;
    case MYSQL_TYPE_NULL: return AIO_MYSQL_NULL;
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE: return AIO_MYSQL_DATE;
    case MYSQL_TYPE_TIME: return AIO_MYSQL_TIME;
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP: return AIO_MYSQL_DATETIME;
    case MYSQL_TYPE_JSON: return AIO_MYSQL_TEXT;
    case MYSQL_TYPE_BIT:
    case MYSQL_TYPE_GEOMETRY: return AIO_MYSQL_BYTES;
    default: return field->charsetnr == BINARY_CHARSET ? AIO_MYSQL_BYTES : AIO_MYSQL_TEXT;
    }
}

static pthread_once_t locale_once = PTHREAD_ONCE_INIT;
static locale_t c_locale;

static void make_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", NULL);
}

/* A point is a point, whatever the program's locale has. */
static double read_double(const char *text)
{
    (void)pthread_once(&locale_once, make_locale);
    return c_locale == NULL ? strtod(text, NULL) : strtod_l(text, NULL, c_locale);
}

static aio_mysql_value read_integer(const MYSQL_FIELD *field, const char *text)
{
    uint64_t number;

    if ((field->flags & UNSIGNED_FLAG) == 0)
        return aio_mysql_int(strtoll(text, NULL, 10));
    number = strtoull(text, NULL, 10);
    return number > INT64_MAX ? aio_mysql_uint(number) : aio_mysql_int((int64_t)number);
}

/* Digits up to something else; what stands there is left behind. */
static unsigned read_number(const char **text)
{
    unsigned number = 0;

    while (**text >= '0' && **text <= '9')
        number = 10 * number + (unsigned)(*(*text)++ - '0');
    if (**text == '-' || **text == ':' || **text == ' ')
        (*text)++;
    return number;
}

/* ".5" is half a million millionths. */
static unsigned read_fraction(const char *text)
{
    unsigned number = 0;

    if (*text != '.')
        return 0;
    text++;
    for (int i = 0; i < 6; i++)
        number = 10 * number + (*text >= '0' && *text <= '9' ? (unsigned)(*text++ - '0') : 0);
    return number;
}

static aio_mysql_value read_moment(aio_mysql_type type, const char *text)
{
    aio_mysql_time time = {0};

    if (type == AIO_MYSQL_TIME && *text == '-') {
        time.negative = true;
        text++;
    }
    if (type != AIO_MYSQL_TIME) {
        time.year = read_number(&text);
        time.month = read_number(&text);
        time.day = read_number(&text);
    }
    if (type != AIO_MYSQL_DATE) {
        time.hour = read_number(&text);
        time.minute = read_number(&text);
        time.second = read_number(&text);
        time.microsecond = read_fraction(text);
    }
    return aio_mysql_moment(type, time);
}

int aio__mysql_value_of_text(struct aio__mysql_table *table, const MYSQL_FIELD *field,
                             const char *text, size_t size, aio_mysql_value *ret_value)
{
    aio_mysql_type type = text == NULL ? AIO_MYSQL_NULL : aio__mysql_type_of(field);
    const char *copy;

    switch (type) {
    case AIO_MYSQL_NULL: *ret_value = aio_mysql_null(); return 0;
    case AIO_MYSQL_INT: *ret_value = read_integer(field, text); return 0;
    case AIO_MYSQL_DOUBLE: *ret_value = aio_mysql_double(read_double(text)); return 0;
    case AIO_MYSQL_DATE:
    case AIO_MYSQL_TIME:
    case AIO_MYSQL_DATETIME: *ret_value = read_moment(type, text); return 0;
    default: break;
    }
    copy = aio__mysql_table_bytes(table, text, size);
    if (copy == NULL)
        return AIO_ENOMEM;
    *ret_value = make_text(type, copy, size);
    return 0;
}
