/* SPDX-License-Identifier: MIT */
/*
 * tls_peer.c - one end of TLS, for scripts that bring the other: tls.py
 *
 *   tls_peer server --cert FILE [--ca FILE --verify optional|required] [--alpn A,B] [--upgrade] [--http]
 *            [--other NAME --other-cert FILE] [--unix PATH]
 *   tls_peer client --port N [--host H] [--name NAME] [--ca FILE] [--cert FILE] [--alpn A,B]
 *            [--upgrade] [--again] [--http] [--say TEXT] [--bytes N] [--unix PATH]
 *
 * A server prints its port, then a line for each connection whose handshake succeeded, and ends with
 * its standard input. It echoes; with --http it answers one request; with --upgrade it speaks in the
 * clear until it is told "starttls"; whoever asks for the other name gets the other certificate. With
 * --unix it listens at a path, and its port is 0. A client prints what it found, then what it was answered; with
 * --again it connects twice, and resumes the session.
 */
#include <aio/aio.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct {
    const char *host;
    const char *name;
    const char *cert;
    const char *ca;
    const char *verify;
    const char *alpn;
    const char *say;
    const char *other;
    const char *other_cert;
    const char *path;
    size_t bytes;
    int port;
    bool upgrade;
    bool again;
    bool http;
    bool server;
    aio_tls_context *context;
    aio_tls_context *other_context; /* NULL: there is no other name */
} options = {.host = "127.0.0.1", .say = "hello"};

/* --- the context ------------------------------------------------------------------------- */

static int set_alpn(aio_tls_context *context)
{
    const char *names[8];
    size_t count = 0;
    char *copy = strdup(options.alpn);
    char *rest = copy;
    int err;

    for (char *name; count < 8 && (name = strsep(&rest, ",")) != NULL; count++)
        names[count] = name;
    err = aio_tls_context_set_alpn_protocols(context, names, count);
    free(copy);
    return err;
}

static aio_tls_context *choose(const char *name, aio_tls_context *context, void *arg)
{
    (void)arg;
    return name != NULL && strcmp(name, options.other) == 0 ? options.other_context : context;
}

static int set_other_name_up(void)
{
    options.other_context = aio_tls_context_new(AIO_TLS_SERVER);
    if (options.other_context == NULL)
        return AIO_ENOMEM;
    aio_tls_context_set_sni_callback(options.context, choose, NULL);
    return aio_tls_context_load_cert_chain(options.other_context, options.other_cert, NULL);
}

static int set_up(aio_tls_context *context)
{
    int err = 0;

    if (options.cert != NULL)
        err = aio_tls_context_load_cert_chain(context, options.cert, NULL);
    if (err == 0 && options.ca != NULL)
        err = aio_tls_context_load_verify_locations(context, options.ca, NULL);
    if (err == 0 && options.verify != NULL)
        err = aio_tls_context_set_verify(context, strcmp(options.verify, "required") == 0
                                                      ? AIO_TLS_VERIFY_REQUIRED
                                                      : AIO_TLS_VERIFY_OPTIONAL);
    if (err == 0 && options.alpn != NULL)
        err = set_alpn(context);
    if (err == 0 && options.other != NULL)
        err = set_other_name_up();
    return err;
}

/* --- what was agreed on -------------------------------------------------------------------- */

static const char *common_name(const aio_tls_certificate *peer)
{
    for (size_t i = 0; peer != NULL && i < peer->subject_count; i++)
        if (strcmp(peer->subject[i].type, "commonName") == 0)
            return peer->subject[i].value;
    return "-";
}

static void print_facts(const char *what, aio_stream_writer *writer)
{
    const aio_transport *transport = aio_stream_writer_transport(writer);
    const aio_tls_cipher *cipher = aio_transport_get_extra_info(transport, "cipher");
    const char *alpn = aio_tls_selected_alpn_protocol(transport);

    printf("%s version=%s alpn=%s peer=%s reused=%d\n", what,
           cipher == NULL ? "-" : cipher->version, alpn == NULL ? "-" : alpn,
           common_name(aio_transport_get_extra_info(transport, "peercert")),
           aio_tls_session_reused(transport));
    (void)fflush(stdout);
}

/* --- the server ---------------------------------------------------------------------------- */

/* Read a line and drop it. */
static int skip_line(aio_stream_reader *reader, size_t *ret_size)
{
    aio_bytes line = {0};
    int err = aio_stream_reader_readline(reader, &line);

    *ret_size = line.size;
    aio_bytes_free(&line);
    return err;
}

static int agree_to_upgrade(aio_stream_reader *reader, aio_stream_writer *writer)
{
    size_t size;
    int err = skip_line(reader, &size);

    if (err == 0)
        err = aio_stream_writer_write(writer, "go on\n", 6);
    return err < 0 ? err : aio_stream_writer_start_tls(writer, options.context, NULL);
}

static int answer_http(aio_stream_reader *reader, aio_stream_writer *writer)
{
    static const char answer[] = "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";
    size_t size;
    int err;

    do
        err = skip_line(reader, &size);
    while (err == 0 && size > 2);
    return err < 0 ? err : aio_stream_writer_write(writer, answer, sizeof(answer) - 1);
}

static int echo(aio_stream_reader *reader, aio_stream_writer *writer)
{
    char data[16384];
    size_t size;
    int err;

    while ((err = aio_stream_reader_read_into(reader, data, sizeof(data), &size)) == 0 &&
           size > 0) {
        err = aio_stream_writer_write(writer, data, size);
        if (err == 0)
            err = aio_stream_writer_drain(writer);
        if (err < 0)
            break;
    }
    return err;
}

static int serve_client(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    int err = options.upgrade ? agree_to_upgrade(reader, writer) : 0;

    if (err == 0) {
        print_facts("client", writer);
        err = options.http ? answer_http(reader, writer) : echo(reader, writer);
    }
    aio_stream_writer_close(writer);
    return err;
}

static int on_input(void *arg)
{
    aio_event_set(arg);
    return 0;
}

static int run_server(void)
{
    aio_server_options listening = AIO_SERVER_OPTIONS_INIT;
    aio_unix_server_options by_path = AIO_UNIX_SERVER_OPTIONS_INIT;
    AIO_AUTO(aio_event) over = aio_event_new();
    AIO_AUTO(aio_server) server = NULL;
    struct sockaddr_in name = {0};
    socklen_t size = sizeof(name);
    int fd = -1;
    int err;

    listening.host = "127.0.0.1";
    listening.port = 0;
    listening.ssl = options.upgrade ? NULL : options.context;
    by_path.path = options.path;
    by_path.ssl = listening.ssl;
    err = options.path == NULL
              ? aio_start_server_with(serve_client, NULL, &listening, 0, &server)
              : aio_start_unix_server_with(serve_client, NULL, &by_path, 0, &server);
    if (err == 0)
        err = aio_loop_add_reader(aio_get_running_loop(), 0, on_input, over);
    if (err < 0)
        return err;
    (void)aio_server_sockets(server, &fd, 1);
    if (options.path == NULL)
        (void)getsockname(fd, (struct sockaddr *)&name, &size);
    printf("port %d\n", ntohs(name.sin_port));
    (void)fflush(stdout);
    err = aio_event_wait(over);
    (void)aio_loop_remove_reader(aio_get_running_loop(), 0);
    aio_server_close(server);
    aio_server_abort_clients(server);
    return err;
}

/* --- the client ---------------------------------------------------------------------------- */

static int open_stream_to_path(aio_tls_session *session, aio_stream_reader **reader,
                               aio_stream_writer **writer)
{
    aio_unix_connect_options connecting = AIO_UNIX_CONNECT_OPTIONS_INIT;

    connecting.path = options.path;
    connecting.ssl = options.context;
    connecting.server_hostname = options.name;
    connecting.ssl_session = session;
    return aio_open_unix_connection_with(&connecting, 0, reader, writer);
}

static int open_stream(aio_tls_session *session, aio_stream_reader **reader,
                       aio_stream_writer **writer)
{
    aio_connect_options connecting = AIO_CONNECT_OPTIONS_INIT;
    aio_tls_options upgrading = AIO_TLS_OPTIONS_INIT;
    size_t size;
    int err;

    if (options.path != NULL)
        return open_stream_to_path(session, reader, writer);
    connecting.host = options.host;
    connecting.port = options.port;
    if (!options.upgrade) {
        connecting.ssl = options.context;
        connecting.server_hostname = options.name;
        connecting.ssl_session = session;
        return aio_open_connection_with(&connecting, 0, reader, writer);
    }
    err = aio_open_connection_with(&connecting, 0, reader, writer);
    if (err == 0)
        err = aio_stream_writer_write(*writer, "starttls\n", 9);
    if (err == 0)
        err = skip_line(*reader, &size); /* "go on" */
    upgrading.server_hostname = options.name;
    upgrading.session = session;
    return err < 0 ? err : aio_stream_writer_start_tls(*writer, options.context, &upgrading);
}

static int ask_http(aio_stream_reader *reader, aio_stream_writer *writer)
{
    static const char request[] = "GET / HTTP/1.0\r\nHost: one.test\r\n\r\n";
    aio_bytes all = {0};
    int err = aio_stream_writer_write(writer, request, sizeof(request) - 1);

    if (err == 0)
        err = aio_stream_reader_read(reader, -1, &all);
    if (err == 0)
        printf("%.*s\n", (int)all.size, all.data);
    aio_bytes_free(&all);
    return err;
}

static int say(aio_stream_reader *reader, aio_stream_writer *writer)
{
    aio_bytes line = {0};
    int err = aio_stream_writer_write(writer, options.say, strlen(options.say));

    if (err == 0)
        err = aio_stream_writer_write(writer, "\n", 1);
    if (err == 0)
        err = aio_stream_reader_readline(reader, &line);
    if (err == 0)
        printf("answer %.*s", (int)line.size, line.data);
    aio_bytes_free(&line);
    return err;
}

struct pump {
    aio_stream_writer *writer;
    int err;
};

static int pump_out(void *arg, void **ret_result)
{
    struct pump *pump = arg;
    static char piece[50000];

    memset(piece, 'x', sizeof(piece));
    for (size_t sent = 0; sent < options.bytes && pump->err == 0; sent += sizeof(piece)) {
        size_t size = options.bytes - sent < sizeof(piece) ? options.bytes - sent : sizeof(piece);

        pump->err = aio_stream_writer_write(pump->writer, piece, size);
        if (pump->err == 0)
            pump->err = aio_stream_writer_drain(pump->writer);
    }
    return 0;
}

/* Send bytes, and read as many at the same time. */
static int exchange(aio_stream_reader *reader, aio_stream_writer *writer)
{
    struct pump pump = {.writer = writer};
    AIO_AUTO(aio_task) task = aio_create_task(pump_out, &pump);
    size_t got = 0;
    size_t size = 1;
    char data[16384];
    int err = 0;

    while (err == 0 && got < options.bytes && size > 0) {
        err = aio_stream_reader_read_into(reader, data, sizeof(data), &size);
        got += err == 0 ? size : 0;
    }
    if (err == 0)
        err = aio_await(task, NULL);
    printf("exchanged %zu\n", got);
    return err < 0 ? err : pump.err;
}

static int run_once(aio_tls_session *before, aio_tls_session **ret_session)
{
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    int err = open_stream(before, &reader, &writer);

    if (err < 0)
        return err;
    print_facts("server", writer);
    if (options.http)
        err = ask_http(reader, writer);
    else
        err = options.bytes > 0 ? exchange(reader, writer) : say(reader, writer);
    *ret_session = aio_tls_get_session(aio_stream_writer_transport(writer));
    aio_stream_writer_close(writer);
    return err < 0 ? err : aio_stream_writer_wait_closed(writer);
}

static int run_client(void)
{
    AIO_AUTO(aio_tls_session) session = NULL;
    AIO_AUTO(aio_tls_session) later = NULL;
    int err = run_once(NULL, &session);

    if (err == 0 && options.again)
        err = run_once(session, &later);
    return err;
}

/* --- main ---------------------------------------------------------------------------------- */

static int run(void *arg, void **ret_result)
{
    int err = set_up(options.context);

    if (err == 0)
        err = options.server ? run_server() : run_client();
    return err;
}

static bool take_flag(const char *word)
{
    if (strcmp(word, "--upgrade") == 0)
        return options.upgrade = true;
    if (strcmp(word, "--again") == 0)
        return options.again = true;
    return strcmp(word, "--http") == 0 && (options.http = true);
}

static bool take_value(const char *word, const char *value)
{
    const struct {
        const char *word;
        const char **place;
    } texts[] = {
        {"--host", &options.host},     {"--name", &options.name},
        {"--cert", &options.cert},     {"--ca", &options.ca},
        {"--verify", &options.verify}, {"--alpn", &options.alpn},
        {"--say", &options.say},       {"--unix", &options.path},
        {"--other", &options.other},   {"--other-cert", &options.other_cert},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(word, texts[i].word) == 0) {
            *texts[i].place = value;
            return true;
        }
    }
    if (strcmp(word, "--port") == 0)
        options.port = atoi(value);
    else if (strcmp(word, "--bytes") == 0)
        options.bytes = strtoul(value, NULL, 10);
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    int err;

    for (int i = 2; i < argc; i++) {
        if (take_flag(argv[i]))
            continue;
        if (i + 1 == argc || !take_value(argv[i], argv[i + 1])) {
            (void)fprintf(stderr, "tls_peer: %s?\n", argv[i]);
            return 2;
        }
        i++;
    }
    options.server = argc > 1 && strcmp(argv[1], "server") == 0;
    options.context = aio_tls_context_new(options.server ? AIO_TLS_SERVER : AIO_TLS_CLIENT);
    err = aio_run(run, NULL, NULL);
    if (err < 0)
        printf("error %s: %s\n", aio_error_name(err), aio_error_text(err));
    aio_tls_context_unref(options.context);
    aio_tls_context_unref(options.other_context);
    return err < 0 ? 1 : 0;
}
