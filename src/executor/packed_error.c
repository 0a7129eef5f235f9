/* SPDX-License-Identifier: MIT */
/*
 * packed_error.c - errors as bytes: how they get back from a worker process
 *
 * What is kept is what can be printed: code, message, place, causes, members of groups. The names
 * of the file and the function are literals of the program, which has them here as well: only
 * their places are sent.
 *
 * Thread: any.
 */
#include "executor/message.h"

#include "base/error.h"

#include <aio/memory.h>
#include <string.h>

enum { MAX_DEPTH = 32 }; /* what lies deeper is left out */

#define NO_TEXT UINT32_MAX

/* One error; its text follows, then its members, then its cause. */
struct packed {
    int code;
    int line;
    struct aio__place file;
    struct aio__place function;
    uint32_t text_size; /* without the end; NO_TEXT: none was given */
    uint32_t members;
    uint32_t has_cause;
};

/* --- packing: first to count, with bytes NULL, then to write --- */

struct writer {
    char *bytes;
    size_t size;
};

static void put(struct writer *writer, const void *from, size_t size)
{
    if (writer->bytes != NULL && size != 0)
        memcpy(writer->bytes + writer->size, from, size);
    writer->size += size;
}

static struct aio__place place_of_literal(const char *text)
{
    struct aio__place place = {AIO__PLACE_NULL, 0};

    (void)aio__place_of(text, &place);
    return place;
}

/* Members count as levels, for no stack is without end. */
static void put_error(struct writer *writer, const aio_exception *error, unsigned depth)
{
    const char *text = aio_exception_message(error);
    bool is_deepest = depth == MAX_DEPTH;
    struct packed packed;

    memset(&packed, 0, sizeof(packed));
    packed.code = aio_exception_code(error);
    packed.line = aio_exception_line(error);
    packed.file = place_of_literal(aio_exception_file(error));
    packed.function = place_of_literal(aio_exception_function(error));
    packed.text_size = text == NULL ? NO_TEXT : (uint32_t)strlen(text);
    packed.members = is_deepest ? 0 : (uint32_t)aio_exception_member_count(error);
    packed.has_cause = !is_deepest && aio_exception_cause(error) != NULL;
    put(writer, &packed, sizeof(packed));
    if (text != NULL)
        put(writer, text, packed.text_size);
    for (uint32_t i = 0; i < packed.members; i++)
        put_error(writer, aio_exception_member(error, i), depth + 1);
    if (packed.has_cause)
        put_error(writer, aio_exception_cause(error), depth + 1);
}

int aio__error_pack(const aio_exception *error, void **ret_bytes, size_t *ret_size)
{
    struct writer writer = {NULL, 0};

    put_error(&writer, error, 0);
    writer.bytes = aio_malloc(writer.size);
    if (writer.bytes == NULL)
        return AIO_ENOMEM;
    *ret_bytes = writer.bytes;
    *ret_size = writer.size;
    writer.size = 0;
    put_error(&writer, error, 0);
    return 0;
}

/* --- unpacking --- */

struct reader {
    const char *bytes;
    size_t left;
};

static bool get(struct reader *reader, void *to, size_t size)
{
    if (size > reader->left)
        return false;
    memcpy(to, reader->bytes, size);
    reader->bytes += size;
    reader->left -= size;
    return true;
}

static const char *find_literal(struct aio__place place)
{
    void *literal = NULL;

    return aio__place_find(place, false, &literal) ? literal : NULL;
}

static aio_exception *get_error(struct reader *reader, unsigned depth);

static aio_exception *get_group(struct reader *reader, const char *text, uint32_t count,
                                unsigned depth)
{
    aio_exception *group = NULL;
    aio_exception **members = NULL;
    uint32_t got = 0;

    if (count <= reader->left / sizeof(struct packed))
        members = aio_calloc(count, sizeof(*members));
    while (members != NULL && got < count && (members[got] = get_error(reader, depth + 1)) != NULL)
        got++;
    if (got == count)
        group = aio_exception_group_new(text, members, count);
    while (got > 0)
        aio_exception_unref(members[--got]);
    aio_free(members);
    return group;
}

/* The text that comes next, as a string. NULL: it has none, or there is no memory. */
static char *get_text(struct reader *reader, uint32_t size)
{
    char *text = NULL;

    if (size <= reader->left)
        text = aio_malloc((size_t)size + 1);
    if (text == NULL)
        return NULL;
    (void)get(reader, text, size);
    text[size] = '\0';
    return text;
}

static aio_exception *get_plain(struct reader *reader, const struct packed *packed,
                                const char *text, unsigned depth)
{
    aio_exception *cause = packed->has_cause ? get_error(reader, depth + 1) : NULL;
    const char *file = find_literal(packed->file);
    const char *function = find_literal(packed->function);
    int code = aio_raise_from_at(cause, file, packed->line, function, packed->code,
                                 text == NULL ? NULL : "%s", text);

    aio_exception_unref(cause);
    return aio_error_catch(code);
}

/* NULL: not what an error looks like, or no memory. */
static aio_exception *get_error(struct reader *reader, unsigned depth)
{
    aio_exception *error;
    struct packed packed;
    char *text = NULL;

    if (depth > MAX_DEPTH || !get(reader, &packed, sizeof(packed)) || packed.code >= 0)
        return NULL;
    if (packed.text_size != NO_TEXT) {
        text = get_text(reader, packed.text_size);
        if (text == NULL)
            return NULL;
    }
    error = packed.members != 0 ? get_group(reader, text, packed.members, depth)
                                : get_plain(reader, &packed, text, depth);
    aio_free(text);
    return error;
}

aio_exception *aio__error_unpack(int code, const void *bytes, size_t size)
{
    struct reader reader = {bytes, size};
    aio_exception *error = get_error(&reader, 0);

    if (error != NULL)
        return error;
    aio__error_forget();
    return aio_error_catch(code);
}
