/* SPDX-License-Identifier: MIT */
/*
 * model_pairs.c - declared structs, read from queries, paths, headers, cookies and forms
 *
 * Each source is made a list of names and texts; a member takes the last text of its name, a list all
 * of them. (model_read.c has what becomes of a text.)
 *
 * Thread: the handler's.
 */
#include "http/common/url.h"
#include "http/web/model.h"

#include <ctype.h>
#include <string.h>

static size_t count_pairs(const struct aio__web_pairs *pairs, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < pairs->count; i++)
        count += strcmp(pairs->all[i].name, name) == 0;
    return count;
}

static void read_pair_list(struct aio__web_reading *reading, const aio_web_field *field,
                           const struct aio__web_pairs *pairs, const struct aio__web_place *place,
                           char *structure)
{
    aio_web_field item = aio__web_item_of(field);
    size_t count = count_pairs(pairs, place->name);
    char *items;
    size_t at = 0;

    aio__web_check_items(reading, field, count, place);
    items = aio__web_make_list(reading, field, count, structure);
    for (size_t i = 0; items != NULL && reading->err == 0 && i < pairs->count; i++) {
        struct aio__web_place where = {place, NULL, at};
        struct aio__web_given source = {NULL, pairs->all[i].value};

        if (strcmp(pairs->all[i].name, place->name) == 0)
            aio__web_read_value(reading, &item, &source, &where,
                                items + at++ * aio__web_size_of(field));
    }
}

/* The last of a name's texts, as a form has it; NULL: there is none. */
static const char *last_of(const struct aio__web_pairs *pairs, const char *name)
{
    for (size_t i = pairs->count; i-- > 0;) {
        if (strcmp(pairs->all[i].name, name) == 0)
            return pairs->all[i].value;
    }
    return NULL;
}

static int path_pairs(aio_http_request *request, const struct aio__web_data *data,
                      struct aio__web_pairs *pairs)
{
    size_t count = data->route == NULL ? 0 : data->route->param_count;

    pairs->all = aio_http_request_alloc(request, (count + 1) * sizeof(*pairs->all));
    if (pairs->all == NULL)
        return AIO_ENOMEM;
    for (; pairs->count < count; pairs->count++)
        pairs->all[pairs->count] = (struct aio__web_pair){data->route->params[pairs->count].name,
                                                          data->values[pairs->count].text};
    return 0;
}

/* Headers, of names in lower case. */
static int header_pairs(aio_http_request *request, struct aio__web_pairs *pairs)
{
    size_t count = request->header_count;

    pairs->all = aio_http_request_alloc(request, (count + 1) * sizeof(*pairs->all));
    if (pairs->all == NULL)
        return AIO_ENOMEM;
    for (; pairs->count < count; pairs->count++) {
        const struct aio__http_header *header = &request->headers[pairs->count];
        char *name = aio_http_request_alloc(request, header->name_size + 1);
        char *value = aio_http_request_alloc(request, 3 * header->value_size + 1);

        if (name == NULL || value == NULL)
            return AIO_ENOMEM;
        for (size_t i = 0; i <= header->name_size; i++)
            name[i] = (char)tolower((unsigned char)header->name[i]);
        memcpy(value, header->value, header->value_size);
        value[aio__utf8_mend(value, header->value_size)] = '\0';
        pairs->all[pairs->count] = (struct aio__web_pair){name, value};
    }
    return 0;
}

/* What a source has, and what FastAPI calls it. */
static int pairs_of(aio_http_request *request, aio_web_source source, struct aio__web_pairs *pairs,
                    const char **ret_place)
{
    struct aio__web_data *data = aio__web_data_of(request);
    int err = AIO_ENOMEM;

    if (data == NULL)
        return err;
    switch (source) {
    case AIO_WEB_FROM_QUERY:
        *ret_place = "query";
        err = aio__web_parse_query(request, data);
        *pairs = data->query;
        return err;
    case AIO_WEB_FROM_PATH: *ret_place = "path"; return path_pairs(request, data, pairs);
    case AIO_WEB_FROM_HEADERS: *ret_place = "header"; return header_pairs(request, pairs);
    case AIO_WEB_FROM_COOKIES:
        *ret_place = "cookie";
        err = aio__web_parse_cookies(request, &data->cookies);
        *pairs = data->cookies;
        return err;
    case AIO_WEB_FROM_FORM:
        *ret_place = "body";
        err = aio__web_parse_form(request, data);
        *pairs = data->form;
        return err;
    }
    return aio_raise(AIO_EVALUE, "%d is no source", (int)source);
}

/* What a member is called in a source: headers have no underscores. */
static const char *name_in(struct aio__web_reading *reading, aio_web_source source,
                           const char *name)
{
    char *copy;

    if (source != AIO_WEB_FROM_HEADERS || strchr(name, '_') == NULL)
        return name;
    copy = aio__web_keep_text(reading, name, strlen(name));
    for (char *at = copy; at != NULL && *at != '\0'; at++) {
        if (*at == '_')
            *at = '-';
    }
    return copy;
}

static void read_pair(struct aio__web_reading *reading, aio_web_source from,
                      const aio_web_field *field, const struct aio__web_pairs *pairs,
                      const struct aio__web_place *in, char *to)
{
    struct aio__web_place at = {in, name_in(reading, from, field->name), 0};
    struct aio__web_given source = {NULL, NULL};

    if (at.name == NULL)
        return;
    source.text = last_of(pairs, at.name);
    if (from == AIO_WEB_FROM_FORM && source.text != NULL && *source.text == '\0')
        source.text = NULL;
    if (source.text == NULL && !field->optional)
        aio__web_note(&reading->invalid, &at, "value_error.missing", "field required");
    else if (source.text != NULL && field->list)
        read_pair_list(reading, field, pairs, &at, to);
    else if (source.text != NULL)
        aio__web_read_value(reading, field, &source, &at, to + field->offset);
}

int aio_web_read(aio_http_request *request, aio_web_source source, const aio_web_model *model,
                 void *ret_value)
{
    struct aio__web_reading reading = {.request = request};
    struct aio__web_place place = {0};
    struct aio__web_pairs pairs = {0};
    int err;

    if (request == NULL || model == NULL || ret_value == NULL)
        return aio_raise(AIO_EVALUE, "no request, no model, or nowhere to put the value");
    for (size_t i = 0; i < model->field_count; i++) {
        if (model->fields[i].type == AIO_WEB_OBJECT)
            return aio_raise(AIO_ETYPE, "only a body has objects: %s", model->fields[i].name);
    }
    err = pairs_of(request, source, &pairs, &place.name);
    if (err < 0)
        return err;
    for (size_t i = 0; reading.err == 0 && i < model->field_count; i++)
        read_pair(&reading, source, &model->fields[i], &pairs, &place, ret_value);
    return aio__web_finish_reading(&reading);
}

int aio_web_params(aio_http_request *request, const aio_web_model *model, void *ret_value)
{
    return aio_web_read(request, AIO_WEB_FROM_QUERY, model, ret_value);
}
