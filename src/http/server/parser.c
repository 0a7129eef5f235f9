/* SPDX-License-Identifier: MIT */
/*
 * parser.c - from bytes to a request
 *
 * llhttp, compiled strict, does the parsing; a head has passed aio__http_scan_head() before. What
 * both let pass and RFC 9112 does not is found here: a host that is missing or doubled, encodings but
 * "chunked", targets that are no path.
 *
 * A head is in one piece, so that names and values are, too: they stay where they are and get a 0
 * behind them once the parser is through.
 *
 * Thread: any; one at a time for a parser.
 */
#include "http/server/parser.h"

#include "http/common/url.h"

#include <aio/memory.h>
#include <string.h>
#include <strings.h>

/* --- what llhttp calls ------------------------------------------------------------------ */

static struct aio__http_parser *parser_of(llhttp_t *machine)
{
    return machine->data;
}

/* Stop: the answer is to be of this status. */
static int refuse(struct aio__http_parser *parser, int status)
{
    parser->status = status;
    return HPE_USER;
}

/* The parser's text, which is in the head, and ours. */
static char *writable(const char *text)
{
    return (char *)(uintptr_t)text;
}

static int on_url(llhttp_t *machine, const char *at, size_t size)
{
    aio_http_request *request = parser_of(machine)->request;

    if (request->target == NULL)
        request->target = writable(at);
    return 0;
}

static int on_field(llhttp_t *machine, const char *at, size_t size)
{
    struct aio__http_parser *parser = parser_of(machine);
    aio_http_request *request = parser->request;
    struct aio__http_header *headers;
    size_t capacity;

    if (parser->in_body)
        return 0;
    if (request->header_count >= parser->max_headers)
        return refuse(parser, 431);
    if (request->header_count == request->header_capacity) {
        capacity = request->header_capacity == 0 ? 16 : 2 * request->header_capacity;
        headers = aio_realloc(request->headers, capacity * sizeof(*headers));
        if (headers == NULL)
            return refuse(parser, 500);
        request->headers = headers;
        request->header_capacity = capacity;
    }
    request->headers[request->header_count++] =
        (struct aio__http_header){.name = writable(at), .name_size = size};
    return 0;
}

static int on_value(llhttp_t *machine, const char *at, size_t size)
{
    struct aio__http_parser *parser = parser_of(machine);
    struct aio__http_header *header;

    if (parser->in_body || parser->request->header_count == 0)
        return 0;
    header = &parser->request->headers[parser->request->header_count - 1];
    if (header->value == NULL)
        header->value = writable(at);
    header->value_size = (size_t)(at + size - header->value);
    return 0;
}

static int on_headers_complete(llhttp_t *machine)
{
    struct aio__http_parser *parser = parser_of(machine);

    machine->upgrade = 0; /* nothing is: the request is answered as it is */
    parser->in_body = true;
    parser->request->keep_alive = llhttp_should_keep_alive(machine) != 0;
    return 0;
}

static int on_body(llhttp_t *machine, const char *at, size_t size)
{
    struct aio__http_parser *parser = parser_of(machine);
    aio_http_request *request = parser->request;

    if (request->chunked &&
        !aio__http_check_lines(&parser->lines, parser->looked_at, (size_t)(at - parser->looked_at)))
        return refuse(parser, 400);
    parser->looked_at = at + size;
    parser->lines = (struct aio__http_lines){0};
    request->body_received += size;
    if (request->body_received > parser->max_body)
        return refuse(parser, 413);
    if (request->answer == AIO__ANSWER_OVER)
        return 0; /* nobody will read it */
    return aio__bytes_append(&request->body, at, size) < 0 ? refuse(parser, 500) : 0;
}

static int on_message_complete(llhttp_t *machine)
{
    parser_of(machine)->complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* --- the head --------------------------------------------------------------------------- */

/* Put the 0 behind method, target, names and values; nothing reads what stood there any more. */
static void end_strings(aio_http_request *request)
{
    request->method = request->head.data;
    request->method[strcspn(request->method, " ")] = '\0';
    request->target[strcspn(request->target, " ")] = '\0';
    for (size_t i = 0; i < request->header_count; i++) {
        struct aio__http_header *header = &request->headers[i];

        header->name[header->name_size] = '\0';
        if (header->value == NULL)
            header->value = header->name + header->name_size;
        while (header->value_size > 0 && (header->value[header->value_size - 1] == ' ' ||
                                          header->value[header->value_size - 1] == '\t'))
            header->value_size--;
        header->value[header->value_size] = '\0';
    }
}

/* The path and query of a target: "/a?b", "http://host/a?b", or "*" of OPTIONS. NULL: it is none. */
static const char *path_of(const aio_http_request *request)
{
    const char *target = request->target;

    if (*target == '/' || (strcmp(target, "*") == 0 && strcmp(request->method, "OPTIONS") == 0))
        return target;
    if (strncasecmp(target, "http://", 7) == 0)
        target += 7;
    else if (strncasecmp(target, "https://", 8) == 0)
        target += 8;
    else
        return NULL;
    if (strcspn(target, "/?#") == 0)
        return NULL;
    target += strcspn(target, "/?#");
    return *target == '/' ? target : "/";
}

static int split_target(aio_http_request *request)
{
    const char *path = path_of(request);
    size_t path_size;
    size_t query_size;
    ptrdiff_t size;

    if (path == NULL || strchr(request->target, '#') != NULL)
        return 400;
    path_size = strcspn(path, "?");
    query_size = path[path_size] == '?' ? strlen(path + path_size + 1) : 0;
    request->decoded.size = 0;
    if (aio__bytes_reserve(&request->decoded, AIO__URL_DECODED(path_size) + query_size + 1) < 0)
        return 500;
    request->path = request->decoded.data;
    size = aio__url_decode(request->path, path, path_size, false);
    if (size < 0)
        return 400;
    request->path_size = (size_t)size;
    request->query = request->path + size + 1;
    if (query_size > 0)
        memcpy(request->query, path + path_size + 1, query_size);
    request->query[query_size] = '\0';
    return 0;
}

/* What a header says of how the request is to be read. */
struct framing {
    unsigned hosts;
    unsigned encodings;
    unsigned lengths;
};

static int note_header(aio_http_request *request, const struct aio__http_header *header,
                       struct framing *framing)
{
    switch (header->name_size) {
    case 4:
        if (strcasecmp(header->name, "host") == 0)
            framing->hosts++;
        break;
    case 6:
        if (strcasecmp(header->name, "expect") == 0 && request->minor == 1) {
            request->wants_continue = strcasecmp(header->value, "100-continue") == 0;
            request->bad_expectation = !request->wants_continue;
        }
        break;
    case 14:
        if (strcasecmp(header->name, "content-length") == 0) {
            framing->lengths++;
            if (header->value_size == 0)
                return 400;
        }
        break;
    case 17:
        if (strcasecmp(header->name, "transfer-encoding") == 0) {
            framing->encodings++;
            if (strcasecmp(header->value, "chunked") != 0)
                return 400;
        }
        break;
    default: break;
    }
    return 0;
}

static int check_headers(aio_http_request *request)
{
    struct framing framing = {0};

    for (size_t i = 0; i < request->header_count; i++) {
        int status = note_header(request, &request->headers[i], &framing);

        if (status != 0)
            return status;
    }
    if (framing.hosts > 1 || (framing.hosts == 0 && request->minor == 1))
        return 400;
    if (framing.encodings > 1 || framing.lengths > 1 ||
        (framing.encodings > 0 && (framing.lengths > 0 || request->minor == 0)))
        return 400;
    request->chunked = framing.encodings > 0;
    return 0;
}

int aio__http_parse_head(struct aio__http_parser *parser, aio_http_request *request,
                         const char *head, size_t size)
{
    llhttp_t *machine = &parser->machine;
    llhttp_errno_t outcome;
    int status;

    parser->request = request;
    parser->lines = (struct aio__http_lines){0};
    parser->in_body = false;
    parser->complete = false;
    parser->status = 0;
    request->head.size = 0;
    if (aio__bytes_append(&request->head, head, size) < 0)
        return 500;
    llhttp_init(machine, HTTP_REQUEST, &settings);
    machine->data = parser;
    outcome = llhttp_execute(machine, request->head.data, size);
    if (parser->status != 0)
        return parser->status;
    if (outcome != HPE_OK && !(outcome == HPE_PAUSED && parser->complete))
        return outcome == HPE_INVALID_VERSION ? 505 : 400;
    if (!parser->in_body || request->target == NULL || machine->http_major == 0)
        return 400;
    if (machine->http_major != 1 || machine->http_minor > 1)
        return 505;
    request->minor = machine->http_minor;
    request->content_length = machine->content_length;
    end_strings(request);
    status = check_headers(request);
    if (status == 0)
        status = split_target(request);
    if (status == 0 && request->content_length > parser->max_body && !request->chunked)
        status = 413;
    request->body_over = parser->complete;
    if (parser->complete)
        request->wants_continue = false;
    return status;
}

/* --- the body --------------------------------------------------------------------------- */

int aio__http_parse_body(struct aio__http_parser *parser, const char *data, size_t size,
                         size_t *ret_used)
{
    llhttp_t *machine = &parser->machine;
    llhttp_errno_t outcome;

    parser->looked_at = data;
    outcome = llhttp_execute(machine, data, size);
    *ret_used = size;
    if (parser->status != 0)
        return parser->status;
    if (outcome == HPE_PAUSED && parser->complete)
        *ret_used = (size_t)(llhttp_get_error_pos(machine) - data);
    else if (outcome != HPE_OK)
        return 400;
    if (parser->request->chunked &&
        !aio__http_check_lines(&parser->lines, parser->looked_at,
                               (size_t)(data + *ret_used - parser->looked_at)))
        return 400;
    parser->request->body_over = parser->complete;
    return 0;
}
