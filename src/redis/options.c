/* SPDX-License-Identifier: MIT */
/*
 * options.c - options of a connection: copied, with the URL taken apart and the defaults filled in
 *
 * No error repeats a URL: there may be a password in it.
 */
#include "redis/redis_internal.h"

#include <aio/memory.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_PORT = 6379, CONNECT_SECONDS = 30, MAX_PENDING = 65536 };
#define MAX_REPLY ((size_t)64 << 20)

/* Any of them may be a secret. */
static void free_text(const char *text)
{
    if (text != NULL)
        explicit_bzero((char *)(uintptr_t)text, strlen(text));
    aio_free((char *)(uintptr_t)text);
}

void aio__redis_options_free(aio_redis_options *options)
{
    if (options == NULL)
        return;
    free_text(options->host);
    free_text(options->path);
    free_text(options->username);
    free_text(options->password);
    free_text(options->client_name);
    free_text(options->server_hostname);
    aio_tls_context_unref(options->tls);
    aio_free(options);
}

/* Put a copy in the place of another text; 0 or AIO_ENOMEM. NULL: leave what is there. */
static int replace(const char **place, const char *text)
{
    char *copy;

    if (text == NULL)
        return 0;
    copy = aio_strdup(text);
    if (copy == NULL)
        return AIO_ENOMEM;
    free_text(*place);
    *place = copy;
    return 0;
}

/* --- the URL --------------------------------------------------------------------------------- */

static int bad_url(const char *what)
{
    return aio_raise(AIO_EVALUE, "a URL of redis has %s", what);
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Some bytes of the URL with their %XX read, in the place of a text. An empty one is none. */
static int replace_part(const char **place, const char *start, size_t size)
{
    size_t length = 0;
    char *copy;

    if (size == 0)
        return 0;
    copy = aio_malloc(size + 1);
    if (copy == NULL)
        return AIO_ENOMEM;
    for (size_t i = 0; i < size; i++) {
        char c = start[i];

        if (c == '%') {
            int high = i + 2 < size ? digit_of(start[i + 1]) : -1;
            int low = i + 2 < size ? digit_of(start[i + 2]) : -1;

            if (high < 0 || low < 0 || (high == 0 && low == 0)) {
                explicit_bzero(copy, length);
                aio_free(copy);
                return bad_url("a % that is not followed by a byte");
            }
            c = (char)(high << 4 | low);
            i += 2;
        }
        copy[length++] = c;
    }
    copy[length] = '\0';
    free_text(*place);
    *place = copy;
    return 0;
}

static int read_number(const char *start, size_t size, int most, int *ret_number)
{
    int number = 0;

    if (size == 0 || size > 9)
        return bad_url("a number out of bounds");
    for (size_t i = 0; i < size; i++) {
        if (!isdigit((unsigned char)start[i]))
            return bad_url("something else where a number should be");
        number = 10 * number + (start[i] - '0');
    }
    if (number > most)
        return bad_url("a number out of bounds");
    *ret_number = number;
    return 0;
}

/* HOST[:PORT], the host in brackets if it is of IPv6. */
static int read_host(aio_redis_options *options, const char *start, size_t size)
{
    const char *end = start + size;
    const char *close = *start == '[' ? memchr(start, ']', size) : NULL;
    const char *colon =
        memchr(close == NULL ? start : close, ':', (size_t)(end - (close == NULL ? start : close)));
    int err;

    if (*start == '[' && close == NULL)
        return bad_url("an address without its end");
    if (close != NULL)
        err = replace_part(&options->host, start + 1, (size_t)(close - start) - 1);
    else
        err = replace_part(&options->host, start, (size_t)((colon == NULL ? end : colon) - start));
    if (err == 0 && colon != NULL)
        err = read_number(colon + 1, (size_t)(end - colon) - 1, 65535, &options->port);
    return err;
}

/* [USER]:PASSWORD. A password that the options have goes before this one. */
static int read_user(aio_redis_options *options, const char *start, size_t size)
{
    const char *colon = memchr(start, ':', size);
    size_t length = colon == NULL ? size : (size_t)(colon - start);
    int err = replace_part(&options->username, start, length);

    if (err < 0 || colon == NULL || options->password != NULL)
        return err;
    return replace_part(&options->password, colon + 1, size - length - 1);
}

/* What follows "redis://": [USER@]HOST[:PORT][/DB]. */
static int read_authority(aio_redis_options *options, const char *rest)
{
    size_t size = strcspn(rest, "/?#");
    const char *slash = rest + size;
    const char *at = memrchr(rest, '@', size);
    int err = 0;

    if (*slash == '?' || (*slash == '/' && strpbrk(slash, "?#") != NULL))
        return bad_url("parameters that are not known");
    if (at != NULL) {
        err = read_user(options, rest, (size_t)(at - rest));
        size -= (size_t)(at - rest) + 1;
        rest = at + 1;
    }
    if (err == 0 && size > 0)
        err = read_host(options, rest, size);
    if (err == 0 && *slash == '/' && slash[1] != '\0')
        err = read_number(slash + 1, strlen(slash + 1), 1 << 20, &options->db);
    return err;
}

/* What follows "unix://": [USER@]PATH[?db=DB]. */
static int read_path(aio_redis_options *options, const char *rest)
{
    size_t size = strcspn(rest, "?");
    const char *query = rest + size;
    const char *slash = memchr(rest, '/', size);
    const char *at = slash == NULL ? NULL : memrchr(rest, '@', (size_t)(slash - rest));
    int err = 0;

    if (slash == NULL)
        return bad_url("no absolute path of a socket");
    if (at != NULL) {
        err = read_user(options, rest, (size_t)(at - rest));
        size -= (size_t)(slash - rest);
        rest = slash;
    }
    if (err == 0)
        err = replace_part(&options->path, rest, size);
    if (err == 0 && *query == '?' && strncmp(query, "?db=", 4) != 0)
        err = bad_url("parameters that are not known");
    if (err == 0 && *query == '?')
        err = read_number(query + 4, strlen(query + 4), 1 << 20, &options->db);
    return err;
}

static int read_url(aio_redis_options *options, const char *url)
{
    if (strncmp(url, "redis://", 8) == 0)
        return read_authority(options, url + 8);
    if (strncmp(url, "unix://", 7) == 0)
        return read_path(options, url + 7);
    if (strncmp(url, "rediss://", 9) != 0)
        return bad_url("another scheme than redis, rediss or unix");
    if (options->tls == NULL)
        options->tls = aio_tls_context_new(AIO_TLS_CLIENT);
    if (options->tls == NULL)
        return aio_last_failure();
    return read_authority(options, url + 9);
}

/* --- all of them ------------------------------------------------------------------------------ */

static int check(const aio_redis_options *options)
{
    if (options->size != sizeof(*options))
        return aio_raise(AIO_EVALUE, "aio_redis_options of another size");
    if (options->port < 0 || options->port > 65535)
        return aio_raise(AIO_EVALUE, "a port from 1 to 65535 is needed, not %d", options->port);
    if (options->db < 0)
        return aio_raise(AIO_EVALUE, "a database from 0 on is needed, not %d", options->db);
    if (isnan(options->connect_timeout) || options->connect_timeout < 0 ||
        isnan(options->timeout) || options->timeout < 0)
        return aio_raise(AIO_EVALUE, "a timeout is a positive number of seconds");
    return 0;
}

static int copy_texts(const aio_redis_options *from, aio_redis_options *to)
{
    int err = replace(&to->host, from->host);

    if (err == 0)
        err = replace(&to->path, from->path);
    if (err == 0)
        err = replace(&to->username, from->username);
    if (err == 0)
        err = replace(&to->password, from->password);
    if (err == 0)
        err = replace(&to->client_name, from->client_name);
    if (err == 0)
        err = replace(&to->server_hostname, from->server_hostname);
    if (err == 0 && from->url != NULL)
        err = read_url(to, from->url);
    if (err == 0 && to->host == NULL)
        err = replace(&to->host, "localhost");
    return err;
}

int aio__redis_options_copy(const aio_redis_options *options, aio_redis_options **ret_copy)
{
    static const aio_redis_options defaults = AIO_REDIS_OPTIONS_INIT;
    aio_redis_options *copy;
    int err;

    if (options == NULL)
        options = &defaults;
    err = check(options);
    if (err < 0)
        return err;
    copy = aio_calloc(1, sizeof(*copy));
    if (copy == NULL)
        return AIO_ENOMEM;
    copy->size = sizeof(*copy);
    copy->port = options->port > 0 ? options->port : DEFAULT_PORT;
    copy->db = options->db;
    copy->tls = options->tls == NULL ? NULL : aio_tls_context_ref(options->tls);
    copy->connect_timeout =
        options->connect_timeout > 0 ? options->connect_timeout : CONNECT_SECONDS;
    copy->timeout = options->timeout > 0 ? options->timeout : AIO_FOREVER;
    copy->max_reply_size = options->max_reply_size > 0 ? options->max_reply_size : MAX_REPLY;
    copy->max_pending = options->max_pending > 0 ? options->max_pending : MAX_PENDING;
    err = copy_texts(options, copy);
    if (err < 0) {
        aio__redis_options_free(copy);
        return err;
    }
    *ret_copy = copy;
    return 0;
}
