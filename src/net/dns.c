/* SPDX-License-Identifier: MIT */
/*
 * dns.c - names to addresses and back: the calls, and the life of a lookup
 *
 * What is numeric is answered at once (S137). Everything else is queued, because resolvers need
 * more stack than a task may have, and begins on the thread's own. The question belongs to the
 * caller and to the resolver: a caller who is cancelled leaves, the answer comes for nobody.
 *
 * Thread: the loop's.
 */
#include "future/future_internal.h"
#include "net/dns_internal.h"

#include <aio/memory.h>
#include <aio/task.h>
#include <arpa/inet.h>
#include <math.h>
#include <string.h>

enum { MAX_TRIES = 100, MAX_NDOTS = 15, MAX_TIMEOUT = 3600 };

/* --- a lookup -------------------------------------------------------------------------- */

static void unref_query(struct aio__dns_query *query)
{
    if (--query->refs != 0)
        return;
    aio_freeaddrinfo(query->list);
    aio_future_unref(query->done);
    aio_free(query);
}

void aio__dns_answer(struct aio__dns_query *query, int code)
{
    if (query->asked)
        query->loop->external--;
    if (aio__future_is_pending(query->done) && !query->loop->closed) {
        if (code == 0)
            aio__future_finish(query->done, NULL, NULL);
        else
            aio__future_fail(query->done, code, NULL);
    }
    unref_query(query);
}

/* Answer what needs the files of the system alone. 0, or a code; 1: it needs more. */
static int answer_here(struct aio__dns_query *query)
{
    if (query->is_reverse)
        return (query->flags & NI_NUMERICHOST) == 0
                   ? 1
                   : aio__dns_numeric_name((const struct sockaddr *)&query->address, query->flags,
                                           &query->name);
    if (query->host != NULL && (query->hints.ai_flags & AI_NUMERICHOST) == 0)
        return 1;
    return aio__dns_numeric(query->host, query->service, &query->hints, &query->list);
}

static int ask(struct aio__dns *dns, struct aio__dns_query *query)
{
#ifdef AIO__CARES
    if (dns->options.way != AIO_DNS_SYSTEM && aio__dns_cares_can(query)) {
        int err = aio__dns_cares_ask(dns, query);

        if (err != AIO_EAI_SOCKTYPE)
            return err; /* what c-ares does not know of, the system may */
    }
#endif
    (void)dns;
    return aio__dns_system_ask(query);
}

static void run_start(struct aio__ready *node)
{
    struct aio__dns_query *query = aio__container_of(node, struct aio__dns_query, start);
    struct aio__net *net = query->loop->net;
    int err;

    if (!aio__future_is_pending(query->done) || query->loop->closed) {
        unref_query(query); /* nobody waits any more */
        return;
    }
    err = answer_here(query);
    if (err != 1) {
        aio__dns_answer(query, err);
        return;
    }
    query->asked = true;
    query->loop->external++;
    err = ask(net->dns, query);
    if (err < 0)
        aio__dns_answer(query, err);
}

/* Copy a text to the end of a question. */
static const char *keep(char **end, const char *text)
{
    char *copy = *end;
    size_t size;

    if (text == NULL)
        return NULL;
    size = strlen(text) + 1;
    memcpy(copy, text, size);
    *end += size;
    return copy;
}

static struct aio__dns_query *make_query(aio_loop *loop, const char *host, const char *service)
{
    size_t size =
        (host == NULL ? 0 : strlen(host) + 1) + (service == NULL ? 0 : strlen(service) + 1);
    struct aio__dns_query *query = aio_calloc(1, sizeof(*query) + size);
    char *end;

    if (query == NULL)
        return NULL;
    query->done = aio_future_new(loop);
    if (query->done == NULL) {
        aio_free(query);
        return NULL;
    }
    end = query->text;
    query->host = keep(&end, host);
    query->service = keep(&end, service);
    query->loop = loop;
    query->refs = 1;
    query->start.run = run_start;
    return query;
}

/* Queue a question and wait for the answer. */
static int wait_for_answer(struct aio__dns_query *query)
{
    int err;

    query->refs++;
    aio__loop_queue(query->loop, &query->start);
    err = aio_await(query->done, NULL);
    if (err < 0)
        (void)aio_future_cancel(query->done, NULL); /* nobody waits, however that came */
    return err;
}

/* --- the resolver of a loop ------------------------------------------------------------ */

static void end_dns(struct aio__close_hook *hook, aio_loop *loop)
{
    struct aio__dns *dns = aio__container_of(hook, struct aio__dns, hook);

#ifdef AIO__CARES
    aio__dns_cares_close(dns);
#endif
    aio__net_of(loop)->dns = NULL;
    aio_free(dns->text);
    aio_free(dns);
}

static struct aio__dns *get_dns(aio_loop *loop)
{
    struct aio__net *net = aio__net_get(loop);
    struct aio__dns *dns;

    if (net == NULL || net->dns != NULL)
        return net == NULL ? NULL : net->dns;
    dns = aio_calloc(1, sizeof(*dns));
    if (dns == NULL)
        return NULL;
    dns->loop = loop;
    aio__list_init(&dns->channels);
    dns->hook.fn = end_dns;
    aio__list_append(&loop->close_hooks, &dns->hook.link);
    net->dns = dns;
    return dns;
}

/* The loop of a call, able to resolve: 0, or a code. */
static int prepare(aio_loop **loop)
{
    *loop = aio__loop_or_current(*loop);
    if (*loop == NULL)
        return AIO_ENOLOOP;
    if ((*loop)->closed)
        return aio_raise(AIO_ECLOSED, "Event loop is closed");
    return get_dns(*loop) == NULL ? AIO_ENOMEM : 0;
}

/* --- the calls ------------------------------------------------------------------------- */

/* No name has a colon; inet_aton() knows the other ways to write an IPv4 address as well. */
static bool is_numeric(const char *host)
{
    struct in_addr address;

    return strchr(host, ':') != NULL || inet_aton(host, &address) != 0;
}

static int look_up(aio_loop *loop, const char *host, const char *service,
                   const struct addrinfo *hints, struct addrinfo **ret_list)
{
    struct aio__dns_query *query = make_query(loop, host, service);
    int err;

    if (query == NULL)
        return AIO_ENOMEM;
    query->hints = *hints;
    err = wait_for_answer(query);
    if (err == 0) {
        *ret_list = query->list;
        query->list = NULL;
    }
    unref_query(query);
    return err;
}

int aio_loop_getaddrinfo(aio_loop *loop, const char *host, const char *service,
                         const struct addrinfo *hints, struct addrinfo **ret_list)
{
    struct addrinfo plain = {0};
    int err = prepare(&loop);

    if (err < 0)
        return err;
    if (ret_list == NULL)
        return aio_raise(AIO_EVALUE, "a place for the list is needed, not NULL");
    if (host == NULL && service == NULL)
        return AIO_EAI_NONAME;
    if (hints != NULL) {
        plain.ai_family = hints->ai_family;
        plain.ai_socktype = hints->ai_socktype;
        plain.ai_protocol = hints->ai_protocol;
        plain.ai_flags = hints->ai_flags;
    }
    if (host != NULL && is_numeric(host))
        plain.ai_flags |= AI_NUMERICHOST;
    if (aio__dns_is_port(service) && (host == NULL || (plain.ai_flags & AI_NUMERICHOST) != 0))
        return aio__dns_numeric(host, service, &plain, ret_list);
    return look_up(loop, host, service, &plain, ret_list);
}

int aio_loop_getnameinfo(aio_loop *loop, const struct sockaddr *address, int flags,
                         aio_nameinfo *ret_name)
{
    struct aio__dns_query *query;
    int err = prepare(&loop);

    if (err < 0)
        return err;
    if (address == NULL || ret_name == NULL)
        return aio_raise(AIO_EVALUE, "an address, and a place for the name, are needed");
    if (aio__dns_address_size(address) == 0)
        return AIO_EAI_FAMILY;
    if ((flags & NI_NUMERICHOST) != 0 && (flags & NI_NUMERICSERV) != 0)
        return aio__dns_numeric_name(address, flags, ret_name);
    query = make_query(loop, NULL, NULL);
    if (query == NULL)
        return AIO_ENOMEM;
    query->is_reverse = true;
    query->flags = flags;
    memcpy(&query->address, address, aio__dns_address_size(address));
    err = wait_for_answer(query);
    if (err == 0)
        *ret_name = query->name;
    unref_query(query);
    return err;
}

/* --- options --------------------------------------------------------------------------- */

static int check_options(const aio_dns_options *options)
{
    if (options->size != sizeof(*options))
        return aio_raise(AIO_EVALUE, "aio_dns_options of another size");
    if ((unsigned)options->way > AIO_DNS_CARES)
        return aio_raise(AIO_EVALUE, "no such way to resolve: %d", (int)options->way);
    if (isnan(options->timeout) || options->timeout < 0 || options->timeout > MAX_TIMEOUT)
        return aio_raise(AIO_EVALUE, "a timeout of 0 to %d seconds, not %g", MAX_TIMEOUT,
                         options->timeout);
    if (options->tries > MAX_TRIES || options->ndots > MAX_NDOTS)
        return aio_raise(AIO_EVALUE, "at most %d tries and %d dots", MAX_TRIES, MAX_NDOTS);
#ifndef AIO__CARES
    if (options->way == AIO_DNS_CARES)
        return aio_raise(AIO_ENOTIMPLEMENTED, "built without c-ares");
#endif
    return 0;
}

/* Options with texts of their own, in one block. */
static int copy_options(const aio_dns_options *from, aio_dns_options *to, char **ret_text)
{
    const char *const texts[] = {from->servers, from->domains, from->resolv_conf};
    size_t size = 1;
    char *end;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        size += texts[i] == NULL ? 0 : strlen(texts[i]) + 1;
    end = aio_malloc(size);
    if (end == NULL)
        return AIO_ENOMEM;
    *ret_text = end;
    *to = *from;
    to->servers = keep(&end, from->servers);
    to->domains = keep(&end, from->domains);
    to->resolv_conf = keep(&end, from->resolv_conf);
    return 0;
}

int aio_loop_set_dns_options(aio_loop *loop, const aio_dns_options *options)
{
    static const aio_dns_options defaults = AIO_DNS_OPTIONS_INIT;
    aio_dns_options before;
    struct aio__dns *dns;
    char *text_before;
    int err = prepare(&loop);

    if (options == NULL)
        options = &defaults;
    if (err == 0)
        err = check_options(options);
    if (err < 0)
        return err;
    dns = aio__net_of(loop)->dns;
    before = dns->options;
    text_before = dns->text;
    err = copy_options(options, &dns->options, &dns->text);
    if (err < 0)
        return err;
#ifdef AIO__CARES
    err = dns->options.way == AIO_DNS_SYSTEM ? 0 : aio__dns_cares_renew(dns);
#endif
    if (err < 0) {
        aio_free(dns->text);
        dns->options = before;
        dns->text = text_before;
        return err;
    }
    aio_free(text_before);
    return 0;
}
