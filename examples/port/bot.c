/* SPDX-License-Identifier: MIT */
/*
 * bot.c - a bot in a chat room, which lets a program count: bot.py, ported
 *
 * A room relays lines to everybody. The bot answers "!sum 1 2 3" by way of awk, which it keeps
 * running; "!crash" makes awk end, and it is started again; "!bye" ends the bot.
 */
#include <aio/aio.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { NAME = 16, LINE = 128, ANSWER = LINE * 3, MOST_MEMBERS = 8 };

static const char awk[] = "{ if ($1 == \"crash\") exit 3; s = 0; "
                          "for (i = 1; i <= NF; i++) s += $i; print s; fflush() }";

/* Read a line without its newline, or AIO_ESTOP at the end. What is too long is cut. */
static int read_line(aio_stream_reader *reader, char line[LINE])
{
    aio_bytes bytes;
    int err = aio_stream_reader_readline(reader, &bytes);

    if (err < 0)
        return err;
    err = bytes.size == 0 ? AIO_ESTOP : 0;
    (void)snprintf(line, LINE, "%.*s", (int)strcspn(bytes.size ? bytes.data : "", "\n"),
                   bytes.size ? bytes.data : "");
    aio_bytes_free(&bytes);
    return err;
}

static int write_line(aio_stream_writer *writer, const char *line)
{
    char text[ANSWER];

    (void)snprintf(text, sizeof(text), "%s\n", line);
    return aio_stream_writer_write(writer, text, strlen(text));
}

/* --- the room -------------------------------------------------------------------------- */

struct member {
    char name[NAME];
    aio_stream_writer *writer; /* borrowed from its task; NULL: a free place */
};

struct room {
    struct member members[MOST_MEMBERS];
};

static struct member *find(struct room *room, const char *name)
{
    for (size_t i = 0; i < MOST_MEMBERS; i++)
        if (room->members[i].writer != NULL && strcmp(room->members[i].name, name) == 0)
            return &room->members[i];
    return NULL;
}

static struct member *find_place(struct room *room)
{
    for (size_t i = 0; i < MOST_MEMBERS; i++)
        if (room->members[i].writer == NULL)
            return &room->members[i];
    return NULL;
}

static int say(struct room *room, const char *name, const char *text)
{
    char line[ANSWER];
    int err = 0;

    (void)snprintf(line, sizeof(line), "%s: %s\n", name, text);
    for (size_t i = 0; i < MOST_MEMBERS && err == 0; i++)
        if (room->members[i].writer != NULL)
            err = aio_stream_writer_write(room->members[i].writer, line, strlen(line));
    return err;
}

static int announce(struct room *room, const struct member *member, const char *what)
{
    char text[LINE];

    (void)snprintf(text, sizeof(text), "%s %s", member->name, what);
    return say(room, "*", text);
}

static int relay(struct room *room, const struct member *member, aio_stream_reader *reader)
{
    char line[LINE];
    int err = announce(room, member, "is here");

    while (err == 0 && (err = read_line(reader, line)) == 0)
        err = say(room, member->name, line);
    return err == AIO_ESTOP ? 0 : err;
}

static int serve(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    struct room *room = arg;
    struct member *member = find_place(room);
    char name[LINE];
    int err = read_line(reader, name);
    int left;

    if (err < 0 || member == NULL || name[0] == '\0' || find(room, name) != NULL) {
        (void)write_line(writer, "* no");
        aio_stream_writer_close(writer);
        return err == AIO_ESTOP ? 0 : err;
    }
    member->writer = writer;
    (void)snprintf(member->name, NAME, "%.15s", name);
    err = relay(room, member, reader);
    member->writer = NULL;
    left = announce(room, member, "has left");
    aio_stream_writer_close(writer);
    return err < 0 ? err : left;
}

/* --- the bot --------------------------------------------------------------------------- */

struct calculator {
    aio_process *process; /* NULL: not running */
};

static int start(struct calculator *self)
{
    const char *const argv[] = {"awk", awk, NULL};
    aio_subprocess_options options = AIO_SUBPROCESS_OPTIONS_INIT;

    options.std_in = AIO_SUBPROCESS_PIPE;
    options.std_out = AIO_SUBPROCESS_PIPE;
    return aio_create_subprocess_exec(argv, &options, &self->process);
}

static int read_within(aio_stream_reader *reader, double seconds, char line[LINE])
{
    AIO_AUTO(aio_timeout) timeout = aio_timeout_new(seconds);
    int err = aio_timeout_enter(timeout);

    return err < 0 ? err : aio_timeout_exit(timeout, read_line(reader, line));
}

static int sum(struct calculator *self, const char *numbers, char line[LINE])
{
    int code = 0;
    int err = self->process == NULL ? start(self) : 0;

    if (err == 0)
        err = write_line(aio_process_stdin(self->process), numbers);
    if (err == 0)
        err = read_within(aio_process_stdout(self->process), 5, line);
    if (err != AIO_ESTOP)
        return err;
    err = aio_process_wait(self->process, &code);
    aio_process_unref(self->process);
    self->process = NULL;
    return err < 0 ? err : aio_raise(AIO_ERUNTIME, "the program ended with %d", code);
}

static int calculator_close(struct calculator *self)
{
    int err = 0;

    if (self->process != NULL) {
        aio_stream_writer_close(aio_process_stdin(self->process));
        err = aio_process_wait(self->process, NULL);
        aio_process_unref(self->process);
    }
    return err;
}

/* Answer a line; AIO_ESTOP: that was the last. An answer of no bytes is none. */
static int answer(struct calculator *calculator, char *line, char text[ANSWER])
{
    char *said = strstr(line, ": ");
    char result[LINE];
    int err = 0;

    text[0] = '\0';
    if (said == NULL)
        return 0;
    *said = '\0';
    said += 2;
    if (strncmp(said, "!sum ", 5) == 0) {
        err = sum(calculator, said + 5, result);
        if (err == 0)
            (void)snprintf(text, ANSWER, "%s, that is %s", line, result);
    } else if (strcmp(said, "!crash") == 0) {
        err = sum(calculator, "crash", text);
    } else if (strcmp(said, "!bye") == 0) {
        return AIO_ESTOP;
    }
    if (aio_error_is(err, AIO_ERUNTIME) || err == AIO_ETIMEDOUT) {
        (void)snprintf(text, ANSWER, "sorry, %s: %s", line, aio_error_text(err));
        return 0;
    }
    return err;
}

static int talk(struct calculator *calculator, aio_stream_reader *reader, aio_stream_writer *writer)
{
    char line[LINE];
    char text[ANSWER];
    int err = write_line(writer, "bot");

    while (err == 0 && (err = read_line(reader, line)) == 0) {
        err = answer(calculator, line, text);
        if (err == 0 && text[0] != '\0')
            err = write_line(writer, text);
        if (err == 0)
            err = aio_stream_writer_drain(writer);
    }
    return err == AIO_ESTOP ? 0 : err;
}

static int bot(void *arg, void **ret_result)
{
    struct calculator calculator = {NULL};
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    int closed;
    int err = aio_open_connection("127.0.0.1", *(int *)arg, &reader, &writer);

    if (err < 0)
        return err;
    err = talk(&calculator, reader, writer);
    aio_stream_writer_close(writer);
    closed = calculator_close(&calculator);
    return err < 0 ? err : closed;
}

/* --- somebody who talks to it ---------------------------------------------------------- */

/* Print what comes until the bot has answered. */
static int listen_to(aio_stream_reader *reader)
{
    char heard[LINE];
    int err;

    do {
        err = read_line(reader, heard);
        if (err < 0)
            return err;
        printf("%s\n", heard);
    } while (strncmp(heard, "bot: ", 5) != 0 && strcmp(heard, "*: bot has left") != 0 &&
             strcmp(heard, "*: ann is here") != 0);
    return 0;
}

static int human(int port, const char *const *lines)
{
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    int closed;
    int err = aio_open_connection("127.0.0.1", port, &reader, &writer);

    if (err < 0)
        return err;
    err = write_line(writer, "ann");
    if (err == 0)
        err = listen_to(reader);
    for (; err == 0 && *lines != NULL; lines++) {
        err = write_line(writer, *lines);
        if (err == 0)
            err = listen_to(reader);
    }
    aio_stream_writer_close(writer);
    closed = aio_stream_writer_wait_closed(writer);
    return err < 0 ? err : closed;
}

static int meet(struct room *room, int port, aio_task *helper)
{
    static const char *const lines[] = {
        "!sum 1 2 3", "what?\n!sum 40 2", "!crash", "!sum 5 5", "!bye", NULL};
    AIO_AUTO(aio_timeout) timeout = aio_timeout_new(20);
    int err = 0;

    while (err == 0 && find(room, "bot") == NULL)
        err = aio_sleep(0.01);
    if (err == 0)
        err = aio_timeout_enter(timeout);
    if (err < 0)
        return err;
    err = human(port, lines);
    if (err == 0)
        err = aio_await(helper, NULL);
    return aio_timeout_exit(timeout, err);
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
    struct room room = {.members = {{.writer = NULL}}};
    AIO_AUTO(aio_server) server = NULL;
    AIO_AUTO(aio_task) helper = NULL;
    int port;
    int err = aio_start_server(serve, &room, "127.0.0.1", 0, &server);

    if (err < 0)
        return err;
    port = port_of(server);
    helper = aio_create_task(bot, &port);
    err = meet(&room, port, helper);
    aio_server_close(server);
    return err;
}

int main(void)
{
    return aio_main(async_main, NULL);
}
