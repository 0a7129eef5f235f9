/* SPDX-License-Identifier: MIT */
/*
 * error.c - the classes of redis' errors, and which of them a server means
 *
 * A server's error begins with a word that says its kind; the names are those of Python's clients.
 */
#include "redis/redis_internal.h"

#include <string.h>

static const aio_error_class classes[] = {
    {AIO_REDIS_ERROR, 0, "RedisError", NULL},
    {AIO_REDIS_EREPLY, AIO_REDIS_ERROR, "ReplyError", NULL},
    {AIO_REDIS_EAUTH, AIO_REDIS_EREPLY, "AuthError", NULL},
    {AIO_REDIS_ENOPERM, AIO_REDIS_EREPLY, "NoPermissionError", NULL},
    {AIO_REDIS_EMAXCLIENTS, AIO_REDIS_EREPLY, "MaxClientsError", NULL},
    {AIO_REDIS_ENOSCRIPT, AIO_REDIS_EREPLY, "NoScriptError", NULL},
    {AIO_REDIS_EREADONLY, AIO_REDIS_EREPLY, "ReadOnlyError", NULL},
    {AIO_REDIS_ELOADING, AIO_REDIS_EREPLY, "BusyLoadingError", NULL},
    {AIO_REDIS_EOOM, AIO_REDIS_EREPLY, "OutOfMemoryError", NULL},
    {AIO_REDIS_EEXECABORT, AIO_REDIS_EREPLY, "ExecAbortError", NULL},
    {AIO_REDIS_EMOVED, AIO_REDIS_EREPLY, "MovedError", NULL},
    {AIO_REDIS_EASK, AIO_REDIS_EREPLY, "AskError", NULL},
    {AIO_REDIS_EWRONGTYPE, AIO_REDIS_EREPLY, "WrongTypeError", NULL},
    {AIO_REDIS_EPIPELINE, AIO_REDIS_ERROR, "PipelineError", "a command failed"},
    {AIO_REDIS_EWATCH, AIO_REDIS_ERROR, "WatchVariableError", "a watched key has changed"},
    {AIO_REDIS_EPROTOCOL, AIO_REDIS_ERROR, "ProtocolError", "not redis' protocol"},
    {AIO_REDIS_ECLOSED, AIO_REDIS_ERROR, "ConnectionClosedError", "the connection is closed"},
    {0, 0, NULL, NULL},
};

void aio__redis_register_errors(void)
{
    (void)aio_error_register(classes); /* what is not registered has plainer names */
}

int aio__redis_code_of(const char *text, size_t size)
{
    static const struct {
        const char *start;
        int code;
    } kinds[] = {
        {"NOAUTH ", AIO_REDIS_EAUTH},
        {"WRONGPASS ", AIO_REDIS_EAUTH},
        {"ERR invalid password", AIO_REDIS_EAUTH},
        {"ERR AUTH ", AIO_REDIS_EAUTH},
        {"ERR Client sent AUTH, but no password is set", AIO_REDIS_EAUTH},
        {"NOPERM ", AIO_REDIS_ENOPERM},
        {"ERR max number of clients reached", AIO_REDIS_EMAXCLIENTS},
        {"NOSCRIPT ", AIO_REDIS_ENOSCRIPT},
        {"READONLY ", AIO_REDIS_EREADONLY},
        {"LOADING ", AIO_REDIS_ELOADING},
        {"OOM ", AIO_REDIS_EOOM},
        {"EXECABORT ", AIO_REDIS_EEXECABORT},
        {"MOVED ", AIO_REDIS_EMOVED},
        {"ASK ", AIO_REDIS_EASK},
        {"WRONGTYPE ", AIO_REDIS_EWRONGTYPE},
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t length = strlen(kinds[i].start);

        if (size >= length && memcmp(text, kinds[i].start, length) == 0)
            return kinds[i].code;
    }
    return AIO_REDIS_EREPLY;
}

int aio__redis_raise_reply(const aio_redis_reply *reply)
{
    return aio_raise(aio__redis_code_of(reply->text, reply->size), "%s", reply->text);
}
