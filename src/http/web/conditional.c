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
static enum aio__web_part read_suffix(const char *text, uint64_t size,
                                      struct aio__web_range *ret_range)
{
    uint64_t count;

    if (!read_number(&text, &count) || *text != '\0')
        return AIO__WEB_WHOLE;
    if (count == 0 || size == 0)
        return AIO__WEB_NO_PART;
    if (count > size)
        count = size;
    *ret_range = (struct aio__web_range){size - count, count};
    return AIO__WEB_PART;
}

/* "0-499", "500-" */
static enum aio__web_part read_span(const char *text, uint64_t size,
                                    struct aio__web_range *ret_range)
{
    uint64_t first;
    uint64_t last = UINT64_MAX;

    if (!read_number(&text, &first) || *text++ != '-')
        return AIO__WEB_WHOLE;
    if (*text != '\0' && (!read_number(&text, &last) || *text != '\0' || last < first))
        return AIO__WEB_WHOLE;
    if (first >= size)
        return AIO__WEB_NO_PART;
    if (last >= size)
        last = size - 1;
    *ret_range = (struct aio__web_range){first, last - first + 1};
    return AIO__WEB_PART;
}

enum aio__web_part aio__web_read_range(const aio_http_request *request,
                                       const struct aio__web_version *version,
                                       struct aio__web_range *ret_range)
{
    const char *range = aio_http_request_header(request, "range");
    const char *condition = aio_http_request_header(request, "if-range");

    if (range == NULL || strcmp(aio_http_request_method(request), "GET") != 0 ||
        strncasecmp(range, "bytes=", 6) != 0)
        return AIO__WEB_WHOLE;
    if (condition != NULL && strcmp(condition, version->tag) != 0 &&
        strcmp(condition, version->date) != 0)
        return AIO__WEB_WHOLE; /* it has a part of another version */
    range += 6 + strspn(range + 6, " \t");
    return *range == '-' ? read_suffix(range + 1, version->size, ret_range)
                         : read_span(range, version->size, ret_range);
}
