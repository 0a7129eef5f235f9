/* SPDX-License-Identifier: MIT */
/*
 * cookies.c - a session's jar, which is libcurl's
 *
 * The jar belongs to a share handle, and is reached through an easy handle that has it.
 */
#include "http/client/client.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* An easy handle with the jar: 0, or why not. */
static int open_jar(aio_http_session *session, CURL **ret_easy)
{
    CURL *easy;

    if (session->closed)
        return aio_raise(AIO_ECLOSED, "the session is closed");
    if (session->share == NULL)
        return aio_raise(AIO_ERUNTIME, "the session has no cookies");
    easy = curl_easy_init();
    if (easy == NULL)
        return AIO_ENOMEM;
    if (curl_easy_setopt(easy, CURLOPT_SHARE, session->share) != CURLE_OK) {
        curl_easy_cleanup(easy);
        return AIO_ENOMEM;
    }
    *ret_easy = easy;
    return 0;
}

/* Tab and line end part the fields of a jar's line; ";" ends a cookie's value. */
static bool can_be_cookie(const char *name, const char *value)
{
    return aio__httpc_is_token(name) &&
           (value == NULL || (aio__httpc_is_line(value) && strpbrk(value, ";\t") == NULL));
}

int aio_http_session_set_cookie(aio_http_session *session, const char *url, const char *name,
                                const char *value)
{
    struct aio__httpc_url parsed = {0};
    struct aio__bytes line = {0};
    CURL *easy = NULL;
    size_t room;
    int err;

    if (session == NULL)
        return aio__httpc_failure();
    if (!can_be_cookie(name, value))
        return aio_raise(AIO_EVALUE, "not a cookie's name or value");
    err = open_jar(session, &easy);
    if (err == 0)
        err = aio__httpc_url_read(&parsed, session->base.text, url, NULL, 0);
    if (err < 0)
        goto done;
    assert(parsed.host != NULL);
    /* domain, with subdomains, path, only by TLS, end (1: past, 0: with the session), name, value */
    room = strlen(parsed.host) + strlen(name) + (value == NULL ? 0 : strlen(value)) + 40;
    err = aio__bytes_reserve(&line, 1 + room);
    if (err < 0)
        goto done;
    (void)snprintf(line.data, room, "%s\tFALSE\t/\tFALSE\t%d\t%s\t%s", parsed.host,
                   value == NULL ? 1 : 0, name, value == NULL ? "" : value);
    if (curl_easy_setopt(easy, CURLOPT_COOKIELIST, line.data) != CURLE_OK)
        err = AIO_ENOMEM;
done:
    aio__bytes_free(&line);
    aio__httpc_url_free(&parsed);
    curl_easy_cleanup(easy);
    return err;
}

/* The value in a line of the jar, whose name is the last field but one; NULL: another cookie's. */
static const char *value_in(const char *line, const char *name)
{
    size_t size = strlen(name);

    for (int field = 0; field < 5; field++) {
        line = strchr(line, '\t');
        if (line == NULL)
            return NULL;
        line++;
    }
    return strncmp(line, name, size) == 0 && line[size] == '\t' ? line + size + 1 : NULL;
}

int aio_http_session_get_cookie(aio_http_session *session, const char *name, char **ret_value)
{
    struct curl_slist *list = NULL;
    const char *value = NULL;
    CURL *easy = NULL;
    int err;

    if (session == NULL)
        return aio__httpc_failure();
    if (name == NULL || ret_value == NULL)
        return aio_raise(AIO_EVALUE, "a name, and a place for the value, are needed");
    err = open_jar(session, &easy);
    if (err < 0)
        return err;
    if (curl_easy_getinfo(easy, CURLINFO_COOKIELIST, &list) != CURLE_OK)
        err = AIO_ENOMEM;
    for (const struct curl_slist *line = list; line != NULL && value == NULL; line = line->next)
        value = value_in(line->data, name);
    if (err == 0 && value == NULL)
        err = aio_raise(AIO_EKEY, "no cookie of the name %s", name);
    if (err == 0) {
        char *copy = aio_strdup(value);

        err = copy == NULL ? AIO_ENOMEM : 0;
        if (err == 0)
            *ret_value = copy;
    }
    curl_slist_free_all(list);
    curl_easy_cleanup(easy);
    return err;
}

int aio_http_session_clear_cookies(aio_http_session *session)
{
    CURL *easy = NULL;
    int err = session == NULL ? aio__httpc_failure() : open_jar(session, &easy);

    if (err < 0)
        return err;
    if (curl_easy_setopt(easy, CURLOPT_COOKIELIST, "ALL") != CURLE_OK)
        err = AIO_ENOMEM;
    curl_easy_cleanup(easy);
    return err;
}

/* The value in a Set-Cookie header, copied; NULL: memory is short. */
static char *copy_value(const char *text)
{
    size_t size = strcspn(text, ";");
    char *copy;

    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
        size--;
    if (size >= 2 && text[0] == '"' && text[size - 1] == '"') {
        text++;
        size -= 2;
    }
    copy = aio_malloc(size + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

int aio_http_response_cookie(const aio_http_response *response, const char *name, char **ret_value)
{
    size_t size = name == NULL ? 0 : strlen(name);
    const char *text = NULL;
    char *value;

    if (response == NULL || size == 0 || ret_value == NULL)
        return aio_raise(AIO_EVALUE, "a response, a name and a place for the value are needed");
    for (size_t i = 0; i < response->received_count; i++) {
        const aio_http_field *field = &response->received[i];

        if (strcasecmp(field->name, "Set-Cookie") == 0 && strncmp(field->value, name, size) == 0 &&
            field->value[size] == '=')
            text = field->value + size + 1; /* the last counts */
    }
    if (text == NULL)
        return aio_raise(AIO_EKEY, "no cookie of the name %s", name);
    value = copy_value(text);
    if (value == NULL)
        return AIO_ENOMEM;
    *ret_value = value;
    return 0;
}
