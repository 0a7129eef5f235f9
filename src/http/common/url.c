/* SPDX-License-Identifier: MIT */
/*
 * url.c - percent encoding, and the pairs of queries and forms
 *
 * Thread: any.
 */
#include "http/common/url.h"

#include <string.h>

size_t aio__utf8_length(const char *text, size_t size)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t length;
    uint32_t code;

    if (size == 0)
        return 0;
    if (at[0] < 0x80)
        return 1;
    if (at[0] >= 0xc2 && at[0] < 0xe0)
        length = 2;
    else if (at[0] >= 0xe0 && at[0] < 0xf0)
        length = 3;
    else if (at[0] >= 0xf0 && at[0] < 0xf5)
        length = 4;
    else
        return 0;
    if (size < length)
        return 0;
    code = at[0] & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3f);
    }
    /* Neither longer than need be, nor half of a pair of UTF-16, nor past the end. */
    if ((length == 3 && code < 0x800) || (length == 4 && (code < 0x10000 || code > 0x10ffff)) ||
        (code >= 0xd800 && code < 0xe000))
        return 0;
    return length;
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

/* Decode the byte at the start; gives how many bytes of the text it took. */
static size_t decode_byte(const char *text, size_t size, bool plus, char *ret_byte)
{
    *ret_byte = *text;
    if (*text == '+' && plus)
        *ret_byte = ' ';
    if (*text != '%' || size < 3 || hex_value(text[1]) < 0 || hex_value(text[2]) < 0)
        return 1;
    *ret_byte = (char)(hex_value(text[1]) << 4 | hex_value(text[2]));
    return 3;
}

/* From the back, where there is room. */
size_t aio__utf8_mend(char *text, size_t size)
{
    static const char replacement[3] = {(char)0xef, (char)0xbf, (char)0xbd};
    size_t wrong = 0;
    size_t to;

    for (size_t i = 0, step; i < size; i += step) {
        step = aio__utf8_length(text + i, size - i);
        if (step == 0) {
            text[i] = (char)0xff; /* a byte that no UTF-8 has: marks the place */
            wrong++;
            step = 1;
        }
    }
    if (wrong == 0)
        return size;
    to = size + 2 * wrong;
    for (size_t from = size; from-- > 0;) {
        if (text[from] == (char)0xff) {
            to -= 3;
            memcpy(text + to, replacement, sizeof(replacement));
        } else {
            text[--to] = text[from];
        }
    }
    return size + 2 * wrong;
}

ptrdiff_t aio__url_decode(char *out, const char *text, size_t size, bool plus)
{
    size_t length = 0;

    for (size_t i = 0; i < size; length++) {
        i += decode_byte(text + i, size - i, plus, &out[length]);
        if (out[length] == '\0')
            return AIO_EVALUE;
    }
    length = aio__utf8_mend(out, length);
    out[length] = '\0';
    return (ptrdiff_t)length;
}

int aio__url_pairs(const char *text, size_t size, aio__url_pair_fn fn, void *arg)
{
    const char *end = text + size;

    while (text < end) {
        const char *stop = memchr(text, '&', (size_t)(end - text));
        const char *equals;
        int code = 0;

        if (stop == NULL)
            stop = end;
        equals = memchr(text, '=', (size_t)(stop - text));
        if (stop > text && equals != NULL)
            code = fn(text, (size_t)(equals - text), equals + 1, (size_t)(stop - equals - 1), arg);
        else if (stop > text)
            code = fn(text, (size_t)(stop - text), stop, 0, arg);
        if (code != 0)
            return code;
        text = stop + 1;
    }
    return 0;
}
