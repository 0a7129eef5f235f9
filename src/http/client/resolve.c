/* SPDX-License-Identifier: MIT */
/*
 * resolve.c - names looked up by the library's resolver, for libcurl
 *
 * libcurl's own resolver takes a thread a name. It is told the addresses instead: an answer is
 * handed to it with the request, stays in its cache for a minute, and is asked for anew by the
 * first request after some seconds. Tasks that want the same name at the same time share one
 * question, and its failure.
 */
#include "http/client/client.h"

#include <aio/dns.h>
#include <aio/error.h>
#include <aio/memory.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define FRESH_FOR 10.0 /* seconds that an answer is used */
#define TOLD_FOR  30.0 /* that libcurl surely remembers it, of 60 */
enum { MOST_NAMES = 256, MOST_ADDRESSES = 16, MOST_KEY = 253 + sizeof(":65535") };

struct name {
    struct aio__httpc_link link; /* in the session's */
    aio_lock *lock;              /* held by who asks */
    struct aio__bytes line;      /* "+host:port:address,address" */
    unsigned answers;            /* counts them */
    unsigned users;              /* tasks that hold it */
    int code;                    /* the last answer's */
    double fresh_until;
    double told_until;
    char key[]; /* "host:port" */
};

static void free_name(struct name *name)
{
    aio__httpc_link_remove(&name->link);
    aio__bytes_free(&name->line);
    aio_lock_unref(name->lock);
    aio_free(name);
}

void aio__httpc_names_free(aio_http_session *session)
{
    struct aio__httpc_link *next;

    for (struct aio__httpc_link *link = session->names.next; link != &session->names; link = next) {
        struct name *name = aio__httpc_of(link, struct name, link);

        next = link->next;
        if (name->users == 0)
            free_name(name);
    }
}

static void forget_old_names(aio_http_session *session)
{
    double now = aio_loop_time(session->loop);
    struct aio__httpc_link *next;

    for (struct aio__httpc_link *link = session->names.next; link != &session->names; link = next) {
        struct name *name = aio__httpc_of(link, struct name, link);

        next = link->next;
        if (name->users == 0 && name->fresh_until <= now) {
            free_name(name);
            session->name_count--;
        }
    }
}

static struct name *find_name(const aio_http_session *session, const char *key)
{
    for (struct aio__httpc_link *link = session->names.next; link != &session->names;
         link = link->next) {
        struct name *name = aio__httpc_of(link, struct name, link);

        if (strcmp(name->key, key) == 0)
            return name;
    }
    return NULL;
}

static struct name *add_name(aio_http_session *session, const char *key)
{
    size_t size = strlen(key) + 1;
    struct name *name;

    if (session->name_count >= MOST_NAMES)
        forget_old_names(session);
    name = aio_calloc(1, sizeof(*name) + size);
    if (name == NULL)
        return NULL;
    aio__httpc_link_init(&name->link);
    memcpy(name->key, key, size);
    name->lock = aio_lock_new();
    if (name->lock == NULL) {
        aio_free(name);
        return NULL;
    }
    session->name_count++;
    aio__httpc_link_append(&session->names, &name->link);
    return name;
}

static int add_address(struct aio__bytes *line, const struct addrinfo *found, bool is_first)
{
    char text[INET6_ADDRSTRLEN + 3];
    int err;

    if (found->ai_family == AF_INET6) {
        const struct sockaddr_in6 *address = (const struct sockaddr_in6 *)(void *)found->ai_addr;

        text[0] = '[';
        if (inet_ntop(AF_INET6, &address->sin6_addr, text + 1, INET6_ADDRSTRLEN) == NULL)
            return 0;
        (void)strcat(text, "]");
    } else {
        const struct sockaddr_in *address = (const struct sockaddr_in *)(void *)found->ai_addr;

        if (inet_ntop(AF_INET, &address->sin_addr, text, sizeof(text)) == NULL)
            return 0;
    }
    err = is_first ? 0 : aio__httpc_add(line, ",", 1);
    return err < 0 ? err : aio__httpc_add_text(line, text);
}

static int ask(aio_http_session *session, struct name *name, const char *host)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct aio__bytes line = {0};
    struct addrinfo *list = NULL;
    int count = 0;
    int err = aio_loop_getaddrinfo(session->loop, host, NULL, &hints, &list);

    if (err < 0)
        return err;
    err = aio__httpc_add_text(&line, "+");
    if (err == 0)
        err = aio__httpc_add_text(&line, name->key);
    if (err == 0)
        err = aio__httpc_add_text(&line, ":");
    for (const struct addrinfo *found = list; found != NULL && err == 0 && count < MOST_ADDRESSES;
         found = found->ai_next)
        if (found->ai_family == AF_INET || found->ai_family == AF_INET6)
            err = add_address(&line, found, count++ == 0);
    aio_freeaddrinfo(list);
    if (err < 0) {
        aio__bytes_free(&line);
        return err;
    }
    aio__bytes_free(&name->line);
    name->line = line;
    name->told_until = 0;
    name->fresh_until = aio_loop_time(session->loop) + FRESH_FOR;
    return 0;
}

/* Make an answer that is fresh. */
static int renew(aio_http_session *session, struct name *name, const char *host)
{
    unsigned answers = name->answers;
    int err;

    if (name->fresh_until > aio_loop_time(session->loop))
        return 0;
    err = aio_lock_acquire(name->lock);
    if (err < 0)
        return err;
    if (name->answers != answers && name->code < 0) {
        err = name->code; /* asked and failed while this task waited */
    } else if (name->fresh_until <= aio_loop_time(session->loop)) {
        err = ask(session, name, host);
        if (err != AIO_ECANCELLED && err != AIO_EGENERATOREXIT) {
            name->answers++;
            name->code = err;
        }
    }
    (void)aio_lock_release(name->lock);
    return err;
}

/* What libcurl takes as it is: addresses; and names that are not ASCII, which it encodes in a way
 * that we do not know (asking it, by CURLU_PUNYCODE, leaks memory in 7.88). */
static bool is_left_to_libcurl(const char *host)
{
    struct in_addr address;

    for (const char *at = host; *at != '\0'; at++)
        if ((unsigned char)*at >= 0x80)
            return true;
    return host[0] == '[' || inet_aton(host, &address) != 0;
}

int aio__httpc_resolve(aio_http_session *session, const char *host, unsigned port,
                       struct curl_slist **list)
{
    char key[MOST_KEY];
    struct curl_slist *longer;
    struct name *name;
    int err;

    if (is_left_to_libcurl(host))
        return 0;
    if (snprintf(key, sizeof(key), "%s:%u", host, port) >= (int)sizeof(key))
        return AIO_EAI_NONAME;
    name = find_name(session, key);
    if (name == NULL)
        name = add_name(session, key);
    if (name == NULL)
        return AIO_ENOMEM;
    name->users++;
    err = renew(session, name, host);
    name->users--;
    if (err == 0 && name->told_until <= aio_loop_time(session->loop)) {
        longer = curl_slist_append(*list, name->line.data);
        if (longer != NULL)
            *list = longer;
        err = longer == NULL ? AIO_ENOMEM : 0;
        name->told_until = aio_loop_time(session->loop) + TOLD_FOR;
    }
    if (session->closed && name->users == 0)
        free_name(name);
    return err;
}
