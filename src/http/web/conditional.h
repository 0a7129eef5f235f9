/* SPDX-License-Identifier: MIT */
/* conditional.h - for src/http/web: what a client has already, and which part it wants */
#ifndef HTTP_WEB_CONDITIONAL_H
#define HTTP_WEB_CONDITIONAL_H

#include "http/common/date.h"

#include <aio/http_server.h>

/* What tells one state of a file from another. */
struct aio__web_version {
    char tag[64]; /* "\"18f3a...-4d2\"" */
    char date[AIO__HTTP_DATE];
    time_t modified;
    uint64_t size;
};

/* A part of it. */
struct aio__web_range {
    uint64_t first;
    uint64_t count;
};

enum { AIO__WEB_MAX_RANGES = 32 };

/* Parts that neither overlap nor touch, in the order asked for. */
struct aio__web_ranges {
    size_t count;
    struct aio__web_range all[AIO__WEB_MAX_RANGES];
};

enum aio__web_part { AIO__WEB_WHOLE, AIO__WEB_PART, AIO__WEB_NO_PART };

/* What stands behind "bytes=" of a Range. Parts that are not there are passed over while others are, and
 * parts that overlap or touch are one. The whole is for what makes no sense, and for more than
 * AIO__WEB_MAX_RANGES parts, which nobody needs who means well. ret_ranges is set for AIO__WEB_PART. */
enum aio__web_part aio__web_parse_ranges(const char *text, uint64_t size,
                                         struct aio__web_ranges *ret_ranges);

/* Whether the client has this version: If-None-Match, else If-Modified-Since. */
bool aio__web_is_fresh(const aio_http_request *request, const struct aio__web_version *version);

/* What it wants of this version: Range, with If-Range. */
enum aio__web_part aio__web_read_ranges(const aio_http_request *request,
                                        const struct aio__web_version *version,
                                        struct aio__web_ranges *ret_ranges);

#endif
