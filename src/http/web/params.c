/* SPDX-License-Identifier: MIT */
/*
 * params.c - parameters of the path, queries, forms, cookies
 *
 * Queries, forms and cookies are taken apart when first asked for, into the request's memory.
 *
 * Thread: the handler's.
 */
#include "http/common/url.h"
#include "http/web/web.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PAIRS = 1000 }; /* what is more is not looked at */

/* --- numbers ---------------------------------------------------------------------------- */

static const char *skip_blanks(const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

bool aio__web_read_int(const char *text, int64_t *ret_value)
{
    char *end;
    long long value;

    text = skip_blanks(text);
    if (!isdigit((unsigned char)text[text[0] == '-' || text[0] == '+']))
        return false;
    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno != 0 || *skip_blanks(end) != '\0')
        return false;
    *ret_value = value;
    return true;
}

bool aio__web_read_float(const char *text, double *ret_value)
{
    char *end;
    double value;

    text = skip_blanks(text);
    if (text[strspn(text, "0123456789+-.eE")] != '\0' &&
        *skip_blanks(text + strspn(text, "0123456789+-.eE")) != '\0')
        return false; /* strtod() knows hexadecimal ones, and names */
    value = strtod(text, &end);
    if (end == text || *skip_blanks(end) != '\0' || !isfinite(value))
        return false;
    *ret_value = value;
    return true;
}

/* --- the path --------------------------------------------------------------------------- */

static const struct aio__web_value *path_value(const aio_http_request *request, const char *name)
{
    const struct aio__web_data *data = request == NULL ? NULL : request->web;

    if (data == NULL || data->route == NULL || name == NULL)
        return NULL;
    for (size_t i = 0; i < data->route->param_count; i++) {
        if (strcmp(data->route->params[i].name, name) == 0)
            return &data->values[i];
    }
    return NULL;
}

const char *aio_web_path_text(const aio_http_request *request, const char *name)
{
    const struct aio__web_value *value = path_value(request, name);

    return value == NULL ? NULL : value->text;
}

int64_t aio_web_path_int(const aio_http_request *request, const char *name)
{
    const struct aio__web_value *value = path_value(request, name);

    return value == NULL ? 0 : value->integer;
}

double aio_web_path_float(const aio_http_request *request, const char *name)
{
    const struct aio__web_value *value = path_value(request, name);

    return value == NULL ? 0 : value->number;
}

/* --- queries and forms ------------------------------------------------------------------ */

struct collecting {
    aio_http_request *request;
    struct aio__web_pairs *pairs;
};

static const char *decode(aio_http_request *request, const char *text, size_t size)
{
    char *out = aio_http_request_alloc(request, AIO__URL_DECODED(size));

    /* A 0 inside would hide the rest: such a text is none. */
    return out == NULL || aio__url_decode(out, text, size, true) < 0 ? NULL : out;
}

static int collect(const char *name, size_t name_size, const char *value, size_t value_size,
                   void *arg)
{
    struct collecting *to = arg;
    struct aio__web_pair *pair = &to->pairs->all[to->pairs->count];

    pair->name = decode(to->request, name, name_size);
    pair->value = decode(to->request, value, value_size);
    if (pair->name != NULL && pair->value != NULL)
        to->pairs->count++;
    return to->pairs->count == MAX_PAIRS ? 1 : 0;
}

static int count_pair(const char *name, size_t name_size, const char *value, size_t value_size,
                      void *arg)
{
    return ++*(size_t *)arg == MAX_PAIRS ? 1 : 0;
}

int aio__web_parse_pairs(aio_http_request *request, const char *text, size_t size,
                         struct aio__web_pairs *pairs)
{
    struct collecting to = {request, pairs};
    size_t count = 0;

    if (pairs->all != NULL)
        return 0;
    (void)aio__url_pairs(text, size, count_pair, &count);
    pairs->all = aio_http_request_alloc(request, (count + 1) * sizeof(*pairs->all));
    if (pairs->all == NULL)
        return AIO_ENOMEM;
    pairs->count = 0;
    (void)aio__url_pairs(text, size, collect, &to);
    return 0;
}

int aio__web_parse_query(aio_http_request *request, struct aio__web_data *data)
{
    return aio__web_parse_pairs(request, request->query, strlen(request->query), &data->query);
}

/* The last of a name's values. */
static const char *find_pair(const struct aio__web_pairs *pairs, const char *name)
{
    for (size_t i = pairs->count; i-- > 0;) {
        if (strcmp(pairs->all[i].name, name) == 0)
            return pairs->all[i].value;
    }
    return NULL;
}

const char *aio_web_query(aio_http_request *request, const char *name)
{
    struct aio__web_data *data = aio__web_data_of(request);

    if (data == NULL || name == NULL || aio__web_parse_query(request, data) < 0)
        return NULL;
    return find_pair(&data->query, name);
}

int aio_web_form(aio_http_request *request, const char *name, const char **ret_value)
{
    struct aio__web_data *data = aio__web_data_of(request);
    int err;

    if (data == NULL)
        return AIO_ENOMEM;
    if (name == NULL || ret_value == NULL)
        return aio_raise(AIO_EVALUE, "no name, or nowhere to put the value");
    err = aio__web_parse_form(request, data);
    if (err < 0)
        return err;
    *ret_value = find_pair(&data->form, name);
    return 0;
}

/* --- cookies ---------------------------------------------------------------------------- */

static const char *copy_trimmed(aio_http_request *request, const char *text, size_t size)
{
    char *copy = aio_http_request_alloc(request, size + 1);

    while (size > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        size--;
    }
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
        size--;
    if (size >= 2 && text[0] == '"' && text[size - 1] == '"') {
        text++;
        size -= 2;
    }
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

int aio__web_parse_cookies(aio_http_request *request, struct aio__web_pairs *cookies)
{
    const char *text = aio_http_request_header(request, "cookie");
    size_t most = 1;

    if (cookies->all != NULL)
        return 0;
    for (const char *at = text; at != NULL && (at = strchr(at, ';')) != NULL; at++)
        most++;
    most = most < MAX_PAIRS ? most : MAX_PAIRS;
    cookies->all = aio_http_request_alloc(request, most * sizeof(*cookies->all));
    if (cookies->all == NULL)
        return AIO_ENOMEM;
    while (text != NULL && *text != '\0' && cookies->count < most) {
        size_t size = strcspn(text, ";");
        const char *equals = memchr(text, '=', size);
        struct aio__web_pair *pair = &cookies->all[cookies->count];

        if (equals != NULL) {
            pair->name = copy_trimmed(request, text, (size_t)(equals - text));
            pair->value = copy_trimmed(request, equals + 1, size - (size_t)(equals + 1 - text));
            if (pair->name == NULL || pair->value == NULL)
                return AIO_ENOMEM;
            cookies->count++;
        }
        text += size + (text[size] == ';');
    }
    return 0;
}

const char *aio_web_cookie(aio_http_request *request, const char *name)
{
    struct aio__web_data *data = aio__web_data_of(request);

    if (data == NULL || name == NULL || aio__web_parse_cookies(request, &data->cookies) < 0)
        return NULL;
    return find_pair(&data->cookies, name);
}
