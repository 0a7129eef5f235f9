/* SPDX-License-Identifier: MIT */
/*
 * transport.c - the transports of the language: what their peer does, and what they print
 *
 * language.md describes them in full. They are in the arena, so that counting their references is
 * all that can be done about these: who still has one when the run is over finds it there.
 *
 * A call that the loop refuses for want of memory is lost, and with it what it would have told the
 * protocol: the traces say nothing about a shortage.
 */
#include "transport.h"
#include "values.h"

#include <stdlib.h>
#include <string.h>

static struct transport *of(const aio_transport *base)
{
    return (struct transport *)(uintptr_t)base;
}

/* ---- What it prints ------------------------------------------------------------------ */

/* Begin a line `io TR WHAT`. */
static struct text *io_begin(struct transport *self, const char *what)
{
    struct text *line = say_begin(self->player);

    text_format(line, "io %s %s", self->name, what);
    return line;
}

static void io(struct transport *self, const char *what)
{
    (void)io_begin(self, what);
    say_end(self->player);
}

static void call_soon(struct transport *self, aio_callback_fn fn)
{
    (void)aio_loop_call_soon(self->player->loop, fn, self, NULL);
}

/* ---- The end ------------------------------------------------------------------------- */

static void release(struct transport *self)
{
    aio_protocol *protocol = self->protocol;

    self->protocol = NULL;
    if (protocol != NULL)
        protocol->ops->release(protocol);
    aio_exception_unref(self->lost_with);
    self->lost_with = NULL;
}

void transport_end(void *object)
{
    release(object);
}

/* Tell the protocol that the connection is lost. An aio_callback_fn. */
static int tell(void *object)
{
    struct transport *self = object;
    struct text *line = io_begin(self, "lost ");
    int code;

    if (self->lost_with == NULL)
        text_add(line, "none");
    else
        exception_write(line, self->lost_with);
    say_end(self->player);
    code = self->protocol->ops->connection_lost(self->protocol, self->lost_with);
    release(self);
    return code;
}

/* What abort and a loss have in common. */
static void cut(struct transport *self)
{
    self->size = 0;
    self->inbox = NULL;
    self->closing = true;
    self->lost = true;
}

int transport_lose(struct transport *self, aio_exception *error, bool now)
{
    if (self->lost || !self->connected) {
        io(self, "ignored");
        aio_exception_unref(error);
        return 0;
    }
    cut(self);
    self->lost_with = error;
    if (now)
        return tell(self);
    call_soon(self, tell);
    return 0;
}

static void tr_close(aio_transport *base)
{
    struct transport *self = of(base);

    io(self, "close");
    if (self->closing)
        return;
    self->closing = true;
    self->inbox = NULL;
    if (self->size > 0)
        return;
    self->lost = true;
    call_soon(self, tell);
}

static void tr_abort(aio_transport *base)
{
    struct transport *self = of(base);

    if (!self->connected) {
        io(self, "ignored");
        return;
    }
    io(self, "abort");
    if (self->lost)
        return;
    cut(self);
    call_soon(self, tell);
}

static bool tr_is_closing(const aio_transport *base)
{
    return of(base)->closing;
}

/* ---- Reading ------------------------------------------------------------------------- */

static void pump_eof(struct transport *self)
{
    bool keep = self->protocol->ops->eof_received(self->protocol);
    struct text *line = io_begin(self, "eof keep=");

    text_add(line, bool_text(keep));
    say_end(self->player);
    if (!keep)
        tr_close(&self->base);
}

static void pump_data(struct transport *self, const struct data *data)
{
    struct text *line;

    if (data->size == 0)
        return;
    line = io_begin(self, "data ");
    data_write(line, data->bytes, data->size);
    say_end(self->player);
    (void)self->protocol->ops->data_received(self->protocol, data->bytes, data->size);
}

static void pump(struct transport *self)
{
    while (self->inbox != NULL && self->started && !self->paused && !self->closing) {
        struct chunk *chunk = self->inbox;

        self->inbox = chunk->next;
        if (chunk->is_eof)
            pump_eof(self);
        else
            pump_data(self, &chunk->data);
    }
}

static int pump_later(void *self)
{
    pump(self);
    return 0;
}

static int tr_pause_reading(aio_transport *base)
{
    struct transport *self = of(base);

    if (self->cannot_pause) {
        io(self, "pause_reading unsupported");
        return aio_raise(AIO_ENOTIMPLEMENTED, "this transport cannot be paused");
    }
    io(self, "pause_reading");
    if (!self->closing)
        self->paused = true;
    return 0;
}

static int tr_resume_reading(aio_transport *base)
{
    struct transport *self = of(base);

    io(self, "resume_reading");
    if (self->closing || !self->paused)
        return 0;
    self->paused = false;
    if (self->inbox != NULL)
        call_soon(self, pump_later);
    return 0;
}

static bool tr_is_reading(const aio_transport *base)
{
    return !of(base)->paused && !of(base)->closing;
}

static void inbox_add(struct transport *self, struct data data, bool is_eof)
{
    struct chunk *chunk = arena_alloc(&self->player->arena, sizeof(*chunk));
    struct chunk **link = &self->inbox;

    *chunk = (struct chunk){.data = data, .is_eof = is_eof};
    while (*link != NULL)
        link = &(*link)->next;
    *link = chunk;
}

void transport_peer_data(struct transport *self, const struct data *chunks, size_t count)
{
    size_t i;

    if (self->closing || self->peer_done) {
        io(self, "ignored");
        return;
    }
    for (i = 0; i < count; i++)
        inbox_add(self, chunks[i], false);
    pump(self);
}

void transport_peer_eof(struct transport *self)
{
    if (self->closing || self->peer_done) {
        io(self, "ignored");
        return;
    }
    self->peer_done = true;
    inbox_add(self, (struct data){NULL, 0}, true);
    pump(self);
}

/* ---- Writing ------------------------------------------------------------------------- */

static void maybe_pause(struct transport *self)
{
    if (self->size <= self->high || self->protocol_paused)
        return;
    self->protocol_paused = true;
    io(self, "pause_writing");
    (void)self->protocol->ops->pause_writing(self->protocol);
}

static void maybe_resume(struct transport *self)
{
    if (!self->protocol_paused || self->size > self->low)
        return;
    self->protocol_paused = false;
    io(self, "resume_writing");
    (void)self->protocol->ops->resume_writing(self->protocol);
}

/* The end of a line that says what is written, and of the write. */
static void write_end(struct transport *self, struct text *line, size_t size)
{
    if (self->eof_written || self->lost) {
        text_add(line, " dropped");
        say_end(self->player);
        return;
    }
    if (!self->sends_at_once)
        self->size += size;
    text_format(line, " size=%zu", self->size);
    say_end(self->player);
    maybe_pause(self);
}

static int tr_write(aio_transport *base, const void *data, size_t size)
{
    struct transport *self = of(base);
    struct text *line = io_begin(self, "write ");

    data_write(line, data, size);
    write_end(self, line, size);
    return 0;
}

/* What a transport without the operation does: one write of all. */
static int write_joined(struct transport *self, const aio_buffer *buffers, size_t count)
{
    struct text joined = {NULL, 0, 0};
    size_t i;
    int code;

    for (i = 0; i < count; i++)
        text_append(&joined, buffers[i].data, buffers[i].size);
    code = tr_write(&self->base, joined.data, joined.length);
    text_free(&joined);
    return code;
}

static int tr_writelines(aio_transport *base, const aio_buffer *buffers, size_t count)
{
    struct transport *self = of(base);
    struct text *line;
    size_t size = 0;
    size_t i;

    if (!self->has_writelines)
        return write_joined(self, buffers, count);
    line = io_begin(self, "writelines [");
    for (i = 0; i < count; i++) {
        text_add(line, i == 0 ? "" : ",");
        data_write(line, buffers[i].data, buffers[i].size);
        size += buffers[i].size;
    }
    text_add(line, "]");
    write_end(self, line, size);
    return 0;
}

static bool tr_can_write_eof(const aio_transport *base)
{
    return !of(base)->cannot_write_eof;
}

static int tr_write_eof(aio_transport *base)
{
    struct transport *self = of(base);

    if (self->closing || self->eof_written || self->cannot_write_eof) {
        io(self, "write_eof ignored");
        return 0;
    }
    self->eof_written = true;
    io(self, "write_eof");
    if (self->size == 0)
        io(self, "shutdown_write");
    return 0;
}

void transport_sent(struct transport *self, size_t size)
{
    struct text *line;

    if (self->size == 0) {
        io(self, "ignored");
        return;
    }
    self->size -= size < self->size ? size : self->size;
    line = io_begin(self, "sent");
    text_format(line, " size=%zu", self->size);
    say_end(self->player);
    maybe_resume(self);
    if (self->size > 0)
        return;
    if (self->closing) {
        self->lost = true;
        (void)tell(self);
    } else if (self->eof_written) {
        io(self, "shutdown_write");
    }
}

static int tr_set_limits(aio_transport *base, size_t high, size_t low)
{
    struct transport *self = of(base);

    if (high == AIO_LIMIT_DEFAULT)
        high = low == AIO_LIMIT_DEFAULT ? 65536 : 4 * low;
    if (low == AIO_LIMIT_DEFAULT)
        low = high / 4;
    if (high < low)
        return aio_raise(AIO_EVALUE, "high must be >= low");
    self->high = high;
    self->low = low;
    maybe_pause(self);
    return 0;
}

static void tr_get_limits(const aio_transport *base, size_t *ret_high, size_t *ret_low)
{
    *ret_high = of(base)->high;
    *ret_low = of(base)->low;
}

static size_t tr_get_size(const aio_transport *base)
{
    return of(base)->size;
}

/* ---- The rest of the interface ------------------------------------------------------- */

static const void *tr_get_extra_info(const aio_transport *base, const char *key)
{
    const struct info *info;

    for (info = of(base)->info; info != NULL; info = info->next) {
        if (strcmp(info->key, key) == 0)
            return info->word;
    }
    return NULL;
}

static void tr_set_protocol(aio_transport *base, aio_protocol *protocol)
{
    of(base)->protocol = protocol;
}

static aio_protocol *tr_get_protocol(const aio_transport *base)
{
    return of(base)->protocol;
}

static aio_loop *tr_get_loop(const aio_transport *base)
{
    return of(base)->player->loop;
}

static const aio_transport_ops transport_ops = {
    .size = sizeof(transport_ops),
    .close = tr_close,
    .abort = tr_abort,
    .is_closing = tr_is_closing,
    .get_extra_info = tr_get_extra_info,
    .set_protocol = tr_set_protocol,
    .get_protocol = tr_get_protocol,
    .pause_reading = tr_pause_reading,
    .resume_reading = tr_resume_reading,
    .is_reading = tr_is_reading,
    .write = tr_write,
    .writelines = tr_writelines,
    .write_eof = tr_write_eof,
    .can_write_eof = tr_can_write_eof,
    .set_write_buffer_limits = tr_set_limits,
    .get_write_buffer_limits = tr_get_limits,
    .get_write_buffer_size = tr_get_size,
    .get_loop = tr_get_loop,
};

/* ---- The beginning ------------------------------------------------------------------- */

int transport_connect(struct transport *self)
{
    self->connected = true;
    return self->protocol->ops->connection_made(self->protocol, &self->base);
}

void transport_start(struct transport *self)
{
    self->started = true;
    pump(self);
}

struct transport *transport_new(struct player *player, const char *name)
{
    struct transport *self = arena_alloc(&player->arena, sizeof(*self));

    self->base.ops = &transport_ops;
    self->player = player;
    self->name = name;
    self->high = AIO_LIMIT_DEFAULT;
    self->low = AIO_LIMIT_DEFAULT;
    return self;
}

static void add_info(struct transport *self, const char *word, const char *equals)
{
    struct info *info = arena_alloc(&self->player->arena, sizeof(*info));

    info->key = arena_copy(&self->player->arena, word, (size_t)(equals - word));
    info->word = equals + 1;
    info->next = self->info;
    self->info = info;
}

void transport_option(struct transport *self, const char *word)
{
    const char *equals = strchr(word, '=');

    if (strcmp(word, "auto") == 0)
        self->sends_at_once = true;
    else if (strcmp(word, "nopause") == 0)
        self->cannot_pause = true;
    else if (strcmp(word, "noeof") == 0)
        self->cannot_write_eof = true;
    else if (strcmp(word, "writelines") == 0)
        self->has_writelines = true;
    else if (equals == NULL)
        die("a transport has no option '%s'", word);
    else if (strncmp(word, "high=", 5) == 0)
        self->high = strtoul(equals + 1, NULL, 10);
    else if (strncmp(word, "low=", 4) == 0)
        self->low = strtoul(equals + 1, NULL, 10);
    else
        add_info(self, word, equals);
}
