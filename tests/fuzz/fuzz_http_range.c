/* SPDX-License-Identifier: MIT */
/*
 * fuzz_http_range.c - the parts of a file that a client asks for
 *
 * The first byte is the file's size, the rest the header's value.
 */
#include "fuzz/fuzz.h"
#include "http/web/conditional.h"

/* They are in the file, and none of them meets another. */
static void check(const struct aio__web_ranges *ranges, uint64_t size)
{
    MUST(ranges->count >= 1 && ranges->count <= AIO__WEB_MAX_RANGES);
    for (size_t i = 0; i < ranges->count; i++) {
        const struct aio__web_range *one = &ranges->all[i];

        MUST(one->count > 0 && one->count <= size && one->first <= size - one->count);
        for (size_t k = 0; k < i; k++) {
            const struct aio__web_range *other = &ranges->all[k];

            MUST(one->first > other->first + other->count ||
                 other->first > one->first + one->count);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct aio__web_ranges ranges;
    char *text;

    if (size == 0)
        return 0;
    text = calloc(1, size);
    MUST(text != NULL);
    memcpy(text, data + 1, size - 1);
    if (aio__web_parse_ranges(text, data[0], &ranges) == AIO__WEB_PART)
        check(&ranges, data[0]);
    free(text);
    return 0;
}
