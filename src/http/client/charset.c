/* SPDX-License-Identifier: MIT */
/*
 * charset.c - bytes in some charset to UTF-8
 *
 * As strict as Python's decoders: what is not valid is an error, never a question mark. What is
 * said to be UTF-8 is checked and copied; the rest goes through iconv.
 */
#include "http/client/client.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <errno.h>
#include <iconv.h>
#include <string.h>
#include <strings.h>

/* Bytes of the UTF-8 character at the start of some; 0: there is none. */
static size_t character(const unsigned char *at, size_t left)
{
    size_t size = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

    if (size == 0 || size > left || at[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0; /* too long a form, half of a pair, or past the last */
    return size;
}

static int bad_bytes(const char *charset, size_t place)
{
    return aio_raise(AIO_EUNICODE, "'%s' codec can't decode the byte in position %zu", charset,
                     place);
}

static int copy_utf8(const char *charset, aio_buffer bytes, char **ret_text)
{
    const unsigned char *data = bytes.data;
    size_t place = 0;
    char *text;

    while (place < bytes.size) {
        size_t size = character(data + place, bytes.size - place);

        if (size == 0)
            return bad_bytes(charset, place);
        place += size;
    }
    text = aio_malloc(bytes.size + 1);
    if (text == NULL)
        return AIO_ENOMEM;
    if (bytes.size > 0)
        memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = '\0';
    *ret_text = text;
    return 0;
}

static int convert(iconv_t converter, const char *charset, aio_buffer bytes,
                   struct aio__bytes *text)
{
    char *from = (char *)(uintptr_t)bytes.data;
    size_t left = bytes.size;

    for (;;) {
        size_t room;
        char *to;
        size_t result;

        if (aio__bytes_reserve(text, 1 + left + 64) < 0)
            return AIO_ENOMEM;
        to = text->data + text->size;
        room = text->capacity - text->size - 1;
        /* At the end once more, for what a charset with states has kept back. */
        result = left > 0 ? iconv(converter, &from, &left, &to, &room)
                          : iconv(converter, NULL, NULL, &to, &room);
        text->size = (size_t)(to - text->data);
        if (result == (size_t)-1 && errno != E2BIG)
            return bad_bytes(charset, bytes.size - left);
        if (result != (size_t)-1 && left == 0)
            break;
    }
    text->data[text->size] = '\0';
    return 0;
}

int aio__httpc_decode(const char *charset, aio_buffer bytes, char **ret_text)
{
    struct aio__bytes text = {0};
    iconv_t converter;
    int err;

    if (strcasecmp(charset, "utf-8") == 0 || strcasecmp(charset, "utf8") == 0)
        return copy_utf8(charset, bytes, ret_text);
    converter = iconv_open("UTF-8", charset);
    if (converter == (iconv_t)-1)
        return errno == ENOMEM ? AIO_ENOMEM
                               : aio_raise(AIO_ELOOKUP, "unknown encoding: %s", charset);
    err = convert(converter, charset, bytes, &text);
    (void)iconv_close(converter);
    if (err < 0) {
        aio__bytes_free(&text);
        return err;
    }
    *ret_text = text.data;
    return 0;
}
