/* SPDX-License-Identifier: MIT */
/*
 * tls_start.c - how a connection of TLS begins: with its transport, or on one that is in use
 *
 * Thread: the loop's.
 */
#include "future/future_internal.h"
#include "net/tls_internal.h"

#include <aio/memory.h>
#include <aio/task.h>
#include <assert.h>
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

static void init_fields(struct aio__tls *self, aio_loop *loop, const struct aio__secure *secure)
{
    aio__tls_init(self, loop);
    self->handshake_seconds =
        secure->handshake_timeout > 0 ? secure->handshake_timeout : HANDSHAKE_SECONDS;
    self->shutdown_seconds =
        secure->shutdown_timeout > 0 ? secure->shutdown_timeout : SHUTDOWN_SECONDS;
    self->start.ready.run = run_start;
    self->read_high = AIO__TLS_READ_HIGH;
    self->read_low = AIO__TLS_READ_HIGH / 4;
    (void)aio__flow_set_limits(&self->flow, AIO_LIMIT_DEFAULT, AIO_LIMIT_DEFAULT,
                               AIO__TLS_WRITE_HIGH);
}

/* What can fail of it: 0, or a raised code. */
static int init_ssl(struct aio__tls *self, const struct aio__secure *secure)
{
    int err = aio__tls_check_session(secure);

    if (err == 0)
        err = aio__tls_join(self);
    if (err == 0 && secure->hostname != NULL && *secure->hostname != '\0') {
        self->hostname = aio_strdup(secure->hostname);
        err = self->hostname == NULL ? AIO_ENOMEM : 0;
    }
    if (err == 0)
        err = aio__tls_new_ssl(secure->context, secure->hostname, &self->chosen, &self->ssl);
    if (err == 0 && !aio__tls_set_bio(self))
        err = AIO_ENOMEM;
    if (err == 0 && secure->session != NULL)
        err = aio__tls_resume(self, secure->session);
    return err;
}

/* With one reference, for the transport below. 0, or a raised code: app is the caller's then. */
static int make_tls(aio_loop *loop, aio_protocol *app, const struct aio__secure *secure,
                    struct aio__tls **ret_self)
{
    struct aio__tls *self;
    int err;

    if (app == NULL || secure->context == NULL)
        return aio_raise(AIO_EVALUE, "a protocol and a TLS context are needed");
    self = aio__loop_alloc(loop, sizeof(*self));
    if (self == NULL)
        return AIO_ENOMEM;
    memset(self, 0, sizeof(*self));
    init_fields(self, loop, secure);
    self->context = aio_tls_context_ref(secure->context);
    self->callers = aio__ctx_capture();
    err = init_ssl(self, secure);
    if (err < 0) {
        aio__tls_unref(self);
        return err;
    }
    self->app = app;
    *ret_self = self;
    return 0;
}

int aio__tls_wrap(aio_loop *loop, aio_protocol *app, const struct aio__secure *secure,
                  aio_future *waiter, aio_protocol **ret_below, aio_transport **ret_above)
{
    struct aio__tls *self = NULL;
    int err = make_tls(loop, app, secure, &self);

    if (err < 0)
        return err;
    assert(self != NULL);
    self->waiter = aio_future_ref(waiter);
    *ret_below = &self->below;
    if (ret_above != NULL)
        *ret_above = &self->above;
    return 0;
}

aio_protocol *aio_tls_protocol_new(aio_loop *loop, aio_protocol *protocol, aio_tls_context *context,
                                   const aio_tls_options *options)
{
    struct aio__secure secure;
    aio_protocol *below = NULL;
    int err;

    loop = aio__loop_or_current(loop);
    if (loop == NULL)
        return aio__failed(AIO_ENOLOOP);
    if (loop->closed)
        return aio__failed(aio_raise(AIO_ECLOSED, "Event loop is closed"));
    err = aio__secure_read(&secure, context, options);
    if (err == 0)
        err = aio__tls_wrap(loop, protocol, &secure, NULL, &below, NULL);
    return err < 0 ? aio__failed(err) : below;
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

/* Let the transport's bytes go through TLS from now on. 0, or a raised code: nothing has changed. */
static int take_over(struct aio__tls *self, aio_transport *transport, aio_future *waiter,
                     const aio_buffer *early)
{
    int err = early == NULL ? 0 : aio__tls_hold(self, early->data, early->size);

    if (err < 0)
        return err;
    self->app_state = APP_MADE;
    self->waiter = aio_future_ref(waiter);
    self->lower = aio_transport_ref(transport);
    self->refs++; /* ours */
    (void)aio_transport_pause_reading(transport);
    aio_transport_set_protocol(transport, &self->below);
    aio__tls_queue(self, &self->start);
    return 0;
}

/* The task goes on: with the transport and our reference to it, or without. */
static int end_upgrade(struct aio__tls *self, aio_future *waiter, int err,
                       aio_transport **ret_transport)
{
    if (err == 0) {
        *ret_transport = &self->above;
        return 0;
    }
    (void)aio_future_cancel(waiter, NULL);
    self->closing = true;
    if (self->lower != NULL)
        aio_transport_abort(self->lower);
    aio__tls_unref(self);
    return err;
}

int aio__tls_upgrade(aio_loop *loop, aio_transport *transport, aio_protocol *protocol,
                     const struct aio__secure *secure, const aio_buffer *early,
                     aio_transport **ret_transport)
{
    struct aio__tls *self = NULL;
    aio_future *waiter;
    int err = check_lower(loop, transport);

    if (err < 0)
        return err;
    waiter = aio_future_new(loop);
    if (waiter == NULL)
        return AIO_ENOMEM;
    err = make_tls(loop, protocol, secure, &self);
    if (err < 0)
        goto drop_waiter;
    assert(self != NULL);
    err = take_over(self, transport, waiter, early);
    if (err < 0) {
        self->app = NULL; /* still the caller's */
        aio__tls_unref(self);
        goto drop_waiter;
    }
    err = aio_await(waiter, NULL);
    err = end_upgrade(self, waiter, err, ret_transport);
drop_waiter:
    aio_future_unref(waiter);
    return err;
}

int aio_loop_start_tls(aio_loop *loop, aio_transport *transport, aio_protocol *protocol,
                       aio_tls_context *context, const aio_tls_options *options,
                       aio_transport **ret_transport)
{
    struct aio__secure secure;
    int err;

    loop = aio__loop_or_current(loop);
    if (loop == NULL)
        return AIO_ENOLOOP;
    if (ret_transport == NULL)
        return aio_raise(AIO_EVALUE, "a place for the transport is needed, not NULL");
    err = aio__secure_read(&secure, context, options);
    if (err < 0)
        return err;
    return aio__tls_upgrade(loop, transport, protocol, &secure, NULL, ret_transport);
}
