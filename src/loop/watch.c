/* SPDX-License-Identifier: MIT */
/*
 * watch.c - callbacks for file descriptors that can be read or written
 *
 * One uv_poll_t for an fd with up to two watchers. A watcher that is found ready is queued like
 * any call, the reader before the writer (S8), and stays registered.
 *
 * libuv reports an fd with a pending error once, as UV_EBADF, and stops watching. asyncio goes
 * on calling, so that the callback can fetch the error: we count that as readable and writable
 * and watch again.
 *
 * libuv tells the kernel of a change when it polls next, and aborts the process if the kernel
 * refuses, as it does when the program has closed the fd without a word. So what was changed is
 * looked at once more before the poll; an fd that is gone then stays silent, as in asyncio.
 */
#include "loop/watch.h"

#include "loop/handle.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif

struct watcher {
    struct aio__ready ready;
    struct aio__watch *watch;
    aio_callback_fn fn;
    void *arg;
    aio__ctx context;
    unsigned registration; /* counts them, to see that one was replaced while it ran */
    bool active;           /* registered */
    bool queued;           /* its node is in the queue */
};

struct aio__watch {
    uv_poll_t poll;
    aio_loop *loop;
    struct aio__list changed; /* in loop->changed_watches */
    int fd;
    struct watcher reader;
    struct watcher writer;
    bool closing; /* out of the loop's table; freed when closed and not queued any more */
    bool closed;
};

/* Stands in the table for an fd that a transport owns. */
static struct aio__watch reserved;

static void free_if_over(struct aio__watch *watch)
{
    if (watch->closed && !watch->reader.queued && !watch->writer.queued)
        aio__loop_free(watch->loop, watch, sizeof(*watch));
}

static void run_watcher(struct aio__ready *node)
{
    struct watcher *watcher = aio__container_of(node, struct watcher, ready);
    aio_loop *loop = watcher->watch->loop;
    struct aio__thread *thread = aio__thread();
    unsigned registration = watcher->registration;
    aio__ctx context = watcher->context;
    int code;

    watcher->queued = false;
    if (!watcher->active) {
        free_if_over(watcher->watch);
        return;
    }
    /* The callback may remove its watcher, but not the context it runs in. */
    watcher->queued = true;
    watcher->context = (aio__ctx){0};
    thread->context = &context;
    code = watcher->fn(watcher->arg);
    if (code < 0)
        aio__loop_callback_failed(loop, code, NULL);
    thread->context = NULL;
    watcher->queued = false;
    if (watcher->registration == registration)
        watcher->context = context;
    else
        aio__ctx_release(context);
    free_if_over(watcher->watch);
}

static void queue_watcher(struct watcher *watcher)
{
    if (!watcher->active || watcher->queued)
        return;
    watcher->queued = true;
    aio__loop_arrived(watcher->watch->loop, &watcher->ready);
}

static int update_poll(struct aio__watch *watch);

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct aio__watch *watch = aio__container_of(poll, struct aio__watch, poll);

    if (status < 0) {
        events = UV_READABLE | UV_WRITABLE;
        (void)update_poll(watch);
    }
    if (events & (UV_READABLE | UV_DISCONNECT))
        queue_watcher(&watch->reader);
    if (events & UV_WRITABLE)
        queue_watcher(&watch->writer);
}

/* Whether the kernel would watch the fd now: 0, -EBADF, -EPERM, ... */
static int probe(const struct aio__watch *watch)
{
#ifdef __linux__
    int epoll = uv_backend_fd(watch->loop->uv);
    struct epoll_event event = {.events = EPOLLIN};

    event.data.fd = -1; /* libuv passes over such */
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, watch->fd, &event) < 0)
        return errno == EEXIST ? 0 : -errno;
    return epoll_ctl(epoll, EPOLL_CTL_DEL, watch->fd, &event) < 0 ? -errno : 0;
#else
    return fcntl(watch->fd, F_GETFD) < 0 ? -errno : 0;
#endif
}

/* Watch for what the watchers want. */
static int update_poll(struct aio__watch *watch)
{
    int events =
        (watch->reader.active ? UV_READABLE : 0) | (watch->writer.active ? UV_WRITABLE : 0);
    int err = probe(watch);

    aio__list_remove(&watch->changed);
    if (err < 0) {
        (void)uv_poll_stop(&watch->poll);
        return err;
    }
    aio__list_append(&watch->loop->changed_watches, &watch->changed);
    return uv_poll_start(&watch->poll, events, on_poll);
}

void aio__watches_check(aio_loop *loop)
{
    struct aio__list *link;

    while ((link = aio__list_first(&loop->changed_watches)) != NULL) {
        struct aio__watch *watch = aio__container_of(link, struct aio__watch, changed);

        aio__list_remove(link);
        if (probe(watch) < 0)
            (void)uv_poll_stop(&watch->poll);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct aio__watch *watch = handle->data;

    watch->closed = true;
    free_if_over(watch);
}

static void close_watch(struct aio__watch *watch)
{
    watch->closing = true;
    aio__list_remove(&watch->changed);
    watch->loop->watches[watch->fd] = NULL;
    uv_close((uv_handle_t *)&watch->poll, on_closed);
}

static int grow_table(aio_loop *loop, int fd)
{
    size_t count = loop->watch_count == 0 ? 64 : loop->watch_count;
    struct aio__watch **table;

    if ((size_t)fd < loop->watch_count)
        return 0;
    while (count <= (size_t)fd)
        count *= 2;
    table = aio_realloc(loop->watches, count * sizeof(struct aio__watch *));
    if (table == NULL)
        return AIO_ENOMEM;
    for (size_t i = loop->watch_count; i < count; i++)
        table[i] = NULL;
    loop->watches = table;
    loop->watch_count = count;
    return 0;
}

static void init_watcher(struct watcher *watcher, struct aio__watch *watch)
{
    *watcher = (struct watcher){.ready.run = run_watcher, .watch = watch};
}

/* The fd's watch, made if need be. */
static int get_watch(aio_loop *loop, int fd, struct aio__watch **ret_watch)
{
    struct aio__watch *watch;
    int err;

    err = grow_table(loop, fd);
    if (err < 0)
        return err;
    if (loop->watches[fd] == &reserved)
        return aio_raise(AIO_ERUNTIME, "File descriptor %d is used by transport", fd);
    if (loop->watches[fd] != NULL) {
        *ret_watch = loop->watches[fd];
        return 0;
    }
    watch = aio__loop_alloc(loop, sizeof(*watch));
    if (watch == NULL)
        return AIO_ENOMEM;
    watch->loop = loop;
    watch->fd = fd;
    watch->closing = false;
    watch->closed = false;
    aio__list_init(&watch->changed);
    init_watcher(&watch->reader, watch);
    init_watcher(&watch->writer, watch);
    err = uv_poll_init(loop->uv, &watch->poll, fd);
    if (err < 0) {
        aio__loop_free(loop, watch, sizeof(*watch));
        return err;
    }
    watch->poll.data = watch;
    loop->watches[fd] = watch;
    *ret_watch = watch;
    return 0;
}

static void deactivate(struct watcher *watcher)
{
    aio__ctx context = watcher->context;

    watcher->active = false;
    watcher->registration++;
    watcher->context = (aio__ctx){0};
    aio__ctx_release(context);
}

static int add_watcher(aio_loop *loop, int fd, bool writer, aio_callback_fn fn, void *arg)
{
    struct aio__watch *watch = NULL;
    struct watcher *watcher;
    int err;

    err = aio__loop_check_call(loop, fn);
    if (err < 0)
        return err;
    if (fd < 0)
        return aio_raise(AIO_EVALUE, "Invalid file descriptor: %d", fd);
    /* Before a table is made that would reach so far. */
    if (fcntl(fd, F_GETFD) < 0)
        return -errno;
    err = get_watch(loop, fd, &watch);
    if (err < 0)
        return err;

    assert(watch != NULL);
    watcher = writer ? &watch->writer : &watch->reader;
    if (watcher->active)
        deactivate(watcher);
    watcher->active = true;
    watcher->registration++;
    watcher->fn = fn;
    watcher->arg = arg;
    watcher->context = aio__ctx_capture();
    err = update_poll(watch);
    if (err == 0)
        return 0;
    deactivate(watcher);
    if (!watch->reader.active && !watch->writer.active)
        close_watch(watch);
    return err;
}

/* The fd's registered watcher, or NULL. */
static struct watcher *find_watcher(aio_loop *loop, int fd, bool writer)
{
    struct aio__watch *watch;
    struct watcher *watcher;

    if (loop == NULL || loop->closed || fd < 0 || (size_t)fd >= loop->watch_count)
        return NULL;
    watch = loop->watches[fd];
    if (watch == NULL || watch == &reserved)
        return NULL;
    watcher = writer ? &watch->writer : &watch->reader;
    return watcher->active ? watcher : NULL;
}

static bool remove_watcher(aio_loop *loop, int fd, bool writer)
{
    struct watcher *watcher = find_watcher(loop, fd, writer);
    struct aio__watch *watch;

    if (watcher == NULL)
        return false;
    watch = watcher->watch;
    deactivate(watcher);
    if (watch->reader.active || watch->writer.active)
        (void)update_poll(watch);
    else
        close_watch(watch);
    return true;
}

int aio_loop_add_reader(aio_loop *loop, int fd, aio_callback_fn fn, void *arg)
{
    return add_watcher(loop, fd, false, fn, arg);
}

int aio_loop_add_writer(aio_loop *loop, int fd, aio_callback_fn fn, void *arg)
{
    return add_watcher(loop, fd, true, fn, arg);
}

bool aio_loop_remove_reader(aio_loop *loop, int fd)
{
    return remove_watcher(loop, fd, false);
}

bool aio_loop_remove_writer(aio_loop *loop, int fd)
{
    return remove_watcher(loop, fd, true);
}

void aio__watch_remove_own(aio_loop *loop, int fd, bool writer, void *arg)
{
    struct watcher *watcher = find_watcher(loop, fd, writer);

    if (watcher != NULL && watcher->arg == arg)
        (void)remove_watcher(loop, fd, writer);
}

int aio__watch_reserve(aio_loop *loop, int fd)
{
    int err = grow_table(loop, fd);

    if (err < 0)
        return err;
    if (loop->watches[fd] != NULL)
        return aio_raise(AIO_ERUNTIME, "File descriptor %d is being watched", fd);
    loop->watches[fd] = &reserved;
    return 0;
}

void aio__watch_unreserve(aio_loop *loop, int fd)
{
    /* A loop that is closed has given up its table. */
    if ((size_t)fd < loop->watch_count && loop->watches[fd] == &reserved)
        loop->watches[fd] = NULL;
}

void aio__watches_close(aio_loop *loop)
{
    for (size_t fd = 0; fd < loop->watch_count; fd++) {
        struct aio__watch *watch = loop->watches[fd];

        if (watch == NULL || watch == &reserved)
            continue;
        if (watch->reader.active)
            deactivate(&watch->reader);
        if (watch->writer.active)
            deactivate(&watch->writer);
        close_watch(watch);
    }
    aio_free(loop->watches);
    loop->watches = NULL;
    loop->watch_count = 0;
}
