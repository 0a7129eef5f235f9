/* SPDX-License-Identifier: MIT */
/*
 * heartbeat.c - watch nodes by the datagrams they send: heartbeat.py, ported
 *
 * A node sends "beat NAME NUMBER" every so often. One that is silent for too long is lost; a beat
 * that was overtaken by a later one is not counted; what is no beat is complained about.
 */
#include <aio/aio.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { NAME = 16, TEXT = 64, MOST_NODES = 8 };

static const double every = 0.05;
static const double patience = 0.2;

/* --- the monitor ----------------------------------------------------------------------- */

struct watched {
    struct monitor *monitor;
    char name[NAME];
    int last;
    bool up;
    aio_handle *timer; /* NULL: not set */
};

struct monitor {
    aio_protocol base; /* first: the library knows it as an aio_protocol */
    aio_transport *transport;
    aio_queue *report; /* of strings, which whoever gets them frees */
    struct watched nodes[MOST_NODES];
    size_t count;
    int bad;
};

static int say(struct monitor *self, const char *text, const char *name, int number)
{
    char line[TEXT];
    char *copy;
    int err;

    (void)snprintf(line, sizeof(line), "%s %s %d", name, text, number);
    copy = aio_strdup(line);
    if (copy == NULL)
        return AIO_ENOMEM;
    err = aio_queue_put_nowait(self->report, copy);
    if (err < 0)
        aio_free(copy);
    return err;
}

static void stop_timer(struct watched *node)
{
    aio_handle_cancel(node->timer);
    aio_handle_unref(node->timer);
    node->timer = NULL;
}

static int lose(void *arg)
{
    struct watched *node = arg;

    node->up = false;
    stop_timer(node);
    return say(node->monitor, "is lost after", node->name, node->last);
}

/* The node of a name, which is made when it is new; NULL: there are too many. */
static struct watched *find(struct monitor *self, const char *name)
{
    for (size_t i = 0; i < self->count; i++)
        if (strcmp(self->nodes[i].name, name) == 0)
            return &self->nodes[i];
    if (self->count == MOST_NODES)
        return NULL;
    self->nodes[self->count] = (struct watched){.monitor = self, .last = -1};
    (void)snprintf(self->nodes[self->count].name, NAME, "%s", name);
    return &self->nodes[self->count++];
}

static int beat(struct monitor *self, const char *name, int number)
{
    struct watched *node = find(self, name);
    int err;

    if (node == NULL || number <= node->last)
        return 0;
    node->last = number;
    stop_timer(node);
    err = aio_loop_call_later(aio_get_running_loop(), patience, lose, node, &node->timer);
    if (err < 0 || node->up)
        return err;
    node->up = true;
    return say(self, "is up at", name, number);
}

static int monitor_connection_made(aio_protocol *protocol, aio_transport *transport)
{
    ((struct monitor *)protocol)->transport = transport;
    return 0;
}

static int monitor_datagram_received(aio_protocol *protocol, const void *data, size_t size,
                                     const struct sockaddr *address)
{
    struct monitor *self = (struct monitor *)protocol;
    char text[TEXT];
    char name[NAME];
    char answer[TEXT] = "what?";
    int number;
    int err = 0;

    (void)snprintf(text, sizeof(text), "%.*s", (int)size, (const char *)data);
    if (sscanf(text, "beat %15s %d", name, &number) == 2 && number >= 0) {
        err = beat(self, name, number);
        (void)snprintf(answer, sizeof(answer), "ok %d", number);
    } else {
        self->bad++;
    }
    if (err < 0)
        return err;
    return aio_transport_sendto(self->transport, answer, strlen(answer), address);
}

static void monitor_close(struct monitor *self)
{
    for (size_t i = 0; i < self->count; i++)
        stop_timer(&self->nodes[i]);
    aio_transport_close(self->transport);
}

static void monitor_release(aio_protocol *protocol)
{
    free(protocol);
}

static aio_protocol *make_monitor(void *arg)
{
    static const aio_protocol_ops ops = {
        .size = sizeof(ops),
        .connection_made = monitor_connection_made,
        .datagram_received = monitor_datagram_received,
        .release = monitor_release,
    };
    struct monitor *self = calloc(1, sizeof(*self));

    if (self == NULL) {
        (void)aio_raise(AIO_ENOMEM, "no memory for a monitor");
        return NULL;
    }
    self->base.ops = &ops;
    self->report = arg;
    return &self->base;
}

/* --- a node ---------------------------------------------------------------------------- */

struct node {
    aio_protocol base;
    aio_transport *transport;
    aio_queue *replies; /* of strings */
};

static int node_connection_made(aio_protocol *protocol, aio_transport *transport)
{
    ((struct node *)protocol)->transport = transport;
    return 0;
}

static int node_datagram_received(aio_protocol *protocol, const void *data, size_t size,
                                  const struct sockaddr *address)
{
    char *text = aio_malloc(size + 1);
    int err;

    if (text == NULL)
        return AIO_ENOMEM;
    memcpy(text, data, size);
    text[size] = '\0';
    err = aio_queue_put_nowait(((struct node *)protocol)->replies, text);
    if (err < 0)
        aio_free(text);
    return err;
}

static void node_release(aio_protocol *protocol)
{
    struct node *self = (struct node *)protocol;
    void *text;

    while (aio_queue_get_nowait(self->replies, &text) == 0)
        aio_free(text);
    aio_queue_unref(self->replies);
    free(self);
}

static aio_protocol *make_node(void *arg)
{
    static const aio_protocol_ops ops = {
        .size = sizeof(ops),
        .connection_made = node_connection_made,
        .datagram_received = node_datagram_received,
        .release = node_release,
    };
    struct node *self = calloc(1, sizeof(*self));

    if (self == NULL) {
        (void)aio_raise(AIO_ENOMEM, "no memory for a node");
        return NULL;
    }
    self->base.ops = &ops;
    self->replies = aio_queue_new(0);
    *(struct node **)arg = self;
    return &self->base;
}

/* Get something within a time. */
static int get_within(aio_queue *queue, double seconds, void **ret_item)
{
    AIO_AUTO(aio_timeout) timeout = aio_timeout_new(seconds);
    int err = aio_timeout_enter(timeout);

    if (err < 0)
        return err;
    return aio_timeout_exit(timeout, aio_queue_get(queue, ret_item));
}

/* Send, and wait for the reply; once more when there is none. Gives a string to be freed. */
static int ask(struct node *self, const char *text, char **ret_reply)
{
    for (int i = 0; i < 3; i++) {
        void *reply;
        int err = aio_transport_sendto(self->transport, text, strlen(text), NULL);

        if (err == 0)
            err = get_within(self->replies, 1, &reply);
        if (err == 0)
            *ret_reply = reply;
        if (err != AIO_ETIMEDOUT)
            return err;
    }
    return aio_raise(AIO_EOS, "the monitor does not answer");
}

static int beats(struct node *self, const char *name, int from, int to)
{
    for (int number = from; number < to; number++) {
        char text[TEXT];
        char *reply;
        int err;

        (void)snprintf(text, sizeof(text), "beat %s %d", name, number);
        err = ask(self, text, &reply);
        if (err < 0)
            return err;
        aio_free(reply);
        err = aio_sleep(every);
        if (err < 0)
            return err;
    }
    return 0;
}

struct run {
    const char *name;
    int port;
    aio_event *silence;
};

/* Beat five times; then be silent until told; then beat twice. */
static int live(struct node *self, struct run *run)
{
    char *reply;
    int err = beats(self, run->name, 0, 5);

    if (err == 0)
        err = aio_event_wait(run->silence);
    if (err == 0)
        err = beats(self, run->name, 5, 7);
    if (err == 0)
        err = beats(self, run->name, 3, 4); /* too late */
    if (err == 0)
        err = ask(self, "hello", &reply);
    if (err < 0)
        return err;
    printf("%s says hello: %s\n", run->name, reply);
    aio_free(reply);
    return 0;
}

static int run_node(void *arg, void **ret_result)
{
    struct run *run = arg;
    aio_datagram_options options = AIO_DATAGRAM_OPTIONS_INIT;
    AIO_AUTO(aio_transport) transport = NULL;
    struct node *self;
    int err;

    options.remote_host = "127.0.0.1";
    options.remote_port = run->port;
    err = aio_loop_create_datagram_endpoint(NULL, make_node, &self, &options, &transport);
    if (err < 0)
        return err;
    err = live(self, run);
    aio_transport_close(transport);
    return err;
}

/* --- all of it ------------------------------------------------------------------------- */

static int print_reports(aio_queue *report, int count)
{
    for (int i = 0; i < count; i++) {
        void *text;
        int err = aio_queue_get(report, &text);

        if (err < 0)
            return err;
        printf("%s\n", (char *)text);
        aio_free(text);
    }
    return 0;
}

static int watch(struct monitor *monitor, aio_queue *report, aio_task *node, aio_event *silence)
{
    int err = print_reports(report, 2);

    if (err < 0)
        return err;
    aio_event_set(silence);
    err = print_reports(report, 1);
    if (err == 0)
        err = aio_await(node, NULL);
    if (err == 0)
        printf("last %d bad %d\n", monitor->nodes[0].last, monitor->bad);
    return err;
}

static int async_main(void *arg, void **ret_result)
{
    aio_datagram_options options = AIO_DATAGRAM_OPTIONS_INIT;
    AIO_AUTO(aio_queue) report = aio_queue_new(0);
    AIO_AUTO(aio_event) silence = aio_event_new();
    AIO_AUTO(aio_timeout) timeout = aio_timeout_new(20);
    AIO_AUTO(aio_transport) transport = NULL;
    AIO_AUTO(aio_task) node = NULL;
    struct run run = {.name = "alpha", .silence = silence};
    const struct sockaddr_in *name;
    struct monitor *monitor;
    int err;

    options.local_host = "127.0.0.1";
    options.local_port = 0;
    err = aio_loop_create_datagram_endpoint(NULL, make_monitor, report, &options, &transport);
    if (err < 0)
        return err;
    monitor = (struct monitor *)aio_transport_get_protocol(transport);
    name = aio_transport_get_extra_info(transport, "sockname");
    run.port = ntohs(name->sin_port);
    node = aio_create_task_copy(run_node, &run, sizeof(run));
    err = aio_timeout_enter(timeout);
    if (err == 0)
        err = aio_timeout_exit(timeout, watch(monitor, report, node, silence));
    monitor_close(monitor);
    return err;
}

int main(void)
{
    return aio_main(async_main, NULL);
}
