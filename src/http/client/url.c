/* SPDX-License-Identifier: MIT */
/*
 * url.c - URLs taken apart, by libcurl's own parser
 *
 * The same parser everywhere: nothing is looked up, compared or sent that another reading of the
 * text would find elsewhere. User and password leave the text at once, so that no message has them.
 */
#include "http/client/client.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_REMEMBERED = 1024 }; /* bytes of a URL */

void aio__httpc_url_free(struct aio__httpc_url *url)
{
    aio_free(url->text);
    aio_free(url->shown);
    aio_free(url->origin);
    aio_free(url->host);
    if (url->password != NULL)
        explicit_bzero(url->password, strlen(url->password));
    aio_free(url->user);
    aio_free(url->password);
    *url = (struct aio__httpc_url){0};
}

/* The message has no part of the text: it may hold a password. */
static int bad_url(CURLUcode why)
{
    if (why == CURLUE_OUT_OF_MEMORY)
        return AIO_ENOMEM;
    return aio_raise(AIO_EVALUE, "not a URL: %s", curl_url_strerror(why));
}

/* A part that every URL has, as a text of ours. */
static int take_part(CURLU *parsed, CURLUPart part, char **ret_text)
{
    char *text = NULL;
    CURLUcode why = curl_url_get(parsed, part, &text, 0);

    if (why != CURLUE_OK || text == NULL)
        return bad_url(why);
    *ret_text = aio_strdup(text);
    curl_free(text);
    return *ret_text == NULL ? AIO_ENOMEM : 0;
}

/* User or password, decoded; NULL where there is none. */
static int take_secret(CURLU *parsed, CURLUPart part, char **ret_text)
{
    char *text = NULL;
    CURLUcode why = curl_url_get(parsed, part, &text, CURLU_URLDECODE);

    if (why == CURLUE_NO_USER || why == CURLUE_NO_PASSWORD)
        return 0;
    if (why != CURLUE_OK)
        return bad_url(why);
    *ret_text = aio_strdup(text);
    explicit_bzero(text, strlen(text));
    curl_free(text);
    return *ret_text == NULL ? AIO_ENOMEM : 0;
}

static int take_credentials(CURLU *parsed, struct aio__httpc_url *url)
{
    int err = take_secret(parsed, CURLUPART_USER, &url->user);

    if (err == 0)
        err = take_secret(parsed, CURLUPART_PASSWORD, &url->password);
    (void)curl_url_set(parsed, CURLUPART_USER, NULL, 0);
    (void)curl_url_set(parsed, CURLUPART_PASSWORD, NULL, 0);
    return err;
}

/* "https://host:port", from the text, the host and the port. */
static int make_origin(struct aio__httpc_url *url)
{
    size_t scheme;
    size_t size;

    assert(url->text != NULL && url->host != NULL);
    scheme = strcspn(url->text, ":");
    size = scheme + strlen(url->host) + sizeof("://:65535");
    url->origin = aio_malloc(size);
    if (url->origin == NULL)
        return AIO_ENOMEM;
    (void)snprintf(url->origin, size, "%.*s://%s:%u", (int)scheme, url->text, url->host, url->port);
    return 0;
}

/* The text up to the query. */
static int make_shown(struct aio__httpc_url *url)
{
    size_t size = strcspn(url->text, "?");

    url->shown = aio_malloc(size + 1);
    if (url->shown == NULL)
        return AIO_ENOMEM;
    memcpy(url->shown, url->text, size);
    url->shown[size] = '\0';
    return 0;
}

static int take_port(CURLU *parsed, struct aio__httpc_url *url)
{
    char *port = NULL;
    CURLUcode why = curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);

    if (why != CURLUE_OK)
        return bad_url(why);
    url->port = (unsigned)strtoul(port, NULL, 10);
    curl_free(port);
    return 0;
}

/* Each step costs some microseconds: those that most URLs need not are left out. */
static int take_apart(CURLU *parsed, const char *given, struct aio__httpc_url *url)
{
    int err = strchr(given, '@') == NULL ? 0 : take_credentials(parsed, url);

    if (strchr(given, '#') != NULL)
        (void)curl_url_set(parsed, CURLUPART_FRAGMENT, NULL, 0);
    if (err == 0)
        err = take_part(parsed, CURLUPART_URL, &url->text);
    if (err == 0)
        err = take_part(parsed, CURLUPART_HOST, &url->host);
    if (err == 0)
        err = take_port(parsed, url);
    if (err == 0)
        err = make_origin(url);
    if (err == 0)
        err = make_shown(url);
    url->is_tls = err == 0 && strncmp(url->text, "https:", 6) == 0;
    return err;
}

static int add_params(CURLU *parsed, const aio_http_field *params, size_t count)
{
    CURLUcode why = CURLUE_OK;
    int err = 0;

    if (count > 0 && params == NULL)
        return aio_raise(AIO_EVALUE, "%zu params are announced, and none given", count);
    for (size_t i = 0; i < count && err == 0 && why == CURLUE_OK; i++) {
        struct aio__bytes pair = {0};

        if (params[i].name == NULL || params[i].value == NULL)
            return aio_raise(AIO_EVALUE, "param %zu has no name, or no value", i);
        err = aio__httpc_form_encode(&params[i], 1, &pair);
        /* Encoded before: libcurl would keep a "&" of the value as it is. */
        if (err == 0)
            why = curl_url_set(parsed, CURLUPART_QUERY, pair.data, CURLU_APPENDQUERY);
        aio__bytes_free(&pair);
    }
    return err < 0 ? err : why == CURLUE_OK ? 0 : bad_url(why);
}

/* A host written as "%34" is read as "4", and that the next time as the address 0.0.0.4: libcurl
 * would go elsewhere than we say. */
static int check_host(const struct aio__httpc_url *url)
{
    CURLU *parsed = curl_url();
    char *host = NULL;
    int err;

    if (parsed == NULL)
        return AIO_ENOMEM;
    err = curl_url_set(parsed, CURLUPART_URL, url->text, 0) == CURLUE_OK
              ? take_part(parsed, CURLUPART_HOST, &host)
              : AIO_EVALUE;
    curl_url_cleanup(parsed);
    assert(err < 0 || host != NULL);
    if (err == AIO_EVALUE || (err == 0 && strcmp(host, url->host) != 0))
        err = aio_raise(AIO_EVALUE, "not a URL: its host can be read in two ways");
    aio_free(host);
    return err;
}

static bool is_absolute(const char *text)
{
    return strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0;
}

int aio__httpc_url_read(struct aio__httpc_url *url, const char *base, const char *text,
                        const aio_http_field *params, size_t param_count)
{
    struct aio__httpc_url found = {0};
    CURLUcode why = CURLUE_OK;
    CURLU *parsed;
    int err = 0;

    if (text == NULL)
        return aio_raise(AIO_EVALUE, "a URL is needed, not NULL");
    parsed = curl_url();
    if (parsed == NULL)
        return AIO_ENOMEM;
    if (base != NULL && !is_absolute(text))
        why = curl_url_set(parsed, CURLUPART_URL, base, 0);
    if (why == CURLUE_OK)
        why = curl_url_set(parsed, CURLUPART_URL, text, CURLU_URLENCODE | CURLU_NON_SUPPORT_SCHEME);
    err = why == CURLUE_OK ? add_params(parsed, params, param_count) : bad_url(why);
    if (err == 0)
        err = take_apart(parsed, text, &found);
    assert(err < 0 || found.text != NULL);
    if (err == 0 && !is_absolute(found.text))
        err = aio_raise(AIO_EVALUE, "a URL of http or https, not of %.*s",
                        (int)strcspn(found.text, ":"), found.text);
    if (err == 0 && strchr(text, '%') != NULL)
        err = check_host(&found);
    curl_url_cleanup(parsed);
    if (err < 0) {
        aio__httpc_url_free(&found);
        return err;
    }
    aio__httpc_url_free(url);
    *url = found;
    return 0;
}

static int copy_text(char **ret_copy, const char *text)
{
    if (text == NULL)
        return 0;
    *ret_copy = aio_strdup(text);
    return *ret_copy == NULL ? AIO_ENOMEM : 0;
}

/* Of one without user and password. */
static int copy_url(struct aio__httpc_url *copy, const struct aio__httpc_url *url)
{
    struct aio__httpc_url made = {.port = url->port, .is_tls = url->is_tls};
    int err = copy_text(&made.text, url->text);

    if (err == 0)
        err = copy_text(&made.shown, url->shown);
    if (err == 0)
        err = copy_text(&made.origin, url->origin);
    if (err == 0)
        err = copy_text(&made.host, url->host);
    if (err < 0) {
        aio__httpc_url_free(&made);
        return err;
    }
    aio__httpc_url_free(copy);
    *copy = made;
    return 0;
}

/* Note what a text was read as. Not to have memory for it costs time alone. */
static void remember(aio_http_session *session, const char *text, const struct aio__httpc_url *url)
{
    char *copy;

    if (url->user != NULL || url->password != NULL || strlen(text) > MAX_REMEMBERED)
        return;
    copy = aio_strdup(text);
    if (copy == NULL || copy_url(&session->last, url) < 0) {
        aio_free(copy);
        return;
    }
    aio_free(session->last_text);
    session->last_text = copy;
}

int aio__httpc_url_read_again(aio_http_session *session, struct aio__httpc_url *url,
                              const char *text, const aio_http_field *params, size_t param_count)
{
    int err;

    if (text != NULL && param_count == 0 && session->last_text != NULL &&
        strcmp(session->last_text, text) == 0)
        return copy_url(url, &session->last);
    err = aio__httpc_url_read(url, session->base.text, text, params, param_count);
    assert(err < 0 || text != NULL);
    if (err == 0 && param_count == 0)
        remember(session, text, url);
    return err;
}

static bool is_proxy_scheme(const char *scheme)
{
    static const char *const schemes[] = {"http",    "https",  "socks4",
                                          "socks4a", "socks5", "socks5h"};

    for (size_t i = 0; scheme != NULL && i < sizeof(schemes) / sizeof(schemes[0]); i++)
        if (strcmp(scheme, schemes[i]) == 0)
            return true;
    return false;
}

/* Port 1080 where libcurl knows of no other. */
static int default_port(CURLU *parsed)
{
    char *port = NULL;

    if (curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
        curl_free(port);
        return 0;
    }
    return curl_url_set(parsed, CURLUPART_PORT, "1080", 0) == CURLUE_OK ? 0 : AIO_ENOMEM;
}

int aio__httpc_url_read_proxy(struct aio__httpc_url *url, const char *text)
{
    struct aio__httpc_url found = {0};
    CURLU *parsed = curl_url();
    char *scheme = NULL;
    CURLUcode why;
    int err;

    if (parsed == NULL)
        return AIO_ENOMEM;
    why = curl_url_set(parsed, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
    err = why == CURLUE_OK ? take_part(parsed, CURLUPART_SCHEME, &scheme) : bad_url(why);
    if (err == 0 && !is_proxy_scheme(scheme))
        err = aio_raise(AIO_EVALUE, "a proxy of http, https or socks, not of %s", scheme);
    if (err == 0)
        err = default_port(parsed);
    if (err == 0)
        err = take_apart(parsed, text, &found);
    aio_free(scheme);
    curl_url_cleanup(parsed);
    if (err < 0) {
        aio__httpc_url_free(&found);
        return err;
    }
    *url = found;
    return 0;
}
