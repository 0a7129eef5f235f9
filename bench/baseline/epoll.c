/* SPDX-License-Identifier: MIT */
/*
 * epoll.c - servers by epoll_wait(), recv() and send() alone: the least that a server can do
 *
 *     baseline_epoll [--http] PORT
 *
 * Sends back what it gets; with --http it answers whatever ends in an empty line with the reply of
 * the HTTP services, without looking at it. What a socket does not take is kept, and the connection
 * is not read from until that is gone.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096, BUFFER = 64 * 1024, BATCH = 1024 };

static const char reply[] = "HTTP/1.1 200 OK\r\n"
                            "Content-Type: application/json\r\n"
                            "Content-Length: 27\r\n\r\n"
                            "{\"message\":\"Hello, World!\"}";

struct connection {
    int fd;
    char *rest; /* NULL: all was sent */
    size_t rest_size;
};

static int epoll;
static bool by_http;
static char buffer[BUFFER];

static void watch(struct connection *connection, int how, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};

    if (epoll_ctl(epoll, how, connection->fd, &event) < 0)
        abort();
}

static void end(struct connection *connection)
{
    close(connection->fd);
    free(connection->rest);
    free(connection);
}

/* How much of it; -1 if the connection is broken. */
static ssize_t send_some(struct connection *connection, const char *data, size_t size)
{
    ssize_t sent = send(connection->fd, data, size, MSG_NOSIGNAL);

    return sent < 0 && errno == EAGAIN ? 0 : sent;
}

static void keep(struct connection *connection, const char *data, size_t size)
{
    connection->rest = malloc(size);
    if (connection->rest == NULL)
        abort();
    memcpy(connection->rest, data, size);
    connection->rest_size = size;
    watch(connection, EPOLL_CTL_MOD, EPOLLOUT);
}

static void answer(struct connection *connection, const char *data, size_t size)
{
    ssize_t sent = send_some(connection, data, size);

    if (sent < 0)
        end(connection);
    else if ((size_t)sent < size)
        keep(connection, data + sent, size - (size_t)sent);
}

static void read_some(struct connection *connection)
{
    ssize_t got = recv(connection->fd, buffer, BUFFER, 0);

    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        end(connection);
    else if (!by_http)
        answer(connection, buffer, (size_t)got);
    else if (got >= 4 && memcmp(buffer + got - 4, "\r\n\r\n", 4) == 0)
        answer(connection, reply, sizeof(reply) - 1);
}

static void write_some(struct connection *connection)
{
    ssize_t sent = send_some(connection, connection->rest, connection->rest_size);

    if (sent < 0) {
        end(connection);
        return;
    }
    connection->rest_size -= (size_t)sent;
    memmove(connection->rest, connection->rest + sent, connection->rest_size);
    if (connection->rest_size > 0)
        return;
    free(connection->rest);
    connection->rest = NULL;
    watch(connection, EPOLL_CTL_MOD, EPOLLIN);
}

static void accept_all(int server)
{
    int on = 1;
    int fd;

    while ((fd = accept4(server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *connection = calloc(1, sizeof(*connection));

        if (connection == NULL)
            abort();
        connection->fd = fd;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        watch(connection, EPOLL_CTL_ADD, EPOLLIN);
    }
}

static int listen_at(int port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;

    name.sin_port = htons((uint16_t)port);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 || listen(fd, BACKLOG) < 0) {
        perror("listen");
        exit(EXIT_FAILURE);
    }
    return fd;
}

int main(int argc, char **argv)
{
    struct connection server = {0};
    struct epoll_event events[BATCH];
    struct rlimit limit;

    by_http = argc == 3 && strcmp(argv[1], "--http") == 0;
    if (argc != (by_http ? 3 : 2)) {
        (void)fprintf(stderr, "usage: %s [--http] PORT\n", argv[0]);
        return EXIT_FAILURE;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    epoll = epoll_create1(EPOLL_CLOEXEC);
    server.fd = listen_at(atoi(argv[argc - 1]));
    watch(&server, EPOLL_CTL_ADD, EPOLLIN);
    (void)puts("READY");
    (void)fflush(stdout);
    for (;;) {
        int count = epoll_wait(epoll, events, BATCH, -1);

        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;

            if (connection == &server)
                accept_all(server.fd);
            else if (events[i].events & EPOLLOUT)
                write_some(connection);
            else
                read_some(connection);
        }
    }
}
