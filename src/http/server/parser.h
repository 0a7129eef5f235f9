/* SPDX-License-Identifier: MIT */
/* parser.h - for src/http/server: from bytes to a request */
#ifndef HTTP_SERVER_PARSER_H
#define HTTP_SERVER_PARSER_H

#include "http/server/head.h"
#include "http/server/request.h"

#ifdef AIO__LLHTTP_SOURCES
#include "llhttp_names.h"
#endif
#include <llhttp.h>

struct aio__http_parser {
    llhttp_t machine;
    aio_http_request *request; /* borrowed: what it is filling */
    size_t max_headers;
    uint64_t max_body;
    struct aio__http_lines lines;
    const char *looked_at; /* up to here, of the body that is being parsed */
    bool in_body;          /* headers that come now are trailers, and dropped */
    bool complete;
    int status; /* what a callback found wrong; 0: nothing */
};

/*
 * Parse a whole head, as aio__http_scan_head() found it; it is copied into the request.
 * Gives 0, or the status of the answer: 400, 413, 431, 500 when memory is short, ...
 * Whether there is a body to come is in parser->complete.
 */
int aio__http_parse_head(struct aio__http_parser *parser, aio_http_request *request,
                         const char *head, size_t size);

/*
 * Parse some more of the body, which is added to the request's.
 * Gives 0, or a status; how many bytes belonged to it is in *ret_used.
 */
int aio__http_parse_body(struct aio__http_parser *parser, const char *data, size_t size,
                         size_t *ret_used);

#endif
