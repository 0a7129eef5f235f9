/* SPDX-License-Identifier: MIT */
/*
 * rows.c - where rows are in memory
 *
 * A table is rows, and chunks that their values and texts are cut from. A buffered cursor uses one
 * over and over, unless somebody has fetched rows of it, which then belong to him as well.
 *
 * Thread: the loop's; references may be dropped anywhere.
 */
#include "mysql/mysql_internal.h"

#include <aio/memory.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <string.h>

enum { FIRST_CHUNK = 1024, LARGEST_CHUNK = 256 * 1024, FIRST_ROWS = 8 };

struct chunk {
    struct chunk *next;
    size_t room; /* bytes that follow */
    size_t used;
};

struct aio__mysql_table {
    atomic_size_t refs;
    aio_mysql_row *rows;
    size_t count;
    size_t room;
    struct chunk *chunks; /* the newest first */
};

/* What the program has of it. */
struct slice {
    aio_mysql_rows rows; /* first */
    atomic_size_t refs;
    struct aio__mysql_table *table;
};

struct aio__mysql_table *aio__mysql_table_new(void)
{
    struct aio__mysql_table *table = aio_calloc(1, sizeof(*table));

    if (table != NULL)
        atomic_init(&table->refs, 1);
    return table;
}

static void free_chunks(struct chunk *chunk)
{
    while (chunk != NULL) {
        struct chunk *next = chunk->next;

        aio_free(chunk);
        chunk = next;
    }
}

void aio__mysql_table_unref(struct aio__mysql_table *table)
{
    if (table == NULL || atomic_fetch_sub_explicit(&table->refs, 1, memory_order_acq_rel) != 1)
        return;
    free_chunks(table->chunks);
    aio_free(table->rows);
    aio_free(table);
}

/* Only the newest chunk stays, which is the largest of those that grew. */
void aio__mysql_table_clear(struct aio__mysql_table *table)
{
    table->count = 0;
    if (table->chunks == NULL)
        return;
    free_chunks(table->chunks->next);
    table->chunks->next = NULL;
    table->chunks->used = 0;
    if (table->chunks->room > LARGEST_CHUNK) {
        free_chunks(table->chunks);
        table->chunks = NULL;
    }
}

bool aio__mysql_table_is_shared(const struct aio__mysql_table *table)
{
    return atomic_load_explicit(&table->refs, memory_order_acquire) > 1;
}

static size_t aligned(size_t size)
{
    return (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
}

static void *cut(struct aio__mysql_table *table, size_t size)
{
    struct chunk *chunk = table->chunks;
    size_t room = chunk == NULL ? FIRST_CHUNK : 2 * chunk->room;

    size = aligned(size);
    if (chunk == NULL || size > chunk->room - chunk->used) {
        if (room > LARGEST_CHUNK)
            room = LARGEST_CHUNK;
        if (room < size)
            room = size;
        chunk = aio_malloc(aligned(sizeof(*chunk)) + room);
        if (chunk == NULL)
            return NULL;
        *chunk = (struct chunk){.next = table->chunks, .room = room};
        table->chunks = chunk;
    }
    chunk->used += size;
    return (char *)chunk + aligned(sizeof(*chunk)) + chunk->used - size;
}

aio_mysql_value *aio__mysql_table_add(struct aio__mysql_table *table, size_t columns)
{
    aio_mysql_value *values;

    if (table->count == table->room) {
        size_t room = table->room == 0 ? FIRST_ROWS : 2 * table->room;
        aio_mysql_row *rows = aio_realloc(table->rows, room * sizeof(*rows));

        if (rows == NULL)
            return NULL;
        table->rows = rows;
        table->room = room;
    }
    values = cut(table, (columns == 0 ? 1 : columns) * sizeof(*values));
    if (values == NULL)
        return NULL;
    table->rows[table->count++] = (aio_mysql_row){values, columns};
    return values;
}

void aio__mysql_table_drop_last(struct aio__mysql_table *table)
{
    table->count--;
}

char *aio__mysql_table_bytes(struct aio__mysql_table *table, const void *data, size_t size)
{
    char *copy = cut(table, size + 1);

    if (copy == NULL)
        return NULL;
    if (size > 0 && data != NULL)
        memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

size_t aio__mysql_table_count(const struct aio__mysql_table *table)
{
    return table->count;
}

const aio_mysql_row *aio__mysql_table_row(const struct aio__mysql_table *table, size_t index)
{
    return &table->rows[index];
}

/* --- what the program has ------------------------------------------------------------------------- */

aio_mysql_rows *aio__mysql_table_slice(struct aio__mysql_table *table, size_t first, size_t count)
{
    struct slice *slice = aio_malloc(sizeof(*slice));

    if (slice == NULL)
        return NULL;
    atomic_init(&slice->refs, 1);
    slice->table = table;
    atomic_fetch_add_explicit(&table->refs, 1, memory_order_relaxed);
    slice->rows.rows = count == 0 ? NULL : table->rows + first;
    slice->rows.count = count;
    return &slice->rows;
}

static struct slice *slice_of(aio_mysql_rows *rows)
{
    return (struct slice *)(void *)rows;
}

aio_mysql_rows *aio_mysql_rows_ref(aio_mysql_rows *rows)
{
    if (rows != NULL)
        atomic_fetch_add_explicit(&slice_of(rows)->refs, 1, memory_order_relaxed);
    return rows;
}

void aio_mysql_rows_unref(aio_mysql_rows *rows)
{
    struct slice *slice = slice_of(rows);

    if (rows == NULL || atomic_fetch_sub_explicit(&slice->refs, 1, memory_order_acq_rel) != 1)
        return;
    aio__mysql_table_unref(slice->table);
    aio_free(slice);
}

static void destroy_rows(void *rows)
{
    aio_mysql_rows_unref(rows);
}

static int format_rows(const void *rows, char *buffer, size_t size)
{
    return (int)aio_mysql_rows_repr(rows, buffer, size);
}

const aio_type aio_mysql_type_rows = {.destroy = destroy_rows, .format = format_rows};
