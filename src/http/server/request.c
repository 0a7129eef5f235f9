/* SPDX-License-Identifier: MIT */
/*
 * request.c - what was asked, and the answer that is prepared
 *
 * Nothing here knows the connection: a handler may run in another thread, and then reads the request
 * and prepares the answer there while the loop waits for it.
 */
#include "http/server/request.h"

#include "http/common/status.h"

#include <aio/memory.h>
#include <string.h>
#include <strings.h>

enum { KEEP = 16 * 1024 }; /* bytes of memory kept for the next request, in each buffer */

struct aio__http_chunk {
    struct aio__http_chunk *next;
    size_t used;
    size_t capacity;
    _Alignas(max_align_t) char data[];
};

/* --- life ------------------------------------------------------------------------------- */

aio_http_request *aio__http_request_new(void)
{
    aio_http_request *request = aio_calloc(1, sizeof(*request));

    if (request == NULL)
        return NULL;
    atomic_init(&request->refs, 1);
    request->after_end = &request->after;
    return request;
}

aio_http_request *aio_http_request_ref(aio_http_request *request)
{
    if (request != NULL)
        atomic_fetch_add_explicit(&request->refs, 1, memory_order_relaxed);
    return request;
}

static void free_chunks(struct aio__http_chunk *chunk)
{
    while (chunk != NULL) {
        struct aio__http_chunk *next = chunk->next;

        aio_free(chunk);
        chunk = next;
    }
}

void aio_http_request_unref(aio_http_request *request)
{
    if (request == NULL || atomic_fetch_sub_explicit(&request->refs, 1, memory_order_acq_rel) != 1)
        return;
    free_chunks(request->chunks);
    aio_free(request->headers);
    aio__bytes_free(&request->head);
    aio__bytes_free(&request->decoded);
    aio__bytes_free(&request->body);
    aio__bytes_free(&request->fields);
    aio__bytes_free(&request->content);
    aio_free(request);
}

void aio__http_request_reset(aio_http_request *request)
{
    struct aio__http_chunk *kept = request->chunks;

    aio__bytes_clear(&request->head, KEEP);
    aio__bytes_clear(&request->decoded, KEEP);
    aio__bytes_clear(&request->body, KEEP);
    aio__bytes_clear(&request->fields, KEEP);
    aio__bytes_clear(&request->content, KEEP);
    if (kept != NULL) {
        free_chunks(kept->next);
        kept->next = NULL;
        kept->used = 0;
        if (kept->capacity > KEEP) {
            aio_free(kept);
            request->chunks = NULL;
        }
    }
    request->method = NULL;
    request->target = NULL;
    request->path = NULL;
    request->query = NULL;
    request->header_count = 0;
    request->wants_continue = false;
    request->bad_expectation = false;
    request->chunked = false;
    request->body_read = 0;
    request->body_received = 0;
    request->body_over = false;
    request->body_whole = false;
    request->body_in_pieces = false;
    request->body_status = 0;
    request->answer = AIO__ANSWER_NONE;
    request->status = 0;
    request->type[0] = '\0';
    request->sent = 0;
    request->after = NULL;
    request->after_end = &request->after;
    request->web = NULL;
}

void *aio_http_request_alloc(aio_http_request *request, size_t size)
{
    struct aio__http_chunk *chunk = request->chunks;
    size_t capacity = 1024;
    size_t aligned;

    if (size > SIZE_MAX / 2)
        return NULL;
    aligned = (size + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
    if (chunk == NULL || chunk->capacity - chunk->used < aligned) {
        while (capacity < aligned)
            capacity *= 2;
        chunk = aio_malloc(sizeof(*chunk) + capacity);
        if (chunk == NULL)
            return NULL;
        chunk->next = request->chunks;
        chunk->used = 0;
        chunk->capacity = capacity;
        request->chunks = chunk;
    }
    chunk->used += aligned;
    return chunk->data + chunk->used - aligned;
}

/* --- what was asked --------------------------------------------------------------------- */

const char *aio_http_request_method(const aio_http_request *request)
{
    return request->method;
}

const char *aio_http_request_target(const aio_http_request *request)
{
    return request->target;
}

const char *aio_http_request_path(const aio_http_request *request)
{
    return request->path;
}

const char *aio_http_request_query(const aio_http_request *request)
{
    return request->query;
}

const char *aio_http_request_version(const aio_http_request *request)
{
    return request->minor == 0 ? "1.0" : "1.1";
}

const char *aio_http_request_header(const aio_http_request *request, const char *name)
{
    size_t size = strlen(name);

    for (size_t i = 0; i < request->header_count; i++) {
        const struct aio__http_header *header = &request->headers[i];

        if (header->name_size == size && strcasecmp(header->name, name) == 0)
            return header->value;
    }
    return NULL;
}

size_t aio_http_request_header_count(const aio_http_request *request)
{
    return request->header_count;
}

bool aio_http_request_header_at(const aio_http_request *request, size_t index,
                                const char **ret_name, const char **ret_value)
{
    if (index >= request->header_count)
        return false;
    *ret_name = request->headers[index].name;
    *ret_value = request->headers[index].value;
    return true;
}

const char *aio_http_request_client(const aio_http_request *request)
{
    return request->client;
}

/* --- the answer ------------------------------------------------------------------------- */

static bool is_token(const char *text)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (!((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
              (*text >= '0' && *text <= '9') || strchr(others, *text) != NULL))
            return false;
    }
    return true;
}

/* Nothing that could end the line, or the head, early. */
static bool is_value(const char *text)
{
    for (; *text != '\0'; text++) {
        if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
            return false;
    }
    return true;
}

static bool is_ours(const char *name)
{
    static const char *const ours[] = {"content-length", "transfer-encoding", "connection", "date"};

    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (strcasecmp(name, ours[i]) == 0)
            return true;
    }
    return false;
}

static int check_open(const aio_http_request *request)
{
    if (request == NULL)
        return aio_raise(AIO_EVALUE, "no request");
    if (request->answer >= AIO__ANSWER_BEGUN)
        return aio_raise(AIO_ERUNTIME, "the answer has begun already");
    return 0;
}

int aio_http_add_header(aio_http_request *request, const char *name, const char *value)
{
    int err = check_open(request);

    if (err < 0)
        return err;
    if (name == NULL || value == NULL || !is_token(name) || !is_value(value))
        return aio_raise(AIO_EVALUE, "not a header's name and value");
    if (is_ours(name))
        return aio_raise(AIO_EVALUE, "the server itself sets the header %s", name);
    return aio__bytes_format(&request->fields, "%s: %s\r\n", name, value);
}

int aio__http_begin_answer(aio_http_request *request, int status)
{
    int err = check_open(request);

    if (err == 0 && (status < 200 || status > 599))
        err = aio_raise(AIO_EVALUE, "not a status of an answer: %d", status);
    return err;
}

int aio__http_begin_typed_answer(aio_http_request *request, int status, const char *content_type)
{
    int err = aio__http_begin_answer(request, status);

    if (err < 0)
        return err;
    if (content_type != NULL &&
        (strlen(content_type) >= sizeof(request->type) || !is_value(content_type)))
        return aio_raise(AIO_EVALUE, "not a content type, or longer than 127 bytes");
    return 0;
}

int aio_http_respond(aio_http_request *request, int status, const char *content_type,
                     const void *body, size_t size)
{
    int err = aio__http_begin_typed_answer(request, status, content_type);

    if (err < 0)
        return err;
    if (body == NULL && size > 0)
        return aio_raise(AIO_EVALUE, "no body");
    err = aio__bytes_reserve(&request->content, size);
    if (err < 0)
        return err;
    request->content.size = 0;
    (void)aio__bytes_append(&request->content, body, size);
    aio__http_set_answer(request, status, content_type);
    return 0;
}

void aio__http_set_answer(aio_http_request *request, int status, const char *content_type)
{
    request->answer = AIO__ANSWER_PREPARED;
    request->status = status;
    request->type[0] = '\0';
    if (content_type != NULL)
        memcpy(request->type, content_type, strlen(content_type) + 1);
}

int aio_http_response_status(const aio_http_request *request)
{
    return request->status;
}

void aio__http_respond_plain(aio_http_request *request, int status)
{
    const char *phrase = aio__http_phrase(status);

    request->fields.size = 0;
    request->content.size = 0;
    /* Without memory for the phrase the status says as much. */
    (void)aio__bytes_append_text(&request->content, phrase);
    aio__http_set_answer(request, status, "text/plain; charset=utf-8");
}
