/* SPDX-License-Identifier: MIT */
/*
 * repr.c - text and bytes as Python's repr() writes them
 *
 * Every character beyond ASCII counts as printable, but for U+0080 to U+00A0.
 *
 * Thread: any.
 */
#include <aio/type.h>
#include <stdio.h>
#include <string.h>

/* Where the text goes, cut at the end of the buffer. */
struct text {
    char *buffer;
    size_t size;
    size_t length; /* of the whole */
};

static void put(struct text *text, const char *data, size_t size)
{
    if (text->length < text->size) {
        size_t room = text->size - text->length;

        memcpy(text->buffer + text->length, data, size < room ? size : room);
    }
    text->length += size;
}

static void put_text(struct text *text, const char *string)
{
    put(text, string, strlen(string));
}

/* The bytes of the UTF-8 character here: 1 to 4, or 0 if it is none (RFC 3629). */
static size_t utf8_length(const unsigned char *at, size_t size)
{
    static const struct {
        unsigned char first, last; /* of the lead */
        unsigned char low, high;   /* of the second byte */
        size_t length;
    } forms[] = {{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                 {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
                 {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
                 {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};

    if (at[0] < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (at[0] < forms[i].first || at[0] > forms[i].last)
            continue;
        if (size < forms[i].length || at[1] < forms[i].low || at[1] > forms[i].high)
            return 0;
        for (size_t j = 2; j < forms[i].length; j++) {
            if (at[j] < 0x80 || at[j] > 0xbf)
                return 0;
        }
        return forms[i].length;
    }
    return 0;
}

static bool is_utf8(const unsigned char *at, size_t size)
{
    while (size > 0) {
        size_t length = utf8_length(at, size);

        if (length == 0)
            return false;
        at += length;
        size -= length;
    }
    return true;
}

static void put_escaped(struct text *text, unsigned char byte)
{
    char escape[8];

    switch (byte) {
    case '\n': put_text(text, "\\n"); break;
    case '\r': put_text(text, "\\r"); break;
    case '\t': put_text(text, "\\t"); break;
    default: (void)snprintf(escape, sizeof(escape), "\\x%02x", byte); put_text(text, escape);
    }
}

static size_t repr(const char *string, size_t size, bool is_str, char *buffer, size_t room)
{
    struct text all = {.buffer = buffer, .size = buffer == NULL ? 0 : room};
    struct text *text = &all;
    const unsigned char *at = (const unsigned char *)string;
    bool has_single = size > 0 && memchr(string, '\'', size) != NULL;
    char quote = has_single && memchr(string, '"', size) == NULL ? '"' : '\'';

    if (!is_str)
        put_text(text, "b");
    put(text, &quote, 1);
    while (size > 0) {
        size_t length = is_str ? utf8_length(at, size) : 1;

        if (*at == (unsigned char)quote || *at == '\\')
            put_text(text, "\\");
        if (*at < 0x20 || *at == 0x7f || (*at > 0x7f && !is_str))
            put_escaped(text, *at);
        else if (length == 2 && at[0] == 0xc2 && at[1] < 0xa1) /* U+0080 to U+00A0 */
            put_escaped(text, at[1]);
        else
            put(text, (const char *)at, length);
        at += length;
        size -= length;
    }
    put(text, &quote, 1);
    if (text->size > 0)
        buffer[text->length < room ? text->length : room - 1] = '\0';
    return text->length;
}

size_t aio_repr_text(const char *text, size_t size, char *buffer, size_t room)
{
    return repr(text, size, is_utf8((const unsigned char *)text, size), buffer, room);
}

size_t aio_repr_bytes(const void *bytes, size_t size, char *buffer, size_t room)
{
    return repr(bytes, size, false, buffer, room);
}
