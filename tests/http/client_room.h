/* SPDX-License-Identifier: MIT */
/*
 * client_room.h - for tests of the HTTP client: requests to the services, in a room
 */
#ifndef TESTS_HTTP_CLIENT_ROOM_H
#define TESTS_HTTP_CLIENT_ROOM_H

#include "support/allocation.h"
#include "support/room.h"
#include "support/service.h"

#include <aio/http_client.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What the build can decompress beside gzip and deflate, as a request asks for it. */
#ifdef AIO__BROTLI
#define BROTLI ", br"
#else
#define BROTLI ""
#endif
#ifdef AIO__ZSTD
#define ZSTD ", zstd"
#else
#define ZSTD ""
#endif

/* The URL of a path of a service: "ORIGIN". The buffer is the next of a few. */
static inline const char *url_of(const char *name, const char *path)
{
    static char buffers[8][300];
    static unsigned next;
    char *buffer = buffers[next++ % COUNT_OF(buffers)];

    (void)snprintf(buffer, sizeof(buffers[0]), "%s%s", service_info(name), path);
    return buffer;
}

/* Of the origin. */
static inline const char *at(const char *path)
{
    return url_of("ORIGIN", path);
}

/* Ask, and read the body as text, which is the caller's to free. */
static inline int fetch(aio_http_session *session, const char *method, const char *url,
                        const aio_http_request_options *options, int *ret_status, char **ret_text)
{
    AIO_AUTO(aio_http_response) response = NULL;
    const char *text = NULL;
    int err = aio_http_session_request(session, method, url, options, &response);

    if (err == 0)
        err = aio_http_response_text(response, &text);
    if (err < 0)
        return err;
    if (ret_status != NULL)
        *ret_status = aio_http_response_status_code(response);
    if (ret_text != NULL) {
        *ret_text = strdup(text);
        if (*ret_text == NULL)
            return AIO_ENOMEM;
    }
    return 0;
}

/* What /echo says of a request; Jansson's, the caller's. */
static inline int echo(aio_http_session *session, const char *method, const char *path,
                       const aio_http_request_options *options, json_t **ret_said)
{
    AIO_AUTO(aio_http_response) response = NULL;
    int err = aio_http_session_request(session, method, at(path), options, &response);

    return err < 0 ? err : aio_http_response_json(response, ret_said);
}

/* A member of it, or a header. */
static inline const char *said_of(const json_t *said, const char *name)
{
    const char *text = json_string_value(json_object_get(said, name));

    if (text == NULL)
        text = json_string_value(json_object_get(json_object_get(said, "headers"), name));
    return text == NULL ? "" : text;
}

/* Ask /echo, or what leads there, and check what it says. */
static inline int said_is(aio_http_session *session, const char *method, const char *path,
                          const aio_http_request_options *options, const char *name,
                          const char *value)
{
    json_t *said = NULL;
    int err = 0;

    TRY(echo(session, method, path, options, &said));
    if (strcmp(said_of(said, name), value) != 0)
        err =
            aio_raise(AIO_EASSERTION, "%s is \"%s\", not \"%s\"", name, said_of(said, name), value);
    json_decref(said);
    return err;
}

#endif
