/* SPDX-License-Identifier: MIT */
/*
 * crawl.c - fetch a small web's pages, few at a time, no faster than allowed, and again when it
 * fails: crawl.py, ported
 *
 * The web is a server of its own, which refuses a page twice before it gives it, is silent about
 * another, and has a link to nowhere.
 */
#include <aio/aio.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { PATH = 16, PAGE = 64, MOST_PAGES = 32, SLOTS = 3, ATTEMPTS = 3 };

/* --- the site -------------------------------------------------------------------------- */

struct page {
    const char *path;
    const char *text;
    int refusals;
};

struct site {
    struct page pages[6];
    int running;
    int most;
};

static const struct site small_site = {
    .pages =
        {
            {"/", "start /a /b /flaky", 0},
            {"/a", "a /b /c", 0},
            {"/b", "b / /missing", 0},
            {"/c", "c /slow", 0},
            {"/flaky", "flaky /d", 2},
            {"/d", "d", 0},
        },
};

static int answer(struct site *site, const char *path, const char **ret_body)
{
    *ret_body = "";
    for (size_t i = 0; i < sizeof(site->pages) / sizeof(site->pages[0]); i++) {
        struct page *page = &site->pages[i];

        if (strcmp(page->path, path) != 0)
            continue;
        *ret_body = page->refusals > 0 ? "busy" : page->text;
        return page->refusals-- > 0 ? 503 : 200;
    }
    return 404;
}

/* Read a request's path; the rest of its head does not matter. */
static int read_request(aio_stream_reader *reader, char path[PATH])
{
    aio_bytes head;
    int err = aio_stream_reader_readuntil(reader, "\r\n\r\n", 4, &head);

    if (err < 0)
        return err;
    if (sscanf(head.data, "GET %15s", path) != 1)
        err = aio_raise(AIO_EVALUE, "what is that?");
    aio_bytes_free(&head);
    return err;
}

static int serve_request(struct site *site, aio_stream_reader *reader, aio_stream_writer *writer)
{
    char text[PAGE * 2];
    char path[PATH];
    const char *body;
    aio_bytes rest;
    int status;
    int err = read_request(reader, path);

    if (err == 0 && strcmp(path, "/slow") == 0) {
        err = aio_stream_reader_read(reader, -1, &rest); /* until the client gives up */
        if (err == 0)
            aio_bytes_free(&rest);
    }
    if (err < 0)
        return err;
    status = answer(site, path, &body);
    (void)snprintf(text, sizeof(text), "HTTP/1.0 %d\r\nContent-Length: %zu\r\n\r\n%s", status,
                   strlen(body), body);
    err = aio_stream_writer_write(writer, text, strlen(text));
    return err < 0 ? err : aio_stream_writer_drain(writer);
}

static int serve(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    struct site *site = arg;
    int err;

    site->running++;
    if (site->running > site->most)
        site->most = site->running;
    err = serve_request(site, reader, writer);
    site->running--;
    aio_stream_writer_close(writer);
    return err;
}

/* --- one page -------------------------------------------------------------------------- */

/* An answer that is no page is a code of its own for each status. */
static int raise_status(int status)
{
    return aio_raise(AIO_EUSER - status, "status %d", status);
}

static bool is_status(int code)
{
    return code <= AIO_EUSER && code > AIO_EUSER - 1000;
}

static int read_page(aio_stream_reader *reader, char page[PAGE])
{
    aio_bytes head;
    size_t size = 0;
    int status = 0;
    int err = aio_stream_reader_readuntil(reader, "\r\n\r\n", 4, &head);

    if (err < 0)
        return err;
    if (sscanf(head.data, "HTTP/1.0 %d Content-Length: %zu", &status, &size) != 2 || size >= PAGE)
        err = aio_raise(AIO_EVALUE, "no answer that we know");
    else if (status != 200)
        err = raise_status(status);
    aio_bytes_free(&head);
    if (err < 0)
        return err;
    page[size] = '\0';
    return aio_stream_reader_readexactly_into(reader, page, size);
}

static int fetch(int port, const char *path, char page[PAGE])
{
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    char text[PAGE];
    int closed;
    int err = aio_open_connection("127.0.0.1", port, &reader, &writer);

    if (err < 0)
        return err;
    (void)snprintf(text, sizeof(text), "GET %s HTTP/1.0\r\n\r\n", path);
    err = aio_stream_writer_write(writer, text, strlen(text));
    if (err == 0)
        err = read_page(reader, page);
    aio_stream_writer_close(writer);
    closed = aio_stream_writer_wait_closed(writer);
    return err < 0 ? err : closed;
}

/* --- the crawler ----------------------------------------------------------------------- */

struct seen {
    char path[PATH];
    char what[PAGE];
};

struct crawler {
    int port;
    aio_semaphore *slots;
    double interval; /* between the beginnings of two requests */
    double next;
    aio_taskgroup *group;
    struct seen seen[MOST_PAGES];
    size_t count;
};

/* Let one through each so many seconds. */
static int wait_for_turn(struct crawler *self)
{
    double now = aio_loop_time(aio_get_running_loop());
    double start = now > self->next ? now : self->next;

    self->next = start + self->interval;
    return aio_sleep(start - now);
}

static int get_once(struct crawler *self, const char *path, char page[PAGE])
{
    AIO_AUTO(aio_timeout) timeout = aio_timeout_new(0.5);
    int err = wait_for_turn(self);

    if (err == 0)
        err = aio_timeout_enter(timeout);
    if (err < 0)
        return err;
    return aio_timeout_exit(timeout, fetch(self->port, path, page));
}

/* A page; three times, and longer apart each time, while the server is busy. */
static int get(struct crawler *self, const char *path, char page[PAGE])
{
    double pause = 0.01;

    for (int attempt = 0;; attempt++) {
        int err = aio_semaphore_enter(self->slots);

        if (err < 0)
            return err;
        err = aio_semaphore_exit(self->slots, get_once(self, path, page));
        if (err != AIO_EUSER - 503 || attempt == ATTEMPTS - 1)
            return err;
        err = aio_sleep(pause);
        if (err < 0)
            return err;
        pause *= 2;
    }
}

static int follow(struct crawler *self, char *links);

struct visit {
    struct crawler *crawler;
    struct seen *seen;
};

static int visit(void *arg, void **ret_result)
{
    struct visit *self = arg;
    char page[PAGE];
    char *links;
    int err = get(self->crawler, self->seen->path, page);

    if (is_status(err)) {
        (void)snprintf(self->seen->what, PAGE, "%s", aio_error_text(err));
        return 0;
    }
    if (err == AIO_ETIMEDOUT) {
        (void)snprintf(self->seen->what, PAGE, "no answer");
        return 0;
    }
    if (err < 0)
        return err;
    links = page + strcspn(page, " ");
    (void)snprintf(self->seen->what, PAGE, "%.*s", (int)(links - page), page);
    return follow(self->crawler, links);
}

static bool is_known(const struct crawler *self, const char *path)
{
    for (size_t i = 0; i < self->count; i++)
        if (strcmp(self->seen[i].path, path) == 0)
            return true;
    return false;
}

static int follow(struct crawler *self, char *links)
{
    char *rest = NULL;

    for (char *link = strtok_r(links, " ", &rest); link; link = strtok_r(NULL, " ", &rest)) {
        aio_task_options options = AIO_TASK_OPTIONS_INIT;
        struct visit how = {self, &self->seen[self->count]};
        aio_task *task;

        if (is_known(self, link) || self->count == MOST_PAGES)
            continue;
        (void)snprintf(self->seen[self->count++].path, PATH, "%s", link);
        options.arg_size = sizeof(how);
        task = aio_taskgroup_create_task_with(self->group, visit, &how, &options);
        if (task == NULL)
            return aio_last_failure();
        aio_future_unref(task);
    }
    return 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct seen *)a)->path, ((const struct seen *)b)->path);
}

static int crawl(struct crawler *self)
{
    char start[] = "/";
    int err = aio_taskgroup_enter(self->group);

    return err < 0 ? err : aio_taskgroup_exit(self->group, follow(self, start));
}

static int port_of(aio_server *server)
{
    struct sockaddr_in name = {0};
    socklen_t size = sizeof(name);
    int sock = -1;

    (void)aio_server_sockets(server, &sock, 1);
    (void)getsockname(sock, (struct sockaddr *)&name, &size);
    return ntohs(name.sin_port);
}

static int async_main(void *arg, void **ret_result)
{
    AIO_AUTO(aio_semaphore) slots = aio_semaphore_new(SLOTS);
    AIO_AUTO(aio_taskgroup) group = aio_taskgroup_new();
    AIO_AUTO(aio_server) server = NULL;
    struct crawler crawler = {.slots = slots, .interval = 0.005, .group = group};
    struct site site = small_site;
    int err = aio_start_server(serve, &site, "127.0.0.1", 0, &server);

    if (err < 0)
        return err;
    crawler.port = port_of(server);
    err = crawl(&crawler);
    aio_server_close(server);
    if (err < 0)
        return err;
    qsort(crawler.seen, crawler.count, sizeof(crawler.seen[0]), by_path);
    for (size_t i = 0; i < crawler.count; i++)
        printf("%-10s %s\n", crawler.seen[i].path, crawler.seen[i].what);
    printf("never more than %d at once\n", site.most <= SLOTS ? SLOTS : site.most);
    return 0;
}

int main(void)
{
    return aio_main(async_main, NULL);
}
