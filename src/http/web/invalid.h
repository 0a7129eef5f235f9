/* SPDX-License-Identifier: MIT */
/* invalid.h - for src/http/web: what is wrong with a request's data, as FastAPI tells it */
#ifndef HTTP_WEB_INVALID_H
#define HTTP_WEB_INVALID_H

#include "http/common/bytes.h"

#include <aio/http_server.h>

/* A place in the data: "body", then a member's name, then an item's index, ... */
struct aio__web_place {
    const struct aio__web_place *in; /* NULL: the outermost */
    const char *name;                /* NULL: an index */
    size_t index;
};

/* All that is wrong. */
struct aio__web_invalid {
    struct aio__bytes list; /* JSON objects, with commas between them */
    size_t count;
    int err; /* why something could not be noted: AIO_ENOMEM */
};

/* Note that what is at a place is wrong. */
void aio__web_note(struct aio__web_invalid *invalid, const struct aio__web_place *place,
                   const char *type, const char *format, ...) AIO_PRINTF(4, 5);

/* The same, with the limit that was not kept. */
void aio__web_note_limit(struct aio__web_invalid *invalid, const struct aio__web_place *place,
                         const char *type, const char *text, double limit, const char *text_behind);

/* The same, with what would have been right: texts, ended by a NULL. */
void aio__web_note_choice(struct aio__web_invalid *invalid, const struct aio__web_place *place,
                          const char *const *choices);

/* 0 if nothing is wrong; else AIO_HTTP_EABORT, 422 being prepared, or another code. Frees the list. */
int aio__web_answer_invalid(aio_http_request *request, struct aio__web_invalid *invalid);

#endif
