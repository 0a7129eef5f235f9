/* SPDX-License-Identifier: MIT */
/*
 * streams.c - level 5: readers and writers over transports in memory
 */
#include "interp.h"
#include "transport.h"
#include "values.h"

#include <aio/stream.h>

#include <stdlib.h>
#include <string.h>

static void unref_reader(void *object)
{
    aio_stream_reader_unref(object);
}

static void unref_writer(void *object)
{
    aio_stream_writer_unref(object);
}

static const char *message_arg(const struct statement *statement, size_t index)
{
    return statement->arg_count > index ? statement->args[index].text : NULL;
}

/* The end of an async op that gives bytes, which are freed. */
static enum flow async_end_data(struct frame *frame, const struct statement *statement, int code,
                                aio_bytes *bytes)
{
    struct text *line;

    if (code < 0)
        return async_fail(frame, statement->subject, code);
    line = say_begin(frame->player);
    text_format(line, "%s = ", statement->subject);
    data_write(line, bytes->data, bytes->size);
    say_end(frame->player);
    aio_bytes_free(bytes);
    return FLOW_NEXT;
}

/* The data of the arguments from one on, as the library has it; in the arena. */
static aio_buffer *buffer_args(struct frame *frame, const struct statement *statement, size_t first)
{
    size_t count = statement->arg_count - first;
    aio_buffer *buffers = arena_alloc(&frame->player->arena, (count + 1) * sizeof(*buffers));
    size_t i;

    for (i = 0; i < count; i++) {
        const struct data *data = &statement->args[first + i].data;

        buffers[i] = (aio_buffer){data->bytes, data->size};
    }
    return buffers;
}

/* ---- Making streams ------------------------------------------------------------------ */

static enum flow op_new_reader(struct frame *frame, const struct statement *statement)
{
    const struct arg *args = statement->args;
    aio_stream_reader *reader = aio_stream_reader_new(frame->player->loop, (size_t)args[1].number);

    if (sync_ok(frame, statement, reader == NULL ? aio_last_failure() : 0))
        bind(frame->player, args[0].slot, SLOT_READER, reader, unref_reader);
    return FLOW_NEXT;
}

/*
 * A reader of this limit, and a protocol for it, which is the transport's. 0, or a code: the
 * transport is not used then.
 */
static int make_protocol(struct transport *transport, long limit, aio_client_connected_fn client,
                         void *arg, bool plain, aio_stream_reader **ret_reader)
{
    aio_stream_reader *reader;

    if (transport->used)
        return aio_raise(AIO_ERUNTIME, "the transport is used already");
    reader = aio_stream_reader_new(transport->player->loop, (size_t)limit);
    if (reader == NULL)
        return aio_last_failure();
    transport->protocol = aio_stream_protocol_new(reader, client, arg, plain);
    if (transport->protocol == NULL) {
        aio_stream_reader_unref(reader);
        return aio_last_failure();
    }
    transport->used = true;
    *ret_reader = reader;
    return 0;
}

static enum flow op_stream(struct frame *frame, const struct statement *statement)
{
    struct player *player = frame->player;
    const struct arg *args = statement->args;
    struct transport *transport = object_arg(&args[2]);
    aio_stream_reader *reader = NULL;
    int code = make_protocol(transport, args[3].number, NULL, NULL, false, &reader);

    if (!sync_ok(frame, statement, code))
        return FLOW_NEXT;
    bind(player, args[0].slot, SLOT_READER, reader, unref_reader);
    bind(player, args[1].slot, SLOT_WRITER,
         aio_stream_writer_new(&transport->base, transport->protocol, reader), unref_writer);
    if (sync_ok(frame, statement, transport_connect(transport)))
        transport_start(transport);
    return FLOW_NEXT;
}

/** A server's side that is to be connected. */
struct service {
    struct transport *transport;
    struct body *body;
    struct slot *reader_slot;
    struct slot *writer_slot;
    aio_stream_reader *reader; /* kept by the player */
};

static void bind_service(struct service *service, aio_stream_writer *writer)
{
    struct player *player = service->transport->player;

    bind(player, service->reader_slot, SLOT_READER, aio_stream_reader_ref(service->reader),
         unref_reader);
    bind(player, service->writer_slot, SLOT_WRITER, writer, unref_writer);
}

/* A callback as BODY: an aio_client_connected_fn that is called plainly. */
static int call_client(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    struct service *service = arg;

    bind_service(service, aio_stream_writer_ref(writer));
    return run_callback(service->body);
}

/* A coroutine as BODY: an aio_client_connected_fn in a task of its own. */
static int run_client(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    struct service *service = arg;
    void *result = NULL;

    return run_coroutine(service->body, &result);
}

static int connect_service(void *arg)
{
    struct service *service = arg;
    struct transport *transport = service->transport;

    /* The names are bound before the task begins, so to a second writer of the same connection. */
    if (service->body->kind == BODY_COROUTINE)
        bind_service(service,
                     aio_stream_writer_new(&transport->base, transport->protocol, service->reader));
    return transport_connect(transport);
}

static int start_service(void *arg)
{
    struct service *service = arg;

    transport_start(service->transport);
    return 0;
}

static enum flow op_serve(struct frame *frame, const struct statement *statement)
{
    struct player *player = frame->player;
    const struct arg *args = statement->args;
    bool plain = args[1].body->kind == BODY_CALLBACK;
    struct service *service = arena_alloc(&player->arena, sizeof(*service));
    int code;

    service->transport = object_arg(&args[0]);
    service->body = args[1].body;
    service->reader_slot = args[3].slot;
    service->writer_slot = args[4].slot;
    code = make_protocol(service->transport, args[2].number, plain ? call_client : run_client,
                         service, plain, &service->reader);
    if (!sync_ok(frame, statement, code))
        return FLOW_NEXT;
    keep(player, service->reader, unref_reader);
    code = aio_loop_call_soon(player->loop, connect_service, service, NULL);
    if (code == 0)
        code = aio_loop_call_soon(player->loop, start_service, service, NULL);
    (void)sync_ok(frame, statement, code);
    return FLOW_NEXT;
}

/* ---- Readers ------------------------------------------------------------------------- */

static enum flow op_feed_data(struct frame *frame, const struct statement *statement)
{
    const struct data *data = &statement->args[1].data;
    int code =
        aio_stream_reader_feed_data(object_arg(&statement->args[0]), data->bytes, data->size);

    (void)sync_ok(frame, statement, code);
    return FLOW_NEXT;
}

static enum flow op_feed_eof(struct frame *frame, const struct statement *statement)
{
    aio_stream_reader_feed_eof(object_arg(&statement->args[0]));
    return FLOW_NEXT;
}

static enum flow op_feed_exception(struct frame *frame, const struct statement *statement)
{
    const struct arg *args = statement->args;
    AIO_AUTO(aio_exception) error = exception_new(args[1].code, message_arg(statement, 2));

    aio_stream_reader_set_exception(object_arg(&args[0]), error);
    return FLOW_NEXT;
}

static enum flow op_at_eof(struct frame *frame, const struct statement *statement)
{
    say_bool(frame->player, statement->subject,
             aio_stream_reader_at_eof(object_arg(&statement->args[0])));
    return FLOW_NEXT;
}

static enum flow op_reader_exception(struct frame *frame, const struct statement *statement)
{
    const aio_exception *error = aio_stream_reader_exception(object_arg(&statement->args[0]));
    struct text *line = say_begin(frame->player);

    text_format(line, "%s = ", statement->subject);
    if (error == NULL)
        text_add(line, "none");
    else
        exception_write(line, error);
    say_end(frame->player);
    return FLOW_NEXT;
}

static enum flow op_read(struct frame *frame, const struct statement *statement)
{
    const struct arg *args = statement->args;
    aio_bytes bytes;
    int code = aio_stream_reader_read(object_arg(&args[0]), args[1].number, &bytes);

    return async_end_data(frame, statement, code, &bytes);
}

static enum flow op_readline(struct frame *frame, const struct statement *statement)
{
    aio_bytes bytes;
    int code = aio_stream_reader_readline(object_arg(&statement->args[0]), &bytes);

    return async_end_data(frame, statement, code, &bytes);
}

static enum flow op_readexactly(struct frame *frame, const struct statement *statement)
{
    const struct arg *args = statement->args;
    aio_bytes bytes;
    int code = aio_stream_reader_readexactly(object_arg(&args[0]), (size_t)args[1].number, &bytes);

    return async_end_data(frame, statement, code, &bytes);
}

static enum flow op_readuntil(struct frame *frame, const struct statement *statement)
{
    aio_stream_reader *reader = object_arg(&statement->args[0]);
    aio_buffer *separators = buffer_args(frame, statement, 1);
    size_t count = statement->arg_count - 1;
    aio_bytes bytes;
    int code;

    if (count == 1)
        code = aio_stream_reader_readuntil(reader, separators->data, separators->size, &bytes);
    else
        code = aio_stream_reader_readuntil_any(reader, separators, count, &bytes);
    return async_end_data(frame, statement, code, &bytes);
}

/* `async for`: a line a turn, up to the one that is empty. */
static enum flow op_for_line(struct frame *frame, const struct statement *statement)
{
    aio_stream_reader *reader = object_arg(&statement->args[0]);
    aio_iterator *lines = aio_stream_reader_iterator(reader);
    enum flow flow = FLOW_NEXT;

    while (flow == FLOW_NEXT) {
        aio_bytes bytes = {NULL, 0};
        void *line;
        int code = aio_anext(lines, &line);

        if (code == 0) {
            bytes = *(aio_bytes *)line;
            *(aio_bytes *)line = (aio_bytes){NULL, 0};
        }
        if (code == AIO_ESTOP) {
            say(frame->player, "%s end", statement->subject);
            return FLOW_NEXT;
        }
        flow = async_end_data(frame, statement, code, &bytes);
        if (flow == FLOW_NEXT)
            flow = run_statements(frame, statement->parts->first);
    }
    return flow == FLOW_BREAK ? FLOW_NEXT : flow;
}

/* ---- Writers ------------------------------------------------------------------------- */

static enum flow op_write(struct frame *frame, const struct statement *statement)
{
    const struct data *data = &statement->args[1].data;
    int code = aio_stream_writer_write(object_arg(&statement->args[0]), data->bytes, data->size);

    (void)sync_ok(frame, statement, code);
    return FLOW_NEXT;
}

static enum flow op_writelines(struct frame *frame, const struct statement *statement)
{
    int code =
        aio_stream_writer_writelines(object_arg(&statement->args[0]),
                                     buffer_args(frame, statement, 1), statement->arg_count - 1);

    (void)sync_ok(frame, statement, code);
    return FLOW_NEXT;
}

static enum flow op_write_eof(struct frame *frame, const struct statement *statement)
{
    (void)sync_ok(frame, statement, aio_stream_writer_write_eof(object_arg(&statement->args[0])));
    return FLOW_NEXT;
}

static enum flow op_can_write_eof(struct frame *frame, const struct statement *statement)
{
    say_bool(frame->player, statement->subject,
             aio_stream_writer_can_write_eof(object_arg(&statement->args[0])));
    return FLOW_NEXT;
}

static enum flow op_close(struct frame *frame, const struct statement *statement)
{
    aio_stream_writer_close(object_arg(&statement->args[0]));
    return FLOW_NEXT;
}

static enum flow op_is_closing(struct frame *frame, const struct statement *statement)
{
    say_bool(frame->player, statement->subject,
             aio_stream_writer_is_closing(object_arg(&statement->args[0])));
    return FLOW_NEXT;
}

static enum flow op_get_extra_info(struct frame *frame, const struct statement *statement)
{
    const struct arg *args = statement->args;
    const char *word = aio_stream_writer_get_extra_info(object_arg(&args[0]), args[1].text);

    say(frame->player, "%s = %s", statement->subject, word == NULL ? "none" : word);
    return FLOW_NEXT;
}

static enum flow op_drain(struct frame *frame, const struct statement *statement)
{
    return async_end(frame, statement, aio_stream_writer_drain(object_arg(&statement->args[0])),
                     NULL);
}

static enum flow op_wait_closed(struct frame *frame, const struct statement *statement)
{
    return async_end(frame, statement,
                     aio_stream_writer_wait_closed(object_arg(&statement->args[0])), NULL);
}

/* ---- Transports ---------------------------------------------------------------------- */

/** What the peer does. */
struct peer {
    struct transport *transport;
    struct data *chunks; /* NULL: the end */
    size_t count;
};

static struct peer *peer_new(struct frame *frame, const struct statement *statement,
                             const struct arg *transport, size_t first, bool is_eof)
{
    struct peer *peer = arena_alloc(&frame->player->arena, sizeof(*peer));
    size_t i;

    peer->transport = object_arg(transport);
    if (is_eof)
        return peer;
    peer->count = statement->arg_count - first;
    peer->chunks = arena_alloc(&frame->player->arena, (peer->count + 1) * sizeof(*peer->chunks));
    for (i = 0; i < peer->count; i++)
        peer->chunks[i] = statement->args[first + i].data;
    return peer;
}

static int run_peer(void *arg)
{
    struct peer *peer = arg;

    if (peer->chunks == NULL)
        transport_peer_eof(peer->transport);
    else
        transport_peer_data(peer->transport, peer->chunks, peer->count);
    return 0;
}

static enum flow op_peer_data(struct frame *frame, const struct statement *statement)
{
    (void)run_peer(peer_new(frame, statement, &statement->args[0], 1, false));
    return FLOW_NEXT;
}

static enum flow op_peer_eof(struct frame *frame, const struct statement *statement)
{
    (void)run_peer(peer_new(frame, statement, &statement->args[0], 1, true));
    return FLOW_NEXT;
}

static enum flow run_peer_later(struct frame *frame, const struct statement *statement, bool is_eof)
{
    const struct arg *args = statement->args;
    struct peer *peer = peer_new(frame, statement, &args[1], 3, is_eof);
    aio_handle *handle = NULL;
    int code = aio_loop_call_later(frame->player->loop, args[2].seconds, run_peer, peer, &handle);

    if (sync_ok(frame, statement, code))
        bind(frame->player, args[0].slot, SLOT_HANDLE, handle, unref_handle);
    return FLOW_NEXT;
}

static enum flow op_peer_data_later(struct frame *frame, const struct statement *statement)
{
    return run_peer_later(frame, statement, false);
}

static enum flow op_peer_eof_later(struct frame *frame, const struct statement *statement)
{
    return run_peer_later(frame, statement, true);
}

static enum flow op_sent(struct frame *frame, const struct statement *statement)
{
    const char *size = statement->args[1].text;

    transport_sent(object_arg(&statement->args[0]),
                   strcmp(size, "all") == 0 ? SIZE_MAX : strtoul(size, NULL, 10));
    return FLOW_NEXT;
}

static enum flow lose(struct frame *frame, const struct statement *statement, bool now)
{
    const struct arg *args = statement->args;
    aio_exception *error = NULL;

    if (statement->arg_count > 1)
        error = exception_new(args[1].code, message_arg(statement, 2));
    (void)sync_ok(frame, statement, transport_lose(object_arg(&args[0]), error, now));
    return FLOW_NEXT;
}

static enum flow op_lose(struct frame *frame, const struct statement *statement)
{
    return lose(frame, statement, false);
}

static enum flow op_lose_now(struct frame *frame, const struct statement *statement)
{
    return lose(frame, statement, true);
}

static aio_transport *transport_arg(const struct statement *statement)
{
    struct transport *transport = object_arg(&statement->args[0]);

    return &transport->base;
}

static enum flow op_abort(struct frame *frame, const struct statement *statement)
{
    aio_transport_abort(transport_arg(statement));
    return FLOW_NEXT;
}

static enum flow op_pause_reading(struct frame *frame, const struct statement *statement)
{
    (void)aio_transport_pause_reading(transport_arg(statement));
    return FLOW_NEXT;
}

static enum flow op_resume_reading(struct frame *frame, const struct statement *statement)
{
    (void)aio_transport_resume_reading(transport_arg(statement));
    return FLOW_NEXT;
}

/* A number or `none`; false for one below 0. */
static bool limit_read(const char *word, size_t *ret_limit)
{
    long number = strtol(word, NULL, 10);

    *ret_limit = strcmp(word, "none") == 0 ? AIO_LIMIT_DEFAULT : (size_t)number;
    return number >= 0;
}

static enum flow op_write_limits(struct frame *frame, const struct statement *statement)
{
    size_t high, low;
    int code;

    if (limit_read(statement->args[1].text, &high) && limit_read(statement->args[2].text, &low))
        code = aio_transport_set_write_buffer_limits(transport_arg(statement), high, low);
    else
        code = aio_raise(AIO_EVALUE, "a limit below 0");
    (void)sync_ok(frame, statement, code);
    return FLOW_NEXT;
}

static enum flow op_tr_info(struct frame *frame, const struct statement *statement)
{
    const aio_transport *transport = transport_arg(statement);
    size_t high, low;

    aio_transport_get_write_buffer_limits(transport, &high, &low);
    say(frame->player, "%s size=%zu low=%zu high=%zu reading=%s closing=%s", statement->subject,
        aio_transport_get_write_buffer_size(transport), low, high,
        bool_text(aio_transport_is_reading(transport)),
        bool_text(aio_transport_is_closing(transport)));
    return FLOW_NEXT;
}

static enum flow declare_transport(struct frame *frame, const struct statement *statement)
{
    struct transport *transport = transport_new(frame->player, statement->args[0].text);
    size_t i;

    for (i = 1; i < statement->arg_count; i++)
        transport_option(transport, statement->args[i].text);
    (void)sync_ok(
        frame, statement,
        aio_transport_set_write_buffer_limits(&transport->base, transport->high, transport->low));
    bind(frame->player, statement->args[0].slot, SLOT_TRANSPORT, transport, transport_end);
    return FLOW_NEXT;
}

/* ---- Tables -------------------------------------------------------------------------- */

static const struct op streams_ops[] = {
    {.name = "new_reader", .args = "name integer", .run = op_new_reader},
    {.name = "stream", .args = "name name transport integer", .run = op_stream},
    {.name = "serve", .args = "transport client integer name name", .run = op_serve},
    {.name = "feed_data", .args = "reader data", .run = op_feed_data},
    {.name = "feed_eof", .args = "reader", .run = op_feed_eof},
    {.name = "feed_exception", .args = "reader kind message?", .run = op_feed_exception},
    {.name = "at_eof", .args = "reader", .run = op_at_eof},
    {.name = "reader_exception", .args = "reader", .run = op_reader_exception},
    {.name = "read", .args = "reader integer", .run = op_read},
    {.name = "readline", .args = "reader", .run = op_readline},
    {.name = "readexactly", .args = "reader integer", .run = op_readexactly},
    {.name = "readuntil", .args = "reader data*", .run = op_readuntil},
    {.name = "for_line", .args = "reader", .run = op_for_line, .title = "line", .parts = "endfor"},
    {.name = "write", .args = "writer data", .run = op_write},
    {.name = "writelines", .args = "writer data*", .run = op_writelines},
    {.name = "write_eof", .args = "writer", .run = op_write_eof},
    {.name = "can_write_eof", .args = "writer", .run = op_can_write_eof},
    {.name = "close", .args = "writer", .run = op_close},
    {.name = "is_closing", .args = "writer", .run = op_is_closing},
    {.name = "get_extra_info", .args = "writer word", .run = op_get_extra_info, .subject_args = 2},
    {.name = "drain", .args = "writer", .run = op_drain},
    {.name = "wait_closed", .args = "writer", .run = op_wait_closed},
    {.name = "peer_data", .args = "transport data*", .run = op_peer_data},
    {.name = "peer_eof", .args = "transport", .run = op_peer_eof},
    {.name = "peer_data_later", .args = "name transport time data*", .run = op_peer_data_later},
    {.name = "peer_eof_later", .args = "name transport time", .run = op_peer_eof_later},
    {.name = "sent", .args = "transport word", .run = op_sent},
    {.name = "lose", .args = "transport kind? message?", .run = op_lose},
    {.name = "lose_now", .args = "transport kind? message?", .run = op_lose_now},
    {.name = "abort", .args = "transport", .run = op_abort},
    {.name = "pause_reading", .args = "transport", .run = op_pause_reading},
    {.name = "resume_reading", .args = "transport", .run = op_resume_reading},
    {.name = "write_limits", .args = "transport word word", .run = op_write_limits},
    {.name = "tr_info", .args = "transport", .run = op_tr_info},
    {.name = NULL},
};

static const struct op streams_declarations[] = {
    {.name = "reader", .args = "name integer", .run = op_new_reader},
    {.name = "transport", .args = "name word*", .run = declare_transport},
    {.name = NULL},
};

const struct level level_streams = {streams_ops, streams_declarations};
