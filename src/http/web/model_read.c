/* SPDX-License-Identifier: MIT */
/*
 * model_read.c - declared structs, read from JSON
 *
 * Values are converted, and refused, as pydantic 1 does in FastAPI; all that is wrong is collected.
 * A body is looked at before jansson reads it: that recurses for each level, on a fiber's stack, and
 * needs a hundred times the memory of "[{},{},...".
 *
 * Thread: the handler's.
 */
#include "http/web/model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MAX_DEPTH = 64, MAX_JSON = 1024 * 1024, MAX_VALUES = 50000 };

/* --- single values ---------------------------------------------------------------------- */

char *aio__web_keep_text(struct aio__web_reading *reading, const char *text, size_t size)
{
    char *copy = aio_http_request_alloc(reading->request, size + 1);

    if (copy == NULL) {
        reading->err = AIO_ENOMEM;
        return NULL;
    }
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

static const char *text_of(const struct aio__web_given *source)
{
    return source->json == NULL ? source->text : json_string_value(source->json);
}

static bool read_int(const struct aio__web_given *source, int64_t *ret_value)
{
    const char *text = text_of(source);

    if (text != NULL)
        return aio__web_read_int(text, ret_value);
    if (json_is_integer(source->json))
        *ret_value = json_integer_value(source->json);
    else if (json_is_boolean(source->json))
        *ret_value = json_is_true(source->json) ? 1 : 0;
    else if (json_is_real(source->json) && fabs(json_real_value(source->json)) < 9.2e18)
        *ret_value = (int64_t)json_real_value(source->json);
    else
        return false;
    return true;
}

static bool read_float(const struct aio__web_given *source, double *ret_value)
{
    const char *text = text_of(source);

    if (text != NULL)
        return aio__web_read_float(text, ret_value);
    if (json_is_number(source->json))
        *ret_value = json_number_value(source->json);
    else if (json_is_boolean(source->json))
        *ret_value = json_is_true(source->json) ? 1 : 0;
    else
        return false;
    return true;
}

static bool read_bool(const struct aio__web_given *source, bool *ret_value)
{
    static const char *const yes[] = {"1", "on", "t", "true", "y", "yes"};
    static const char *const no[] = {"0", "off", "f", "false", "n", "no"};
    const char *text = text_of(source);

    if (json_is_boolean(source->json)) {
        *ret_value = json_is_true(source->json);
        return true;
    }
    if (json_is_number(source->json)) {
        *ret_value = json_number_value(source->json) == 1;
        return *ret_value || json_number_value(source->json) == 0;
    }
    for (size_t i = 0; text != NULL && i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
            *ret_value = strcasecmp(text, yes[i]) == 0;
            return true;
        }
    }
    return false;
}

/* The text of a string, number or truth value; NULL: it is none, or memory is short. */
static const char *read_text(struct aio__web_reading *reading, const struct aio__web_given *source)
{
    char number[40];
    const char *text = text_of(source);

    if (json_is_integer(source->json)) {
        (void)snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
                       json_integer_value(source->json));
        text = number;
    } else if (json_is_real(source->json)) {
        (void)snprintf(number, sizeof(number), "%.17g", json_real_value(source->json));
        text = number;
    } else if (json_is_boolean(source->json)) {
        text = json_is_true(source->json) ? "True" : "False";
    }
    return text == NULL ? NULL : aio__web_keep_text(reading, text, strlen(text));
}

/* --- limits ----------------------------------------------------------------------------- */

static void check_number(struct aio__web_reading *reading, const aio_web_field *field, double value,
                         const struct aio__web_place *place)
{
    if (field->has_minimum && field->exclusive_minimum && value <= field->minimum)
        aio__web_note_limit(&reading->invalid, place, "value_error.number.not_gt",
                            "ensure this value is greater than", field->minimum, "");
    else if (field->has_minimum && value < field->minimum)
        aio__web_note_limit(&reading->invalid, place, "value_error.number.not_ge",
                            "ensure this value is greater than or equal to", field->minimum, "");
    if (field->has_maximum && field->exclusive_maximum && value >= field->maximum)
        aio__web_note_limit(&reading->invalid, place, "value_error.number.not_lt",
                            "ensure this value is less than", field->maximum, "");
    else if (field->has_maximum && value > field->maximum)
        aio__web_note_limit(&reading->invalid, place, "value_error.number.not_le",
                            "ensure this value is less than or equal to", field->maximum, "");
}

static bool is_choice(const char *const *choices, const char *text)
{
    while (*choices != NULL && strcmp(*choices, text) != 0)
        choices++;
    return *choices != NULL;
}

static void check_text(struct aio__web_reading *reading, const aio_web_field *field,
                       const char *text, const struct aio__web_place *place)
{
    size_t characters = 0;

    if (field->choices != NULL && !is_choice(field->choices, text)) {
        aio__web_note_choice(&reading->invalid, place, field->choices);
        return;
    }

    for (const char *at = text; *at != '\0'; at++)
        characters += ((unsigned char)*at & 0xc0) != 0x80;
    if (characters < field->min_length)
        aio__web_note_limit(&reading->invalid, place, "value_error.any_str.min_length",
                            "ensure this value has at least", (double)field->min_length,
                            " characters");
    if (field->max_length > 0 && characters > field->max_length)
        aio__web_note_limit(&reading->invalid, place, "value_error.any_str.max_length",
                            "ensure this value has at most", (double)field->max_length,
                            " characters");
}

/* --- values of members ------------------------------------------------------------------ */

static void read_object(struct aio__web_reading *reading, const aio_web_model *model, json_t *json,
                        const struct aio__web_place *place, char *to);

void aio__web_read_value(struct aio__web_reading *reading, const aio_web_field *field,
                         const struct aio__web_given *source, const struct aio__web_place *place,
                         char *to)
{
    struct aio__web_invalid *invalid = &reading->invalid;
    const char *text;
    int64_t integer;
    double number;

    switch (field->type) {
    case AIO_WEB_STRING:
        text = read_text(reading, source);
        if (text != NULL) {
            memcpy(to, &text, sizeof(text));
            check_text(reading, field, text, place);
        } else if (reading->err == 0) {
            aio__web_note(invalid, place, "type_error.str", "str type expected");
        }
        break;
    case AIO_WEB_INT:
        if (read_int(source, &integer)) {
            memcpy(to, &integer, sizeof(integer));
            check_number(reading, field, (double)integer, place);
        } else {
            aio__web_note(invalid, place, "type_error.integer", "value is not a valid integer");
        }
        break;
    case AIO_WEB_FLOAT:
        if (read_float(source, &number)) {
            memcpy(to, &number, sizeof(number));
            check_number(reading, field, number, place);
        } else {
            aio__web_note(invalid, place, "type_error.float", "value is not a valid float");
        }
        break;
    case AIO_WEB_BOOL:
        if (!read_bool(source, (bool *)(void *)to))
            aio__web_note(invalid, place, "type_error.bool",
                          "value could not be parsed to a boolean");
        break;
    case AIO_WEB_OBJECT: read_object(reading, field->model, source->json, place, to); break;
    }
}

size_t aio__web_size_of(const aio_web_field *field)
{
    switch (field->type) {
    case AIO_WEB_STRING: return sizeof(const char *);
    case AIO_WEB_INT: return sizeof(int64_t);
    case AIO_WEB_FLOAT: return sizeof(double);
    case AIO_WEB_BOOL: return sizeof(bool);
    case AIO_WEB_OBJECT: return field->model->size;
    }
    return 0;
}

void aio__web_check_items(struct aio__web_reading *reading, const aio_web_field *field,
                          size_t count, const struct aio__web_place *place)
{
    if (count < field->min_length)
        aio__web_note_limit(&reading->invalid, place, "value_error.list.min_items",
                            "ensure this value has at least", (double)field->min_length, " items");
    if (field->max_length > 0 && count > field->max_length)
        aio__web_note_limit(&reading->invalid, place, "value_error.list.max_items",
                            "ensure this value has at most", (double)field->max_length, " items");
}

char *aio__web_make_list(struct aio__web_reading *reading, const aio_web_field *field, size_t count,
                         char *structure)
{
    size_t size = aio__web_size_of(field);
    char *items = count > SIZE_MAX / 2 / size
                      ? NULL
                      : aio_http_request_alloc(reading->request, count * size + 1);

    if (items == NULL) {
        reading->err = AIO_ENOMEM;
        return NULL;
    }
    memset(items, 0, count * size + 1);
    memcpy(structure + field->offset, &items, sizeof(items));
    memcpy(structure + field->count_offset, &count, sizeof(count));
    return items;
}

aio_web_field aio__web_item_of(const aio_web_field *field)
{
    aio_web_field item = *field;

    item.list = false;
    item.min_length = 0;
    item.max_length = 0;
    return item;
}

static void refuse_null(struct aio__web_reading *reading, const struct aio__web_place *place)
{
    aio__web_note(&reading->invalid, place, "type_error.none.not_allowed",
                  "none is not an allowed value");
}

static void read_list(struct aio__web_reading *reading, const aio_web_field *field, json_t *json,
                      const struct aio__web_place *place, char *structure)
{
    aio_web_field item = aio__web_item_of(field);
    char *items;
    json_t *value;
    size_t i;

    if (!json_is_array(json)) {
        aio__web_note(&reading->invalid, place, "type_error.list", "value is not a valid list");
        return;
    }
    aio__web_check_items(reading, field, json_array_size(json), place);
    items = aio__web_make_list(reading, field, json_array_size(json), structure);
    if (items == NULL)
        return;
    json_array_foreach(json, i, value)
    {
        struct aio__web_place at = {place, NULL, i};
        struct aio__web_given source = {value, NULL};

        if (json_is_null(value))
            refuse_null(reading, &at);
        else if (reading->err == 0)
            aio__web_read_value(reading, &item, &source, &at, items + i * aio__web_size_of(field));
    }
}

static void set_null(struct aio__web_reading *reading, const aio_web_field *field,
                     const struct aio__web_place *place, char *structure)
{
    size_t none = 0;

    if (!field->nullable) {
        refuse_null(reading, place);
        return;
    }
    memset(structure + field->offset, 0, field->list ? sizeof(void *) : aio__web_size_of(field));
    if (field->list)
        memcpy(structure + field->count_offset, &none, sizeof(none));
}

static void read_object(struct aio__web_reading *reading, const aio_web_model *model, json_t *json,
                        const struct aio__web_place *place, char *to)
{
    /* A list of pairs is one, too, for Python: of those only that without any is taken. */
    if (!json_is_object(json) && (!json_is_array(json) || json_array_size(json) > 0)) {
        aio__web_note(&reading->invalid, place, "type_error.dict", "value is not a valid dict");
        return;
    }
    for (size_t i = 0; reading->err == 0 && i < model->field_count; i++) {
        const aio_web_field *field = &model->fields[i];
        struct aio__web_place at = {place, field->name, 0};
        struct aio__web_given source = {json_object_get(json, field->name), NULL};

        if (source.json == NULL) {
            if (!field->optional)
                aio__web_note(&reading->invalid, &at, "value_error.missing", "field required");
        } else if (json_is_null(source.json)) {
            set_null(reading, field, &at, to);
        } else if (field->list) {
            read_list(reading, field, source.json, &at, to);
        } else {
            aio__web_read_value(reading, field, &source, &at, to + field->offset);
        }
    }
}

/* --- bodies ----------------------------------------------------------------------------- */

/* Look at how it is built; what it means is not asked. Gives 0, or the status that refuses it. */
static int check_shape(const char *text, size_t size)
{
    size_t depth = 0;
    size_t values = 0;
    bool in_string = false;

    for (size_t i = 0; i < size; i++) {
        if (in_string) {
            if (text[i] == '\\')
                i++;
            else if (text[i] == '"')
                in_string = false;
        } else if (text[i] == '"') {
            in_string = true;
        } else if (text[i] == '{' || text[i] == '[') {
            values++;
            if (++depth > MAX_DEPTH)
                return 400;
        } else if (text[i] == ',') {
            values++;
        } else if ((text[i] == '}' || text[i] == ']') && depth > 0) {
            depth--;
        }
        if (values > MAX_VALUES)
            return 413;
    }
    return 0;
}

/* No type at all counts as JSON, as with FastAPI; a form does not. */
static bool is_json(const aio_http_request *request)
{
    const char *type = aio_http_request_header(request, "content-type");
    size_t size = type == NULL ? 0 : strcspn(type, "; \t");

    if (type == NULL)
        return true;
    return (size == 16 && strncasecmp(type, "application/json", 16) == 0) ||
           (size > 17 && strncasecmp(type, "application/", 12) == 0 &&
            strncasecmp(type + size - 5, "+json", 5) == 0);
}

/* The body as JSON; NULL, and what is wrong is noted: it is none. */
static json_t *load_json(struct aio__web_reading *reading, const char *text, size_t size)
{
    const struct aio__web_place body = {NULL, "body", 0};
    json_error_t error;
    json_t *json;

    if (size == 0) {
        aio__web_note(&reading->invalid, &body, "value_error.missing", "field required");
        return NULL;
    }
    if (!is_json(reading->request)) {
        aio__web_note(&reading->invalid, &body, "type_error.dict", "value is not a valid dict");
        return NULL;
    }
    json = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (json == NULL && json_error_code(&error) == json_error_out_of_memory) {
        reading->err = AIO_ENOMEM;
    } else if (json == NULL) {
        struct aio__web_place at = {&body, NULL, (size_t)(error.position < 0 ? 0 : error.position)};

        aio__web_note(&reading->invalid, &at, "value_error.jsondecode",
                      "no JSON: line %d column %d (char %d)", error.line, error.column,
                      error.position);
    }
    return json;
}

int aio__web_finish_reading(struct aio__web_reading *reading)
{
    if (reading->err < 0)
        aio__bytes_free(&reading->invalid.list);
    return reading->err < 0 ? reading->err
                            : aio__web_answer_invalid(reading->request, &reading->invalid);
}

/* Have the whole body, and load it; *ret_json is NULL if something is noted against it. */
static int read_body(struct aio__web_reading *reading, json_t **ret_json)
{
    aio_http_request *request = reading->request;
    const void *text;
    size_t size;
    int status;
    int err;

    if (!request->chunked && request->content_length > MAX_JSON)
        return aio_web_abort(request, 413, NULL);
    err = aio_http_request_body(request, &text, &size);
    if (err < 0)
        return err;
    status = size > MAX_JSON ? 413 : check_shape(text, size);
    if (status == 400)
        return aio_web_abort(request, 400, "There was an error parsing the body");
    if (status != 0)
        return aio_web_abort(request, status, NULL);
    *ret_json = load_json(reading, text, size);
    return 0;
}

int aio_web_body(aio_http_request *request, const aio_web_model *model, void *ret_value)
{
    const struct aio__web_place body = {NULL, "body", 0};
    struct aio__web_reading reading = {.request = request};
    json_t *json = NULL;
    int err;

    if (request == NULL || model == NULL || ret_value == NULL)
        return aio_raise(AIO_EVALUE, "no request, no model, or nowhere to put the value");
    err = read_body(&reading, &json);
    if (err < 0)
        return err;
    if (json_is_null(json))
        aio__web_note(&reading.invalid, &body, "value_error.missing", "field required");
    else if (json != NULL)
        read_object(&reading, model, json, &body, ret_value);
    json_decref(json);
    return aio__web_finish_reading(&reading);
}

int aio_web_body_json(aio_http_request *request, json_t **ret_json)
{
    struct aio__web_reading reading = {.request = request};
    json_t *json = NULL;
    int err;

    if (request == NULL || ret_json == NULL)
        return aio_raise(AIO_EVALUE, "no request, or nowhere to put the value");
    err = read_body(&reading, &json);
    if (err == 0)
        err = aio__web_finish_reading(&reading);
    if (err == 0)
        *ret_json = json;
    return err;
}
