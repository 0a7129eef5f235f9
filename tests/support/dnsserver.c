/* SPDX-License-Identifier: MIT */
/*
 * dnsserver.c - a name server on the loopback, in a thread, with a few names
 *
 * One connection by TCP at a time, which is closed after its answer.
 */
#include "support/dnsserver.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_PTR = 12, TYPE_AAAA = 28, HEADER = 12, MESSAGE = 4096 };
enum { NOERROR = 0, SERVFAIL = 2, NXDOMAIN = 3, SILENCE = -1, LATER = -2 };

struct dns_server {
    pthread_t thread;
    int udp;
    int tcp;
    int stop[2]; /* a pipe whose end ends the thread */
    char address[32];
    _Atomic(unsigned) questions;
    bool second_was_asked;
    struct { /* a question that waits for another one */
        unsigned char data[512];
        size_t size;
        struct sockaddr_in from;
    } held[2];
    size_t held_count;
};

/* A message that is being written. */
struct message {
    unsigned char data[MESSAGE];
    size_t size;
    unsigned answers;
};

static void put16(struct message *message, unsigned value)
{
    message->data[message->size++] = (unsigned char)(value >> 8);
    message->data[message->size++] = (unsigned char)value;
}

static void put_name(struct message *message, const char *name)
{
    while (*name != '\0') {
        size_t length = strcspn(name, ".");

        message->data[message->size++] = (unsigned char)length;
        memcpy(message->data + message->size, name, length);
        message->size += length;
        name += length + (name[length] == '.');
    }
    message->data[message->size++] = 0;
}

/* The beginning of a record, to be followed by its data. */
static void put_record(struct message *message, const char *owner, unsigned type, size_t size)
{
    put_name(message, owner);
    put16(message, type);
    put16(message, 1);
    put16(message, 0);
    put16(message, 60); /* seconds to live */
    put16(message, (unsigned)size);
    message->answers++;
}

static void put_address(struct message *message, const char *owner, const char *text)
{
    int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
    size_t size = family == AF_INET6 ? 16 : 4;

    put_record(message, owner, family == AF_INET6 ? TYPE_AAAA : TYPE_A, size);
    (void)inet_pton(family, text, message->data + message->size);
    message->size += size;
}

static void put_target(struct message *message, const char *owner, unsigned type, const char *name)
{
    put_record(message, owner, type, strlen(name) + 2);
    put_name(message, name);
}

static const struct {
    const char *name;
    const char *alias_of;
    const char *ipv4;
    const char *ipv6;
} hosts[] = {
    {"one.test", NULL, "192.0.2.1", NULL},
    {"both.test", NULL, "192.0.2.1", "2001:db8::1"},
    {"alias.test", "one.test", "192.0.2.1", NULL},
    {"short.a.test", NULL, "192.0.2.11", NULL},
    {"short.b.test", NULL, "192.0.2.12", NULL},
    {"first.test", NULL, "192.0.2.21", NULL},
    {"second.test", NULL, "192.0.2.22", NULL},
    {"four.test", NULL, "127.0.0.1", "::1"},
    {"four.test", NULL, "127.0.0.2", "::ffff:127.0.0.3"},
};

static int answer_host(struct message *message, const char *name, unsigned type)
{
    int outcome = NXDOMAIN;

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        const char *owner = hosts[i].alias_of != NULL ? hosts[i].alias_of : name;
        const char *address = type == TYPE_A ? hosts[i].ipv4 : hosts[i].ipv6;

        if (strcasecmp(name, hosts[i].name) != 0)
            continue;
        if (hosts[i].alias_of != NULL)
            put_target(message, name, TYPE_CNAME, hosts[i].alias_of);
        if ((type == TYPE_A || type == TYPE_AAAA) && address != NULL)
            put_address(message, owner, address);
        outcome = NOERROR;
    }
    return outcome;
}

static int answer_big(struct message *message, unsigned type, bool by_udp)
{
    char text[32];

    if (type != TYPE_A)
        return NOERROR;
    if (by_udp) {
        message->data[2] |= 0x02; /* truncated */
        return NOERROR;
    }
    for (int i = 1; i <= DNS_SERVER_BIG; i++) {
        (void)snprintf(text, sizeof(text), "192.0.2.%d", i);
        put_address(message, "big.test", text);
    }
    return NOERROR;
}

/* Add the answers to a question: its outcome. */
static int answer(struct dns_server *server, struct message *message, const char *name,
                  unsigned type, bool by_udp)
{
    if (strcasecmp(name, "silent.test") == 0)
        return SILENCE;
    if (strcasecmp(name, "fail.test") == 0)
        return SERVFAIL;
    if (strcasecmp(name, "big.test") == 0)
        return answer_big(message, type, by_udp);
    if (strcasecmp(name, "1.2.0.192.in-addr.arpa") == 0 && type == TYPE_PTR) {
        put_target(message, name, TYPE_PTR, "one.test");
        return NOERROR;
    }
    if (strcasecmp(name, "second.test") == 0)
        server->second_was_asked = true;
    if (strcasecmp(name, "first.test") == 0 && !server->second_was_asked)
        return LATER;
    return answer_host(message, name, type);
}

/* The name in a question, dotted: the bytes it takes, 0 if it is malformed. */
static size_t read_name(const unsigned char *at, size_t size, char *name)
{
    size_t used = 0;
    size_t length = 0;

    while (used < size && at[used] != 0) {
        size_t label = at[used];

        if (label > 63 || used + 1 + label >= size || length + label + 2 > 256)
            return 0;
        if (length > 0)
            name[length++] = '.';
        memcpy(name + length, at + used + 1, label);
        length += label;
        used += 1 + label;
    }
    name[length] = '\0';
    return used + 1;
}

/* Write the reply to a question: its outcome. */
static int reply_to(struct dns_server *server, const unsigned char *data, size_t size, bool by_udp,
                    struct message *reply)
{
    char name[256];
    size_t used;
    unsigned type;
    int outcome;

    if (size <= HEADER)
        return SILENCE;
    used = read_name(data + HEADER, size - HEADER, name);
    if (used == 0 || HEADER + used + 4 > size)
        return SILENCE;
    type = (unsigned)data[HEADER + used] << 8 | data[HEADER + used + 1];
    memset(reply, 0, sizeof(*reply));
    memcpy(reply->data, data, HEADER + used + 4);
    reply->size = HEADER + used + 4;
    reply->data[2] = 0x81; /* an answer, recursion desired */
    reply->data[3] = 0x80; /* and available */
    memset(reply->data + 6, 0, 6);
    outcome = answer(server, reply, name, type, by_udp);
    if (outcome < 0)
        return outcome;
    reply->data[3] |= (unsigned char)outcome;
    reply->data[7] = (unsigned char)reply->answers;
    return outcome;
}

static void serve_datagram(struct dns_server *server, const unsigned char *data, size_t size,
                           const struct sockaddr_in *from)
{
    struct message reply;
    int outcome = reply_to(server, data, size, true, &reply);

    if (outcome == LATER && server->held_count < 2 && size <= sizeof(server->held[0].data)) {
        memcpy(server->held[server->held_count].data, data, size);
        server->held[server->held_count].size = size;
        server->held[server->held_count++].from = *from;
    }
    if (outcome >= 0)
        (void)sendto(server->udp, reply.data, reply.size, 0, (const struct sockaddr *)from,
                     sizeof(*from));
}

static void serve_udp(struct dns_server *server)
{
    unsigned char data[MESSAGE];
    struct sockaddr_in from;
    socklen_t length = sizeof(from);
    ssize_t got = recvfrom(server->udp, data, sizeof(data), 0, (struct sockaddr *)&from, &length);

    if (got <= 0)
        return;
    atomic_fetch_add(&server->questions, 1);
    serve_datagram(server, data, (size_t)got, &from);
    while (server->second_was_asked && server->held_count > 0) {
        server->held_count--;
        serve_datagram(server, server->held[server->held_count].data,
                       server->held[server->held_count].size,
                       &server->held[server->held_count].from);
    }
}

static bool read_all(int fd, unsigned char *data, size_t size)
{
    return recv(fd, data, size, MSG_WAITALL) == (ssize_t)size;
}

static void serve_tcp(struct dns_server *server)
{
    unsigned char data[MESSAGE];
    unsigned char prefix[2];
    struct message reply;
    int fd = accept(server->tcp, NULL, NULL);

    while (fd >= 0 && read_all(fd, prefix, 2)) {
        size_t size = (size_t)prefix[0] << 8 | prefix[1];

        if (size > sizeof(data) || !read_all(fd, data, size))
            break;
        atomic_fetch_add(&server->questions, 1);
        if (reply_to(server, data, size, false, &reply) < 0)
            continue;
        prefix[0] = (unsigned char)(reply.size >> 8);
        prefix[1] = (unsigned char)reply.size;
        (void)send(fd, prefix, 2, MSG_NOSIGNAL | MSG_MORE);
        (void)send(fd, reply.data, reply.size, MSG_NOSIGNAL);
        break;
    }
    if (fd >= 0)
        close(fd);
}

static void *serve(void *arg)
{
    struct dns_server *server = arg;
    struct pollfd fds[] = {
        {server->stop[0], POLLIN, 0}, {server->udp, POLLIN, 0}, {server->tcp, POLLIN, 0}};

    while (poll(fds, 3, -1) >= 0 && fds[0].revents == 0) {
        if (fds[1].revents != 0)
            serve_udp(server);
        if (fds[2].revents != 0)
            serve_tcp(server);
    }
    return NULL;
}

/* Two sockets of one port, which the system chooses. */
static bool open_sockets(struct dns_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    server->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(server->tcp, (struct sockaddr *)&address, length) != 0 ||
        listen(server->tcp, 8) != 0 ||
        getsockname(server->tcp, (struct sockaddr *)&address, &length) != 0 ||
        bind(server->udp, (struct sockaddr *)&address, length) != 0)
        return false;
    (void)snprintf(server->address, sizeof(server->address), "127.0.0.1:%d",
                   ntohs(address.sin_port));
    return true;
}

static void close_sockets(struct dns_server *server)
{
    close(server->udp);
    close(server->tcp);
}

struct dns_server *dns_server_start(void)
{
    struct dns_server *server = calloc(1, sizeof(*server));
    int tries = 0;

    if (server == NULL)
        return NULL;
    while (!open_sockets(server)) { /* somebody may have the same port of UDP */
        close_sockets(server);
        if (++tries == 10)
            goto free_server;
    }
    if (pipe(server->stop) != 0)
        goto close_sockets;
    if (pthread_create(&server->thread, NULL, serve, server) == 0)
        return server;
    close(server->stop[0]);
    close(server->stop[1]);
close_sockets:
    close_sockets(server);
free_server:
    free(server);
    return NULL;
}

void dns_server_stop(struct dns_server *server)
{
    if (server == NULL)
        return;
    close(server->stop[1]);
    (void)pthread_join(server->thread, NULL);
    close(server->stop[0]);
    close_sockets(server);
    free(server);
}

const char *dns_server_address(const struct dns_server *server)
{
    return server->address;
}

unsigned dns_server_questions(const struct dns_server *server)
{
    return atomic_load(&((struct dns_server *)(uintptr_t)server)->questions);
}
