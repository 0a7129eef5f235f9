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

enum aio__web_part { AIO__WEB_WHOLE, AIO__WEB_PART, AIO__WEB_NO_PART };

/* Whether the client has this version: If-None-Match, else If-Modified-Since. */
bool aio__web_is_fresh(const aio_http_request *request, const struct aio__web_version *version);

/* What it wants of this version: Range, with If-Range. Several parts at once are not served: such a
 * client gets the whole, as a server may do. */
enum aio__web_part aio__web_read_range(const aio_http_request *request,
                                       const struct aio__web_version *version,
                                       struct aio__web_range *ret_range);

#endif
