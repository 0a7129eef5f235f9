/* SPDX-License-Identifier: MIT */
/*
 * dns_cares.c - lookups by c-ares
 *
 * A channel of c-ares is a set of sockets and a timeout, which we watch for it. It cannot read its
 * configuration again, nor forget a single question: so a change of the one makes a new channel,
 * while the old one ends what it began; and who is cancelled leaves, while the question goes on.
 *
 * c-ares counts in real time, whatever the loop's clock is: its timeout is a timer of libuv's. It
 * has to be set anew after every call into c-ares, the timer's own included, as each may retry.
 *
 * Invariants
 *   - c-ares is called on the thread's own stack only, and its callbacks run no user code.
 *   - A channel is destroyed with no call into it under way.
 *
 * Thread: the loop's.
 */
#include "net/dns_internal.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <ares.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#define RESOLV_CONF "/etc/resolv.conf"

/* What tells one state of a file from the next. */
struct file_state {
    bool exists;
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct aio__dns_channel {
    struct aio__list link; /* in dns->channels */
    aio_loop *loop;
    ares_channel ares;
    uv_timer_t timer;
    struct aio__list sockets;
    struct file_state configured_by;
    size_t pending; /* questions */
    unsigned refs;  /* the timer's, and one a socket: handles that libuv has to let go of */
    bool retired;   /* to be destroyed with the last question */
    bool starved;   /* a socket could not be watched: all questions fail */
};

struct channel_socket {
    struct aio__io io;
    struct aio__list link; /* in the channel's */
    struct aio__dns_channel *channel;
};

/* --- sockets and the timeout ----------------------------------------------------------- */

static void unref_channel(struct aio__dns_channel *channel)
{
    if (--channel->refs == 0)
        aio_free(channel);
}

static void on_timer_closed(uv_handle_t *handle)
{
    unref_channel(handle->data);
}

static void on_socket_closed(struct aio__io *io)
{
    struct channel_socket *sock = aio__container_of(io, struct channel_socket, io);
    struct aio__dns_channel *channel = sock->channel;

    aio_free(sock);
    unref_channel(channel);
}

static void close_socket(struct channel_socket *sock)
{
    aio__list_remove(&sock->link);
    aio__io_close(&sock->io, on_socket_closed);
}

static void destroy_channel(struct aio__dns_channel *channel)
{
    struct aio__list *link;

    ares_destroy(channel->ares);
    while ((link = aio__list_first(&channel->sockets)) != NULL)
        close_socket(aio__container_of(link, struct channel_socket, link));
    aio__list_remove(&channel->link);
    uv_close((uv_handle_t *)&channel->timer, on_timer_closed);
}

static void on_timer(uv_timer_t *timer);

static void set_timer(struct aio__dns_channel *channel)
{
    struct timeval left;
    uint64_t milliseconds;

    if (ares_timeout(channel->ares, NULL, &left) == NULL) {
        (void)uv_timer_stop(&channel->timer);
        return;
    }
    milliseconds = (uint64_t)left.tv_sec * 1000 + ((uint64_t)left.tv_usec + 999) / 1000;
    uv_update_time(channel->loop->uv);
    (void)uv_timer_start(&channel->timer, on_timer, milliseconds == 0 ? 1 : milliseconds, 0);
}

/* After every call into c-ares from outside. */
static void settle(struct aio__dns_channel *channel)
{
    if (channel->starved)
        ares_cancel(channel->ares);
    channel->starved = false;
    if (channel->retired && channel->pending == 0)
        destroy_channel(channel);
    else
        set_timer(channel);
}

static void on_timer(uv_timer_t *timer)
{
    struct aio__dns_channel *channel = timer->data;

    ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    settle(channel);
}

static void on_ready(struct aio__io *io, int events)
{
    struct aio__dns_channel *channel = aio__container_of(io, struct channel_socket, io)->channel;
    int fd = io->fd;

    ares_process_fd(channel->ares, (events & AIO__READABLE) != 0 ? fd : ARES_SOCKET_BAD,
                    (events & AIO__WRITABLE) != 0 ? fd : ARES_SOCKET_BAD);
    settle(channel);
}

static struct channel_socket *find_socket(struct aio__dns_channel *channel, int fd)
{
    AIO__LIST_FOREACH (link, &channel->sockets) {
        struct channel_socket *sock = aio__container_of(link, struct channel_socket, link);

        if (sock->io.fd == fd)
            return sock;
    }
    return NULL;
}

static struct channel_socket *watch_socket(struct aio__dns_channel *channel, int fd)
{
    struct channel_socket *sock = aio_calloc(1, sizeof(*sock));

    if (sock != NULL && aio__io_init(&sock->io, channel->loop, fd, on_ready) < 0) {
        aio_free(sock);
        sock = NULL;
    }
    if (sock == NULL) {
        channel->starved = true; /* c-ares cannot be told here */
        return NULL;
    }
    sock->channel = channel;
    channel->refs++;
    aio__list_append(&channel->sockets, &sock->link);
    return sock;
}

/* c-ares says what it wants of a socket; nothing, before it closes it. */
static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct aio__dns_channel *channel = arg;
    struct channel_socket *sock = find_socket(channel, fd);

    if (!readable && !writable) {
        if (sock != NULL)
            close_socket(sock);
        return;
    }
    if (sock == NULL)
        sock = watch_socket(channel, fd);
    if (sock != NULL)
        aio__io_want(&sock->io, (readable ? AIO__READABLE : 0) | (writable ? AIO__WRITABLE : 0));
}

/* --- channels -------------------------------------------------------------------------- */

static int code_of(int status)
{
    switch (status) {
    case ARES_SUCCESS: return 0;
    case ARES_ENODATA: return AIO_EAI_NODATA;
    case ARES_ENOTFOUND:
    case ARES_ENONAME:
    case ARES_EBADNAME: return AIO_EAI_NONAME;
    case ARES_ESERVFAIL:
    case ARES_EREFUSED:
    case ARES_ECONNREFUSED:
    case ARES_ETIMEOUT: return AIO_EAI_AGAIN;
    case ARES_EBADFAMILY: return AIO_EAI_FAMILY;
    case ARES_EBADFLAGS:
    case ARES_EBADHINTS: return AIO_EAI_BADFLAGS;
    case ARES_ESERVICE: return AIO_EAI_SERVICE;
    case ARES_ENOMEM:
    case ARES_ECANCELLED: /* nobody but settle() cancels */ return AIO_ENOMEM;
    case ARES_EDESTRUCTION: return AIO_ECLOSED;
    default: return AIO_EAI_FAIL;
    }
}

static struct file_state look_at(const char *path)
{
    struct file_state state;
    struct stat found;

    memset(&state, 0, sizeof(state));
    if (stat(path, &found) != 0)
        return state;
    state.exists = true;
    state.device = found.st_dev;
    state.inode = found.st_ino;
    state.size = found.st_size;
    state.changed = found.st_mtim;
    return state;
}

static bool is_same(const struct file_state *one, const struct file_state *other)
{
    return one->exists == other->exists && one->device == other->device &&
           one->inode == other->inode && one->size == other->size &&
           one->changed.tv_sec == other->changed.tv_sec &&
           one->changed.tv_nsec == other->changed.tv_nsec;
}

static const char *resolv_conf_of(const struct aio__dns *dns)
{
    return dns->options.resolv_conf == NULL ? RESOLV_CONF : dns->options.resolv_conf;
}

/* "a.example,b.example" as an array, in one block; an empty text gives no domain. */
static char **split_domains(const char *text, int *ret_count)
{
    size_t most = 1;
    char **domains;
    char *rest;
    char *domain;

    for (const char *at = text; *at != '\0'; at++)
        most += *at == ',';
    domains = aio_malloc(most * sizeof(*domains) + strlen(text) + 1);
    if (domains == NULL)
        return NULL;
    rest = strcpy((char *)(domains + most), text);
    *ret_count = 0;
    while ((domain = strsep(&rest, ",")) != NULL)
        if (*domain != '\0')
            domains[(*ret_count)++] = domain;
    return domains;
}

static void set_up_library(void)
{
    (void)ares_library_init(ARES_LIB_INIT_ALL); /* allocates nothing on Unix */
}

static int init_ares(struct aio__dns *dns, struct aio__dns_channel *channel, char **domains,
                     int domain_count)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const aio_dns_options *options = &dns->options;
    struct ares_options ares = {0};
    int mask = ARES_OPT_SOCK_STATE_CB | ARES_OPT_RESOLVCONF;
    int status;

    (void)pthread_once(&once, set_up_library);
    ares.sock_state_cb = on_socket_state;
    ares.sock_state_cb_data = channel;
    ares.resolvconf_path = (char *)(uintptr_t)resolv_conf_of(dns);
    ares.timeout = options->timeout < 0.001 ? 1 : (int)(options->timeout * 1000);
    ares.tries = (int)options->tries;
    ares.ndots = (int)options->ndots;
    ares.domains = domains;
    ares.ndomains = domain_count;
    mask |= options->timeout > 0 ? ARES_OPT_TIMEOUTMS : 0;
    mask |= options->tries > 0 ? ARES_OPT_TRIES : 0;
    mask |= options->ndots > 0 ? ARES_OPT_NDOTS : 0;
    mask |= domains != NULL ? ARES_OPT_DOMAINS : 0;
    status = ares_init_options(&channel->ares, &ares, mask);
    if (status != ARES_SUCCESS)
        return code_of(status);
    if (options->servers == NULL)
        return 0;
    status = ares_set_servers_ports_csv(channel->ares, options->servers);
    if (status == ARES_SUCCESS)
        return 0;
    ares_destroy(channel->ares);
    return status == ARES_ENOMEM ? AIO_ENOMEM
                                 : aio_raise(AIO_EVALUE, "not name servers: %s", options->servers);
}

static int make_channel(struct aio__dns *dns, struct aio__dns_channel **ret_channel)
{
    struct aio__dns_channel *channel = aio_calloc(1, sizeof(*channel));
    char **domains = NULL;
    int domain_count = 0;
    int err = AIO_ENOMEM;

    if (channel == NULL)
        return AIO_ENOMEM;
    if (dns->options.domains != NULL) {
        domains = split_domains(dns->options.domains, &domain_count);
        if (domains == NULL)
            goto free_channel;
    }
    channel->loop = dns->loop;
    aio__list_init(&channel->sockets);
    /* Before it is read: a change in between is then seen by the next lookup. */
    channel->configured_by = look_at(resolv_conf_of(dns));
    err = init_ares(dns, channel, domains, domain_count);
    aio_free(domains);
    if (err < 0)
        goto free_channel;
    (void)uv_timer_init(dns->loop->uv, &channel->timer); /* cannot fail */
    channel->timer.data = channel;
    channel->refs = 1;
    aio__list_append(&dns->channels, &channel->link);
    *ret_channel = channel;
    return 0;

free_channel:
    aio_free(channel);
    return err;
}

int aio__dns_cares_renew(struct aio__dns *dns)
{
    struct aio__dns_channel *former = dns->channel;
    int err = make_channel(dns, &dns->channel);

    if (err < 0 || former == NULL)
        return err;
    former->retired = true;
    if (former->pending == 0)
        destroy_channel(former);
    return 0;
}

void aio__dns_cares_close(struct aio__dns *dns)
{
    struct aio__list *link;

    while ((link = aio__list_first(&dns->channels)) != NULL)
        destroy_channel(aio__container_of(link, struct aio__dns_channel, link));
}

/* The channel for the configuration as it is now. The hosts file is read with every lookup. */
static int current_channel(struct aio__dns *dns, struct aio__dns_channel **ret_channel)
{
    int err = 0;

    if (dns->channel != NULL) {
        struct file_state now = look_at(resolv_conf_of(dns));

        if (!is_same(&now, &dns->channel->configured_by))
            err = aio__dns_cares_renew(dns);
    } else {
        err = aio__dns_cares_renew(dns);
    }
    *ret_channel = dns->channel;
    return err;
}

/* --- questions ------------------------------------------------------------------------- */

bool aio__dns_cares_can(const struct aio__dns_query *query)
{
    const int flags = AI_PASSIVE | AI_CANONNAME | AI_NUMERICSERV;

    if (query->is_reverse)
        return true;
    if (query->host == NULL || (query->hints.ai_flags & ~flags) != 0)
        return false;
    for (const char *at = query->host; *at != '\0'; at++)
        if ((unsigned char)*at >= 0x80)
            return false;
    return true;
}

/* Each address, for each use that the question allows. */
static int take_addresses(struct aio__dns_query *query, const struct ares_addrinfo *found)
{
    struct aio__dns_use uses[AIO__DNS_USES];
    struct addrinfo **end = &query->list;
    const char *canonical_name = found->name;
    int count = aio__dns_uses(&query->hints, query->service, uses);
    int err = count < 0 ? count : 0;

    for (const struct ares_addrinfo_cname *name = found->cnames; name != NULL; name = name->next)
        canonical_name = name->name; /* the end of the chain */
    for (const struct ares_addrinfo_node *node = found->nodes; node != NULL; node = node->ai_next) {
        for (int i = 0; i < count && err == 0; i++) {
            struct addrinfo address = {
                .ai_family = node->ai_family,
                .ai_socktype = uses[i].socktype,
                .ai_protocol = uses[i].protocol,
                .ai_addrlen = node->ai_addrlen,
                .ai_addr = node->ai_addr,
            };
            bool named = query->list == NULL && (query->hints.ai_flags & AI_CANONNAME) != 0;

            if (node->ai_family == AF_INET)
                ((struct sockaddr_in *)(void *)node->ai_addr)->sin_port = uses[i].port;
            else
                ((struct sockaddr_in6 *)(void *)node->ai_addr)->sin6_port = uses[i].port;
            err = aio__dns_append(&end, &address, named ? canonical_name : NULL);
        }
    }
    return err == 0 && query->list == NULL ? AIO_EAI_NODATA : err;
}

static void on_addresses(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
    struct aio__dns_query *query = arg;
    int code = code_of(status);

    (void)timeouts;
    query->channel->pending--;
    if (code == 0)
        code = take_addresses(query, found);
    ares_freeaddrinfo(found);
    aio__dns_answer(query, code);
}

static void on_name(void *arg, int status, int timeouts, char *host, char *service)
{
    struct aio__dns_query *query = arg;
    int code = code_of(status);

    (void)timeouts;
    query->channel->pending--;
    if (code == 0) {
        (void)snprintf(query->name.host, sizeof(query->name.host), "%s", host == NULL ? "" : host);
        (void)snprintf(query->name.service, sizeof(query->name.service), "%s",
                       service == NULL ? "" : service);
    } else if (code == AIO_EAI_NODATA || code == AIO_EAI_NONAME) {
        code = (query->flags & NI_NAMEREQD) != 0
                   ? AIO_EAI_NONAME
                   : aio__dns_numeric_name((const struct sockaddr *)&query->address, query->flags,
                                           &query->name);
    }
    aio__dns_answer(query, code);
}

static int flags_of(int flags)
{
    return ARES_NI_LOOKUPHOST | ARES_NI_LOOKUPSERVICE |
           ((flags & NI_NUMERICSERV) != 0 ? ARES_NI_NUMERICSERV : 0) |
           ((flags & NI_NAMEREQD) != 0 ? ARES_NI_NAMEREQD : 0) |
           ((flags & NI_NOFQDN) != 0 ? ARES_NI_NOFQDN : 0) |
           ((flags & NI_DGRAM) != 0 ? ARES_NI_DGRAM : 0);
}

int aio__dns_cares_ask(struct aio__dns *dns, struct aio__dns_query *query)
{
    const struct sockaddr *address = (const struct sockaddr *)&query->address;
    struct ares_addrinfo_hints hints = {.ai_family = query->hints.ai_family};
    struct aio__dns_use uses[AIO__DNS_USES];
    struct aio__dns_channel *channel;
    int err = 0;

    if (!query->is_reverse) /* a service that does not exist fails before anybody is asked */
        err = aio__dns_uses(&query->hints, query->service, uses);
    if (err >= 0)
        err = current_channel(dns, &channel);
    if (err < 0)
        return err;
    query->channel = channel;
    channel->pending++;
    if (query->is_reverse) {
        ares_getnameinfo(channel->ares, address, aio__dns_address_size(address),
                         flags_of(query->flags), on_name, query);
    } else {
        if ((query->hints.ai_flags & AI_CANONNAME) != 0)
            hints.ai_flags |= ARES_AI_CANONNAME;
        ares_getaddrinfo(channel->ares, query->host, NULL, &hints, on_addresses, query);
    }
    settle(channel); /* which the answer, if it has come, has not destroyed */
    return 0;
}
