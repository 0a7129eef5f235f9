/* SPDX-License-Identifier: MIT */
/*
 * pipe_transport.c - one end of a pipe as a transport
 *
 * What asyncio's transports of pipes do, step by step (S129). The reading end: one read for each
 * readiness, into the buffer that all connections of the loop share. The writing end: at once if
 * nothing is buffered, the rest when the pipe takes more; it is watched all the time, because a
 * pipe whose reader has gone is reported as an error, and the protocol wants to know before it
 * writes again.
 *
 * A connection holds its transport until connection_lost has been called, and a queued node holds
 * it until it has run.
 *
 * Thread: the loop's.
 */
#include "base/log.h"
#include "future/future_internal.h"
#include "net/net_internal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PIECES = 64, DEFAULT_HIGH = 64 * 1024, DROPPED_WRITES_TO_WARN = 5 };

struct pipe_transport {
    aio_transport base; /* first */
    struct aio__io io;
    struct aio__net_object object;
    aio_loop *loop;
    aio_protocol *protocol; /* NULL once it was released */
    aio__ctx context;       /* of the connection's callbacks */
    struct aio__ready start;
    struct aio__ready end;
    aio_exception *lost_with; /* for connection_lost */
    struct aio__outbuf out;
    struct aio__flow flow;
    uint32_t refs;    /* one each of the connection's, the handle's, and of queued nodes */
    uint32_t dropped; /* writes after the loss */
    bool writes;      /* it is the writing end */
    bool closing;
    bool lost; /* connection_lost is queued or was called */
    bool paused;
    bool connected; /* connection_made was called */
    bool at_eof;    /* the reading end has come to it */
};

static struct pipe_transport *transport_of(const aio_transport *base)
{
    return aio__container_of((uintptr_t)base, struct pipe_transport, base);
}

/* --- the end --------------------------------------------------------------------------- */

static aio_transport *ref(aio_transport *base)
{
    transport_of(base)->refs++;
    return base;
}

static void unref(aio_transport *base)
{
    struct pipe_transport *self = transport_of(base);

    if (--self->refs == 0)
        aio__loop_free(self->loop, self, sizeof(*self));
}

static void queue_node(struct pipe_transport *self, struct aio__ready *node)
{
    self->refs++;
    aio__loop_queue(self->loop, node);
}

static void on_handle_gone(struct aio__io *io)
{
    unref(&aio__container_of(io, struct pipe_transport, io)->base);
}

/* The pipe goes, and with it all that the connection holds. */
static void end_connection(struct pipe_transport *self)
{
    aio_protocol *protocol = self->protocol;

    aio__outbuf_clear(&self->out);
    aio__io_close(&self->io, on_handle_gone);
    close(self->io.fd);
    self->io.fd = -1;
    aio__list_remove(&self->object.link);
    self->protocol = NULL;
    if (protocol->ops->release != NULL)
        protocol->ops->release(protocol);
    aio_exception_unref(self->lost_with);
    self->lost_with = NULL;
    aio__ctx_release(self->context);
    self->context = (aio__ctx){0};
    unref(&self->base);
}

static void report_code(struct pipe_transport *self, int code)
{
    if (code < 0)
        aio__loop_callback_failed(self->loop, code, NULL);
}

static void run_end(struct aio__ready *node)
{
    struct pipe_transport *self = aio__container_of(node, struct pipe_transport, end);
    aio_protocol *protocol = self->protocol;
    aio__ctx *outer;

    if (protocol != NULL && !self->loop->closed) {
        outer = aio__net_enter(&self->context);
        if (self->at_eof && self->connected && protocol->ops->eof_received != NULL)
            (void)protocol->ops->eof_received(protocol); /* half a pipe has nothing to keep open */
        if (self->connected && protocol->ops->connection_lost != NULL)
            report_code(self, protocol->ops->connection_lost(protocol, self->lost_with));
        aio__net_leave(outer);
        end_connection(self);
    }
    unref(&self->base);
}

/* End at once, with an error or in order. */
static void force_close(struct pipe_transport *self, aio_exception *error)
{
    if (self->lost)
        return;
    aio__outbuf_clear(&self->out);
    self->closing = true;
    self->lost = true;
    self->lost_with = aio_exception_ref(error);
    aio__io_want(&self->io, 0);
    queue_node(self, &self->end);
}

/* An error that ends the connection: the code just raised. */
static void fatal(struct pipe_transport *self, int code, const char *message)
{
    aio_exception *error = aio_error_catch(code);

    aio__net_report(self->loop, message, error);
    force_close(self, error);
    aio_exception_unref(error);
}

static void transport_close(aio_transport *base)
{
    struct pipe_transport *self = transport_of(base);

    if (self->closing)
        return;
    self->closing = true;
    if (self->out.size == 0)
        force_close(self, NULL);
}

static void transport_abort(aio_transport *base)
{
    force_close(transport_of(base), NULL);
}

static bool transport_is_closing(const aio_transport *base)
{
    return transport_of(base)->closing;
}

/* The loop is closed under an open pipe. */
static void end_with_loop(struct aio__net_object *object)
{
    struct pipe_transport *self = aio__container_of(object, struct pipe_transport, object);

    if (self->loop->debug)
        aio__log(AIO_LOG_WARNING, "unclosed transport %p", (void *)self);
    self->closing = true;
    self->lost = true;
    end_connection(self);
}

/* --- the reading end ------------------------------------------------------------------- */

static bool would_block(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static bool is_reading(const aio_transport *base)
{
    const struct pipe_transport *self = transport_of(base);

    return !self->closing && !self->paused;
}

static int pause_reading(aio_transport *base)
{
    struct pipe_transport *self = transport_of(base);

    if (is_reading(base)) {
        self->paused = true;
        aio__io_drop(&self->io, AIO__READABLE);
    }
    return 0;
}

static int resume_reading(aio_transport *base)
{
    struct pipe_transport *self = transport_of(base);

    if (!self->closing && self->paused) {
        self->paused = false;
        if (self->connected)
            aio__io_add(&self->io, AIO__READABLE);
    }
    return 0;
}

static void read_ready(struct pipe_transport *self)
{
    const aio_protocol_ops *ops = self->protocol->ops;
    char *data = aio__net_of(self->loop)->recv_buffer;
    ssize_t got = read(self->io.fd, data, AIO__RECV_SIZE);

    if (got > 0) {
        if (ops->data_received != NULL)
            report_code(self, ops->data_received(self->protocol, data, (size_t)got));
    } else if (got == 0) {
        self->at_eof = true;
        force_close(self, NULL);
    } else if (!would_block(errno)) {
        fatal(self, aio_raise(-errno, "%s", aio_strerror(-errno)),
              "Fatal read error on pipe transport");
    }
}

/* --- the writing end ------------------------------------------------------------------- */

/*
 * Write without a SIGPIPE. There is no flag for that as sockets have, and its action is the
 * program's to choose: the signal is held back for this thread, and taken if it was ours.
 * Gives what writev gives, a negative code for an error, 0 if the pipe is full.
 */
static ssize_t write_quietly(int fd, const struct iovec *pieces, int count)
{
    const struct timespec at_once = {0};
    sigset_t sigpipe;
    sigset_t pending;
    sigset_t before;
    ssize_t done;
    int error;

    (void)sigemptyset(&sigpipe);
    (void)sigaddset(&sigpipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
    (void)sigpending(&pending);
    done = writev(fd, pieces, count);
    error = done < 0 ? errno : 0;
    if (error == EPIPE && !sigismember(&pending, SIGPIPE))
        while (sigtimedwait(&sigpipe, NULL, &at_once) < 0 && errno == EINTR)
            continue;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        return done;
    return would_block(error) ? 0 : -error;
}

static void write_failed(struct pipe_transport *self, int code)
{
    self->dropped++;
    fatal(self, aio_raise(code, "%s", aio_strerror(code)), "Fatal write error on pipe transport");
}

static void write_ready(struct pipe_transport *self)
{
    struct iovec pieces[MAX_PIECES];
    int count = aio__outbuf_peek(&self->out, pieces, MAX_PIECES);
    ssize_t done = write_quietly(self->io.fd, pieces, count);

    if (done < 0) {
        write_failed(self, (int)done);
        return;
    }
    aio__outbuf_drop(&self->out, (size_t)done);
    if (self->out.size == 0)
        aio__io_drop(&self->io, AIO__WRITABLE);
    aio__flow_shrunk(&self->flow, &self->base, self->out.size); /* which may write more */
    if (self->out.size == 0 && self->closing)
        force_close(self, NULL);
}

/* The reader has gone: what is buffered will not arrive. */
static void reader_gone(struct pipe_transport *self)
{
    aio_exception *error = NULL;

    if (self->out.size != 0)
        error = aio_exception_new(-EPIPE, "%s", aio_strerror(-EPIPE));
    force_close(self, error);
    aio_exception_unref(error);
}

static int keep_rest(struct pipe_transport *self, const char *data, size_t size)
{
    int err = aio__outbuf_append(&self->out, data, size);

    if (err < 0) {
        /* Part of it may be on its way: the connection is of no more use. */
        fatal(self, aio_raise(err, "no memory for the write buffer"),
              "Fatal write error on pipe transport");
        return err;
    }
    aio__io_add(&self->io, AIO__WRITABLE);
    aio__flow_grown(&self->flow, &self->base, self->out.size);
    return 0;
}

static int transport_write(aio_transport *base, const void *data, size_t size)
{
    struct pipe_transport *self = transport_of(base);
    struct iovec piece = {(void *)(uintptr_t)data, size};
    ssize_t done = 0;

    if (size == 0)
        return 0;
    if (self->closing || self->lost) {
        if (++self->dropped == DROPPED_WRITES_TO_WARN)
            aio__log(AIO_LOG_WARNING,
                     "pipe closed by peer or os.write(pipe, data) raised exception.");
        return 0;
    }
    if (self->out.size == 0) {
        done = write_quietly(self->io.fd, &piece, 1);
        if (done < 0) {
            write_failed(self, (int)done);
            return 0;
        }
        if ((size_t)done == size)
            return 0;
    }
    return keep_rest(self, (const char *)data + done, size - (size_t)done);
}

static int transport_writelines(aio_transport *base, const aio_buffer *buffers, size_t count)
{
    int err = 0;

    for (size_t i = 0; i < count && err == 0; i++)
        err = transport_write(base, buffers[i].data, buffers[i].size);
    return err;
}

/* A pipe has only this side: its end is the connection's. */
static int write_eof(aio_transport *base)
{
    transport_close(base);
    return 0;
}

static bool can_write_eof(const aio_transport *base)
{
    return true;
}

static int set_limits(aio_transport *base, size_t high, size_t low)
{
    struct pipe_transport *self = transport_of(base);
    int err = aio__flow_set_limits(&self->flow, high, low, DEFAULT_HIGH);

    if (err == 0)
        aio__flow_grown(&self->flow, base, self->out.size);
    return err;
}

static void get_limits(const aio_transport *base, size_t *ret_high, size_t *ret_low)
{
    *ret_high = transport_of(base)->flow.high;
    *ret_low = transport_of(base)->flow.low;
}

static size_t get_size(const aio_transport *base)
{
    return transport_of(base)->out.size;
}

/* --- both ------------------------------------------------------------------------------ */

static const void *get_extra_info(const aio_transport *base, const char *name)
{
    const struct pipe_transport *self = transport_of(base);

    return strcmp(name, "pipe") == 0 && self->io.fd >= 0 ? &self->io.fd : NULL;
}

static void set_protocol(aio_transport *base, aio_protocol *protocol)
{
    transport_of(base)->protocol = protocol;
}

static aio_protocol *get_protocol(const aio_transport *base)
{
    return transport_of(base)->protocol;
}

static aio_loop *get_loop(const aio_transport *base)
{
    return transport_of(base)->loop;
}

/* A writing end has nothing to read, and a reading end nothing to write to. */
#define COMMON_OPS                                                                                 \
    .size = sizeof(aio_transport_ops), .close = transport_close,                                   \
    .is_closing = transport_is_closing, .get_extra_info = get_extra_info,                          \
    .set_protocol = set_protocol, .get_protocol = get_protocol, .get_loop = get_loop, .ref = ref,  \
    .unref = unref

static const aio_transport_ops read_ops = {
    COMMON_OPS,
    .pause_reading = pause_reading,
    .resume_reading = resume_reading,
    .is_reading = is_reading,
};

static const aio_transport_ops write_ops = {
    COMMON_OPS,
    .abort = transport_abort,
    .write = transport_write,
    .writelines = transport_writelines,
    .write_eof = write_eof,
    .can_write_eof = can_write_eof,
    .set_write_buffer_limits = set_limits,
    .get_write_buffer_limits = get_limits,
    .get_write_buffer_size = get_size,
};

/* --- the beginning --------------------------------------------------------------------- */

static void on_ready(struct aio__io *io, int events)
{
    struct pipe_transport *self = aio__container_of(io, struct pipe_transport, io);
    aio__ctx *outer = aio__net_enter(&self->context);

    self->refs++;
    if (!self->writes)
        read_ready(self);
    else if (events & AIO__READABLE)
        reader_gone(self);
    else
        write_ready(self);
    aio__net_leave(outer);
    unref(&self->base);
}

static void run_start(struct aio__ready *node)
{
    struct pipe_transport *self = aio__container_of(node, struct pipe_transport, start);
    aio_protocol *protocol = self->protocol;
    aio__ctx *outer;

    if (protocol != NULL && !self->loop->closed) {
        self->connected = true;
        outer = aio__net_enter(&self->context);
        if (protocol->ops->connection_made != NULL)
            report_code(self, protocol->ops->connection_made(protocol, &self->base));
        aio__net_leave(outer);
        if (!self->lost && (self->writes || is_reading(&self->base)))
            aio__io_add(&self->io, AIO__READABLE);
    }
    unref(&self->base);
}

int aio__pipe_transport_new(aio_loop *loop, int fd, bool writes, aio_protocol *protocol,
                            aio_transport **ret_transport)
{
    struct aio__net *net = aio__net_get(loop);
    struct pipe_transport *self;
    int err;

    if (net == NULL)
        return AIO_ENOMEM;
    self = aio__loop_alloc(loop, sizeof(*self));
    if (self == NULL)
        return AIO_ENOMEM;
    memset(self, 0, sizeof(*self));
    err = aio__io_init(&self->io, loop, fd, on_ready);
    if (err < 0) {
        aio__loop_free(loop, self, sizeof(*self));
        return err;
    }
    self->base.ops = writes ? &write_ops : &read_ops;
    self->writes = writes;
    self->loop = loop;
    self->refs = 2; /* the connection's and the handle's */
    self->start.run = run_start;
    self->end.run = run_end;
    self->object.end = end_with_loop;
    self->context = aio__ctx_capture();
    self->protocol = protocol;
    (void)aio__flow_set_limits(&self->flow, AIO_LIMIT_DEFAULT, AIO_LIMIT_DEFAULT, DEFAULT_HIGH);
    aio__list_append(&net->open, &self->object.link);
    queue_node(self, &self->start);
    *ret_transport = &self->base;
    return 0;
}
