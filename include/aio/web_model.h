/* SPDX-License-Identifier: MIT */
/*
 * web_model.h - C structs that are declared once, read from JSON and queries, checked, and written
 *
 * Part of the library aioc-http.
 *
 *     struct item {                                         class Item(BaseModel):
 *         const char *name;                                     name: str
 *         double price;                                         price: float = Field(ge=0)
 *         bool offer;                                           offer: bool = False
 *     };
 *     static const aio_web_field item_fields[] = {
 *         {AIO_WEB_FIELD(struct item, name, AIO_WEB_STRING)},
 *         {AIO_WEB_FIELD(struct item, price, AIO_WEB_FLOAT), .has_minimum = true, .minimum = 0},
 *         {AIO_WEB_FIELD(struct item, offer, AIO_WEB_BOOL), .optional = true},
 *     };
 *     static const aio_web_model item_model = AIO_WEB_MODEL(struct item, item_fields);
 *
 *     struct item item = {0};
 *     int err = aio_web_body(request, &item_model, &item);
 *
 * What is read lives as long as the request. Values are converted as pydantic 1 does: "3" is an
 * integer, 3 is a string's "3". What does not fit gives 422, with all that is wrong.
 */
#ifndef AIO_WEB_MODEL_H
#define AIO_WEB_MODEL_H

#include <aio/web.h>

AIO_BEGIN_DECLS

/** What a member of a struct is. */
typedef enum aio_web_type {
    AIO_WEB_STRING, /**< const char * */
    AIO_WEB_INT,    /**< int64_t */
    AIO_WEB_FLOAT,  /**< double */
    AIO_WEB_BOOL,   /**< bool */
    AIO_WEB_OBJECT  /**< a struct of a model, in place */
} aio_web_type;

struct aio_web_model;

/** A member. Zero in a field means that nothing is asked. */
typedef struct aio_web_field {
    const char *name;
    aio_web_type type;
    size_t offset;                     /**< in the struct */
    const struct aio_web_model *model; /**< of an AIO_WEB_OBJECT */
    bool optional;                     /**< may be left out, and is then as it was before */
    bool nullable;                     /**< may be null, and is then 0, NULL, false */
    bool list; /**< the member is a pointer to so many as the size_t at count_offset says */
    size_t count_offset; /**< of a list */
    bool has_minimum;    /**< of numbers */
    bool has_maximum;
    double minimum;         /**< the least allowed */
    double maximum;         /**< the most allowed */
    bool exclusive_minimum; /**< the minimum itself is not allowed */
    bool exclusive_maximum;
    size_t min_length;          /**< of strings, in characters; of lists, in items */
    size_t max_length;          /**< 0: no limit */
    const char *const *choices; /**< the only strings allowed, ended by NULL: an Enum */
} aio_web_field;

/** A struct. */
typedef struct aio_web_model {
    size_t size; /**< of the struct */
    const aio_web_field *fields;
    size_t field_count;
} aio_web_model;

/** The beginning of a member's declaration. In C++ a whole one: what else is asked of a member, a
 *  program sets in it, a list's count too. */
#ifdef __cplusplus
#define AIO_WEB_FIELD(struct_type, member, kind)                                                   \
    AIO_VALUE(aio_web_field, AIO_SET(name, #member) AIO_SET(type, kind)                            \
                                 AIO_SET(offset, offsetof(struct_type, member)))
#else
#define AIO_WEB_FIELD(struct_type, member, kind)                                                   \
    .name = #member, .type = (kind), .offset = offsetof(struct_type, member)
/** A list's count. */
#define AIO_WEB_COUNT(struct_type, member)                                                         \
    .list = true, .count_offset = offsetof(struct_type, member)
#endif
/** The declaration of a struct, of the array of its members'. */
#define AIO_WEB_MODEL(struct_type, array)                                                          \
    {                                                                                              \
        sizeof(struct_type), (array), sizeof(array) / sizeof((array)[0])                           \
    }

/**
 * Read the JSON body into a struct.
 *
 * @param[out] ret_value  The struct; on failure some members may be set.
 * @return 0, or a negative code:
 *   AIO_HTTP_EABORT  the answer is prepared: 422 if it is no JSON, or does not fit; 413 if it is
 *                    larger than 1 MiB or has more than 50000 values; 400 if it is nested deeper
 *                    than 64
 *   and those of aio_http_request_body()
 * Suspends: until the body has come.   Cancellation point: then.
 * asyncio: none; a parameter of a pydantic model                 Since: 0.1
 */
AIO_API int aio_web_body(aio_http_request *request, const aio_web_model *model, void *ret_value);

/**
 * Read the JSON body as it is, of whatever shape.
 *
 * @param[out] ret_json  Jansson's; returned: json_decref() it. Written on success only.
 * @return As aio_web_body().
 * Suspends, cancellation point: as aio_web_body().
 * asyncio: none; starlette.requests.Request.json()               Since: 0.1
 */
AIO_API int aio_web_body_json(aio_http_request *request, struct json_t **ret_json);

/**
 * Read the query into a struct: what its names say; a list takes all values of its name.
 *
 * @return 0, AIO_HTTP_EABORT, 422 being prepared, AIO_ENOMEM.
 * asyncio: none; parameters with types                           Since: 0.1
 */
AIO_API int aio_web_params(aio_http_request *request, const aio_web_model *model, void *ret_value);

/** Where a struct's values come from. */
typedef enum aio_web_source {
    AIO_WEB_FROM_QUERY,
    AIO_WEB_FROM_PATH,    /**< the parameters of the route */
    AIO_WEB_FROM_HEADERS, /**< of a member's name, with - for _ */
    AIO_WEB_FROM_COOKIES,
    AIO_WEB_FROM_FORM /**< in the body, of either kind, without its files; an empty text that has
                           to be there counts as missing, as with FastAPI */
} aio_web_source;

/**
 * Read a struct from elsewhere in a request, as aio_web_params() does from the query. What is wrong is
 * told of one source at a time.
 *
 * @return As aio_web_params(); for a form also as aio_web_form().
 * Suspends, cancellation point: for a form, as aio_web_form().
 * asyncio: none; fastapi.Path(), Header(), Cookie(), Form()      Since: 0.1
 */
AIO_API int aio_web_read(aio_http_request *request, aio_web_source source,
                         const aio_web_model *model, void *ret_value);

/**
 * Answer with a struct as JSON.
 *
 * @param value  Borrowed. A string that is NULL is null.
 * @return As aio_web_json().
 * asyncio: none; response_model=                                 Since: 0.1
 */
AIO_API int aio_web_send(aio_http_request *request, int status, const aio_web_model *model,
                         const void *value);
/** The same with an array of structs.   Since: 0.1 */
AIO_API int aio_web_send_list(aio_http_request *request, int status, const aio_web_model *model,
                              const void *values, size_t count);

AIO_END_DECLS

#endif
