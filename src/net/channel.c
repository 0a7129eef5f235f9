/* SPDX-License-Identifier: MIT */
/*
 * channel.c - what all transports over a file descriptor have in common
 *
 * A connection holds its transport until connection_lost has been called. Two queue nodes stand in
 * it, so that neither its beginning nor its end can fail for want of memory.
 *
 * Thread: the loop's.
 */
#include "net/channel.h"

#include "base/log.h"

#include <string.h>
#include <unistd.h>

enum { DEFAULT_HIGH = 64 * 1024 };

/* --- the end --------------------------------------------------------------------------- */

static void free_if_over(struct aio__channel *self)
{
    if (self->refs == 0 && self->handle_gone)
        aio__loop_free(self->loop, self, self->ops->size);
}

static void on_handle_gone(struct aio__io *io)
{
    struct aio__channel *self = aio__container_of(io, struct aio__channel, io);

    self->handle_gone = true;
    free_if_over(self);
}

aio_transport *aio__channel_ref(aio_transport *base)
{
    aio__channel_of(base)->refs++;
    return base;
}

void aio__channel_unref(aio_transport *base)
{
    struct aio__channel *self = aio__channel_of(base);

    self->refs--;
    free_if_over(self);
}

static void drop_waiting(struct aio__channel *self)
{
    if (self->ops->clear != NULL)
        self->ops->clear(self);
}

/* The fd goes, and with it all that the connection holds. */
static void end_connection(struct aio__channel *self)
{
    aio_protocol *protocol = self->protocol;

    drop_waiting(self);
    aio__io_close(&self->io, on_handle_gone);
    close(self->io.fd);
    self->io.fd = -1;
    aio__list_remove(&self->object.link);
    if (self->ops->ended != NULL)
        self->ops->ended(self);
    self->protocol = NULL;
    if (protocol->ops->release != NULL)
        protocol->ops->release(protocol);
    aio_exception_unref(self->lost_with);
    self->lost_with = NULL;
    aio_future_unref(self->waiter);
    self->waiter = NULL;
    aio__ctx_release(self->context);
    self->context = (aio__ctx){0};
    aio__channel_unref(&self->base);
}

static void run_end(struct aio__ready *node)
{
    struct aio__channel *self = aio__container_of(node, struct aio__channel, end);
    aio_protocol *protocol = self->protocol;
    aio__ctx *outer;
    int code = 0;

    if (protocol == NULL)
        return; /* the loop was closed meanwhile */
    if (self->connected && !self->loop->closed) {
        outer = aio__net_enter(&self->context);
        if (self->ops->ending != NULL)
            self->ops->ending(self);
        protocol = self->protocol; /* which that may have switched */
        if (protocol->ops->connection_lost != NULL)
            code = protocol->ops->connection_lost(protocol, self->lost_with);
        aio__net_leave(outer);
        if (code < 0)
            aio__loop_callback_failed(self->loop, code, NULL);
    }
    end_connection(self);
}

void aio__channel_end(struct aio__channel *self, aio_exception *error)
{
    self->lost = true;
    self->lost_with = aio_exception_ref(error);
    aio__loop_queue(self->loop, &self->end);
}

void aio__channel_force_close(struct aio__channel *self, aio_exception *error)
{
    if (self->lost)
        return;
    drop_waiting(self);
    self->closing = true;
    aio__io_want(&self->io, 0);
    aio__channel_end(self, error);
}

void aio__channel_fatal(struct aio__channel *self, int code, const char *message)
{
    aio_exception *error = aio_error_catch(code);

    if (code == AIO_EKEYBOARDINTERRUPT || code == AIO_ESYSTEMEXIT) {
        aio__loop_leave(self->loop, code, error); /* not about this connection */
        return;
    }
    aio__net_report(self->loop, message, error);
    aio__channel_force_close(self, error);
    aio_exception_unref(error);
}

void aio__channel_failed(struct aio__channel *self, int error, const char *message)
{
    aio__channel_fatal(self, aio_raise(-error, "%s", aio_strerror(-error)), message);
}

/* The loop is closed under an open connection. */
static void end_with_loop(struct aio__net_object *object)
{
    struct aio__channel *self = aio__container_of(object, struct aio__channel, object);

    if (self->loop->debug)
        aio__log(AIO_LOG_WARNING, "unclosed transport %p", (void *)self);
    self->closing = true;
    self->lost = true;
    end_connection(self);
}

/* --- reading --------------------------------------------------------------------------- */

bool aio__channel_is_reading(const aio_transport *base)
{
    const struct aio__channel *self = aio__channel_of(base);

    return !self->closing && !self->paused;
}

int aio__channel_pause_reading(aio_transport *base)
{
    struct aio__channel *self = aio__channel_of(base);

    if (aio__channel_is_reading(base)) {
        self->paused = true;
        aio__io_drop(&self->io, AIO__READABLE);
    }
    return 0;
}

int aio__channel_resume_reading(aio_transport *base)
{
    struct aio__channel *self = aio__channel_of(base);

    if (!self->closing && self->paused) {
        self->paused = false;
        if (self->connected && !self->at_eof)
            aio__io_add(&self->io, AIO__READABLE);
    }
    return 0;
}

/* --- the rest of the interface --------------------------------------------------------- */

void aio__channel_abort(aio_transport *base)
{
    aio__channel_force_close(aio__channel_of(base), NULL);
}

bool aio__channel_is_closing(const aio_transport *base)
{
    return aio__channel_of(base)->closing;
}

void aio__channel_set_protocol(aio_transport *base, aio_protocol *protocol)
{
    aio__channel_of(base)->protocol = protocol;
    aio__channel_of(base)->lender = NULL;
}

aio_protocol *aio__channel_get_protocol(const aio_transport *base)
{
    return aio__channel_of(base)->protocol;
}

aio_loop *aio__channel_get_loop(const aio_transport *base)
{
    return aio__channel_of(base)->loop;
}

int aio__channel_set_limits(aio_transport *base, size_t high, size_t low)
{
    struct aio__channel *self = aio__channel_of(base);
    int err = aio__flow_set_limits(&self->flow, high, low, DEFAULT_HIGH);

    if (err == 0 && !self->lost)
        aio__flow_grown(&self->flow, base, self->ops->waiting(self));
    return err;
}

void aio__channel_get_limits(const aio_transport *base, size_t *ret_high, size_t *ret_low)
{
    *ret_high = aio__channel_of(base)->flow.high;
    *ret_low = aio__channel_of(base)->flow.low;
}

size_t aio__channel_get_size(const aio_transport *base)
{
    const struct aio__channel *self = aio__channel_of(base);

    return self->ops->waiting(self);
}

/* --- the beginning --------------------------------------------------------------------- */

static void on_ready(struct aio__io *io, int events)
{
    struct aio__channel *self = aio__container_of(io, struct aio__channel, io);
    aio__ctx *outer;

    if (self->lost)
        return;
    outer = aio__net_enter(&self->context);
    self->refs++;
    self->ops->ready(self, events);
    aio__net_leave(outer);
    aio__channel_unref(&self->base);
}

static void run_start(struct aio__ready *node)
{
    struct aio__channel *self = aio__container_of(node, struct aio__channel, start);
    aio_protocol *protocol = self->protocol;
    aio__ctx *outer;
    int code = 0;

    if (protocol == NULL || self->loop->closed)
        return;
    self->connected = true;
    outer = aio__net_enter(&self->context);
    if (protocol->ops->connection_made != NULL)
        code = protocol->ops->connection_made(protocol, &self->base);
    aio__net_leave(outer);
    if (code < 0)
        aio__loop_callback_failed(self->loop, code, NULL);
    if (!self->closing && !self->paused && self->ops->events != 0)
        aio__io_add(&self->io, self->ops->events);
    if (self->waiter != NULL && aio__future_is_pending(self->waiter))
        aio__future_finish(self->waiter, NULL, NULL);
    aio_future_unref(self->waiter);
    self->waiter = NULL;
}

int aio__channel_new(aio_loop *loop, int fd, aio_protocol *protocol, aio_future *waiter,
                     const aio_transport_ops *transport_ops, const struct aio__channel_ops *ops,
                     struct aio__channel **ret_channel)
{
    struct aio__net *net = aio__net_get(loop);
    struct aio__channel *self;
    int err;

    if (net == NULL)
        return AIO_ENOMEM;
    self = aio__loop_alloc(loop, ops->size);
    if (self == NULL)
        return AIO_ENOMEM;
    memset(self, 0, ops->size);
    err = aio__io_init(&self->io, loop, fd, on_ready);
    if (err < 0) {
        aio__loop_free(loop, self, ops->size);
        return err;
    }
    self->base.ops = transport_ops;
    self->ops = ops;
    self->loop = loop;
    self->protocol = protocol;
    self->refs = 1;
    self->start.run = run_start;
    self->end.run = run_end;
    self->object.end = end_with_loop;
    self->waiter = aio_future_ref(waiter);
    self->context = aio__ctx_capture();
    (void)aio__flow_set_limits(&self->flow, AIO_LIMIT_DEFAULT, AIO_LIMIT_DEFAULT, DEFAULT_HIGH);
    aio__list_append(&net->open, &self->object.link);
    aio__loop_queue(loop, &self->start);
    *ret_channel = self;
    return 0;
}
