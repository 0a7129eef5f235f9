/* SPDX-License-Identifier: MIT */
/*
 * insert.c - many rows by one INSERT
 *
 * As PyMySQL and aiomysql do: a statement that ends in VALUES and one row of placeholders alone gets all
 * rows that fit, separated by commas. Any other is executed once for each row.
 *
 * Thread: the loop's.
 */
#include "mysql/mysql_internal.h"

#include <aio/memory.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Bytes of a statement: what every server takes, whose least limit by default is 1 MiB. */
enum { MAX_STATEMENT = 1024000 };

/* --- taking it apart ------------------------------------------------------------------------------ */

static const char *skip_blanks(const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

static bool is_word_part(char character)
{
    return isalnum((unsigned char)character) || character == '_' || (character & 0x80) != 0;
}

/* Behind a word, in whatever case; NULL: it is not there. */
static const char *skip_word(const char *text, const char *word)
{
    size_t size = strlen(word);

    return strncasecmp(text, word, size) == 0 && !is_word_part(text[size]) ? text + size : NULL;
}

/* Behind "(%s, %s)"; NULL: it is something else. */
static const char *skip_row(const char *text, const char *place)
{
    size_t size = strlen(place);

    if (*text != '(')
        return NULL;
    do {
        text = skip_blanks(text + 1);
        if (strncmp(text, place, size) != 0)
            return NULL;
        text = skip_blanks(text + size);
    } while (*text == ',');
    return *text == ')' ? text + 1 : NULL;
}

/* Whether nothing but ON DUPLICATE KEY follows, without placeholders. */
static bool is_end(const char *text, const char *place)
{
    const char *rest = skip_blanks(text);
    const char *on = skip_word(rest, "ON");

    if (*rest == '\0' || (*rest == ';' && *skip_blanks(rest + 1) == '\0'))
        return true;
    return on != NULL && skip_word(skip_blanks(on), "DUPLICATE") != NULL &&
           strchr(rest, place[0]) == NULL && strchr(rest, ';') == NULL;
}

/* Whether values go nowhere but into the row: each % is one of two. */
static bool has_no_places(const char *text, const char *end, const char *place)
{
    while ((text = memchr(text, place[0], (size_t)(end - text))) != NULL) {
        if (place[0] != '%' || text[1] != '%')
            return false;
        text += 2;
    }
    return true;
}

/* VALUES, a row and the end, from a place on. */
static bool read_from(struct aio__mysql_insert *insert, const char *sql, const char *at,
                      const char *place)
{
    const char *row = skip_word(at, "VALUES");
    const char *end;

    if (row == NULL)
        row = skip_word(at, "VALUE");
    if (row == NULL)
        return false;
    row = skip_blanks(row);
    end = skip_row(row, place);
    if (end == NULL || !is_end(end, place) || !has_no_places(sql, row, place))
        return false;
    *insert = (struct aio__mysql_insert){sql, (size_t)(row - sql), row, (size_t)(end - row), end};
    return true;
}

bool aio__mysql_insert_read(struct aio__mysql_insert *insert, const char *sql, const char *place)
{
    const char *at = skip_blanks(sql);

    if (skip_word(at, "INSERT") == NULL && skip_word(at, "REPLACE") == NULL)
        return false;
    for (at++; *at != '\0'; at++) {
        if ((*at == 'v' || *at == 'V') && !is_word_part(at[-1]) &&
            read_from(insert, sql, at, place))
            return true;
    }
    return false;
}

/* --- sending it ------------------------------------------------------------------------------------- */

static int send(aio_mysql_cursor *cursor, struct aio__mysql_text *text, int64_t *total)
{
    int err;

    if (text->failed)
        return AIO_ENOMEM;
    aio__mysql_skip_rest(cursor->conn);
    err = aio__mysql_cursor_reset(cursor);
    if (err == 0)
        err = aio__mysql_query(cursor, text->data, text->size);
    if (err == 0 && cursor->rowcount > 0)
        *total += cursor->rowcount;
    return err;
}

/* The pieces, each with a 0 behind it, in one memory. */
struct pieces {
    char *start;
    char *row;
};

static int copy_pieces(const struct aio__mysql_insert *insert, struct pieces *pieces)
{
    char *text = aio_malloc(insert->start_size + insert->row_size + 2);

    if (text == NULL)
        return AIO_ENOMEM;
    pieces->start = text;
    pieces->row = text + insert->start_size + 1;
    memcpy(pieces->start, insert->start, insert->start_size);
    pieces->start[insert->start_size] = '\0';
    memcpy(pieces->row, insert->row, insert->row_size);
    pieces->row[insert->row_size] = '\0';
    return 0;
}

int aio__mysql_insert_rows(aio_mysql_cursor *cursor, const struct aio__mysql_insert *insert,
                           const aio_mysql_value *values, size_t rows, size_t count)
{
    MYSQL *mysql = cursor->conn->mysql;
    struct aio__mysql_text text = {0};
    struct aio__mysql_text row = {0};
    struct pieces pieces = {NULL, NULL};
    size_t end_size = strlen(insert->end);
    size_t start_size = 0;
    int64_t total = 0;
    int err = copy_pieces(insert, &pieces);

    if (err == 0)
        err = aio__mysql_fill_in(mysql, pieces.start, NULL, 0, &text);
    start_size = text.size;
    for (size_t i = 0; i < rows && err == 0; i++) {
        row.size = 0;
        err = aio__mysql_fill_in(mysql, pieces.row, values + i * count, count, &row);
        if (err == 0 && text.size > start_size &&
            text.size + 1 + row.size + end_size > MAX_STATEMENT) {
            aio__mysql_put(&text, insert->end, end_size);
            err = send(cursor, &text, &total);
            text.size = start_size;
        }
        if (text.size > start_size)
            aio__mysql_put(&text, ",", 1);
        aio__mysql_put(&text, row.data, row.size);
    }
    if (err == 0) {
        aio__mysql_put(&text, insert->end, end_size);
        err = send(cursor, &text, &total);
    }
    cursor->rowcount = total;
    aio_free(pieces.start);
    aio_free(text.data);
    aio_free(row.data);
    return err;
}
