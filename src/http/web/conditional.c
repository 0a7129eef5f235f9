/* SPDX-License-Identifier: MIT */
/*
 * conditional.c - what a client has already, and which part it wants (RFC 9110, 13 and 14)
 *
 * Thread: any.
 */
#include "http/web/conditional.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* --- what it has ------------------------------------------------------------------------ */

/* Whether a list of tags has one. Which of them are weak does not matter for reading. */
static bool has_tag(const char *list, const char *tag)
{
    size_t size = strlen(tag);

    while (*list != '\0') {
        list += strspn(list, ", \t");
        if (*list == '*')
            return true;
        if (strncmp(list, "W/", 2) == 0)
            list += 2;
        if (strncmp(list, tag, size) == 0 && strchr(", \t", list[size]) != NULL)
            return true;
        list += strcspn(list, ",");
    }
    return false;
}

bool aio__web_is_fresh(const aio_http_request *request, const struct aio__web_version *version)
{
    const char *tags = aio_http_request_header(request, "if-none-match");
    const char *date = aio_http_request_header(request, "if-modified-since");
    time_t since;

    if (tags != NULL)
        return has_tag(tags, version->tag);
    return date != NULL && aio__http_read_date(date, &since) && version->modified <= since;
}

/* --- what it wants ---------------------------------------------------------------------- */

/* A number of digits alone; false: there is none, or nothing is that long. */
static bool read_number(const char **text, uint64_t *ret_number)
{
    uint64_t number = 0;
    const char *at = *text;

    if (!isdigit((unsigned char)*at))
        return false;
    for (; isdigit((unsigned char)*at); at++) {
        if (number > (UINT64_MAX - 9) / 10)
            return false;
        number = number * 10 + (uint64_t)(*at - '0');
    }
    *text = at;
    *ret_number = number;
    return true;
}

/* "-500": so many bytes at the end. */
static enum aio__web_part read_suffix(const char **text, uint64_t size,
                                      struct aio__web_range *ret_range)
{
    uint64_t count;

    ++*text;
    if (!read_number(text, &count))
        return AIO__WEB_WHOLE;
    if (count == 0 || size == 0)
        return AIO__WEB_NO_PART;
    if (count > size)
        count = size;
    *ret_range = (struct aio__web_range){size - count, count};
    return AIO__WEB_PART;
}

/* "0-499", "500-" */
static enum aio__web_part read_span(const char **text, uint64_t size,
                                    struct aio__web_range *ret_range)
{
    uint64_t first;
    uint64_t last = UINT64_MAX;

    if (!read_number(text, &first) || **text != '-')
        return AIO__WEB_WHOLE;
    ++*text;
    if (isdigit((unsigned char)**text) && (!read_number(text, &last) || last < first))
        return AIO__WEB_WHOLE;
    if (first >= size)
        return AIO__WEB_NO_PART;
    if (last >= size)
        last = size - 1;
    *ret_range = (struct aio__web_range){first, last - first + 1};
    return AIO__WEB_PART;
}

static bool meet(const struct aio__web_range *one, const struct aio__web_range *other)
{
    return one->first <= other->first + other->count && other->first <= one->first + one->count;
}

static struct aio__web_range join(const struct aio__web_range *one,
                                  const struct aio__web_range *other)
{
    uint64_t first = one->first < other->first ? one->first : other->first;
    uint64_t one_end = one->first + one->count;
    uint64_t other_end = other->first + other->count;

    return (struct aio__web_range){first, (one_end > other_end ? one_end : other_end) - first};
}

/* Add a part, joined with those it meets, where the first of them stands. There is room. */
static void add_range(struct aio__web_ranges *ranges, struct aio__web_range range)
{
    size_t place = ranges->count;
    size_t kept = 0;

    for (size_t i = 0; i < ranges->count; i++) {
        struct aio__web_range other = ranges->all[i];

        if (!meet(&range, &other)) {
            ranges->all[kept++] = other;
            continue;
        }
        range = join(&range, &other); /* which meets no more of the others than these two did */
        if (place == ranges->count)
            place = kept++;
    }
    if (place == ranges->count)
        place = kept++;
    ranges->all[place] = range;
    ranges->count = kept;
}

enum aio__web_part aio__web_parse_ranges(const char *text, uint64_t size,
                                         struct aio__web_ranges *ret_ranges)
{
    struct aio__web_ranges ranges = {0};
    struct aio__web_range range;
    size_t asked = 0;

    for (text += strspn(text, ", \t"); *text != '\0'; text += strspn(text, ", \t")) {
        enum aio__web_part part;

        if (++asked > AIO__WEB_MAX_RANGES)
            return AIO__WEB_WHOLE;
        part = *text == '-' ? read_suffix(&text, size, &range) : read_span(&text, size, &range);
        text += strspn(text, " \t");
        if (part == AIO__WEB_WHOLE || (*text != ',' && *text != '\0'))
            return AIO__WEB_WHOLE;
        if (part == AIO__WEB_PART)
            add_range(&ranges, range);
    }
    if (ranges.count == 0)
        return asked == 0 ? AIO__WEB_WHOLE : AIO__WEB_NO_PART;
    *ret_ranges = ranges;
    return AIO__WEB_PART;
}

enum aio__web_part aio__web_read_ranges(const aio_http_request *request,
                                        const struct aio__web_version *version,
                                        struct aio__web_ranges *ret_ranges)
{
    const char *range = aio_http_request_header(request, "range");
    const char *condition = aio_http_request_header(request, "if-range");

    if (range == NULL || strcmp(aio_http_request_method(request), "GET") != 0 ||
        strncasecmp(range, "bytes=", 6) != 0)
        return AIO__WEB_WHOLE;
    if (condition != NULL && strcmp(condition, version->tag) != 0 &&
        strcmp(condition, version->date) != 0)
        return AIO__WEB_WHOLE; /* it has a part of another version */
    return aio__web_parse_ranges(range + 6, version->size, ret_ranges);
}
