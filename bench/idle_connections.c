/* SPDX-License-Identifier: MIT */
/*
 * idle_connections.c - what a connection costs that nothing happens on, in memory
 *
 *     idle_connections [N]
 *
 * A server with N clients (10,000), which another process holds: each has sent a message, got it
 * back, and sends no more. Prints what the server's process has grown by for each, in bytes, stack
 * included: "stream" for a task that waits in a read, "protocol" for callbacks. Not counted: what
 * the kernel has for the socket.
 */
#include <aio/aio.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MESSAGE = 64 };

struct trial {
    const char *name;
    bool by_stream;
    size_t count;
    size_t answered; /* clients that have got their message back */
    aio_event *all_answered;
};

static size_t resident(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file == NULL || fscanf(file, "%*u %lu", &pages) != 1)
        pages = 0;
    if (file != NULL)
        (void)fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* --- the clients ----------------------------------------------------------------------- */

/* Connect and talk once with each, then wait until the server is gone. */
static void hold_connections(int port, size_t count)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char message[MESSAGE] = {0};
    int last = -1;

    to.sin_port = htons((uint16_t)port);
    for (size_t i = 0; i < count; i++) {
        last = socket(AF_INET, SOCK_STREAM, 0);
        if (last < 0 || connect(last, (struct sockaddr *)&to, sizeof(to)) != 0 ||
            send(last, message, MESSAGE, 0) != MESSAGE ||
            recv(last, message, MESSAGE, MSG_WAITALL) != MESSAGE)
            _exit(EXIT_FAILURE);
    }
    (void)recv(last, message, 1, 0);
    _exit(EXIT_SUCCESS);
}

/* --- the servers ----------------------------------------------------------------------- */

static void count_answer(struct trial *trial)
{
    if (++trial->answered == trial->count)
        aio_event_set(trial->all_answered);
}

static int serve_client(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    char buffer[MESSAGE];
    size_t size = 0;
    int err;

    do {
        err = aio_stream_reader_read_into(reader, buffer, sizeof(buffer), &size);
        if (err == 0 && size > 0)
            err = aio_stream_writer_write(writer, buffer, size);
        if (err == 0 && size > 0)
            count_answer(arg);
    } while (err == 0 && size > 0);
    return err;
}

struct echo {
    aio_protocol base;
    aio_transport *transport;
    struct trial *trial;
};

static int connection_made(aio_protocol *base, aio_transport *transport)
{
    ((struct echo *)base)->transport = transport;
    return 0;
}

static int data_received(aio_protocol *base, const void *data, size_t size)
{
    struct echo *echo = (struct echo *)base;
    int err = aio_transport_write(echo->transport, data, size);

    count_answer(echo->trial);
    return err;
}

static void release(aio_protocol *base)
{
    aio_free(base);
}

static const aio_protocol_ops echo_ops = {
    .size = sizeof(echo_ops),
    .connection_made = connection_made,
    .release = release,
    .data_received = data_received,
};

static aio_protocol *make_echo(void *arg)
{
    struct echo *echo = aio_calloc(1, sizeof(*echo));

    if (echo == NULL)
        return NULL;
    echo->base.ops = &echo_ops;
    echo->trial = arg;
    return &echo->base;
}

static int start(struct trial *trial, aio_server **ret_server)
{
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;

    options.host = "127.0.0.1";
    options.port = 0;
    options.backlog = 4096;
    return trial->by_stream ? aio_start_server_with(serve_client, trial, &options, 0, ret_server)
                            : aio_loop_create_server(NULL, make_echo, trial, &options, ret_server);
}

static int run_trial(void *arg, void **ret_result)
{
    struct trial *trial = arg;
    AIO_AUTO(aio_server) server = NULL;
    struct sockaddr_in name = {0};
    socklen_t size = sizeof(name);
    size_t before;
    int sock;
    int err = start(trial, &server);
    pid_t pid;

    (void)ret_result;
    if (err < 0)
        return err;
    (void)aio_server_sockets(server, &sock, 1);
    (void)getsockname(sock, (struct sockaddr *)&name, &size);
    trial->all_answered = aio_event_new();
    before = resident();
    pid = fork();
    if (pid == 0)
        hold_connections(ntohs(name.sin_port), trial->count);
    err = aio_event_wait(trial->all_answered);
    if (err == 0)
        (void)printf("%s %.0f\n", trial->name,
                     (double)(resident() - before) / (double)trial->count);
    aio_event_unref(trial->all_answered);
    aio_server_close(server);
    aio_server_abort_clients(server);
    if (err == 0)
        err = aio_server_wait_closed(server);
    (void)waitpid(pid, NULL, 0);
    return err;
}

static int run_in_process(struct trial *trial)
{
    int status = EXIT_FAILURE;
    pid_t pid = fork(); /* the first leaves its memory behind */

    if (pid == 0) {
        status = aio_main(run_trial, trial);
        (void)fflush(stdout);
        _exit(status);
    }
    (void)waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
    struct trial stream = {.name = "stream", .by_stream = true, .count = count};
    struct trial protocol = {.name = "protocol", .count = count};
    struct rlimit limit;
    int stream_status;
    int protocol_status;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        if (count == 0 || limit.rlim_cur < count + 64) {
            (void)fprintf(stderr, "this process may open only %zu files\n", (size_t)limit.rlim_cur);
            return EXIT_FAILURE;
        }
    }
    stream_status = run_in_process(&stream);
    protocol_status = run_in_process(&protocol);
    return stream_status != 0 ? stream_status : protocol_status;
}
