/* SPDX-License-Identifier: MIT */
/* model.h - for src/http/web: declared structs while they are read */
#ifndef HTTP_WEB_MODEL_H
#define HTTP_WEB_MODEL_H

#include "http/web/invalid.h"
#include "http/web/web.h"

#include <aio/web_model.h>
#include <jansson.h>

struct aio__web_reading {
    aio_http_request *request;
    struct aio__web_invalid invalid;
    int err; /* AIO_ENOMEM: nothing more is read */
};

/* What a value is made of: JSON, or the text of a query. */
struct aio__web_given {
    json_t *json; /* NULL: a text */
    const char *text;
};

/* One value of a member's type, into its place in the struct or list. */
void aio__web_read_value(struct aio__web_reading *reading, const aio_web_field *field,
                         const struct aio__web_given *source, const struct aio__web_place *place,
                         char *to);

/* A list: how many items it may have; what its items are, which have no limits of lists; the size of
 * each; room for all, which is zero at first (NULL: memory is short). */
void aio__web_check_items(struct aio__web_reading *reading, const aio_web_field *field,
                          size_t count, const struct aio__web_place *place);
aio_web_field aio__web_item_of(const aio_web_field *field);
size_t aio__web_size_of(const aio_web_field *field);
char *aio__web_make_list(struct aio__web_reading *reading, const aio_web_field *field, size_t count,
                         char *structure);

/* A copy in the request's memory; NULL: memory is short. */
char *aio__web_keep_text(struct aio__web_reading *reading, const char *text, size_t size);

/* 0, or why not: the answer is prepared then. */
int aio__web_finish_reading(struct aio__web_reading *reading);

#endif
