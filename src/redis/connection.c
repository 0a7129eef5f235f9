/* SPDX-License-Identifier: MIT */
/*
 * connection.c - a connection: its line of those who wait for replies, and its end
 *
 * Commands are added to a buffer. With nobody else in line it is written at once; otherwise at the
 * next turn of the loop, with what others add until then. Replies come in the order of the
 * commands, so each is for the first in line.
 *
 * One timer serves all deadlines: it looks at the line when the first one is due, and at the
 * earliest that is left then.
 *
 * Invariants
 *   - A request is in line until its last reply has come or the connection is lost. Then it is of
 *     who waits for it; if nobody does, it is used again.
 *   - What a request has of replies stays until the last has come, for the parser may be in the
 *     middle of one.
 *   - Once lost, the line is empty.
 *
 * Thread: the loop's.
 */
#include "redis/redis_internal.h"

#include <aio/log.h>
#include <aio/memory.h>
#include <aio/task.h>
#include <math.h>
#include <string.h>

enum { KEEP_ROOM = 64 * 1024 };

/* --- bytes ------------------------------------------------------------------------------ */

/* A buffer that moves leaves nothing behind: a password may have been in it. */
int aio__redis_reserve(struct aio__redis_bytes *bytes, size_t more)
{
    size_t room = bytes->room < 256 ? 256 : bytes->room;
    char *data;

    if (more <= bytes->room - bytes->size)
        return 0;
    if (more > SIZE_MAX / 4 - bytes->size)
        return AIO_ENOMEM;
    while (room < bytes->size + more)
        room *= 2;
    data = aio_malloc(room);
    if (data == NULL)
        return AIO_ENOMEM;
    if (bytes->size > 0)
        memcpy(data, bytes->data, bytes->size);
    if (bytes->data != NULL)
        explicit_bzero(bytes->data, bytes->size);
    aio_free(bytes->data);
    bytes->data = data;
    bytes->room = room;
    return 0;
}

void aio__redis_bytes_free(struct aio__redis_bytes *bytes)
{
    if (bytes->data != NULL)
        explicit_bzero(bytes->data, bytes->size);
    aio_free(bytes->data);
    *bytes = (struct aio__redis_bytes){0};
}

/* --- requests ---------------------------------------------------------------------------- */

/* For as many replies, at the end of the line; NULL: no memory. */
static struct aio__redis_request *enqueue(aio_redis *redis, size_t expected)
{
    struct aio__redis_request *request = redis->spare;
    aio_future *done = aio_future_new(redis->loop);

    if (done == NULL)
        return NULL;
    if (request != NULL)
        redis->spare = request->next;
    else
        request = aio_malloc(sizeof(*request));
    if (request == NULL) {
        aio_future_unref(done);
        return NULL;
    }
    *request = (struct aio__redis_request){.done = done, .expected = expected};
    if (redis->first == NULL)
        redis->first = request;
    else
        redis->last->next = request;
    redis->last = request;
    redis->pending++;
    return request;
}

/* Nobody needs it any more: keep it for the next. */
static void recycle(aio_redis *redis, struct aio__redis_request *request)
{
    aio__redis_block_free(request->block);
    aio_exception_unref(request->error);
    aio_future_unref(request->done);
    request->next = redis->spare;
    redis->spare = request;
}

/* The first in line has its outcome. */
static void finish_first(aio_redis *redis)
{
    struct aio__redis_request *request = redis->first;

    redis->first = request->next;
    redis->pending--;
    request->over = true;
    if (request->abandoned)
        recycle(redis, request);
    else
        (void)aio_future_set_result(request->done, NULL);
}

/* --- replies ------------------------------------------------------------------------------ */

static aio_redis *redis_of_parser(struct aio__redis_parser *parser)
{
    return (aio_redis *)(void *)((char *)parser - offsetof(aio_redis, parser));
}

/* The array that several replies become the items of. */
static int make_items(struct aio__redis_parser *parser, struct aio__redis_request *request)
{
    struct aio__redis_block *block = request->block;
    size_t size = request->expected * sizeof(aio_redis_reply);

    if (size > parser->limit)
        return aio_raise(AIO_REDIS_EPROTOCOL, "%zu replies need more than %zu bytes",
                         request->expected, parser->limit);
    block->root.items = aio__redis_block_cut(block, size);
    if (block->root.items == NULL)
        return AIO_ENOMEM;
    block->root.type = AIO_REDIS_ARRAY;
    block->root.count = request->expected;
    return 0;
}

/* A reply begins: it is the first one's in line. */
static int on_begin(struct aio__redis_parser *parser, struct aio__redis_target *ret_target)
{
    aio_redis *redis = redis_of_parser(parser);
    struct aio__redis_request *request = redis->first;
    int err = 0;

    ret_target->block = NULL;
    if (request == NULL && redis->pubsub == NULL)
        return aio_raise(AIO_REDIS_EPROTOCOL, "a reply that nobody has asked for");
    if (request != NULL && request->abandoned)
        return 0;
    if (request == NULL || request->block == NULL) {
        ret_target->block = aio__redis_block_new();
        if (ret_target->block == NULL)
            return AIO_ENOMEM;
        ret_target->reply = &ret_target->block->root;
    }
    if (request == NULL) {
        redis->push = ret_target->block;
        return 0;
    }
    if (request->block == NULL) {
        request->block = ret_target->block;
        if (request->expected > 1)
            err = make_items(parser, request);
    }
    ret_target->block = request->block;
    if (request->expected > 1)
        ret_target->reply = (aio_redis_reply *)(uintptr_t)&request->block->root.items[request->got];
    return err;
}

static void on_end(struct aio__redis_parser *parser)
{
    aio_redis *redis = redis_of_parser(parser);
    struct aio__redis_request *request = redis->first;

    parser->target.block = NULL;
    if (request == NULL) {
        struct aio__redis_block *block = redis->push;

        redis->push = NULL;
        aio__redis_pubsub_push(redis->pubsub, block);
    } else if (++request->got == request->expected) {
        finish_first(redis);
    }
}

/* --- time ---------------------------------------------------------------------------------- */

static int on_timer(void *arg);

/* Have the deadlines looked at. Without memory for a timer there is none until the next command. */
static void start_timer(aio_redis *redis, double when)
{
    (void)aio_loop_call_at(redis->loop, when, on_timer, redis, &redis->timer);
}

static void stop_handle(aio_handle **handle)
{
    aio_handle_cancel(*handle);
    aio_handle_unref(*handle);
    *handle = NULL;
}

static double earliest_deadline(const aio_redis *redis)
{
    double earliest = AIO_FOREVER;

    for (const struct aio__redis_request *one = redis->first; one != NULL; one = one->next) {
        if (one->deadline < earliest)
            earliest = one->deadline;
    }
    return earliest;
}

static int on_timer(void *arg)
{
    aio_redis *redis = arg;
    double when = earliest_deadline(redis);
    aio_exception *error;

    stop_handle(&redis->timer);
    if (when == AIO_FOREVER)
        return 0;
    if (when > aio_loop_time(redis->loop)) {
        start_timer(redis, when);
        return 0;
    }
    error = aio_exception_new(AIO_ETIMEDOUT, "no reply from redis in time");
    aio__redis_lose(redis, error);
    aio_exception_unref(error);
    return 0;
}

static void set_deadline(aio_redis *redis, struct aio__redis_request *request)
{
    request->deadline = AIO_FOREVER;
    if (redis->timeout == AIO_FOREVER)
        return;
    request->deadline = aio_loop_time(redis->loop) + redis->timeout;
    if (redis->timer != NULL && aio_handle_when(redis->timer) <= request->deadline)
        return;
    stop_handle(&redis->timer);
    start_timer(redis, request->deadline);
}

/* --- sending ------------------------------------------------------------------------------- */

int aio__redis_flush(aio_redis *redis)
{
    struct aio__redis_bytes *out = &redis->out;
    aio_exception *error;
    int err;

    if (out->size == 0 || redis->lost)
        return 0;
    err = aio_transport_write(redis->transport, out->data, out->size);
    if (out->room > KEEP_ROOM)
        aio__redis_bytes_free(out);
    out->size = 0;
    if (err == 0)
        return 0;
    error = aio_error_catch(err);
    aio__redis_lose(redis, error);
    err = aio_raise_exception(error);
    aio_exception_unref(error);
    return err;
}

static int on_flush(void *arg)
{
    aio_redis *redis = arg;

    stop_handle(&redis->flusher);
    (void)aio__redis_flush(redis); /* who waits hears of it */
    return 0;
}

/* With others in line there is time: their tasks may add more before the next turn. */
static void send_soon(aio_redis *redis)
{
    if (redis->flusher != NULL)
        return;
    if (redis->pending > 1 &&
        aio_loop_call_soon(redis->loop, on_flush, redis, &redis->flusher) == 0)
        return;
    (void)aio__redis_flush(redis);
}

/* --- waiting ------------------------------------------------------------------------------- */

static int closed_error(const aio_redis *redis)
{
    const char *text = aio_exception_message(redis->why);

    return aio_raise_from(redis->why, AIO_REDIS_ECLOSED, "the connection is closed%s%s",
                          text == NULL ? "" : ": ", text == NULL ? "" : text);
}

int aio__redis_check(aio_redis *redis)
{
    if (redis == NULL)
        return aio_raise(AIO_EVALUE, "a connection is needed, not NULL");
    if (redis->lost)
        return closed_error(redis);
    if (redis->pubsub != NULL)
        return aio_raise(AIO_ERUNTIME, "the connection serves a pub/sub");
    if (redis->pending >= redis->max_pending)
        return aio_raise(AIO_EQUEUEFULL, "%zu commands wait for their replies already",
                         redis->pending);
    if (aio_current_task(NULL) == NULL)
        return aio_raise(AIO_ENOTASK, "a command has to be sent by a task");
    if (aio_get_running_loop() != redis->loop)
        return aio_raise(AIO_ERUNTIME, "the connection belongs to another loop");
    return 0;
}

/* The request is ours. */
static int take_outcome(aio_redis *redis, struct aio__redis_request *request,
                        struct aio__redis_block **ret_block)
{
    int err = 0;

    if (request->got < request->expected) {
        err = aio_raise_exception(request->error); /* none: memory was short */
    } else {
        *ret_block = request->block;
        request->block = NULL;
    }
    recycle(redis, request);
    return err;
}

int aio__redis_exchange(aio_redis *redis, size_t mark, size_t expected,
                        struct aio__redis_block **ret_block)
{
    struct aio__redis_request *request = enqueue(redis, expected);
    int err;

    if (request == NULL) {
        redis->out.size = mark;
        return AIO_ENOMEM;
    }
    set_deadline(redis, request);
    redis->refs++;
    send_soon(redis);
    err = aio_await(request->done, NULL);
    if (!request->over)
        request->abandoned = true;
    else if (err < 0)
        recycle(redis, request); /* cancelled, while the outcome was here already */
    else
        err = take_outcome(redis, request, ret_block);
    aio_redis_unref(redis);
    return err;
}

/* --- the end ------------------------------------------------------------------------------- */

/* All in line, and who asks later, get the error. */
static void fail_all(aio_redis *redis, aio_exception *error)
{
    redis->lost = true;
    redis->why = aio_exception_ref(error);
    stop_handle(&redis->timer);
    stop_handle(&redis->flusher);
    while (redis->first != NULL) {
        redis->first->error = aio_exception_ref(error);
        finish_first(redis);
    }
    if (redis->pubsub != NULL)
        aio__redis_pubsub_lost(redis->pubsub);
}

void aio__redis_lose(aio_redis *redis, aio_exception *error)
{
    if (redis->lost)
        return;
    fail_all(redis, error);
    aio_transport_abort(redis->transport);
}

/* --- the protocol --------------------------------------------------------------------------- */

static aio_redis *redis_of(aio_protocol *protocol)
{
    return (aio_redis *)(void *)protocol;
}

static int on_data(aio_protocol *protocol, const void *data, size_t size)
{
    aio_redis *redis = redis_of(protocol);
    aio_exception *error;
    int err;

    if (redis->lost)
        return 0;
    err = aio__redis_parser_feed(&redis->parser, data, size);
    if (err == 0)
        return 0;
    error = aio_error_catch(err);
    aio__redis_lose(redis, error);
    aio_exception_unref(error);
    return 0;
}

static int on_connection_lost(aio_protocol *protocol, aio_exception *cause)
{
    aio_redis *redis = redis_of(protocol);
    aio_exception *error = NULL;
    const char *text = aio_exception_message(cause);

    if (redis->lost)
        return 0;
    (void)aio_raise_from(cause, AIO_REDIS_ECLOSED, "%s",
                         cause == NULL  ? "the server has closed the connection"
                         : text != NULL ? text
                                        : aio_strerror(aio_exception_code(cause)));
    error = aio_error_catch(AIO_REDIS_ECLOSED);
    fail_all(redis, error);
    aio_exception_unref(error);
    return 0;
}

static void free_if_over(aio_redis *redis)
{
    if (redis->refs != 0 || redis->attached)
        return;
    while (redis->spare != NULL) {
        struct aio__redis_request *request = redis->spare;

        redis->spare = request->next;
        aio_free(request);
    }
    aio_transport_unref(redis->transport);
    aio__redis_parser_clear(&redis->parser);
    aio__redis_block_free(redis->push);
    aio__redis_bytes_free(&redis->out);
    aio_exception_unref(redis->why);
    aio_event_unref(redis->over);
    aio_free(redis);
}

/* Also without a connection_lost before: the loop is being closed. */
static void on_release(aio_protocol *protocol)
{
    aio_redis *redis = redis_of(protocol);
    aio_exception *error;

    if (!redis->lost) {
        error = aio_exception_new(AIO_REDIS_ECLOSED, "the loop was closed");
        fail_all(redis, error);
        aio_exception_unref(error);
    }
    redis->attached = false;
    redis->loop = NULL;
    aio_event_set(redis->over);
    free_if_over(redis);
}

static const aio_protocol_ops protocol_ops = {
    .size = sizeof(protocol_ops),
    .data_received = on_data,
    .connection_lost = on_connection_lost,
    .release = on_release,
};

/* --- life ------------------------------------------------------------------------------------ */

aio_redis *aio__redis_new(const aio_redis_options *options)
{
    aio_redis *redis = aio_calloc(1, sizeof(*redis));

    if (redis == NULL)
        return NULL;
    redis->protocol.ops = &protocol_ops;
    redis->refs = 1;
    redis->loop = aio_get_running_loop();
    redis->parser.begin = on_begin;
    redis->parser.end = on_end;
    redis->timeout = options->timeout;
    redis->max_pending = options->max_pending;
    redis->over = aio_event_new();
    if (redis->over == NULL ||
        aio__redis_parser_init(&redis->parser, options->max_reply_size) < 0) {
        aio_event_unref(redis->over);
        aio_free(redis);
        return NULL;
    }
    return redis;
}

aio_redis *aio_redis_ref(aio_redis *redis)
{
    if (redis != NULL)
        redis->refs++;
    return redis;
}

void aio_redis_unref(aio_redis *redis)
{
    if (redis == NULL || --redis->refs != 0)
        return;
    if (redis->attached)
        aio_redis_close(redis); /* the rest goes with the transport */
    else
        free_if_over(redis);
}

/* What nobody waits for any more need not arrive: a peer that takes nothing keeps nothing open. */
void aio_redis_close(aio_redis *redis)
{
    aio_exception *error;

    if (redis == NULL || redis->lost)
        return;
    error = aio_exception_new(AIO_REDIS_ECLOSED, "the connection was closed by this end");
    fail_all(redis, error);
    aio_exception_unref(error);
    if (aio_transport_get_write_buffer_size(redis->transport) > 0)
        aio_transport_abort(redis->transport);
    else
        aio_transport_close(redis->transport);
}

int aio_redis_wait_closed(aio_redis *redis)
{
    int err;

    if (redis == NULL)
        return aio_raise(AIO_EVALUE, "a connection is needed, not NULL");
    redis->refs++;
    err = aio_event_wait(redis->over);
    aio_redis_unref(redis);
    return err;
}

bool aio_redis_is_closed(const aio_redis *redis)
{
    return redis == NULL || redis->lost;
}

int aio_redis_set_timeout(aio_redis *redis, double seconds)
{
    if (redis == NULL)
        return aio_raise(AIO_EVALUE, "a connection is needed, not NULL");
    if (isnan(seconds) || seconds <= 0)
        return aio_raise(AIO_EVALUE, "a timeout is a positive number of seconds, not %g", seconds);
    redis->timeout = seconds;
    return 0;
}
