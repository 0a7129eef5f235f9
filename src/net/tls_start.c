/* SPDX-License-Identifier: MIT */
/*
 * tls_start.c - how a connection of TLS begins: with its transport, or on one that is in use
 *
 * Thread: the loop's.
 */
#include "future/future_internal.h"
#include "net/tls_internal.h"

#include <aio/task.h>
#include <assert.h>
#include <math.h>
#include <string.h>

enum { HANDSHAKE_SECONDS = 60, SHUTDOWN_SECONDS = 30 };

/* The transport below was connected before: go on where its connection_made would have. */
static void run_start(struct aio__ready *node)
{
    struct aio__tls *self = aio__container_of(node, struct aio__tls, start.ready);

    self->start.queued = false;
    if (!self->ended && !self->closing && !self->loop->closed) {
        aio_transport *lower = self->lower;

        (void)self->below.ops->connection_made(&self->below, lower);
        if (self->lower != NULL)
            (void)aio_transport_resume_reading(lower);
    }
    aio__tls_unref(self);
}

static int check_options(const aio_tls_options *options)
{
    if (options->size != sizeof(*options))
        return aio_raise(AIO_EVALUE, "aio_tls_options of another size");
    if (isnan(options->handshake_timeout) || options->handshake_timeout < 0)
        return aio_raise(AIO_EVALUE, "ssl_handshake_timeout should be a positive number, got %g",
                         options->handshake_timeout);
    if (isnan(options->shutdown_timeout) || options->shutdown_timeout < 0)
        return aio_raise(AIO_EVALUE, "ssl_shutdown_timeout should be a positive number, got %g",
                         options->shutdown_timeout);
    return 0;
}

static void init_fields(struct aio__tls *self, aio_loop *loop, const aio_tls_options *options)
{
    aio__tls_init(self, loop);
    self->handshake_seconds =
        options->handshake_timeout > 0 ? options->handshake_timeout : HANDSHAKE_SECONDS;
    self->shutdown_seconds =
        options->shutdown_timeout > 0 ? options->shutdown_timeout : SHUTDOWN_SECONDS;
    self->start.ready.run = run_start;
    (void)aio__flow_set_limits(&self->flow, AIO_LIMIT_DEFAULT, AIO_LIMIT_DEFAULT,
                               AIO__TLS_WRITE_HIGH);
}

static int make_tls(aio_loop *loop, aio_protocol *app, aio_tls_context *context,
                    const aio_tls_options *options, struct aio__tls **ret_self)
{
    static const aio_tls_options defaults = AIO_TLS_OPTIONS_INIT;
    struct aio__tls *self = NULL;
    int err;

    if (options == NULL)
        options = &defaults;
    if (app == NULL || context == NULL)
        return aio_raise(AIO_EVALUE, "a protocol and a TLS context are needed");
    err = check_options(options);
    if (err < 0)
        return err;
    self = aio__net_get(loop) == NULL ? NULL : aio__loop_alloc(loop, sizeof(*self));
    if (self == NULL)
        return AIO_ENOMEM;
    memset(self, 0, sizeof(*self));
    init_fields(self, loop, options);
    err = aio__tls_new_ssl(context, options->server_hostname, &self->chosen, &self->ssl);
    if (err < 0) {
        aio__loop_free(loop, self, sizeof(*self));
        return err;
    }
    self->app = app;
    self->context = aio_tls_context_ref(context);
    self->callers = aio__ctx_capture();
    *ret_self = self;
    return 0;
}

aio_protocol *aio_tls_protocol_new(aio_loop *loop, aio_protocol *protocol, aio_tls_context *context,
                                   const aio_tls_options *options)
{
    struct aio__tls *self = NULL;
    int err;

    loop = aio__loop_or_current(loop);
    if (loop == NULL)
        return aio__failed(AIO_ENOLOOP);
    err = loop->closed ? aio_raise(AIO_ECLOSED, "Event loop is closed")
                       : make_tls(loop, protocol, context, options, &self);
    if (err < 0)
        return aio__failed(err);
    assert(self != NULL);
    return &self->below;
}

/* May the transport become the lower part of another? */
static int check_lower(aio_loop *loop, const aio_transport *lower)
{
    if (aio_current_task(loop) == NULL)
        return aio_raise(AIO_ENOTASK, "start_tls() has to be called by a task");
    if (lower == NULL || lower->ops->set_protocol == NULL || lower->ops->write == NULL ||
        lower->ops->pause_reading == NULL)
        return aio_raise(AIO_ETYPE, "this transport is not supported by start_tls()");
    if (aio_transport_is_closing(lower))
        return aio_raise(AIO_ERUNTIME, "the transport is closing");
    return 0;
}

int aio_loop_start_tls(aio_loop *loop, aio_transport *transport, aio_protocol *protocol,
                       aio_tls_context *context, const aio_tls_options *options,
                       aio_transport **ret_transport)
{
    aio_future *waiter;
    struct aio__tls *self = NULL;
    int err;

    loop = aio__loop_or_current(loop);
    if (loop == NULL)
        return AIO_ENOLOOP;
    if (ret_transport == NULL)
        return aio_raise(AIO_EVALUE, "a place for the transport is needed, not NULL");
    err = check_lower(loop, transport);
    if (err < 0)
        return err;
    waiter = aio_future_new(loop);
    if (waiter == NULL)
        return AIO_ENOMEM;
    err = make_tls(loop, protocol, context, options, &self);
    if (err < 0)
        goto drop_waiter;

    assert(self != NULL);
    self->app_state = APP_MADE;
    self->waiter = aio_future_ref(waiter);
    self->lower = aio_transport_ref(transport);
    self->refs++; /* ours */
    (void)aio_transport_pause_reading(transport);
    aio_transport_set_protocol(transport, &self->below);
    aio__tls_queue(self, &self->start);
    err = aio_await(waiter, NULL);
    if (err == 0) {
        *ret_transport = &self->above; /* with our reference */
    } else {
        (void)aio_future_cancel(waiter, NULL);
        self->closing = true;
        if (self->lower != NULL)
            aio_transport_abort(self->lower);
        aio__tls_unref(self);
    }
drop_waiter:
    aio_future_unref(waiter);
    return err;
}
