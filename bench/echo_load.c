/* SPDX-License-Identifier: MIT */
/*
 * echo_load.c - load for echo servers, and what it costs them
 *
 *     echo_load [--connections N] [--size BYTES] [--seconds S] [--pid PID] [--tls]
 *               PORT | --unix PATH
 *
 * A closed loop: each connection sends a message, waits until all of it has come back, checks it,
 * and sends the next. One thread, which sleeps while nothing comes, and knows nothing of aioc.
 *
 * Prints "requests N", "per_second N", the percentiles of a request in microseconds, and with --pid
 * the processor time that process spent on one request, "cpu_ns". The first fifth of the time is
 * not counted. Not measured: connecting, handshakes, and how fast a server could be if this were
 * faster.
 */
#include "support/secure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SIZE = 16 * 1024 * 1024, BATCH = 256, PERIOD = 251, STEPS = 32, BUCKETS = 64 * STEPS };

struct connection {
    int fd;
    struct secure *secure; /* NULL: plain */
    size_t sent;           /* of this message */
    size_t got;
    uint64_t count;    /* of messages: tells which part of the pattern it is */
    uint64_t begun_ns; /* the message's first byte was sent */
};

struct load {
    const char *path; /* NULL: by port */
    int port;
    size_t connections;
    size_t size;
    double seconds;
    pid_t pid; /* 0: none */
    bool tls;
    int epoll;
    struct connection *all;
    char *pattern; /* size + PERIOD bytes */
    char *received;
    bool counts; /* the warm-up is over */
    uint64_t requests;
    uint64_t histogram[BUCKETS];
};

static void fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fprintf(stderr, "\n");
    exit(EXIT_FAILURE);
}

static uint64_t now_ns(clockid_t clock)
{
    struct timespec time = {0};

    (void)clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* --- times ----------------------------------------------------------------------------- */

/* A bucket is a 32nd of a power of two wide: 3 percent. */
static size_t bucket_of(uint64_t ns)
{
    unsigned power;

    if (ns < STEPS)
        return (size_t)ns;
    power = 63u - (unsigned)__builtin_clzll(ns);
    return (power - 4) * STEPS + ((ns >> (power - 5)) & (STEPS - 1));
}

static double bucket_us(size_t bucket)
{
    size_t power = bucket / STEPS + 4;

    if (bucket < STEPS)
        return (double)bucket / 1000;
    return (double)((UINT64_C(1) << power) + ((uint64_t)(bucket % STEPS) << (power - 5))) / 1000;
}

static double percentile(const struct load *load, double part)
{
    uint64_t wanted = (uint64_t)(part * (double)load->requests);
    uint64_t seen = 0;

    for (size_t i = 0; i < BUCKETS; i++) {
        seen += load->histogram[i];
        if (seen > wanted)
            return bucket_us(i);
    }
    return 0;
}

/* --- connections ----------------------------------------------------------------------- */

static int connect_one(const struct load *load)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    int fd = socket(load->path == NULL ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    int err;

    if (fd < 0)
        fail("socket: %s", strerror(errno));
    v4.sin_port = htons((uint16_t)load->port);
    if (load->path != NULL)
        (void)snprintf(local.sun_path, sizeof(local.sun_path), "%s", load->path);
    err = load->path == NULL ? connect(fd, (struct sockaddr *)&v4, sizeof(v4))
                             : connect(fd, (struct sockaddr *)&local, sizeof(local));
    if (err < 0)
        fail("connect: %s", strerror(errno));
    if (load->path == NULL)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

static const char *message_of(const struct load *load, const struct connection *connection)
{
    size_t place = (size_t)(connection - load->all);

    return load->pattern + (place + connection->count) % PERIOD;
}

static void watch(const struct load *load, struct connection *connection, int how, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};

    if (epoll_ctl(load->epoll, how, connection->fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
}

static ssize_t put(const struct connection *connection, const void *data, size_t size)
{
    if (connection->secure != NULL)
        return secure_send(connection->secure, data, size);
    return send(connection->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* All of a record, so that TLS keeps nothing that nobody would be told of: no message is longer than
 * what is asked for, and none begins in the record of another. */
static ssize_t get(const struct connection *connection, void *data, size_t size)
{
    if (connection->secure != NULL)
        return secure_recv(connection->secure, data, size);
    return recv(connection->fd, data, size, MSG_DONTWAIT);
}

/* Send what is left of the message, as far as the socket takes it. */
static void send_rest(const struct load *load, struct connection *connection)
{
    bool was_late = connection->sent != 0;
    ssize_t done = put(connection, message_of(load, connection) + connection->sent,
                       load->size - connection->sent);

    if (done < 0 && errno != EAGAIN)
        fail("send: %s", strerror(errno));
    connection->sent += done < 0 ? 0 : (size_t)done;
    if (connection->sent < load->size)
        watch(load, connection, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    else if (was_late)
        watch(load, connection, EPOLL_CTL_MOD, EPOLLIN);
}

static void begin_message(const struct load *load, struct connection *connection)
{
    connection->sent = 0;
    connection->got = 0;
    connection->begun_ns = now_ns(CLOCK_MONOTONIC);
    send_rest(load, connection);
}

static void receive(struct load *load, struct connection *connection)
{
    ssize_t got = get(connection, load->received, load->size - connection->got);

    if (got == 0)
        fail("a connection was closed");
    if (got < 0 && errno != EAGAIN)
        fail("recv: %s", strerror(errno));
    if (got <= 0)
        return;
    if (memcmp(load->received, message_of(load, connection) + connection->got, (size_t)got) != 0)
        fail("something else came back");
    connection->got += (size_t)got;
    if (connection->got < load->size)
        return;
    if (load->counts) {
        load->requests++;
        load->histogram[bucket_of(now_ns(CLOCK_MONOTONIC) - connection->begun_ns)]++;
    }
    connection->count++;
    begin_message(load, connection);
}

static void run_until(struct load *load, uint64_t end_ns)
{
    struct epoll_event events[BATCH];

    while (now_ns(CLOCK_MONOTONIC) < end_ns) {
        int count = epoll_wait(load->epoll, events, BATCH, 1000);

        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;

            if (events[i].events & EPOLLOUT)
                send_rest(load, connection);
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                receive(load, connection);
        }
    }
}

/* --- the program ----------------------------------------------------------------------- */

static void prepare(struct load *load)
{
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->all = calloc(load->connections, sizeof(*load->all));
    load->pattern = malloc(load->size + PERIOD);
    load->received = malloc(load->size);
    if (load->epoll < 0 || load->all == NULL || load->pattern == NULL || load->received == NULL)
        fail("no memory");
    for (size_t i = 0; i < load->size + PERIOD; i++)
        load->pattern[i] = (char)(i % PERIOD);
    for (size_t i = 0; i < load->connections; i++) {
        load->all[i].fd = connect_one(load);
        if (load->tls) {
            load->all[i].secure = secure_open(load->all[i].fd);
            if (load->all[i].secure == NULL)
                fail("no TLS");
        }
        watch(load, &load->all[i], EPOLL_CTL_ADD, EPOLLIN);
    }
}

static void run(struct load *load)
{
    uint64_t length_ns = (uint64_t)(load->seconds * 1e9);
    uint64_t begin_ns = now_ns(CLOCK_MONOTONIC);
    clockid_t clock = CLOCK_PROCESS_CPUTIME_ID;
    uint64_t cpu_ns;
    uint64_t took_ns;

    if (load->pid != 0 && clock_getcpuclockid(load->pid, &clock) != 0)
        fail("no such process: %d", (int)load->pid);
    for (size_t i = 0; i < load->connections; i++)
        begin_message(load, &load->all[i]);
    run_until(load, begin_ns + length_ns / 5);
    load->counts = true;
    begin_ns = now_ns(CLOCK_MONOTONIC);
    cpu_ns = now_ns(clock);
    run_until(load, begin_ns + length_ns);
    cpu_ns = now_ns(clock) - cpu_ns;
    took_ns = now_ns(CLOCK_MONOTONIC) - begin_ns;
    if (load->requests == 0)
        fail("nothing came back");
    (void)printf("requests %" PRIu64 "\nper_second %.0f\n", load->requests,
                 (double)load->requests * 1e9 / (double)took_ns);
    (void)printf("p50_us %.1f\np90_us %.1f\np99_us %.1f\np999_us %.1f\n", percentile(load, 0.5),
                 percentile(load, 0.9), percentile(load, 0.99), percentile(load, 0.999));
    if (load->pid != 0)
        (void)printf("cpu_ns %.0f\n", (double)cpu_ns / (double)load->requests);
}

static void allow_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    static struct load load = {.connections = 10, .size = 1024, .seconds = 2};

    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(argv[i], "--connections") == 0)
            load.connections = strtoul(next, NULL, 10), i++;
        else if (strcmp(argv[i], "--size") == 0)
            load.size = strtoul(next, NULL, 10), i++;
        else if (strcmp(argv[i], "--seconds") == 0)
            load.seconds = strtod(next, NULL), i++;
        else if (strcmp(argv[i], "--pid") == 0)
            load.pid = (pid_t)strtol(next, NULL, 10), i++;
        else if (strcmp(argv[i], "--unix") == 0)
            load.path = next, i++;
        else if (strcmp(argv[i], "--tls") == 0)
            load.tls = true;
        else
            load.port = atoi(argv[i]);
    }
    if ((load.path == NULL && load.port <= 0) || load.connections == 0 || load.size == 0 ||
        load.size > MAX_SIZE || !(load.seconds > 0))
        fail("usage: %s [--connections N] [--size BYTES] [--seconds S] [--pid PID] [--tls] "
             "PORT | --unix PATH",
             argv[0]);
    (void)signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    allow_descriptors();
    prepare(&load);
    run(&load);
    return EXIT_SUCCESS;
}
