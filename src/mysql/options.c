/* SPDX-License-Identifier: MIT */
/*
 * options.c - options of a connection: copied, with the defaults filled in
 */
#include "mysql/mysql_internal.h"

#include <aio/memory.h>
#include <math.h>
#include <string.h>

enum { DEFAULT_PORT = 3306, CONNECT_SECONDS = 10 };

/* Any of them may be a secret. */
static void free_text(const char *text)
{
    if (text != NULL)
        explicit_bzero((char *)(uintptr_t)text, strlen(text));
    aio_free((char *)(uintptr_t)text);
}

void aio__mysql_options_free(aio_mysql_options *options)
{
    if (options == NULL)
        return;
    free_text(options->host);
    free_text(options->unix_socket);
    free_text(options->user);
    free_text(options->password);
    free_text(options->db);
    free_text(options->charset);
    free_text(options->ssl_ca);
    free_text(options->ssl_cert);
    free_text(options->ssl_key);
    free_text(options->init_command);
    aio_free(options);
}

static int check(const aio_mysql_options *options)
{
    if (options->size != sizeof(*options))
        return aio_raise(AIO_EVALUE, "aio_mysql_options of another size");
    if (options->port < 0 || options->port > 65535)
        return aio_raise(AIO_EVALUE, "a port from 1 to 65535 is needed, not %d", options->port);
    if (isnan(options->connect_timeout) || options->connect_timeout < 0 ||
        isnan(options->timeout) || options->timeout < 0)
        return aio_raise(AIO_EVALUE, "a timeout is a positive number of seconds");
    if (options->ssl != AIO_MYSQL_SSL_OFF && options->ssl != AIO_MYSQL_SSL_VERIFY &&
        options->ssl != AIO_MYSQL_SSL_NO_VERIFY)
        return aio_raise(AIO_EVALUE, "%d is no way to use TLS", (int)options->ssl);
    return 0;
}

static bool copy_text(const char **place, const char *text, const char *instead)
{
    if (text == NULL)
        text = instead;
    *place = text == NULL ? NULL : aio_strdup(text);
    return text == NULL || *place != NULL;
}

int aio__mysql_options_copy(const aio_mysql_options *options, aio_mysql_options **ret_copy)
{
    static const aio_mysql_options defaults = AIO_MYSQL_OPTIONS_INIT;
    aio_mysql_options *copy;
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
    copy->autocommit = options->autocommit;
    copy->ssl = options->ssl;
    copy->connect_timeout =
        options->connect_timeout > 0 ? options->connect_timeout : CONNECT_SECONDS;
    copy->timeout = options->timeout > 0 ? options->timeout : AIO_FOREVER;
    if (!copy_text(&copy->host, options->host, "localhost") ||
        !copy_text(&copy->unix_socket, options->unix_socket, NULL) ||
        !copy_text(&copy->user, options->user, NULL) ||
        !copy_text(&copy->password, options->password, NULL) ||
        !copy_text(&copy->db, options->db, NULL) ||
        !copy_text(&copy->charset, options->charset, "utf8mb4") ||
        !copy_text(&copy->ssl_ca, options->ssl_ca, NULL) ||
        !copy_text(&copy->ssl_cert, options->ssl_cert, NULL) ||
        !copy_text(&copy->ssl_key, options->ssl_key, NULL) ||
        !copy_text(&copy->init_command, options->init_command, NULL)) {
        aio__mysql_options_free(copy);
        return AIO_ENOMEM;
    }
    *ret_copy = copy;
    return 0;
}
