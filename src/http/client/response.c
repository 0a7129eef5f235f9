/* SPDX-License-Identifier: MIT */
/*
 * response.c - responses: their life, and what their heads say
 *
 * A response is the program's as long as it has references, and the engine's while it is queued
 * there or in the multi handle. It goes when both are done with it. Only the program's references
 * hold the session: one that is closed makes its engine let go.
 */
#include "http/client/client.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#ifdef AIO__JANSSON
#include <jansson.h>
#endif

enum { MAX_DEPTH = 64 }; /* of JSON */

/* --- life ------------------------------------------------------------------------------- */

aio_http_response *aio__httpc_response_new(aio_http_session *session)
{
    aio_http_response *response = aio_calloc(1, sizeof(*response));

    if (response == NULL)
        return NULL;
    response->refs = 1;
    response->session = aio_http_session_ref(session);
    response->iterator.ops = &aio__httpc_chunks;
    response->lines.ops = &aio__httpc_lines;
    aio__httpc_link_init(&response->added);
    aio__httpc_link_init(&response->work);
    return response;
}

static void wipe(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    aio_free(text);
}

static void free_response(aio_http_response *response)
{
    aio_free(response->method);
    aio__httpc_url_free(&response->url);
    aio_free(response->fields);
    aio_free(response->field_texts);
    aio_free(response->cookies);
    aio_free(response->user);
    wipe(response->password);
    aio__httpc_url_free(&response->proxy);
    aio__bytes_free(&response->body);
    aio__httpc_files_close(response->files);
    aio__bytes_free(&response->head);
    aio_free(response->received);
    aio_free(response->content_type);
    aio_free(response->charset);
    aio__bytes_free(&response->incoming);
    aio__bytes_free(&response->chunk);
    aio__bytes_free(&response->decoded);
    aio__httpc_inflater_free(response->inflater);
    aio__bytes_free(&response->line);
    aio__bytes_free(&response->whole);
    aio_free(response->text);
    aio_free(response->text_charset);
    aio_free(response);
}

void aio__httpc_response_left(aio_http_response *response)
{
    if (response->refs == 0)
        free_response(response);
}

aio_http_response *aio_http_response_ref(aio_http_response *response)
{
    if (response != NULL)
        response->refs++;
    return response;
}

void aio_http_response_unref(aio_http_response *response)
{
    aio_http_session *session;

    if (response == NULL || --response->refs != 0)
        return;
    session = response->session;
    aio__httpc_finish(response, AIO_ECANCELLED); /* for its timer, if it is under way still */
    aio__httpc_give_up(response);                /* frees it, now or soon */
    aio_http_session_unref(session);
}

int aio_http_response_exit(aio_http_response *response, int code)
{
    aio_http_response_unref(response);
    return code;
}

/* --- the head --------------------------------------------------------------------------- */

int aio__httpc_head_complete(aio_http_response *response)
{
    const char *at = response->head.data;

    aio_free(response->received);
    response->received = aio_calloc(response->received_count + 1, sizeof(*response->received));
    if (response->received == NULL)
        return AIO_ENOMEM;
    for (size_t i = 0; i < response->received_count; i++) {
        response->received[i].name = at;
        at += strlen(at) + 1;
        response->received[i].value = at;
        at += strlen(at) + 1;
    }
    return 0;
}

int aio_http_response_status_code(const aio_http_response *response)
{
    return response == NULL ? 0 : response->status;
}

const char *aio_http_response_reason(const aio_http_response *response)
{
    return response == NULL ? NULL : response->reason;
}

bool aio_http_response_ok(const aio_http_response *response)
{
    return response != NULL && response->status < 400;
}

aio_http_version aio_http_response_version(const aio_http_response *response)
{
    return response == NULL ? AIO_HTTP_BEST : response->version;
}

const char *aio_http_response_url(const aio_http_response *response)
{
    return response == NULL ? NULL : response->url.text;
}

const char *aio_http_response_method(const aio_http_response *response)
{
    return response == NULL ? NULL : response->method;
}

unsigned aio_http_response_redirects(const aio_http_response *response)
{
    return response == NULL ? 0 : response->redirects;
}

const char *aio_http_response_header(const aio_http_response *response, const char *name)
{
    if (response == NULL || name == NULL)
        return NULL;
    return aio__httpc_find_field(response->received, response->received_count, name);
}

const aio_http_field *aio_http_response_headers(const aio_http_response *response,
                                                size_t *ret_count)
{
    if (ret_count != NULL)
        *ret_count = response == NULL ? 0 : response->received_count;
    return response == NULL ? NULL : response->received;
}

int64_t aio_http_response_content_length(const aio_http_response *response)
{
    const char *value = aio_http_response_header(response, "Content-Length");
    char *end = NULL;
    long long length;

    if (value == NULL || !isdigit((unsigned char)*value))
        return -1;
    length = strtoll(value, &end, 10);
    return *end == '\0' ? length : -1;
}

int aio_http_response_raise_for_status(aio_http_response *response)
{
    if (response == NULL)
        return aio_raise(AIO_EVALUE, "a response is needed, not NULL");
    if (response->status < 400)
        return 0;
    return aio_raise(AIO_HTTP_ESTATUS, "%d, message='%s', url='%s'", response->status,
                     response->reason, response->url.shown);
}

/* --- the content type ------------------------------------------------------------------- */

/* A copy in lower case of text up to a character of `stops`, without blanks at its ends. */
static char *lower_part(const char *text, const char *stops)
{
    size_t size;
    char *copy;

    text += strspn(text, " \t");
    size = strcspn(text, stops);
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
        size--;
    copy = aio_malloc(size + 1);
    if (copy == NULL)
        return NULL;
    for (size_t i = 0; i < size; i++)
        copy[i] = (char)tolower((unsigned char)text[i]);
    copy[size] = '\0';
    return copy;
}

/* The value of the parameter charset in a content type; NULL: there is none. */
static const char *find_charset(const char *type)
{
    while ((type = strchr(type, ';')) != NULL) {
        type++;
        type += strspn(type, " \t");
        if (strncasecmp(type, "charset=", 8) == 0)
            return type + 8;
    }
    return NULL;
}

/* Of the head: 0 or AIO_ENOMEM. */
static int read_content_type(aio_http_response *response)
{
    const char *type = aio_http_response_header(response, "Content-Type");
    const char *charset = type == NULL ? NULL : find_charset(type);

    if (type == NULL || *type == '\0')
        type = "application/octet-stream";
    response->content_type = lower_part(type, ";");
    if (response->content_type == NULL)
        return AIO_ENOMEM;
    if (charset == NULL)
        return 0;
    response->charset =
        *charset == '"' ? lower_part(charset + 1, "\"") : lower_part(charset, "; \t");
    return response->charset == NULL ? AIO_ENOMEM : 0;
}

int aio__httpc_response_begin(aio_http_response *response)
{
    int err = read_content_type(response);

    return err < 0 ? err : aio__httpc_body_begin(response);
}

const char *aio_http_response_content_type(const aio_http_response *response)
{
    return response == NULL ? NULL : response->content_type;
}

const char *aio_http_response_charset(const aio_http_response *response)
{
    return response == NULL ? NULL : response->charset;
}

/* --- the body --------------------------------------------------------------------------- */

int aio_http_response_read(aio_http_response *response, aio_buffer *ret_body)
{
    int err;

    if (response == NULL)
        return aio_raise(AIO_EVALUE, "a response is needed, not NULL");
    err = aio__httpc_body_read(response);
    if (err == 0 && ret_body != NULL)
        *ret_body = (aio_buffer){response->whole.data, response->whole.size};
    return err;
}

aio_iterator *aio_http_response_iter_chunks(aio_http_response *response)
{
    return response == NULL ? NULL : &response->iterator;
}

aio_iterator *aio_http_response_iter_lines(aio_http_response *response)
{
    return response == NULL ? NULL : &response->lines;
}

int aio_http_response_text_as(aio_http_response *response, const char *charset,
                              const char **ret_text)
{
    aio_buffer body = {NULL, 0};
    char *text = NULL;
    char *name;
    int err;

    if (response == NULL || charset == NULL || ret_text == NULL)
        return aio_raise(AIO_EVALUE, "a response, a charset, and a place for the text, are needed");
    err = aio_http_response_read(response, &body);
    if (err < 0)
        return err;
    if (response->text == NULL || strcmp(response->text_charset, charset) != 0) {
        name = aio_strdup(charset);
        err = name == NULL ? AIO_ENOMEM : aio__httpc_decode(charset, body, &text);
        if (err < 0) {
            aio_free(name);
            return err;
        }
        aio_free(response->text);
        aio_free(response->text_charset);
        response->text = text;
        response->text_charset = name;
    }
    *ret_text = response->text;
    return 0;
}

int aio_http_response_text(aio_http_response *response, const char **ret_text)
{
    const char *charset = aio_http_response_charset(response);

    return aio_http_response_text_as(response, charset == NULL ? "utf-8" : charset, ret_text);
}

static bool is_json(const char *type)
{
    size_t size = strlen(type);

    return strcmp(type, "application/json") == 0 ||
           (size > 5 && strncmp(type, "application/", 12) == 0 &&
            strcmp(type + size - 5, "+json") == 0);
}

#ifdef AIO__JANSSON
/* Whether lists and objects are nested too deep: jansson recurses for each, on a fiber's stack. */
static bool is_too_deep(const char *text)
{
    size_t depth = 0;
    bool in_string = false;

    for (; *text != '\0'; text++) {
        if (in_string) {
            if (*text == '\\' && text[1] != '\0')
                text++;
            else if (*text == '"')
                in_string = false;
        } else if (*text == '"') {
            in_string = true;
        } else if (*text == '{' || *text == '[') {
            if (++depth > MAX_DEPTH)
                return true;
        } else if ((*text == '}' || *text == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}
#endif

int aio_http_response_json(aio_http_response *response, struct json_t **ret_json)
{
    const char *text = NULL;
    int err;

    if (response == NULL || ret_json == NULL)
        return aio_raise(AIO_EVALUE, "a response, and a place for the value, are needed");
    if (!is_json(response->content_type))
        return aio_raise(AIO_HTTP_ECONTENTTYPE,
                         "%d, message='Attempt to decode JSON with unexpected mimetype: %s', "
                         "url='%s'",
                         response->status, response->content_type, response->url.shown);
    err = aio_http_response_text(response, &text);
    if (err < 0)
        return err;
#ifdef AIO__JANSSON
    {
        json_error_t error;
        json_t *value;

        if (is_too_deep(text))
            return aio_raise(AIO_EVALUE, "JSON that is nested more than %d deep", MAX_DEPTH);
        value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
        if (value == NULL)
            return aio_raise(AIO_EVALUE, "%s: line %d column %d", error.text, error.line,
                             error.column);
        *ret_json = value;
        return 0;
    }
#else
    return aio_raise(AIO_ENOTIMPLEMENTED, "built without jansson");
#endif
}
