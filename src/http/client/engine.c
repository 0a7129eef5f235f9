/* SPDX-License-Identifier: MIT */
/*
 * engine.c - libcurl's multi handle, driven by the loop
 *
 * libcurl says which sockets it wants watched and when it wants to be called; the loop's watchers
 * and one timer do that. What a task wants of it (begin, go on, give up) is queued, and done by a
 * call of the loop's: libcurl and TLS need more stack than a task may have, and may not be called
 * from inside their own callbacks.
 *
 * libcurl forgets a socket whenever a connection rests, and asks for it again with the next
 * request. We go on watching, as that costs less than to stop: an event that nobody wants ends
 * it, and libcurl tells us before it closes a socket.
 *
 * Invariants
 *   - libcurl is called on the thread's own stack, but for the end of a session, and where memory
 *     is too short to queue a call.
 *   - None of its callbacks runs user code: what happens wakes a future, no more.
 *   - A response in `added` or `work` is alive; the engine lets go of it with
 *     aio__httpc_response_left().
 *
 * Thread: the loop's.
 */
#include "http/client/client.h"

#include <aio/error.h>
#include <aio/future.h>
#include <aio/memory.h>
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROUNDS = 16 }; /* of calls in a row that libcurl asks for */

static void settle(aio_http_session *session);

/* --- sockets ---------------------------------------------------------------------------- */

static int on_readable(void *arg)
{
    struct aio__httpc_socket *sock = arg;
    aio_http_session *session = sock->session;
    int running;

    if ((sock->wanted & CURL_POLL_IN) == 0) {
        sock->watched &= (unsigned char)~CURL_POLL_IN;
        (void)aio_loop_remove_reader(session->loop, sock->fd);
        return 0;
    }
    (void)curl_multi_socket_action(session->multi, sock->fd, CURL_CSELECT_IN, &running);
    settle(session);
    return 0;
}

static int on_writable(void *arg)
{
    struct aio__httpc_socket *sock = arg;
    aio_http_session *session = sock->session;
    int running;

    if ((sock->wanted & CURL_POLL_OUT) == 0)
        return 0;
    (void)curl_multi_socket_action(session->multi, sock->fd, CURL_CSELECT_OUT, &running);
    settle(session);
    return 0;
}

/* The socket of a number; NULL when memory is short. */
static struct aio__httpc_socket *get_socket(aio_http_session *session, int fd)
{
    size_t count = session->socket_count == 0 ? 64 : session->socket_count;
    struct aio__httpc_socket **table;
    struct aio__httpc_socket *sock;

    if (fd < 0)
        return NULL;
    while (count <= (size_t)fd)
        count *= 2;
    if (count != session->socket_count) {
        table = aio_realloc(session->sockets, count * sizeof(struct aio__httpc_socket *));
        if (table == NULL)
            return NULL;
        for (size_t i = session->socket_count; i < count; i++)
            table[i] = NULL;
        session->sockets = table;
        session->socket_count = count;
    }
    sock = session->sockets[fd];
    if (sock != NULL)
        return sock;
    sock = aio_calloc(1, sizeof(*sock));
    if (sock == NULL)
        return NULL;
    sock->session = session;
    sock->fd = fd;
    session->sockets[fd] = sock;
    return sock;
}

/* Watch for what libcurl wants: 0, or why that cannot be. */
static int watch(struct aio__httpc_socket *sock)
{
    aio_loop *loop = sock->session->loop;
    unsigned missing = sock->wanted & (unsigned)~sock->watched;
    int err = 0;

    /* A socket can be written to most of the time: that has to end at once. */
    if ((sock->watched & ~sock->wanted & CURL_POLL_OUT) != 0) {
        (void)aio_loop_remove_writer(loop, sock->fd);
        sock->watched &= (unsigned char)~CURL_POLL_OUT;
    }
    if ((missing & CURL_POLL_IN) != 0) {
        err = aio_loop_add_reader(loop, sock->fd, on_readable, sock);
        if (err == 0)
            sock->watched |= CURL_POLL_IN;
    }
    if (err == 0 && (missing & CURL_POLL_OUT) != 0) {
        err = aio_loop_add_writer(loop, sock->fd, on_writable, sock);
        if (err == 0)
            sock->watched |= CURL_POLL_OUT;
    }
    return err;
}

static void unwatch(struct aio__httpc_socket *sock)
{
    aio_loop *loop = sock->session->loop;

    if ((sock->watched & CURL_POLL_IN) != 0)
        (void)aio_loop_remove_reader(loop, sock->fd);
    if ((sock->watched & CURL_POLL_OUT) != 0)
        (void)aio_loop_remove_writer(loop, sock->fd);
    sock->watched = 0;
    sock->wanted = 0;
}

/* libcurl's: what it wants of a socket. An error here would be the end of the multi handle. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
    aio_http_session *session = arg;
    struct aio__httpc_socket *sock = get_socket(session, fd);

    (void)easy;
    (void)unused;
    if (sock == NULL) {
        if (what != CURL_POLL_REMOVE)
            session->starved = true;
        return 0;
    }
    sock->wanted = what == CURL_POLL_REMOVE ? 0 : (unsigned char)(what & CURL_POLL_INOUT);
    if (watch(sock) < 0)
        session->starved = true;
    return 0;
}

/* libcurl's: make a socket. */
static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    aio_http_response *response = arg;
    aio_http_session *session = response->session;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    struct aio__httpc_socket *sock;

    (void)purpose;
    if (fd < 0) {
        response->socket_error = errno;
        return CURL_SOCKET_BAD;
    }
    sock = get_socket(session, fd);
    if (sock == NULL) {
        (void)close(fd);
        session->starved = true;
        return CURL_SOCKET_BAD;
    }
    sock->open = true;
    session->stats.connections++;
    session->stats.opened++;
    return fd;
}

/* libcurl's: close a socket. Nobody may watch it by then. */
static int on_close_socket(void *arg, curl_socket_t fd)
{
    aio_http_session *session = arg;
    struct aio__httpc_socket *sock =
        (size_t)fd < session->socket_count ? session->sockets[fd] : NULL;

    if (sock != NULL) {
        unwatch(sock);
        if (sock->open)
            session->stats.connections--;
        sock->open = false;
    }
    return close(fd);
}

/* --- the timer -------------------------------------------------------------------------- */

/* libcurl's: when it wants to be called. It may not be called from here. */
static int on_due(CURLM *multi, long milliseconds, void *arg)
{
    aio_http_session *session = arg;

    (void)multi;
    if (session->closed)
        return 0;
    session->due =
        milliseconds < 0 ? AIO_FOREVER : aio_loop_time(session->loop) + (double)milliseconds / 1000;
    return 0;
}

static void drop_timer(aio_http_session *session)
{
    aio_handle_cancel(session->timer);
    aio_handle_unref(session->timer);
    session->timer = NULL;
}

static int on_timer(void *arg)
{
    aio_http_session *session = arg;

    drop_timer(session);
    settle(session);
    return 0;
}

/* A timer that is set too early stays: it finds nothing due, and is set anew. */
static int set_timer(aio_http_session *session)
{
    if (isinf(session->due) || (session->timer != NULL && session->timer_at <= session->due))
        return 0;
    drop_timer(session);
    session->timer_at = session->due;
    return aio_loop_call_at(session->loop, session->due, on_timer, session, &session->timer);
}

/* --- responses -------------------------------------------------------------------------- */

void aio__httpc_wake(aio_http_response *response)
{
    if (response->waiter != NULL && !aio_future_done(response->waiter))
        (void)aio_future_set_result(response->waiter, NULL);
}

void aio__httpc_finish(aio_http_response *response, int code)
{
    if (response->ended)
        return;
    response->ended = true;
    response->code = code;
    aio_handle_cancel(response->timer);
    aio_handle_unref(response->timer);
    response->timer = NULL;
    aio__httpc_upload_stop(response);
    aio__httpc_wake(response);
}

void aio__httpc_fail(aio_http_response *response, int code, const char *text)
{
    if (response->ended)
        return;
    response->why = text;
    aio__httpc_finish(response, code);
    aio__httpc_give_up(response);
}

static void keep_easy(aio_http_session *session, CURL *easy)
{
    if (session->closed || session->idle_count == AIO__HTTPC_IDLE_HANDLES) {
        curl_easy_cleanup(easy);
        return;
    }
    session->idle[session->idle_count++] = easy;
}

/* Take a response out of the multi handle, and let go of it. */
static void leave(aio_http_response *response)
{
    aio_http_session *session = response->session;

    aio__httpc_link_remove(&response->work);
    response->wanted = 0;
    if (response->is_added) {
        (void)curl_multi_remove_handle(session->multi, response->easy);
        aio__httpc_link_remove(&response->added);
        response->is_added = false;
        session->stats.active--;
    }
    if (response->easy != NULL)
        keep_easy(session, response->easy);
    response->easy = NULL;
    curl_slist_free_all(response->headers);
    curl_slist_free_all(response->resolve);
    response->headers = NULL;
    response->resolve = NULL;
    aio__httpc_wake(response);
    aio__httpc_response_left(response);
}

static void begin(aio_http_response *response)
{
    aio_http_session *session = response->session;
    CURLMcode result = curl_multi_add_handle(session->multi, response->easy);

    if (result != CURLM_OK) {
        aio__httpc_fail(response, result == CURLM_OUT_OF_MEMORY ? AIO_ENOMEM : AIO_ERUNTIME,
                        curl_multi_strerror(result));
        return;
    }
    response->is_added = true;
    aio__httpc_link_append(&session->added, &response->added);
    session->stats.active++;
    session->stats.requests++;
}

/* Do what is wanted. */
static void work_off(aio_http_session *session)
{
    while (!aio__httpc_link_is_alone(&session->work)) {
        aio_http_response *response = aio__httpc_of(session->work.next, aio_http_response, work);
        unsigned wanted = response->wanted;

        if ((wanted & AIO__HTTPC_END) != 0) {
            leave(response);
            continue;
        }
        aio__httpc_link_remove(&response->work);
        response->wanted = 0;
        if ((wanted & AIO__HTTPC_START) != 0)
            begin(response);
        else if (response->is_added)
            (void)curl_easy_pause(response->easy,
                                  CURLPAUSE_CONT); /* its callbacks tell of errors */
    }
}

/* Those that libcurl has ended. */
static void read_messages(aio_http_session *session)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(session->multi, &left)) != NULL) {
        CURLcode result = message->data.result;
        aio_http_response *response = NULL;
        char *private = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        response = (aio_http_response *)(void *)private;
        aio__httpc_finish(response, aio__httpc_code_of(result, response));
        leave(response);
    }
}

static void starve(aio_http_session *session)
{
    struct aio__httpc_link *next;

    session->starved = false;
    for (struct aio__httpc_link *link = session->added.next; link != &session->added; link = next) {
        next = link->next;
        aio__httpc_fail(aio__httpc_of(link, aio_http_response, added), AIO_ENOMEM, "");
    }
}

/* After every call into libcurl, but those made here: call it as often as it wants to be. */
static void settle(aio_http_session *session)
{
    int running;

    if (session->settling)
        return;
    session->settling = true;
    for (int round = 0; round < ROUNDS; round++) {
        work_off(session);
        read_messages(session);
        if (session->due > aio_loop_time(session->loop))
            break;
        session->due = AIO_FOREVER;
        (void)curl_multi_socket_action(session->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    if (set_timer(session) < 0)
        session->starved = true;
    if (session->starved) {
        starve(session);
        work_off(session);
    }
    session->settling = false;
}

/* --- what tasks want -------------------------------------------------------------------- */

static int on_kick(void *arg)
{
    aio_http_session *session = arg;

    aio_handle_unref(session->kick);
    session->kick = NULL;
    settle(session);
    return 0;
}

static int want(aio_http_response *response, unsigned what)
{
    aio_http_session *session = response->session;

    if (response->wanted == 0)
        aio__httpc_link_append(&session->work, &response->work);
    response->wanted |= what;
    if (session->kick != NULL || session->settling)
        return 0;
    return aio_loop_call_soon(session->loop, on_kick, session, &session->kick);
}

int aio__httpc_start(aio_http_response *response)
{
    int err = want(response, AIO__HTTPC_START);

    if (err < 0) {
        aio__httpc_link_remove(&response->work);
        response->wanted = 0;
    }
    return err;
}

void aio__httpc_resume(aio_http_response *response)
{
    if (response->is_added && !response->ended && want(response, AIO__HTTPC_RESUME) < 0)
        aio__httpc_fail(response, AIO_ENOMEM, "");
}

void aio__httpc_give_up(aio_http_response *response)
{
    aio_http_session *session = response->session;

    if (!response->is_added && response->wanted == 0) {
        leave(response);
        return;
    }
    /* A closed loop has thrown away what was queued, too. */
    if (want(response, AIO__HTTPC_END) < 0 || aio_loop_is_closed(session->loop))
        leave(response);
}

/* --- life ------------------------------------------------------------------------------- */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_result;

static void set_up_curl(void)
{
    curl_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

bool aio__httpc_curl_has_openssl(void)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

    return info->ssl_version != NULL && strncmp(info->ssl_version, "OpenSSL/", 8) == 0;
}

static int open_jar(aio_http_session *session)
{
    session->share = curl_share_init();
    if (session->share == NULL)
        return AIO_ENOMEM;
    return curl_share_setopt(session->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE) == CURLSHE_OK
               ? 0
               : AIO_ENOMEM;
}

static long clamp(size_t limit)
{
    return limit >= INT32_MAX ? INT32_MAX : (long)limit;
}

int aio__httpc_engine_open(aio_http_session *session)
{
    const aio_http_session_options *options = &session->options;

    session->due = AIO_FOREVER;
    (void)pthread_once(&curl_once, set_up_curl);
    if (curl_result != CURLE_OK)
        return AIO_ENOMEM;
    session->multi = curl_multi_init();
    if (session->multi == NULL)
        return AIO_ENOMEM;
    (void)curl_multi_setopt(session->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(session->multi, CURLMOPT_SOCKETDATA, session);
    (void)curl_multi_setopt(session->multi, CURLMOPT_TIMERFUNCTION, on_due);
    (void)curl_multi_setopt(session->multi, CURLMOPT_TIMERDATA, session);
    (void)curl_multi_setopt(session->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    if (options->limit != AIO_HTTP_UNLIMITED) {
        (void)curl_multi_setopt(session->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                                clamp(options->limit));
        (void)curl_multi_setopt(session->multi, CURLMOPT_MAXCONNECTS, clamp(options->limit));
    }
    if (options->limit_per_host != AIO_HTTP_UNLIMITED)
        (void)curl_multi_setopt(session->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                                clamp(options->limit_per_host));
    return options->no_cookies ? 0 : open_jar(session);
}

CURL *aio__httpc_easy_new(aio_http_session *session)
{
    CURL *easy = curl_easy_init();

    if (easy == NULL)
        return NULL;
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    (void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    (void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, session);
    return easy;
}

static void end_responses(struct aio__httpc_link *list, bool are_added)
{
    while (!aio__httpc_link_is_alone(list)) {
        aio_http_response *response = are_added
                                          ? aio__httpc_of(list->next, aio_http_response, added)
                                          : aio__httpc_of(list->next, aio_http_response, work);

        response->why = "the session is closed";
        aio__httpc_finish(response, AIO_ECLOSED);
        leave(response);
    }
}

void aio__httpc_engine_close(aio_http_session *session)
{
    session->settling = true; /* nothing is queued any more */
    end_responses(&session->added, true);
    end_responses(&session->work, false);
    while (session->idle_count > 0)
        curl_easy_cleanup(session->idle[--session->idle_count]);
    (void)curl_multi_cleanup(session->multi);
    (void)curl_share_cleanup(session->share);
    session->multi = NULL;
    session->share = NULL;
    aio_handle_cancel(session->kick);
    aio_handle_unref(session->kick);
    session->kick = NULL;
    drop_timer(session);
    for (size_t i = 0; i < session->socket_count; i++)
        aio_free(session->sockets[i]);
    aio_free(session->sockets);
    session->sockets = NULL;
    session->socket_count = 0;
}
