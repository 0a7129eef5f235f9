/* SPDX-License-Identifier: MIT */
/*
 * tls.c - a connection of TLS: a protocol below, a transport above
 *
 * What the transport below receives SSL reads, and what SSL writes goes to that transport: tls_bio.c.
 * The states are asyncio's (S140-S143):
 *
 *   UNWRAPPED -> HANDSHAKE -> WRAPPED -> SHUTDOWN -> UNWRAPPED
 *
 * asyncio's fifth, flushing, is the step that enters SHUTDOWN: what can still be read and written
 * is, then close_notify goes out, and the peer's, or its end, is awaited.
 *
 * OpenSSL needs more stack than a small fiber has. Called on the thread's own stack we work at once;
 * called by a task, the work is queued, which also makes one record of several small writes.
 *
 * Invariants
 *   - The queue of errors is emptied before each call of SSL's, and looked at right after it.
 *   - What SSL wrote is sent also after a call that failed: it may be the alert that says why.
 *   - A turn ends when SSL has read much and the program got little: new keys cost a peer 27 bytes and
 *     us a hundred times the work of as much data, and others wait meanwhile.
 *   - The object lives while the transport below, the program, or the ready queue holds it.
 *
 * Thread: the loop's.
 */
#include "base/log.h"
#include "future/future_internal.h"
#include "net/tls_internal.h"

#include <aio/memory.h>
#include <openssl/err.h>
#include <string.h>

static struct aio__tls *of_below(aio_protocol *protocol)
{
    return aio__container_of(protocol, struct aio__tls, below);
}

/* --- life ------------------------------------------------------------------------------ */

static void release_app(struct aio__tls *self)
{
    aio_protocol *app = self->app;

    self->app = NULL;
    if (app != NULL && app->ops->release != NULL)
        app->ops->release(app);
}

void aio__tls_unref(struct aio__tls *self)
{
    if (--self->refs != 0)
        return;
    SSL_free(self->ssl);
    aio__tls_part(self);
    aio__tls_certificate_free(self->peer);
    aio_free(self->alpn);
    aio_free(self->hostname);
    aio_tls_context_unref(self->context);
    aio_tls_context_unref(self->chosen);
    aio_transport_unref(self->lower);
    aio_future_unref(self->waiter);
    aio_exception_unref(self->failure);
    aio__ctx_release(self->callers);
    aio__loop_free(self->loop, self, sizeof(*self));
}

void aio__tls_queue(struct aio__tls *self, struct aio__tls_step *step)
{
    if (step->queued)
        return;
    step->queued = true;
    self->refs++;
    aio__loop_queue(self->loop, &step->ready);
}

/* --- timeouts -------------------------------------------------------------------------- */

static int set_timer(struct aio__tls *self, double seconds)
{
    uint64_t when_ns;

    aio__timer_stop(self->loop, &self->timer);
    if (!aio__loop_deadline(self->loop, seconds, &when_ns))
        return AIO_EVALUE;
    return aio__timer_start(self->loop, &self->timer, when_ns);
}

/* --- the end --------------------------------------------------------------------------- */

static void wake_waiter(struct aio__tls *self, aio_exception *error)
{
    aio_future *waiter = self->waiter;

    self->waiter = NULL;
    if (waiter != NULL && aio__future_is_pending(waiter) && !self->loop->closed) {
        if (error == NULL)
            aio__future_finish(waiter, NULL, NULL);
        else
            aio__future_fail(waiter, aio_exception_code(error), error);
    }
    aio_future_unref(waiter);
}

/* End at once. error may be NULL; the first one counts. */
void aio__tls_abort(struct aio__tls *self, aio_exception *error)
{
    if (self->failure == NULL)
        self->failure = aio_exception_ref(error);
    self->state = self->state == HANDSHAKE ? HANDSHAKE : UNWRAPPED;
    self->closing = true;
    aio__timer_stop(self->loop, &self->timer);
    aio__tls_forget(self);
    if (self->lower != NULL)
        aio_transport_abort(self->lower);
}

/* An error that ends the connection: the code just raised. */
static void fatal(struct aio__tls *self, int code, const char *message)
{
    aio_exception *error = aio_error_catch(code);

    aio__net_report(self->loop, message, error);
    aio__tls_abort(self, error);
    aio_exception_unref(error);
}

static void run_timeout(struct aio__ready *node)
{
    struct aio__tls *self = aio__container_of(node, struct aio__tls, timeout);

    if (self->loop->closed || self->ended)
        return;
    if (self->state == HANDSHAKE)
        fatal(self,
              aio_raise(-ECONNABORTED,
                        "SSL handshake is taking longer than %g seconds: aborting the connection",
                        self->handshake_seconds),
              "SSL handshake failed");
    else if (self->state == SHUTDOWN)
        fatal(self, aio_raise(AIO_ETIMEDOUT, "SSL shutdown timed out"), "SSL shutdown failed");
}

static void run_lost(struct aio__ready *node)
{
    struct aio__tls *self = aio__container_of(node, struct aio__tls, lost.ready);
    aio_protocol *app = self->app;
    int code = 0;

    self->lost.queued = false;
    if (app != NULL && !self->loop->closed && app->ops->connection_lost != NULL) {
        aio__ctx *outer = aio__net_enter(&self->callers);

        code = app->ops->connection_lost(app, self->failure);
        aio__net_leave(outer);
    }
    if (code < 0)
        aio__loop_callback_failed(self->loop, code, NULL);
    release_app(self);
    aio__tls_unref(self);
}

/* --- to and from the transport below --------------------------------------------------- */

size_t aio__tls_pending(const struct aio__tls *self)
{
    return self->backlog.size + aio__tls_outgoing(self);
}

static void send_out(struct aio__tls *self)
{
    if (aio__tls_send(self) < 0)
        fatal(self, AIO_ENOMEM, "Fatal error on SSL protocol");
    else if (self->chatter > AIO__TLS_CHATTER)
        fatal(self, aio_raise(AIO_ESSL, "the peer makes us answer and reads no answer"),
              "Fatal error on SSL protocol");
}

/* Let the program know how full we are. Pausing is at the mark itself, one byte sooner than below
 * (S142). */
void aio__tls_tell_flow(struct aio__tls *self)
{
    size_t size;

    if (self->app == NULL || self->app_state == APP_INIT || self->ended)
        return;
    size = aio__tls_pending(self);
    aio__flow_grown(&self->flow, &self->above, size + 1);
    aio__flow_shrunk(&self->flow, &self->above, size);
}

void aio__tls_control_reading(struct aio__tls *self)
{
    size_t size = aio__tls_incoming(self);

    if (self->lower == NULL)
        return;
    if (size >= self->read_high && !self->lower_paused) {
        self->lower_paused = true;
        (void)aio_transport_pause_reading(self->lower);
    } else if (size <= self->read_low && self->lower_paused) {
        self->lower_paused = false;
        (void)aio_transport_resume_reading(self->lower);
    }
}

/* There is more to read, in another turn. */
static bool has_more(const struct aio__tls *self)
{
    return self->allowance == 0 && aio__tls_incoming(self) > 0;
}

/* --- the handshake --------------------------------------------------------------------- */

static void handshake_failed(struct aio__tls *self, int code)
{
    send_out(self); /* the alert */
    fatal(self, code,
          code == AIO_ESSLCERT ? "SSL handshake failed on verifying the certificate"
                               : "SSL handshake failed");
}

static void handshake_done(struct aio__tls *self)
{
    aio_protocol *app = self->app;
    int code = 0;

    aio__timer_stop(self->loop, &self->timer);
    self->state = WRAPPED;
    send_out(self); /* before the program has its turn: the shared buffer is free then */
    if (self->state != WRAPPED)
        return;
    if (self->app_state == APP_INIT) {
        self->app_state = APP_MADE;
        if (app->ops->connection_made != NULL) {
            aio__ctx *outer = aio__net_enter(&self->callers);

            code = app->ops->connection_made(app, &self->above);
            aio__net_leave(outer);
        }
        if (code < 0)
            aio__loop_callback_failed(self->loop, code, NULL);
    }
    wake_waiter(self, NULL);
}

static void do_handshake(struct aio__tls *self)
{
    int result;
    int why;

    ERR_clear_error();
    result = SSL_do_handshake(self->ssl);
    why = SSL_get_error(self->ssl, result);
    if (result == 1)
        handshake_done(self);
    else if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
        handshake_failed(self, aio__tls_raise(self->ssl));
    else if (self->peer_left && !has_more(self))
        handshake_failed(self, aio_raise(-ECONNRESET, "%s", aio_strerror(-ECONNRESET)));
}

/* --- reading --------------------------------------------------------------------------- */

/* Whether the program can take data now. */
static bool app_reads(const struct aio__tls *self)
{
    return self->state == WRAPPED && !self->closing && !self->app_paused && !self->ended;
}

/* Fill a buffer with what can be decrypted: *ret_size bytes. 1: there may be more; 0: not for now;
 * AIO_EEOF: the peer's close_notify; else a raised code. */
static int decrypt(struct aio__tls *self, void *data, size_t size, size_t *ret_size)
{
    size_t used = 0;
    size_t got;

    while (used < size) {
        int result;
        int why;

        ERR_clear_error();
        result = SSL_read_ex(self->ssl, (char *)data + used, size - used, &got);
        if (result == 1) {
            used += got;
            self->allowance += got + AIO__TLS_AROUND;
            continue;
        }
        *ret_size = used;
        why = SSL_get_error(self->ssl, result);
        if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
            return 0;
        return why == SSL_ERROR_ZERO_RETURN ? AIO_EEOF : aio__tls_raise(self->ssl);
    }
    *ret_size = used;
    return 1;
}

/* Read into the program's buffer: decrypt()'s result, or the code of a callback that failed. */
static int read_buffered(struct aio__tls *self)
{
    const aio_protocol_ops *ops = self->app->ops;
    void *data = NULL;
    size_t size = 0;
    size_t got = 0;
    int more;
    int code = ops->get_buffer(self->app, AIO__RECV_SIZE, &data, &size);

    if (code >= 0 && size == 0)
        code = aio_raise(AIO_ERUNTIME, "get_buffer() returned an empty buffer");
    if (code < 0)
        return code;
    more = decrypt(self, data, size, &got);
    send_out(self);
    if (got > 0 && self->app != NULL && ops->buffer_updated != NULL)
        code = ops->buffer_updated(self->app, got);
    return code < 0 ? code : more;
}

/* Read into a buffer of ours, and let the program see it: as above. */
static int read_lent(struct aio__tls *self, char *data, size_t size)
{
    const aio_protocol_ops *ops = self->app->ops;
    size_t got = 0;
    int more = decrypt(self, data, size, &got);
    int code = 0;

    send_out(self);
    if (got > 0 && self->app != NULL && ops->data_received != NULL)
        code = ops->data_received(self->app, data, got);
    return code < 0 ? code : more;
}

/* Hand the program one bufferful. That of the loop may be in use already: by the protocol whose
 * callback has called us, which TLS inside TLS makes another one's. */
static int read_some(struct aio__tls *self)
{
    struct aio__tls_shared *shared = self->shared;
    char *data;
    int more;

    if (self->app->ops->get_buffer != NULL)
        return read_buffered(self);
    if (!shared->is_lent) {
        shared->is_lent = true;
        more = read_lent(self, shared->plain, sizeof(shared->plain));
        shared->is_lent = false;
        return more;
    }
    data = aio_malloc(AIO__TLS_RECORD);
    if (data == NULL)
        return AIO_ENOMEM;
    more = read_lent(self, data, AIO__TLS_RECORD);
    aio_free(data);
    return more;
}

static void tell_eof(struct aio__tls *self)
{
    if (self->app == NULL || self->app_state != APP_MADE)
        return;
    self->app_state = APP_EOF;
    if (self->app->ops->eof_received != NULL && self->app->ops->eof_received(self->app))
        aio__log(AIO_LOG_WARNING,
                 "returning true from eof_received() has no effect when using ssl");
}

static void do_read(struct aio__tls *self)
{
    aio__ctx *outer = aio__net_enter(&self->callers);
    int more = 1;

    while (more == 1 && app_reads(self))
        more = read_some(self);
    if (more == AIO_EEOF) {
        tell_eof(self);
        self->closing = true; /* and so do we, next */
    }
    aio__net_leave(outer);
    if (more < 0 && more != AIO_EEOF)
        fatal(self, more, "Fatal error on SSL protocol");
}

/* --- writing --------------------------------------------------------------------------- */

/* Encrypt one piece: how much of it, 0 if SSL wants to read first, or a raised code. */
static ssize_t encrypt(struct aio__tls *self, const void *data, size_t size)
{
    size_t done = 0;
    int result;
    int why;

    ERR_clear_error();
    self->is_encrypting = true;
    result = SSL_write_ex(self->ssl, data, size, &done);
    self->is_encrypting = false;
    if (result == 1)
        return (ssize_t)done;
    why = SSL_get_error(self->ssl, result);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0
                                                                     : aio__tls_raise(self->ssl);
}

static void do_write(struct aio__tls *self)
{
    struct iovec piece;
    ssize_t done = 1;

    while (self->backlog.size > 0 && done > 0 && self->state == WRAPPED) {
        (void)aio__outbuf_peek(&self->backlog, &piece, 1);
        done = encrypt(self, piece.iov_base, piece.iov_len);
        if (done > 0)
            aio__outbuf_drop(&self->backlog, (size_t)done);
        if (aio__tls_shared_is_full(self))
            send_out(self);
    }
    if (done < 0)
        fatal(self, (int)done, "Fatal error on SSL protocol");
}

/* The backlog is empty: encrypt the caller's bytes where they are. How much, or a raised code. */
static ssize_t write_through(struct aio__tls *self, const char *data, size_t size)
{
    size_t sent = 0;
    ssize_t done = 1;

    while (sent < size && done > 0 && self->state == WRAPPED) {
        done = encrypt(self, data + sent, size - sent);
        if (done > 0)
            sent += (size_t)done;
        if (aio__tls_shared_is_full(self))
            send_out(self);
    }
    return done < 0 ? done : (ssize_t)sent;
}

/* Only writing, no reading: in a callback of another connection's the program expects no data. */
int aio__tls_write(struct aio__tls *self, const void *data, size_t size)
{
    bool now = self->loop->current == NULL && self->state == WRAPPED;
    ssize_t done = 0;
    int err = 0;

    if (now && self->backlog.size == 0)
        done = write_through(self, data, size);
    if (done < 0)
        fatal(self, (int)done, "Fatal error on SSL protocol");
    if (self->closing)
        return 0;
    if ((size_t)done < size)
        err = aio__outbuf_append(&self->backlog, (const char *)data + done, size - (size_t)done);
    if (!now) {
        aio__tls_work(self);
    } else {
        do_write(self);
        if (!self->is_busy)
            send_out(self);
    }
    return err;
}

/* --- shutting down --------------------------------------------------------------------- */

static void begin_shutdown(struct aio__tls *self)
{
    int err;

    self->closing = true;
    if (self->state != WRAPPED)
        return;
    do_write(self); /* what was written before close() is still sent (S119) */
    if (self->state != WRAPPED)
        return;
    self->state = SHUTDOWN;
    err = set_timer(self, self->shutdown_seconds);
    if (err < 0)
        fatal(self, err, "SSL shutdown failed");
}

/* Look for the peer's close_notify. What it sent before that interests nobody any more, but has to
 * be taken, or OpenSSL would not see the end. */
static bool peer_has_closed(struct aio__tls *self)
{
    char nothing[1024];
    size_t got;
    int more = 1;

    while (more == 1)
        more = decrypt(self, nothing, sizeof(nothing), &got);
    if (more < 0 && more != AIO_EEOF)
        aio_exception_unref(aio_error_catch(more)); /* an end as well */
    return more < 0;
}

static void do_shutdown(struct aio__tls *self)
{
    ERR_clear_error();
    if (!self->peer_left && (SSL_get_shutdown(self->ssl) & SSL_SENT_SHUTDOWN) == 0)
        (void)SSL_shutdown(self->ssl); /* close_notify */
    ERR_clear_error();
    if (!self->peer_left && !peer_has_closed(self))
        return;
    aio__timer_stop(self->loop, &self->timer);
    self->lower_full = false; /* it sends all before it closes */
    send_out(self);
    tell_eof(self);
    self->state = UNWRAPPED;
    if (self->lower != NULL)
        aio_transport_close(self->lower);
}

/* --- the work -------------------------------------------------------------------------- */

static void work_once(struct aio__tls *self)
{
    if (self->state == HANDSHAKE && !self->closing)
        do_handshake(self);
    if (self->state == WRAPPED)
        do_read(self);
    if (self->state == WRAPPED)
        do_write(self);
    if (self->state == WRAPPED &&
        (self->closing || (self->peer_left && !self->app_paused && !has_more(self))))
        begin_shutdown(self);
    if (self->state == SHUTDOWN)
        do_shutdown(self);
    send_out(self);
    aio__tls_control_reading(self);
    aio__tls_tell_flow(self);
}

/* SSL_MODE_RELEASE_BUFFERS leaves one of the two after a handshake. Not while part of a record was
 * read: before OpenSSL 3.0.14 a record's header alone would be lost with its buffer. */
static void release_buffers(struct aio__tls *self)
{
    if (strcmp(SSL_rstate_string(self->ssl), "RH") == 0)
        (void)SSL_free_buffers(self->ssl);
}

/* Do all that can be done now, on the thread's own stack. */
static void work(struct aio__tls *self)
{
    if (self->ended || self->loop->closed)
        return;
    self->again = true;
    if (self->is_busy)
        return;
    self->refs++;
    self->is_busy = true;
    self->allowance = AIO__TLS_IDLE;
    while (self->again && !self->ended) {
        self->again = false;
        work_once(self);
    }
    self->is_busy = false;
    if (has_more(self) && !self->ended)
        aio__tls_queue(self, &self->work);
    release_buffers(self);
    aio__tls_unref(self);
}

static void run_work(struct aio__ready *node)
{
    struct aio__tls *self = aio__container_of(node, struct aio__tls, work.ready);

    self->work.queued = false;
    work(self);
    aio__tls_unref(self);
}

/* Now, or soon where the stack may be small. */
void aio__tls_work(struct aio__tls *self)
{
    if (self->loop->current == NULL && !self->loop->closed)
        work(self);
    else
        aio__tls_queue(self, &self->work);
}

/* --- the protocol below ---------------------------------------------------------------- */

static int below_made(aio_protocol *protocol, aio_transport *lower)
{
    struct aio__tls *self = of_below(protocol);
    int err;

    if (self->lower == NULL)
        self->lower = aio_transport_ref(lower);
    if (self->closing) { /* before it began: who waited for it was cancelled */
        aio_transport_abort(lower);
        return 0;
    }
    self->state = HANDSHAKE;
    err = set_timer(self, self->handshake_seconds);
    if (err < 0)
        fatal(self, err, "SSL handshake failed");
    work(self);
    return 0;
}

static int below_lost(aio_protocol *protocol, aio_exception *error)
{
    struct aio__tls *self = of_below(protocol);
    aio_exception *lost = NULL;

    self->ended = true;
    self->closing = true;
    self->dropped++;
    aio__timer_stop(self->loop, &self->timer);
    aio__tls_part(self);
    if (self->failure == NULL)
        self->failure = aio_exception_ref(error);
    if (self->waiter != NULL && self->failure == NULL) {
        lost = aio_exception_new(-ECONNRESET, "%s", aio_strerror(-ECONNRESET));
        wake_waiter(self, lost);
        aio_exception_unref(lost);
    } else {
        wake_waiter(self, self->failure);
    }
    /* A program that was upgrading has known its connection, so that it hears of the end, too. */
    if (self->app_state == APP_MADE || self->app_state == APP_EOF) {
        self->app_state = APP_LOST;
        aio__tls_queue(self, &self->lost);
    }
    self->state = UNWRAPPED;
    aio_transport_unref(self->lower);
    self->lower = NULL;
    return 0;
}

static void below_release(aio_protocol *protocol)
{
    struct aio__tls *self = of_below(protocol);

    /* Without connection_lost when the loop is closed. */
    self->ended = true;
    self->closing = true;
    aio__timer_stop(self->loop, &self->timer);
    aio__tls_part(self);
    wake_waiter(self, NULL);
    if (!self->lost.queued)
        release_app(self);
    aio_transport_unref(self->lower);
    self->lower = NULL;
    aio__tls_unref(self);
}

static int below_data(aio_protocol *protocol, const void *data, size_t size)
{
    struct aio__tls *self = of_below(protocol);
    int err;

    if (self->state == UNWRAPPED)
        return 0;
    if (self->is_busy) { /* a transport of the program's that answers at once */
        err = aio__tls_hold(self, self->lent, self->lent_size);
        self->lent_size = 0;
        if (err == 0)
            err = aio__tls_hold(self, data, size);
    } else {
        self->lent = data;
        self->lent_size = size;
        work(self);
        err = aio__tls_hold(self, self->lent, self->lent_size);
        self->lent_size = 0;
    }
    if (err < 0)
        fatal(self, AIO_ENOMEM, "Fatal error on SSL protocol");
    else if (self->is_busy)
        self->again = true;
    return 0;
}

/* The transport below closes when this is false, and stays for what is still to be said. */
static bool below_eof(aio_protocol *protocol)
{
    struct aio__tls *self = of_below(protocol);

    self->peer_left = true;
    work(self);
    return true;
}

static int below_pause(aio_protocol *protocol)
{
    of_below(protocol)->lower_full = true;
    return 0;
}

static int below_resume(aio_protocol *protocol)
{
    struct aio__tls *self = of_below(protocol);

    self->lower_full = false;
    aio__tls_work(self);
    return 0;
}

static const aio_protocol_ops below_ops = {
    .size = sizeof(below_ops),
    .connection_made = below_made,
    .connection_lost = below_lost,
    .pause_writing = below_pause,
    .resume_writing = below_resume,
    .release = below_release,
    .data_received = below_data,
    .eof_received = below_eof,
};

void aio__tls_init(struct aio__tls *self, aio_loop *loop)
{
    self->below.ops = &below_ops;
    self->above.ops = &aio__tls_transport_ops;
    self->loop = loop;
    self->refs = 1; /* of the transport below, until its release */
    self->timeout.run = run_timeout;
    self->timer.ready = &self->timeout;
    self->work.ready.run = run_work;
    self->lost.ready.run = run_lost;
}
