/* SPDX-License-Identifier: MIT */
/*
 * client.h - for src/http/client: what the files of the HTTP client know of each other
 *
 * A session drives one multi handle of libcurl. A response is one easy handle's transfer, and
 * what has come of it; it lives through redirects.
 */
#ifndef HTTP_CLIENT_CLIENT_H
#define HTTP_CLIENT_CLIENT_H

#include "http/common/bytes.h"

#include <aio/http_client.h>
#include <aio/lock.h>
#include <aio/timeout.h>
#include <curl/curl.h>
#include <string.h>

/* --- lists ------------------------------------------------------------------------------ */

/* A link of a ring; one that is in none points to itself. */
struct aio__httpc_link {
    struct aio__httpc_link *next;
    struct aio__httpc_link *prev;
};

static inline void aio__httpc_link_init(struct aio__httpc_link *link)
{
    link->next = link;
    link->prev = link;
}

static inline bool aio__httpc_link_is_alone(const struct aio__httpc_link *link)
{
    return link->next == link;
}

static inline void aio__httpc_link_append(struct aio__httpc_link *list,
                                          struct aio__httpc_link *link)
{
    link->next = list;
    link->prev = list->prev;
    list->prev->next = link;
    list->prev = link;
}

static inline void aio__httpc_link_remove(struct aio__httpc_link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    aio__httpc_link_init(link);
}

#define aio__httpc_of(link, type, member)                                                          \
    ((type *)(void *)((char *)(uintptr_t)(link)-offsetof(type, member)))

/* --- texts that grow -------------------------------------------------------------------- */

/* Add bytes, and a zero behind them that does not count. 0 or AIO_ENOMEM. */
static inline int aio__httpc_add(struct aio__bytes *bytes, const void *data, size_t size)
{
    int err = aio__bytes_reserve(bytes, size + 1);

    if (err < 0)
        return err;
    (void)aio__bytes_append(bytes, data, size);
    bytes->data[bytes->size] = '\0';
    return 0;
}

static inline int aio__httpc_add_text(struct aio__bytes *bytes, const char *text)
{
    return aio__httpc_add(bytes, text, strlen(text));
}

/* --- URLs (url.c) ------------------------------------------------------------------------- */

/* A URL taken apart. Each text is owned; NULL where there is none. */
struct aio__httpc_url {
    char *text;   /* without user, password and fragment */
    char *shown;  /* without the query as well: for messages */
    char *origin; /* "https://host:port" */
    char *host;   /* a name, or an address: IPv6 in brackets */
    unsigned port;
    bool is_tls;
    char *user;
    char *password;
};

/* Read a URL, relative to another (may be NULL), with more of a query. 0, AIO_EVALUE, AIO_ENOMEM. */
int aio__httpc_url_read(struct aio__httpc_url *url, const char *base, const char *text,
                        const aio_http_field *params, size_t param_count);
/* The same, relative to a session's base: to ask for a URL again and again takes no reading. */
int aio__httpc_url_read_again(aio_http_session *session, struct aio__httpc_url *url,
                              const char *text, const aio_http_field *params, size_t param_count);
/* The same of a proxy: other schemes, no path. */
int aio__httpc_url_read_proxy(struct aio__httpc_url *url, const char *text);
void aio__httpc_url_free(struct aio__httpc_url *url);

/* --- sessions (session.c, engine.c) ------------------------------------------------------- */

enum { AIO__HTTPC_IDLE_HANDLES = 64 };

/* A socket of libcurl's, as we watch it. Kept with the session for the next of that number. */
struct aio__httpc_socket {
    aio_http_session *session; /* borrowed */
    int fd;
    unsigned char wanted;  /* by libcurl: CURL_POLL_IN, CURL_POLL_OUT */
    unsigned char watched; /* by the loop */
    bool open;
};

struct aio_http_session {
    unsigned refs;
    bool closed;
    aio_loop *loop;                   /* referenced */
    aio_http_session_options options; /* of texts and fields that are ours: */
    char *texts;                      /* in one block */
    size_t texts_size;
    aio_http_field *fields;
    char *field_texts;
    struct aio__httpc_url base;  /* text NULL: none */
    struct aio__httpc_url proxy; /* likewise */
    char *last_text;             /* of a URL that was read, and what it is; NULL: none */
    struct aio__httpc_url last;

    /* engine.c */
    CURLM *multi;
    CURLSH *share;                /* the jar; NULL: none */
    struct aio__httpc_link added; /* responses in the multi handle */
    struct aio__httpc_link work;  /* responses that want something of the engine */
    aio_handle *kick;             /* queued; NULL: not */
    aio_handle *timer;            /* set; NULL: not */
    double timer_at;
    double due; /* when libcurl wants to be called */
    bool starved;
    bool settling;
    struct aio__httpc_socket **sockets; /* by number */
    size_t socket_count;
    CURL *idle[AIO__HTTPC_IDLE_HANDLES];
    size_t idle_count;

    struct aio__httpc_link names; /* resolve.c */
    size_t name_count;
    aio_lock *trust_lock; /* trust.c */
    void *store;          /* OpenSSL's X509_STORE, owned; NULL: not loaded yet */
    bool trust_is_known;

    aio_http_session_stats stats;
};

/* What a constructor of this part last failed with in this thread. */
int aio__httpc_failure(void);
void aio__httpc_set_failure(int code);

/* The proxy that is chosen for a session or one of its requests: none for NULL and "". 0, AIO_EVALUE,
 * AIO_ENOMEM. */
int aio__httpc_read_proxy(const aio_http_session *session, const char *text,
                          struct aio__httpc_url *url);

/* An easy handle whose sockets are the session's, once its OPENSOCKETDATA is a response of it; NULL
 * when memory is short. */
CURL *aio__httpc_easy_new(aio_http_session *session);
/* Prepare, and end, the part of a session that drives libcurl. */
int aio__httpc_engine_open(aio_http_session *session);
void aio__httpc_engine_close(aio_http_session *session);
/* Whether libcurl uses OpenSSL, as we do. */
bool aio__httpc_curl_has_openssl(void);

/* --- responses (response.c, transfer.c) ---------------------------------------------------- */

/* What a response wants of the engine. */
enum { AIO__HTTPC_START = 1, AIO__HTTPC_RESUME = 2, AIO__HTTPC_END = 4 };

struct aio__httpc_inflater;
struct aio__httpc_upload;

struct aio_http_response {
    aio_http_session *session; /* referenced */
    aio_iterator iterator;     /* of chunks */
    aio_buffer item;           /* its item */
    aio_iterator lines;        /* of lines */
    struct aio__bytes line;    /* its item, or the beginning of it */
    bool line_was_given;
    unsigned refs;

    /* The request */
    unsigned redirects;
    unsigned max_redirects;
    bool has_body;
    bool sends_stream;
    bool insecure;
    char *method;
    struct aio__httpc_url url;
    aio_http_field *fields; /* of the request; texts in field_texts */
    size_t field_count;
    char *field_texts;
    char *cookies; /* "a=1; b=2", or NULL */
    char *user;    /* of basic authentication, or NULL */
    char *password;
    struct aio__httpc_url proxy; /* text NULL: none */
    struct aio__bytes body;      /* of bytes, json or form */
    aio_iterator *stream;        /* borrowed during the call that sends it; then NULL */
    size_t stream_size;
    struct aio__httpc_upload *files; /* a form with files of the disk: the stream. NULL: another */

    /* The transfer */
    CURL *easy;                   /* NULL: none */
    struct curl_slist *headers;   /* used by it */
    struct curl_slist *resolve;   /* likewise */
    struct aio__httpc_link added; /* in the session's */
    struct aio__httpc_link work;  /* in the session's */
    aio_future *waiter;           /* finished when something has happened; NULL: nobody waits */
    unsigned wanted;              /* of the engine: AIO__HTTPC_START, ... */
    int code;                     /* with `ended`: 0, or why not */
    int socket_error;             /* errno of a socket that could not be made; 0: none */
    bool is_added;
    bool ended;                  /* nothing more comes */
    bool connected;              /* and the request is being sent */
    char error[CURL_ERROR_SIZE]; /* in words of libcurl */
    const char *why;             /* in words, if it was us who ended it */

    /* Limits */
    aio_handle *timer; /* NULL: none is set */
    double total_at;
    double connect_timeout;
    double connect_at;
    double read_timeout;
    double moved_at; /* when a byte last moved */
    size_t max_head;
    size_t max_body;

    /* What is sent piece by piece */
    aio_buffer upload; /* not sent yet; borrowed from the iterator or from body */
    size_t uploaded;
    aio_timeout *upload_limit; /* ends the wait for the iterator; borrowed */
    bool upload_is_all;
    bool upload_paused;
    bool upload_broken; /* no more comes, though more was promised */

    /* The head */
    bool head_is_done;
    int status;
    aio_http_version version;
    char reason[64];
    struct aio__bytes head; /* name, 0, value, 0, ... */
    size_t head_size;       /* as received */
    size_t received_count;
    aio_http_field *received; /* made when the head is complete; points into `head` */
    char *content_type;
    char *charset;

    /* The body */
    struct aio__bytes incoming;           /* received, not taken yet */
    struct aio__bytes chunk;              /* taken: what readers see */
    struct aio__bytes decoded;            /* of it, decompressed */
    aio_buffer packed;                    /* of the chunk, not decompressed yet */
    aio_buffer left;                      /* taken or decoded, not given yet */
    struct aio__httpc_inflater *inflater; /* NULL: the body is as it comes */
    bool has_more;                        /* the inflater may give more without input */
    bool takes_all; /* it is being read whole: no pause unless it is decompressed */
    bool paused;
    bool was_read; /* in part */
    bool is_whole; /* `whole` is the body */
    struct aio__bytes whole;
    char *text;
    char *text_charset;
};

/* transfer.c: make an easy handle do what a response's request says, in this hop. */
int aio__httpc_transfer_prepare(aio_http_response *response);
/* Forget what the last hop brought. */
void aio__httpc_transfer_reset(aio_http_response *response);
/* Take a line of a head, as it was received. 0, AIO_HTTP_EPROTOCOL, AIO_ENOMEM. */
int aio__httpc_head_line(aio_http_response *response, const char *line, size_t size);
/* Suspend until something has happened to it: 0, or why there was no waiting. */
int aio__httpc_transfer_wait(aio_http_response *response);
/* Give its code back, with its message. The transfer has failed. */
int aio__httpc_transfer_raise(const aio_http_response *response);

/* engine.c: have the engine do something on the thread's own stack. */
int aio__httpc_start(aio_http_response *response);
void aio__httpc_resume(aio_http_response *response);
void aio__httpc_give_up(aio_http_response *response);
/* Let it end, with a code: its callers are woken. */
void aio__httpc_finish(aio_http_response *response, int code);
/* The same, and out of the engine. */
void aio__httpc_fail(aio_http_response *response, int code, const char *text);
/* Something has moved, or happened. */
void aio__httpc_wake(aio_http_response *response);
/* Set its timer to the next of its limits. */
int aio__httpc_limit(aio_http_response *response);

/* response.c */
aio_http_response *aio__httpc_response_new(aio_http_session *session);
/* Read what the head says of the body. 0 or AIO_ENOMEM. */
int aio__httpc_response_begin(aio_http_response *response);
/* The engine has let go of it. */
void aio__httpc_response_left(aio_http_response *response);
/* Make `received` of `head`. 0 or AIO_ENOMEM. */
int aio__httpc_head_complete(aio_http_response *response);

/* upload.c: send the stream of a request; the transfer has begun. */
int aio__httpc_upload(aio_http_response *response);
/* Nobody wants more of it: bring the wait for the next piece to its end. */
void aio__httpc_upload_stop(aio_http_response *response);

/* body.c: prepare for the body, once the head is there. 0 or AIO_ENOMEM. */
int aio__httpc_body_begin(aio_http_response *response);
/* Read it whole; the iterator of its chunks. */
int aio__httpc_body_read(aio_http_response *response);
extern const aio_iterator_ops aio__httpc_chunks;
extern const aio_iterator_ops aio__httpc_lines;

/* inflate.c: what it can undo, as the build found libraries for. */
#ifdef AIO__BROTLI
#define AIO__HTTPC_BROTLI ", br"
#else
#define AIO__HTTPC_BROTLI ""
#endif
#ifdef AIO__ZSTD
#define AIO__HTTPC_ZSTD ", zstd"
#else
#define AIO__HTTPC_ZSTD ""
#endif
#define AIO__HTTPC_ENCODINGS "gzip, deflate" AIO__HTTPC_BROTLI AIO__HTTPC_ZSTD

bool aio__httpc_can_inflate(const char *encoding);
int aio__httpc_inflater_new(const char *encoding, struct aio__httpc_inflater **ret_inflater);
void aio__httpc_inflater_free(struct aio__httpc_inflater *inflater);
/* Decompress into `output`, which is emptied first and gets `most` bytes at most. Takes what it
 * uses off the input. 0; AIO_ESTOP: that was the end; or AIO_HTTP_EPAYLOAD, AIO_ENOMEM. */
int aio__httpc_inflate(struct aio__httpc_inflater *inflater, aio_buffer *input,
                       struct aio__bytes *output, size_t most);
/* Whether the input may end here. */
bool aio__httpc_inflater_is_done(const struct aio__httpc_inflater *inflater);

/* fields.c: what a header may be, and lists of them. */
int aio__httpc_check_fields(const aio_http_field *fields, size_t count);
bool aio__httpc_is_token(const char *text);
bool aio__httpc_is_line(const char *text);
/* Copy fields and their texts, each in one block. */
int aio__httpc_copy_fields(const aio_http_field *fields, size_t count, aio_http_field **ret_fields,
                           char **ret_texts);
const char *aio__httpc_find_field(const aio_http_field *fields, size_t count, const char *name);

/* form.c */

/* A part of a form of several. */
struct aio__httpc_part {
    struct aio__httpc_part *next;
    struct aio__bytes head; /* its header lines */
    struct aio__bytes data;
    char *path; /* of a file, instead of the data; NULL: none */
};

struct aio_http_form {
    unsigned refs;
    struct aio__httpc_part *first;
    struct aio__httpc_part **end;
};

int aio__httpc_form_encode(const aio_http_field *fields, size_t count, struct aio__bytes *body);
int aio__httpc_multipart_encode(const aio_http_form *form, struct aio__bytes *body,
                                char *content_type, size_t size);
enum { AIO__HTTPC_MULTIPART_TYPE = 100 }; /* bytes of its content type */

/* files.c: a form with files of the disk, as a stream. Opening it may suspend. */
bool aio__httpc_has_files(const aio_http_form *form);
int aio__httpc_files_open(aio_http_form *form, struct aio__httpc_upload **ret_upload);
void aio__httpc_files_close(struct aio__httpc_upload *upload);
/* Begin from the beginning. Gives the iterator of its pieces, its size and its content type. */
aio_iterator *aio__httpc_files_begin(struct aio__httpc_upload *upload, size_t *ret_size,
                                     const char **ret_type);

/* resolve.c: look a host up for libcurl, and add the answer to a list for CURLOPT_RESOLVE. */
int aio__httpc_resolve(aio_http_session *session, const char *host, unsigned port,
                       struct curl_slist **list);
void aio__httpc_names_free(aio_http_session *session);

/* trust.c: load whom a session trusts, in a thread, once. */
int aio__httpc_trust(aio_http_session *session);
void aio__httpc_trust_free(aio_http_session *session);
/* Make an easy handle trust them. */
int aio__httpc_trust_use(aio_http_session *session, CURL *easy);

/* error.c: give the codes their names; what libcurl's code means to us. */
void aio__httpc_register_errors(void);
int aio__httpc_code_of(CURLcode result, const aio_http_response *response);

/* charset.c: bytes to UTF-8. */
int aio__httpc_decode(const char *charset, aio_buffer bytes, char **ret_text);

#endif
