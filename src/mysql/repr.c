/* SPDX-License-Identifier: MIT */
/*
 * repr.c - rows as Python prints them
 *
 * Thread: any.
 */
#include "mysql/mysql_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the text goes, cut at the end of the buffer. */
struct output {
    char *buffer;
    size_t size;
    size_t length; /* of the whole */
};

static size_t room_in(const struct output *out)
{
    return out->length < out->size ? out->size - out->length : 0;
}

static char *end_of(const struct output *out)
{
    return room_in(out) > 0 ? out->buffer + out->length : NULL;
}

static void put(struct output *out, const char *text)
{
    size_t size = strlen(text);
    size_t room = room_in(out);

    if (room > 0)
        memcpy(end_of(out), text, size < room ? size : room);
    out->length += size;
}

/* --- numbers ------------------------------------------------------------------------------------------ */

/* The exponent as Python writes it: 1e-05, 1e+16. Both C and Python have two digits at least. */
static void put_double(struct output *out, double number)
{
    char text[64];
    char *e;

    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*e", digits - 1, number);
        if (strtod(text, NULL) == number)
            break;
    }
    e = strchr(text, 'e');
    if (!isfinite(number)) {
        put(out, isnan(number) ? "nan" : number < 0 ? "-inf" : "inf");
        return;
    }
    if (e != NULL) {
        int exponent = (int)strtol(e + 1, NULL, 10);
        int digits = 0;

        for (const char *c = text; c != e; c++)
            digits += *c >= '0' && *c <= '9';
        if (exponent >= -4 && exponent < 16)
            (void)snprintf(text, sizeof(text), "%.*f",
                           digits - 1 > exponent ? digits - 1 - exponent : 1, number);
    }
    for (char *c = text; *c != '\0'; c++) {
        if (*c == ',') /* of another locale */
            *c = '.';
    }
    put(out, text);
}

/* --- dates and times ------------------------------------------------------------------------------------- */

/* Python has no year 0 and no day 0; its clients give such dates as the text they are. */
static void put_date(struct output *out, const aio_mysql_value *value)
{
    const aio_mysql_time *time = &value->time;
    bool has_time = value->type == AIO_MYSQL_DATETIME;
    char text[120];
    int length;

    if (time->year == 0 || time->month == 0 || time->day == 0) {
        length =
            snprintf(text, sizeof(text), "'%04u-%02u-%02u", time->year, time->month, time->day);
        if (has_time)
            (void)snprintf(text + length, sizeof(text) - (size_t)length, " %02u:%02u:%02u",
                           time->hour, time->minute, time->second);
        put(out, text);
        put(out, "'");
        return;
    }
    length = snprintf(text, sizeof(text), "datetime.%s(%u, %u, %u", has_time ? "datetime" : "date",
                      time->year, time->month, time->day);
    if (has_time)
        length += snprintf(text + length, sizeof(text) - (size_t)length, ", %u, %u", time->hour,
                           time->minute);
    if (has_time && (time->second != 0 || time->microsecond != 0))
        length += snprintf(text + length, sizeof(text) - (size_t)length, ", %u", time->second);
    if (has_time && time->microsecond != 0)
        (void)snprintf(text + length, sizeof(text) - (size_t)length, ", %u", time->microsecond);
    put(out, text);
    put(out, ")");
}

/* A time is a timedelta, normalised: days may be negative, the rest is not. */
static void put_time(struct output *out, const aio_mysql_time *time)
{
    const long long day = 86400LL * 1000000;
    long long total =
        ((time->hour * 60LL + time->minute) * 60 + time->second) * 1000000 + time->microsecond;
    long long parts[3]; /* days, seconds, microseconds */
    static const char *const names[3] = {"days", "seconds", "microseconds"};
    const char *before = "datetime.timedelta(";
    char text[64];

    if (time->negative)
        total = -total;
    parts[0] = total >= 0 ? total / day : -((-total + day - 1) / day);
    total -= parts[0] * day;
    parts[1] = total / 1000000;
    parts[2] = total % 1000000;
    for (int i = 0; i < 3; i++) {
        if (parts[i] == 0)
            continue;
        (void)snprintf(text, sizeof(text), "%s%s=%lld", before, names[i], parts[i]);
        put(out, text);
        before = ", ";
    }
    put(out, *before == ',' ? ")" : "datetime.timedelta(0)");
}

/* --- values, rows ------------------------------------------------------------------------------------------ */

static void put_value(struct output *out, const aio_mysql_value *value)
{
    char number[32];

    switch (value->type) {
    case AIO_MYSQL_NULL: put(out, "None"); break;
    case AIO_MYSQL_INT:
        (void)snprintf(number, sizeof(number), "%lld", (long long)value->integer);
        put(out, number);
        break;
    case AIO_MYSQL_UINT:
        (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)value->unsigned_integer);
        put(out, number);
        break;
    case AIO_MYSQL_DOUBLE: put_double(out, value->number); break;
    case AIO_MYSQL_DECIMAL:
        put(out, "Decimal('");
        put(out, value->text);
        put(out, "')");
        break;
    case AIO_MYSQL_TEXT:
        out->length += aio_repr_text(value->text, value->size, end_of(out), room_in(out));
        break;
    case AIO_MYSQL_BYTES:
        out->length += aio_repr_bytes(value->text, value->size, end_of(out), room_in(out));
        break;
    case AIO_MYSQL_DATE:
    case AIO_MYSQL_DATETIME: put_date(out, value); break;
    case AIO_MYSQL_TIME: put_time(out, &value->time); break;
    }
}

static void put_row(struct output *out, const aio_mysql_row *row)
{
    put(out, "(");
    for (size_t i = 0; i < row->count; i++) {
        put(out, i > 0 ? ", " : "");
        put_value(out, &row->values[i]);
    }
    put(out, row->count == 1 ? ",)" : ")");
}

static size_t finish(struct output *out)
{
    if (out->size > 0)
        out->buffer[out->length < out->size ? out->length : out->size - 1] = '\0';
    return out->length;
}

size_t aio_mysql_row_repr(const aio_mysql_row *row, char *buffer, size_t size)
{
    struct output out = {.buffer = buffer, .size = buffer == NULL ? 0 : size};

    if (row == NULL)
        put(&out, "None");
    else
        put_row(&out, row);
    return finish(&out);
}

size_t aio_mysql_rows_repr(const aio_mysql_rows *rows, char *buffer, size_t size)
{
    struct output out = {.buffer = buffer, .size = buffer == NULL ? 0 : size};
    size_t count = rows == NULL ? 0 : rows->count;

    put(&out, "(");
    for (size_t i = 0; i < count; i++) {
        put(&out, i > 0 ? ", " : "");
        put_row(&out, &rows->rows[i]);
    }
    put(&out, count == 1 ? ",)" : ")");
    return finish(&out);
}
