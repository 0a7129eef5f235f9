/* SPDX-License-Identifier: MIT */
/*
 * fuzz_http_client.c - what the HTTP client reads: URLs, heads, compressed bodies, charsets
 *
 * The first byte says what the rest is taken for.
 */
#include "fuzz/fuzz.h"
#include "http/client/client.h"
#include "http/common/url.h"

#include <aio/memory.h>

enum { PIECE = 4096 };

static void check_utf8(const char *text, size_t size)
{
    for (size_t i = 0, step; i < size; i += step) {
        step = aio__utf8_length(text + i, size - i);
        MUST(step > 0);
    }
}

/* A URL that was read is read again as the same, and holds nothing that would end a line. */
static void read_url(const char *text)
{
    struct aio__httpc_url url = {0};
    struct aio__httpc_url again = {0};

    if (aio__httpc_url_read(&url, "http://base.test:8080/path?query", text, NULL, 0) < 0)
        return;
    MUST(strncmp(url.text, "http", 4) == 0 && strpbrk(url.text, "\r\n \t") == NULL);
    MUST(strchr(url.shown, '?') == NULL && url.port <= 65535);
    MUST(aio__httpc_url_read(&again, NULL, url.text, NULL, 0) == 0);
    MUST(strcmp(again.text, url.text) == 0 && strcmp(again.origin, url.origin) == 0);
    MUST(again.user == NULL && again.password == NULL);
    aio__httpc_url_free(&url);
    aio__httpc_url_free(&again);
}

/* Headers out of a head have names, and no zeros within. */
static void read_head(const char *text, size_t size)
{
    static aio_http_response response;
    const char *end = text + size;
    int err = 0;

    while (text < end && err == 0 && !response.head_is_done) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t length = newline == NULL ? (size_t)(end - text) : (size_t)(newline - text) + 1;

        err = aio__httpc_head_line(&response, text, length);
        text += length;
    }
    if (response.head_is_done) {
        size_t used = 0;

        MUST(response.status >= 100 && response.status <= 999);
        for (size_t i = 0; i < response.received_count; i++) {
            MUST(response.received[i].name[0] != '\0');
            used += strlen(response.received[i].name) + strlen(response.received[i].value) + 2;
        }
        MUST(used == response.head.size);
    }
    aio__bytes_free(&response.head);
    aio_free(response.received);
    memset(&response, 0, sizeof(response));
}

/* Decompressing ends, a piece of bounded size at a time. */
static void inflate_all(const char *encoding, const char *data, size_t size)
{
    struct aio__httpc_inflater *inflater = NULL;
    struct aio__bytes piece = {0};
    aio_buffer left = {data, size};
    int err = aio__httpc_inflater_new(encoding, &inflater);

    MUST(err == 0);
    while (err == 0 && (left.size > 0 || piece.size == PIECE)) {
        size_t before = left.size;

        err = aio__httpc_inflate(inflater, &left, &piece, PIECE);
        MUST(piece.size <= PIECE && left.size <= before);
        MUST(err < 0 || piece.size > 0 || left.size < before || before == 0);
    }
    aio__bytes_free(&piece);
    aio__httpc_inflater_free(inflater);
}

static void decode(const char *charset, const char *data, size_t size)
{
    char *text = NULL;

    if (aio__httpc_decode(charset, (aio_buffer){data, size}, &text) < 0)
        return;
    check_utf8(text, strlen(text));
    aio_free(text);
}

static int compare_pair(const char *name, size_t name_size, const char *value, size_t value_size,
                        void *arg)
{
    const aio_http_field *field = arg;
    char out[AIO__URL_DECODED(4096)];

    MUST(aio__url_decode(out, name, name_size, true) >= 0 && strcmp(out, field->name) == 0);
    MUST(aio__url_decode(out, value, value_size, true) >= 0 && strcmp(out, field->value) == 0);
    return 0;
}

/* What is encoded is decoded to the same, if it is UTF-8. */
static void encode(const char *text)
{
    aio_http_field field = {"name", text};
    struct aio__bytes body = {0};

    if (strlen(text) >= 4096)
        return;
    for (size_t i = 0, step; text[i] != '\0'; i += step) {
        step = aio__utf8_length(text + i, strlen(text + i));
        if (step == 0)
            return;
    }
    MUST(aio__httpc_form_encode(&field, 1, &body) == 0);
    MUST(aio__url_pairs(body.data, body.size, compare_pair, &field) == 0);
    aio__bytes_free(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const charsets[] = {"utf-8", "gbk", "iso-2022-jp", "utf-16", "latin1"};
    const char *rest = (const char *)data + 1;
    char *text;

    if (size < 2)
        return 0;
    size--;
    text = malloc(size + 1);
    MUST(text != NULL);
    memcpy(text, rest, size);
    text[size] = '\0';
    if (data[0] == 0xf0 && aio__httpc_can_inflate("br"))
        inflate_all("br", rest, size);
    else if (data[0] == 0xf1 && aio__httpc_can_inflate("zstd"))
        inflate_all("zstd", rest, size);
    switch (data[0] % 9) {
    case 0: read_url(text); break;
    case 1: read_head(rest, size); break;
    case 2: inflate_all("gzip", rest, size); break;
    case 3: inflate_all("deflate", rest, size); break;
    case 4: encode(text); break;
    default: decode(charsets[data[0] % 9 % 5], rest, size); break;
    }
    free(text);
    return 0;
}
