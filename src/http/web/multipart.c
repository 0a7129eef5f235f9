/* SPDX-License-Identifier: MIT */
/*
 * multipart.c - forms in the body: application/x-www-form-urlencoded and multipart/form-data
 *
 * The body is read whole, as the server's limit allows, and what a file holds stays where it came.
 * What is no such form gets 400 in Starlette's words. (RFC 7578; RFC 2046, 5.1)
 *
 * Thread: the handler's.
 */
#include "http/common/url.h"
#include "http/web/web.h"

#include <string.h>
#include <strings.h>

enum {
    MAX_PARTS = 1000,
    MAX_PART_HEAD = 8 * 1024,
    MAX_BOUNDARY = 70,               /* RFC 2046, 5.1.1 */
    DELIMITER = MAX_BOUNDARY + 4 + 1 /* "\r\n--" before it, 0 behind it */
};

struct form {
    aio_http_request *request;
    struct aio__web_data *data;
    char delimiter[DELIMITER];
    size_t delimiter_size;
    const char *at;
    const char *end;
    bool starved; /* memory was short somewhere: what was read is not all */
};

/* What the head of a part says. */
struct part {
    const char *name; /* NULL: it has none */
    const char *filename;
    const char *content_type;
};

/* --- texts ------------------------------------------------------------------------------ */

static char *allocate(struct form *form, size_t size)
{
    char *memory = aio_http_request_alloc(form->request, size);

    if (memory == NULL)
        form->starved = true;
    return memory;
}

/* A copy as UTF-8; NULL: memory is short, or a 0 inside would hide the rest. */
static const char *copy_text(struct form *form, const char *text, size_t size)
{
    char *copy = allocate(form, 3 * size + 1);

    if (copy == NULL || memchr(text, '\0', size) != NULL)
        return NULL;
    memcpy(copy, text, size);
    copy[aio__utf8_mend(copy, size)] = '\0';
    return copy;
}

/* Where a value ends: one in quotes, as browsers write it, in which \" is one; else at a ";". */
static const char *skip_value(const char *at, const char *end)
{
    bool quoted = at < end && *at == '"';

    for (at += quoted; at < end && *at != (quoted ? '"' : ';'); at++)
        at += quoted && *at == '\\' && at + 1 < end && at[1] == '"';
    return at + (at < end && quoted);
}

static const char *read_value(struct form *form, const char *at, const char *end)
{
    char *value = allocate(form, (size_t)(end - at) + 1);
    bool quoted = at < end && *at == '"';
    size_t size = 0;

    if (value == NULL)
        return NULL;
    for (at += quoted; at < end && !(quoted && *at == '"'); at++) {
        if (quoted && *at == '\\' && at + 1 < end && at[1] == '"')
            at++;
        value[size++] = *at;
    }
    while (!quoted && size > 0 && (value[size - 1] == ' ' || value[size - 1] == '\t'))
        size--;
    return copy_text(form, value, size);
}

/* A parameter of a header's value: `; name="..."`. NULL: it is not there. */
static const char *find_parameter(struct form *form, const char *at, const char *end,
                                  const char *name)
{
    size_t size = strlen(name);

    while ((at = memchr(at, ';', (size_t)(end - at))) != NULL) {
        const char *start;
        const char *stop;

        for (at++; at < end && (*at == ' ' || *at == '\t');)
            at++;
        start = at;
        while (at < end && *at != '=' && *at != ';')
            at++;
        if (at == end || *at == ';')
            continue;
        stop = skip_value(++at, end);
        if ((size_t)(at - start) == size + 1 && strncasecmp(start, name, size) == 0)
            return read_value(form, at, stop);
        at = stop;
    }
    return NULL;
}

/* --- parts ------------------------------------------------------------------------------ */

static bool is_header(const char *line, const char *end, const char *name)
{
    size_t size = strlen(name);

    return (size_t)(end - line) > size && strncasecmp(line, name, size) == 0 && line[size] == ':';
}

static void read_line(struct form *form, struct part *part, const char *line, const char *end)
{
    if (is_header(line, end, "content-disposition")) {
        part->name = find_parameter(form, line, end, "name");
        part->filename = find_parameter(form, line, end, "filename");
    } else if (is_header(line, end, "content-type")) {
        line = memchr(line, ':', (size_t)(end - line));
        for (line++; line < end && (*line == ' ' || *line == '\t'); line++)
            ;
        part->content_type = copy_text(form, line, (size_t)(end - line));
    }
}

/* Read the lines up to the empty one; false: it does not come. */
static bool read_head(struct form *form, struct part *part)
{
    const char *limit = form->end - form->at > MAX_PART_HEAD ? form->at + MAX_PART_HEAD : form->end;

    for (;;) {
        const char *stop = memmem(form->at, (size_t)(limit - form->at), "\r\n", 2);
        const char *line = form->at;

        if (stop == NULL)
            return false;
        form->at = stop + 2;
        if (stop == line)
            return true;
        read_line(form, part, line, stop);
    }
}

static void add_part(struct form *form, const struct part *part, const char *data, size_t size)
{
    struct aio__web_data *all = form->data;
    const char *text;

    if (part->filename != NULL) {
        all->uploads[all->upload_count++] = (aio_web_upload){
            part->name, part->filename,
            part->content_type == NULL ? "application/octet-stream" : part->content_type, data,
            size};
        return;
    }
    text = copy_text(form, data, size);
    if (text != NULL)
        all->form.all[all->form.count++] = (struct aio__web_pair){part->name, text};
}

/* Behind a delimiter: 1: a part follows; 0: that was the last; -1: neither. */
static int after_delimiter(struct form *form)
{
    if (form->end - form->at >= 2 && memcmp(form->at, "--", 2) == 0)
        return 0;
    while (form->at < form->end && (*form->at == ' ' || *form->at == '\t'))
        form->at++;
    if (form->end - form->at < 2 || memcmp(form->at, "\r\n", 2) != 0)
        return -1;
    form->at += 2;
    return 1;
}

static const char *find_delimiter(const struct form *form)
{
    return memmem(form->at, (size_t)(form->end - form->at), form->delimiter, form->delimiter_size);
}

static int refuse(aio_http_request *request)
{
    return aio_web_abort(request, 400, "There was an error parsing the body");
}

/* The first delimiter may stand at the very beginning. */
static bool begin_parts(struct form *form)
{
    size_t size = form->delimiter_size - 2;
    const char *first;

    if ((size_t)(form->end - form->at) >= size &&
        memcmp(form->at, form->delimiter + 2, size) == 0) {
        form->at += size;
        return true;
    }
    first = find_delimiter(form);
    if (first == NULL)
        return false;
    form->at = first + form->delimiter_size;
    return true;
}

static int read_parts(struct form *form)
{
    int next;

    if (!begin_parts(form))
        return refuse(form->request);
    while ((next = after_delimiter(form)) > 0) {
        struct part part = {0};
        const char *data;
        const char *stop;

        if (form->data->form.count + form->data->upload_count == MAX_PARTS)
            return aio_web_abort(form->request, 400,
                                 "Too many fields. Maximum number of fields is %d.", MAX_PARTS);
        if (!read_head(form, &part) || (part.name == NULL && !form->starved))
            return refuse(form->request);
        if (form->starved)
            return AIO_ENOMEM;
        data = form->at;
        form->at -= 2; /* an empty part's end begins with the line end of its head */
        stop = find_delimiter(form);
        if (stop == NULL)
            return refuse(form->request);
        form->at = stop + form->delimiter_size;
        add_part(form, &part, data, stop > data ? (size_t)(stop - data) : 0);
    }
    if (form->starved)
        return AIO_ENOMEM;
    return next == 0 ? 0 : refuse(form->request);
}

static int read_multipart(aio_http_request *request, struct aio__web_data *data, const char *type,
                          const char *body, size_t size)
{
    struct form form = {.request = request, .data = data, .at = body, .end = body + size};
    const char *boundary = find_parameter(&form, type, type + strlen(type), "boundary");
    size_t length = boundary == NULL ? 0 : strlen(boundary);

    if (form.starved)
        return AIO_ENOMEM;
    if (length == 0 || length > MAX_BOUNDARY)
        return refuse(request);
    form.delimiter_size =
        (size_t)(stpcpy(stpcpy(form.delimiter, "\r\n--"), boundary) - form.delimiter);
    data->form.all = aio_http_request_alloc(request, MAX_PARTS * sizeof(*data->form.all));
    data->uploads = aio_http_request_alloc(request, MAX_PARTS * sizeof(*data->uploads));
    if (data->form.all == NULL || data->uploads == NULL)
        return AIO_ENOMEM;
    data->form.count = 0;
    data->upload_count = 0;
    return read_parts(&form);
}

/* --- forms ------------------------------------------------------------------------------ */

static bool is_type(const char *sent, const char *type)
{
    size_t size = strlen(type);

    return sent != NULL && strncasecmp(sent, type, size) == 0 && strchr("; \t", sent[size]) != NULL;
}

int aio__web_parse_form(aio_http_request *request, struct aio__web_data *data)
{
    const char *type = aio_http_request_header(request, "content-type");
    bool parts = is_type(type, "multipart/form-data");
    const void *body;
    size_t size;
    int err;

    if (data->form_read || (!parts && !is_type(type, "application/x-www-form-urlencoded")))
        return 0;
    err = aio_http_request_body(request, &body, &size);
    if (err < 0)
        return err;
    err = parts ? read_multipart(request, data, type, body, size)
                : aio__web_parse_pairs(request, body, size, &data->form);
    data->form_read = err == 0;
    return err;
}

int aio_web_uploads(aio_http_request *request, const aio_web_upload **ret_all, size_t *ret_count)
{
    struct aio__web_data *data;
    int err;

    if (request == NULL || ret_all == NULL || ret_count == NULL)
        return aio_raise(AIO_EVALUE, "no request, or nowhere to put the files");
    data = aio__web_data_of(request);
    err = data == NULL ? AIO_ENOMEM : aio__web_parse_form(request, data);
    if (err < 0)
        return err;
    *ret_all = data->uploads;
    *ret_count = data->upload_count;
    return 0;
}

int aio_web_upload_of(aio_http_request *request, const char *name,
                      const aio_web_upload **ret_upload)
{
    const aio_web_upload *all = NULL;
    const aio_web_upload *found = NULL;
    size_t count = 0;
    int err;

    if (name == NULL || ret_upload == NULL)
        return aio_raise(AIO_EVALUE, "no name, or nowhere to put the file");
    err = aio_web_uploads(request, &all, &count);
    if (err < 0)
        return err;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(all[i].name, name) == 0)
            found = &all[i];
    }
    *ret_upload = found;
    return 0;
}
