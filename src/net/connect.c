/* SPDX-License-Identifier: MIT */
/*
 * connect.c - create_connection: addresses in order, or in a race
 *
 * Trying one address after the other is a race in which the next starts only when those before have
 * failed. The calling task runs it: it sleeps until an attempt can be written to, which is how a
 * connect ends, or until it is time for the next. The attempts stand in the race, on the heap, and
 * are all closed but the winner before the call returns, whatever made it return.
 *
 * Thread: the loop's.
 */
#include "future/future_internal.h"
#include "loop/watch.h"
#include "net/connection.h"

#include <aio/connect.h>
#include <aio/memory.h>
#include <errno.h>
#include <math.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct race;

struct attempt {
    struct race *race;
    int fd;             /* -1: not begun, or failed */
    bool ended;         /* the connect has come to an end, good or bad */
    size_t error_count; /* how many of the race's errors are its own */
};

struct race {
    aio_loop *loop;
    double delay;                /* seconds until the next; AIO_FOREVER: when it has failed */
    struct aio__addresses peers; /* owned */
    struct aio__addresses locals;
    bool binds;
    size_t begun;       /* of the attempts */
    size_t running;     /* those with an fd */
    aio_future *wake;   /* what the task sleeps on; NULL: it is awake */
    aio_handle *timer;  /* may be NULL */
    bool due;           /* the next one is to begin */
    int winner;         /* -1: none yet */
    size_t error_count; /* of errors: each attempt's, and each local address's, as they began */
    size_t error_room;
    aio_exception **errors;
    struct attempt *attempts; /* one for each peer */
};

/* --- errors ---------------------------------------------------------------------------- */

/* Keep the error just raised, behind those of the attempts that began before. 0, or AIO_ENOMEM. */
static int keep_error(struct race *race, struct attempt *attempt, int code)
{
    size_t at = 0;

    if (race->error_count == race->error_room) {
        size_t room = race->error_room == 0 ? 8 : 2 * race->error_room;
        aio_exception **errors = aio_realloc(race->errors, room * sizeof(aio_exception *));

        if (errors == NULL)
            return AIO_ENOMEM;
        race->errors = errors;
        race->error_room = room;
    }
    for (const struct attempt *one = race->attempts; one <= attempt; one++)
        at += one->error_count;
    memmove(race->errors + at + 1, race->errors + at,
            (race->error_count - at) * sizeof(aio_exception *));
    race->errors[at] = aio_error_catch(code);
    race->error_count++;
    attempt->error_count++;
    return 0;
}

static const char *text_of(const aio_exception *error)
{
    const char *message = aio_exception_message(error);

    return message != NULL ? message : aio_strerror(aio_exception_code(error));
}

static bool all_equal(const struct race *race)
{
    for (size_t i = 1; i < race->error_count; i++)
        if (aio_exception_code(race->errors[i]) != aio_exception_code(race->errors[0]) ||
            strcmp(text_of(race->errors[i]), text_of(race->errors[0])) != 0)
            return false;
    return true;
}

static int raise_all(const struct race *race)
{
    char text[1024] = "";
    size_t length = 0;

    for (size_t i = 0; i < race->error_count && length < sizeof(text); i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s", i ? ", " : "",
                                   text_of(race->errors[i]));
    return aio_raise(AIO_EOS, "Multiple exceptions: %s", text);
}

/* Nobody has won: what the call fails with (S135). */
static int raise_errors(const struct race *race, bool all_errors)
{
    if (race->error_count == 0)
        return aio_raise(AIO_ETIMEDOUT, "create_connection failed");
    if (all_errors) {
        aio_exception *group =
            aio_exception_group_new("create_connection failed", race->errors, race->error_count);
        int code = aio_raise_exception(group);

        aio_exception_unref(group);
        return code;
    }
    return all_equal(race) ? aio_raise_exception(race->errors[0]) : raise_all(race);
}

/* --- attempts -------------------------------------------------------------------------- */

static void wake_up(struct race *race)
{
    if (race->wake != NULL && aio__future_is_pending(race->wake))
        aio__future_finish(race->wake, NULL, NULL);
}

static int on_writable(void *arg)
{
    struct attempt *attempt = arg;

    attempt->ended = true;
    aio__watch_remove_own(attempt->race->loop, attempt->fd, true, attempt);
    wake_up(attempt->race);
    return 0;
}

static int on_time(void *arg)
{
    struct race *race = arg;

    race->due = true;
    wake_up(race);
    return 0;
}

static void drop_attempt(struct race *race, struct attempt *attempt)
{
    aio__watch_remove_own(race->loop, attempt->fd, true, attempt);
    close(attempt->fd);
    attempt->fd = -1;
    race->running--;
}

/* Bind to the first local address of the peer's family that can be bound to. 0, or a raised code;
 * *short_of says that there was no memory to keep errors. */
static int bind_local(struct race *race, struct attempt *attempt, int family, bool *short_of)
{
    char text[AIO__ADDRESS_TEXT];
    int last = 0;

    for (size_t i = 0; i < race->locals.count; i++) {
        const struct aio__address *local = &race->locals.items[i];
        const struct sockaddr *name = (const struct sockaddr *)&local->name;

        if (local->family != family)
            continue;
        if (last != 0 && keep_error(race, attempt, last) < 0) {
            *short_of = true;
            return AIO_ENOMEM;
        }
        if (bind(attempt->fd, name, local->size) == 0)
            return 0;
        last = aio_raise(-errno, "error while attempting to bind on address %s: %s",
                         aio__address_text(name, local->size, text), aio_strerror(-errno));
    }
    return last != 0 ? last
                     : aio_raise(AIO_EOS, "no matching local address with family=%d found", family);
}

/* Begin to connect: 0, or the code it failed with, raised. */
static int begin_connect(struct race *race, struct attempt *attempt,
                         const struct aio__address *peer, bool *short_of)
{
    const struct sockaddr *name = (const struct sockaddr *)&peer->name;
    int err = 0;

    attempt->fd = socket(peer->family, peer->type | SOCK_NONBLOCK | SOCK_CLOEXEC, peer->protocol);
    if (attempt->fd < 0)
        return aio_raise(-errno, "%s", aio_strerror(-errno));
    race->running++;
    if (race->binds)
        err = bind_local(race, attempt, peer->family, short_of);
    if (err == 0 && connect(attempt->fd, name, peer->size) == 0) {
        attempt->ended = true;
        return 0;
    }
    if (err == 0 && errno != EINPROGRESS && errno != EINTR)
        err = aio_raise(-errno, "%s", aio_strerror(-errno));
    if (err == 0) {
        err = aio_loop_add_writer(race->loop, attempt->fd, on_writable, attempt);
        *short_of = err < 0;
    }
    if (err < 0)
        drop_attempt(race, attempt);
    return err;
}

/* Begin the next attempt; what it fails with is kept, and the one after it is due at once. 0, or a
 * code that ends the race. */
static int begin_next(struct race *race)
{
    struct attempt *attempt = &race->attempts[race->begun];
    bool short_of = false;
    int err;

    aio_handle_cancel(race->timer);
    aio_handle_unref(race->timer);
    race->timer = NULL;
    race->due = false;
    err = begin_connect(race, attempt, &race->peers.items[race->begun++], &short_of);
    if (err < 0) {
        race->due = true;
        return short_of ? err : keep_error(race, attempt, err);
    }
    if (race->delay != AIO_FOREVER && race->begun < race->peers.count)
        return aio_loop_call_later(race->loop, race->delay, on_time, race, &race->timer);
    return 0;
}

/* Look at the attempts that have ended. 0, or a code that ends the race. */
static int judge(struct race *race)
{
    for (size_t i = 0; i < race->begun; i++) {
        struct attempt *attempt = &race->attempts[i];
        const struct aio__address *peer = &race->peers.items[i];
        int err;

        if (attempt->fd < 0 || !attempt->ended)
            continue;
        err = aio__connect_outcome(attempt->fd, (const struct sockaddr *)&peer->name, peer->size);
        if (err == 0) {
            race->winner = attempt->fd;
            attempt->fd = -1;
            race->running--;
            return 0;
        }
        drop_attempt(race, attempt);
        race->due = true;
        err = keep_error(race, attempt, err);
        if (err < 0)
            return err;
    }
    return 0;
}

/* Sleep until something has happened. */
static int sleep_on(struct race *race)
{
    int err;

    race->wake = aio_future_new(race->loop);
    if (race->wake == NULL)
        return aio__noted_failure();
    err = aio_await(race->wake, NULL);
    aio_future_unref(race->wake);
    race->wake = NULL;
    return err;
}

/* Run the race to its end. 0: there is a winner, or nobody is left; or a code. */
static int run_race(struct race *race)
{
    int err = 0;

    race->due = true;
    while (err == 0) {
        if (race->due && race->begun < race->peers.count)
            err = begin_next(race);
        else if (race->running > 0)
            err = sleep_on(race);
        else
            break;
        if (err == 0)
            err = judge(race);
        if (race->winner >= 0)
            break;
    }
    return err;
}

static void free_race(struct race *race)
{
    aio_handle_cancel(race->timer);
    aio_handle_unref(race->timer);
    for (size_t i = 0; i < race->begun; i++)
        if (race->attempts[i].fd >= 0)
            drop_attempt(race, &race->attempts[i]);
    for (size_t i = 0; i < race->error_count; i++)
        aio_exception_unref(race->errors[i]);
    if (race->winner >= 0)
        close(race->winner);
    aio_free(race->errors);
    aio_free(race->attempts);
    aio__addresses_free(&race->peers);
    aio__addresses_free(&race->locals);
    aio_free(race);
}

/* --- addresses ------------------------------------------------------------------------- */

/* Let families alternate after `first` addresses of the first one. */
static int interleave(struct aio__addresses *addresses, size_t first)
{
    struct aio__addresses sorted = {0};
    size_t count = addresses->count;
    size_t own = 0;
    size_t other = 0;
    int err = 0;

    while (err == 0 && sorted.count < count) {
        /* The next of the first family, for as long as it leads or is not ahead of the others. */
        bool wants_own = sorted.count < first || (sorted.count - first) % 2 == 1;
        const struct aio__address *items = addresses->items;

        while (own < count && items[own].family != items[0].family)
            own++;
        while (other < count && items[other].family == items[0].family)
            other++;
        if (other == count || (wants_own && own < count))
            err = aio__addresses_add(&sorted, &items[own++]);
        else
            err = aio__addresses_add(&sorted, &items[other++]);
    }
    if (err < 0) {
        aio__addresses_free(&sorted);
        return err;
    }
    aio__addresses_free(addresses);
    *addresses = sorted;
    return 0;
}

static int find_addresses(struct race *race, const aio_connect_options *options)
{
    struct aio__query query = {
        .host = options->host,
        .port = options->port,
        .family = options->family,
        .type = SOCK_STREAM,
        .protocol = options->proto,
        .flags = options->flags,
    };
    int lead = options->interleave;
    int err = aio__resolve(race->loop, &query, &race->peers);

    race->binds = options->local_host != NULL || options->local_port >= 0;
    if (err == 0 && race->binds) {
        query.host = options->local_host;
        query.port = options->local_port;
        query.flags |= options->local_host == NULL ? AI_PASSIVE : 0;
        err = aio__resolve(race->loop, &query, &race->locals);
    }
    if (lead < 0)
        lead = options->happy_eyeballs_delay == AIO_FOREVER ? 0 : 1;
    if (err == 0 && race->peers.count == 0)
        err = aio_raise(AIO_EOS, "getaddrinfo() returned empty list");
    if (err == 0 && lead > 0)
        err = interleave(&race->peers, (size_t)lead);
    if (err < 0)
        return err;
    race->attempts = aio_calloc(race->peers.count, sizeof(*race->attempts));
    if (race->attempts == NULL)
        return AIO_ENOMEM;
    for (size_t i = 0; i < race->peers.count; i++)
        race->attempts[i] = (struct attempt){.race = race, .fd = -1};
    return 0;
}

static int connect_to_host(aio_loop *loop, const aio_connect_options *options, int *ret_fd)
{
    struct race *race = aio_calloc(1, sizeof(*race));
    int err;

    if (race == NULL)
        return AIO_ENOMEM;
    race->loop = loop;
    race->winner = -1;
    race->delay = options->happy_eyeballs_delay;
    err = find_addresses(race, options);
    if (err == 0)
        err = run_race(race);
    if (err == 0 && race->winner < 0)
        err = raise_errors(race, options->all_errors);
    if (err == 0) {
        *ret_fd = race->winner;
        race->winner = -1;
    }
    free_race(race);
    return err;
}

/* --- the calls ------------------------------------------------------------------------- */

/* A name to compare the certificate with is needed, unless the caller wants none compared. */
static int find_hostname(struct aio__secure *secure, const char *host)
{
    if (secure->context == NULL || secure->hostname != NULL)
        return 0;
    if (host == NULL || *host == '\0')
        return aio_raise(AIO_EVALUE, "You must set server_hostname when using ssl without a host");
    secure->hostname = host;
    return 0;
}

static int check_options(const aio_connect_options *options)
{
    bool has_host;

    if (options == NULL || options->size < sizeof(*options))
        return aio_raise(AIO_EVALUE, "bad connect options");
    has_host = options->host != NULL || options->port >= 0;
    if (has_host && options->sock >= 0)
        return aio_raise(AIO_EVALUE, "host/port and sock can not be specified at the same time");
    if (!has_host && options->sock < 0)
        return aio_raise(AIO_EVALUE, "host and port was not specified and no sock specified");
    if (isnan(options->happy_eyeballs_delay))
        return aio_raise(AIO_EVALUE, "Invalid delay: NaN (not a number)");
    return 0;
}

int aio_loop_create_connection(aio_loop *loop, aio_protocol_factory_fn factory, void *arg,
                               const aio_connect_options *options, aio_transport **ret_transport)
{
    struct aio__secure secure;
    bool taken;
    int fd = -1;
    int err;

    err = aio__net_check_call(&loop, factory);
    if (err == 0)
        err = check_options(options);
    if (err < 0)
        return err;
    secure = (struct aio__secure){
        .context = options->ssl,
        .hostname = options->server_hostname,
        .session = options->ssl_session,
        .handshake_timeout = options->ssl_handshake_timeout,
        .shutdown_timeout = options->ssl_shutdown_timeout,
    };
    err = aio__secure_check(&secure, AIO_TLS_CLIENT);
    if (err == 0)
        err = find_hostname(&secure, options->host);
    if (err < 0)
        return err;
    if (options->sock >= 0)
        return aio__connection_start_user(loop, options->sock, AF_UNSPEC, factory, arg, &secure,
                                          ret_transport);
    err = connect_to_host(loop, options, &fd);
    if (err < 0)
        return err;
    err = aio__connection_start(loop, fd, factory, arg, &secure, ret_transport, &taken);
    if (!taken)
        close(fd);
    return err;
}

int aio_loop_connect_accepted_socket_with(aio_loop *loop, aio_protocol_factory_fn factory,
                                          void *arg, const aio_accepted_options *options,
                                          aio_transport **ret_transport)
{
    struct aio__secure secure;
    int err = aio__net_check_call(&loop, factory);

    if (err < 0)
        return err;
    if (options == NULL || options->size < sizeof(*options))
        return aio_raise(AIO_EVALUE, "bad options of an accepted socket");
    secure = (struct aio__secure){
        .context = options->ssl,
        .handshake_timeout = options->ssl_handshake_timeout,
        .shutdown_timeout = options->ssl_shutdown_timeout,
    };
    err = aio__secure_check(&secure, AIO_TLS_SERVER);
    if (err < 0)
        return err;
    return aio__connection_start_user(loop, options->sock, AF_UNSPEC, factory, arg, &secure,
                                      ret_transport);
}

int aio_loop_connect_accepted_socket(aio_loop *loop, aio_protocol_factory_fn factory, void *arg,
                                     int sock, aio_transport **ret_transport)
{
    aio_accepted_options options = AIO_ACCEPTED_OPTIONS_INIT;

    options.sock = sock;
    return aio_loop_connect_accepted_socket_with(loop, factory, arg, &options, ret_transport);
}

static int connect_to_path(aio_loop *loop, const aio_unix_connect_options *options, int *ret_fd)
{
    struct aio__address address;
    int err = aio__unix_address(options->path, options->path_size, &address);
    int fd;

    if (err < 0)
        return err;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return aio_raise(-errno, "%s", aio_strerror(-errno));
    err = aio__connect_fd(loop, fd, (const struct sockaddr *)&address.name, address.size);
    if (err < 0)
        close(fd);
    else
        *ret_fd = fd;
    return err;
}

int aio_loop_create_unix_connection(aio_loop *loop, aio_protocol_factory_fn factory, void *arg,
                                    const aio_unix_connect_options *options,
                                    aio_transport **ret_transport)
{
    struct aio__secure secure;
    bool taken;
    int fd = -1;
    int err = aio__net_check_call(&loop, factory);

    if (err < 0)
        return err;
    if (options == NULL || options->size < sizeof(*options))
        return aio_raise(AIO_EVALUE, "bad connect options");
    if (options->path != NULL && options->sock >= 0)
        return aio_raise(AIO_EVALUE, "path and sock can not be specified at the same time");
    if (options->path == NULL && options->sock < 0)
        return aio_raise(AIO_EVALUE, "no path and sock were specified");
    secure = (struct aio__secure){
        .context = options->ssl,
        .hostname = options->server_hostname,
        .session = options->ssl_session,
        .handshake_timeout = options->ssl_handshake_timeout,
        .shutdown_timeout = options->ssl_shutdown_timeout,
    };
    err = aio__secure_check(&secure, AIO_TLS_CLIENT);
    if (err < 0)
        return err;
    if (secure.context != NULL && secure.hostname == NULL)
        return aio_raise(AIO_EVALUE, "you have to pass server_hostname when using ssl");
    if (options->sock >= 0)
        return aio__connection_start_user(loop, options->sock, AF_UNIX, factory, arg, &secure,
                                          ret_transport);
    err = connect_to_path(loop, options, &fd);
    if (err < 0)
        return err;
    err = aio__connection_start(loop, fd, factory, arg, &secure, ret_transport, &taken);
    if (!taken)
        close(fd);
    return err;
}
