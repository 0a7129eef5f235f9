/* SPDX-License-Identifier: MIT */
/*
 * request.h - for src/http/server, and src/http/web, which answers requests
 *
 * A request is made by its connection, which uses it again for the next one unless somebody holds it.
 * What came is not changed once the handler runs. The answer is the handler's until it ends: it may
 * prepare it in another thread, which then must have nothing to do with the connection.
 */
#ifndef HTTP_SERVER_REQUEST_H
#define HTTP_SERVER_REQUEST_H

#include "http/common/bytes.h"

#include <aio/future.h>
#include <aio/http_server.h>
#include <aio/task.h>
#include <stdatomic.h>

struct aio__http_connection;

struct aio__http_header {
    char *name;
    char *value;
    size_t name_size;
    size_t value_size;
};

enum aio__http_answer {
    AIO__ANSWER_NONE,
    AIO__ANSWER_PREPARED, /* to be sent when the handler ends */
    AIO__ANSWER_BEGUN,    /* its head is sent, the handler writes the body */
    AIO__ANSWER_OVER
};

/* Whether a server's place is named in one way alone: 0, or a raised AIO_EVALUE. */
int aio__http_check_place(const aio_http_server_options *options);

struct aio__http_chunk; /* of aio_http_request_alloc() */

/* What is to be done behind the answer. */
struct aio__http_after {
    struct aio__http_after *next;
    aio_http_after_fn fn;
    void *arg;
};

struct aio_http_request {
    atomic_uint refs;
    struct aio__http_connection *connection; /* NULL once it is lost; the loop's thread alone */

    /* What came: all strings are in `head`, with a 0 behind each. */
    struct aio__bytes head;
    char *method;
    char *target;
    char *path; /* in `decoded`, as is the query */
    char *query;
    struct aio__bytes decoded;
    struct aio__http_header *headers;
    size_t header_count;
    size_t header_capacity;
    size_t path_size;
    uint64_t content_length;
    unsigned minor;       /* of HTTP/1.x */
    bool chunked;         /* the body comes in chunks */
    bool keep_alive;      /* the client wants to */
    bool wants_continue;  /* and has not got it */
    bool bad_expectation; /* it expects something else */
    char client[64];      /* "127.0.0.1:40000" */

    /* The body, as it comes. */
    struct aio__bytes body;
    size_t body_read;       /* of `body`, that was given to the handler */
    uint64_t body_received; /* of all */
    bool body_over;
    bool body_whole;     /* all of it is wanted at once: aio_http_request_body() */
    bool body_in_pieces; /* some was given by aio_http_request_read() */
    int body_status;     /* why it will not end well; 0: nothing is known against it */
    aio_future *reader;  /* who waits for it; NULL: nobody */

    /* The answer. */
    enum aio__http_answer answer;
    int status;
    struct aio__bytes fields;  /* header lines of the handler's */
    struct aio__bytes content; /* PREPARED */
    char type[128];            /* content type; "": none */
    uint64_t length;           /* BEGUN: as said, or AIO_HTTP_UNKNOWN_LENGTH */
    uint64_t sent;             /* of the body */
    aio_future *writer;        /* who waits to write more; NULL: nobody */

    /* Behind it. */
    struct aio__http_after *after; /* in the order asked for, in the request's memory */
    struct aio__http_after **after_end;
    aio_task *after_task;             /* borrowed, while that is being done: */
    aio_http_request *after_previous; /* in the server's list */
    aio_http_request *after_next;

    struct aio__http_chunk *chunks;
    void *web; /* the framework's own; in the request's memory */
};

/* A new one, with one reference. NULL: memory is short. */
aio_http_request *aio__http_request_new(void);

/* Make it as new, for the next request; only who holds its last reference may. */
void aio__http_request_reset(aio_http_request *request);

/* Whether an answer can begin, of a content type too (NULL: none): 0, AIO_EVALUE, AIO_ERUNTIME. */
int aio__http_begin_answer(aio_http_request *request, int status);
int aio__http_begin_typed_answer(aio_http_request *request, int status, const char *content_type);

/* The answer is what `content` holds, of a kind that was found good. */
void aio__http_set_answer(aio_http_request *request, int status, const char *content_type);

/* Prepare a plain answer of the server's own, none having begun: "Not Found". */
void aio__http_respond_plain(aio_http_request *request, int status);

#endif
