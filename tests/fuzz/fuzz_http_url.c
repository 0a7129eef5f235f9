/* SPDX-License-Identifier: MIT */
/*
 * fuzz_http_url.c - percent encoding, and the pairs of queries
 */
#include "fuzz/fuzz.h"
#include "http/common/url.h"

static void check_decoded(const char *text, size_t size, bool plus)
{
    char *out = malloc(AIO__URL_DECODED(size));
    ptrdiff_t length;

    MUST(out != NULL);
    length = aio__url_decode(out, text, size, plus);
    MUST(length == AIO_EVALUE || (length >= 0 && (size_t)length == strlen(out)));
    for (ptrdiff_t i = 0, step; i < length; i += step) {
        step = (ptrdiff_t)aio__utf8_length(out + i, (size_t)(length - i));
        MUST(step > 0); /* it is UTF-8 */
    }
    free(out);
}

static int check_pair(const char *name, size_t name_size, const char *value, size_t value_size,
                      void *arg)
{
    MUST(memchr(name, '&', name_size) == NULL && memchr(name, '=', name_size) == NULL);
    MUST(memchr(value, '&', value_size) == NULL);
    check_decoded(name, name_size, true);
    check_decoded(value, value_size, true);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;

    check_decoded(text, size, false);
    MUST(aio__url_pairs(text, size, check_pair, NULL) == 0);
    return 0;
}
