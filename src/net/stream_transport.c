/* SPDX-License-Identifier: MIT */
/*
 * stream_transport.c - a connected stream socket as a transport
 *
 * What asyncio's selector loop does, step by step: its order of callbacks is what protocols rely
 * on. Reading: one recv for each readiness, into a buffer that all connections of the loop share.
 * Writing: at once if nothing is buffered, the rest when the socket takes more.
 *
 * A connection holds its transport until connection_lost has been called. Two queue nodes stand in
 * it, so that neither its beginning nor its end can fail for want of memory.
 *
 * Thread: the loop's.
 */
#include "base/log.h"
#include "future/future_internal.h"
#include "net/net_internal.h"

#include <aio/memory.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PIECES = 64, DEFAULT_HIGH = 64 * 1024, DROPPED_WRITES_TO_WARN = 5 };

struct stream_transport {
    aio_transport base; /* first */
    struct aio__io io;
    struct aio__net_object object;
    struct aio__list owner_link;
    struct aio__net_owner *owner; /* borrowed, until detached */
    aio_loop *loop;
    aio_protocol *protocol;
    aio_future *waiter; /* referenced, until connection_made was called */
    aio__ctx context;   /* of the connection's callbacks */
    struct aio__ready start;
    struct aio__ready end;
    aio_exception *lost_with; /* for connection_lost */
    struct aio__outbuf out;
    struct aio__flow flow;
    uint32_t refs;    /* one of them the connection's */
    uint32_t dropped; /* writes after the loss */
    bool closing;
    bool lost; /* connection_lost is queued or was called */
    bool paused;
    bool eof_written;
    bool connected;   /* connection_made was called */
    bool handle_gone; /* libuv is done with the handle */
    bool eof_received;
    struct sockaddr_storage peer; /* AF_UNSPEC: not known */
    struct sockaddr_storage own;  /* read when asked for */
};

static struct stream_transport *transport_of(const aio_transport *base)
{
    return aio__container_of((uintptr_t)base, struct stream_transport, base);
}

/* --- the end --------------------------------------------------------------------------- */

/* Gone with its connection, its references and its libuv handle. */
static void free_if_over(struct stream_transport *self)
{
    if (self->refs != 0 || !self->handle_gone)
        return;
    aio__loop_free(self->loop, self, sizeof(*self));
}

static void on_handle_gone(struct aio__io *io)
{
    struct stream_transport *self = aio__container_of(io, struct stream_transport, io);

    self->handle_gone = true;
    free_if_over(self);
}

static void unref(aio_transport *base)
{
    struct stream_transport *self = transport_of(base);

    self->refs--;
    free_if_over(self);
}

static aio_transport *ref(aio_transport *base)
{
    transport_of(base)->refs++;
    return base;
}

/* The socket goes, and with it all that the connection holds. */
static void end_connection(struct stream_transport *self)
{
    aio_protocol *protocol = self->protocol;

    aio__outbuf_clear(&self->out);
    aio__io_close(&self->io, on_handle_gone);
    close(self->io.fd);
    self->io.fd = -1;
    aio__list_remove(&self->object.link);
    if (self->owner != NULL)
        self->owner->detached(self->owner, &self->owner_link);
    self->owner = NULL;
    self->protocol = NULL;
    if (protocol->ops->release != NULL)
        protocol->ops->release(protocol);
    aio_exception_unref(self->lost_with);
    self->lost_with = NULL;
    aio_future_unref(self->waiter);
    self->waiter = NULL;
    aio__ctx_release(self->context);
    self->context = (aio__ctx){0};
    unref(&self->base);
}

static void run_end(struct aio__ready *node)
{
    struct stream_transport *self = aio__container_of(node, struct stream_transport, end);
    aio_protocol *protocol = self->protocol;
    aio__ctx *outer;
    int code;

    if (protocol == NULL)
        return; /* the loop was closed meanwhile */
    if (self->connected && !self->loop->closed && protocol->ops->connection_lost != NULL) {
        outer = aio__net_enter(&self->context);
        code = protocol->ops->connection_lost(protocol, self->lost_with);
        aio__net_leave(outer);
        if (code < 0)
            aio__loop_callback_failed(self->loop, code, NULL);
    }
    end_connection(self);
}

static void queue_end(struct stream_transport *self, aio_exception *error)
{
    self->lost = true;
    self->lost_with = aio_exception_ref(error);
    aio__loop_queue(self->loop, &self->end);
}

static void force_close(struct stream_transport *self, aio_exception *error)
{
    if (self->lost)
        return;
    aio__outbuf_clear(&self->out);
    self->closing = true;
    aio__io_want(&self->io, 0);
    queue_end(self, error);
}

/* An error that ends the connection: the code just raised. */
static void fatal(struct stream_transport *self, int code, const char *message)
{
    aio_exception *error = aio_error_catch(code);

    if (code == AIO_EKEYBOARDINTERRUPT || code == AIO_ESYSTEMEXIT) {
        aio__loop_leave(self->loop, code, error); /* not about this connection */
        return;
    }
    aio__net_report(self->loop, message, error);
    force_close(self, error);
    aio_exception_unref(error);
}

static void transport_close(aio_transport *base)
{
    struct stream_transport *self = transport_of(base);

    if (self->closing)
        return;
    self->closing = true;
    aio__io_drop(&self->io, AIO__READABLE);
    if (self->out.size == 0 && !self->lost)
        queue_end(self, NULL);
}

static void transport_abort(aio_transport *base)
{
    force_close(transport_of(base), NULL);
}

static bool transport_is_closing(const aio_transport *base)
{
    return transport_of(base)->closing;
}

/* The loop is closed under an open connection. */
static void end_with_loop(struct aio__net_object *object)
{
    struct stream_transport *self = aio__container_of(object, struct stream_transport, object);

    if (self->loop->debug)
        aio__log(AIO_LOG_WARNING, "unclosed transport %p", (void *)self);
    self->closing = true;
    self->lost = true;
    end_connection(self);
}

static bool would_block(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* --- reading --------------------------------------------------------------------------- */

static bool is_reading(const aio_transport *base)
{
    const struct stream_transport *self = transport_of(base);

    return !self->closing && !self->paused;
}

static int pause_reading(aio_transport *base)
{
    struct stream_transport *self = transport_of(base);

    if (is_reading(base)) {
        self->paused = true;
        aio__io_drop(&self->io, AIO__READABLE);
    }
    return 0;
}

static int resume_reading(aio_transport *base)
{
    struct stream_transport *self = transport_of(base);

    if (!self->closing && self->paused) {
        self->paused = false;
        if (self->connected && !self->eof_received)
            aio__io_add(&self->io, AIO__READABLE);
    }
    return 0;
}

static void read_eof(struct stream_transport *self)
{
    const aio_protocol_ops *ops = self->protocol->ops;

    self->eof_received = true;
    if (ops->eof_received != NULL && ops->eof_received(self->protocol))
        aio__io_drop(&self->io, AIO__READABLE); /* half closed: writing goes on */
    else
        transport_close(&self->base);
}

/* Where to read to: the protocol's buffer, or the one that all share. */
static int choose_buffer(struct stream_transport *self, aio_protocol *protocol, void **data,
                         size_t *size)
{
    int code;

    *data = aio__net_of(self->loop)->recv_buffer;
    *size = AIO__RECV_SIZE;
    if (protocol->ops->get_buffer == NULL)
        return 0;
    code = protocol->ops->get_buffer(protocol, (size_t)-1, data, size);
    if (code >= 0 && *size == 0)
        code = aio_raise(AIO_ERUNTIME, "get_buffer() returned an empty buffer");
    return code < 0 ? code : 0;
}

static void read_ready(struct stream_transport *self)
{
    aio_protocol *protocol = self->protocol; /* which may put another in its place */
    bool reads_into = protocol->ops->get_buffer != NULL;
    void *data;
    size_t size;
    ssize_t got;
    int code;

    code = choose_buffer(self, protocol, &data, &size);
    if (code < 0) {
        fatal(self, code, "Fatal error: protocol.get_buffer() call failed.");
        return;
    }
    got = recv(self->io.fd, data, size, 0);
    if (got < 0) {
        if (!would_block(errno))
            fatal(self, aio_raise(-errno, "%s", aio_strerror(-errno)),
                  "Fatal read error on socket transport");
        return;
    }
    if (got == 0) {
        read_eof(self);
        return;
    }
    if (reads_into)
        code = protocol->ops->buffer_updated(protocol, (size_t)got);
    else if (protocol->ops->data_received != NULL)
        code = protocol->ops->data_received(protocol, data, (size_t)got);
    if (code < 0)
        fatal(self, code,
              reads_into ? "Fatal error: protocol.buffer_updated() call failed."
                         : "Fatal error: protocol.data_received() call failed.");
}

/* --- writing --------------------------------------------------------------------------- */

/* Send pieces at once: how much went, 0 if the socket is full, or a raised code. */
static ssize_t send_pieces(struct stream_transport *self, struct iovec *pieces, int count)
{
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
    ssize_t sent = sendmsg(self->io.fd, &message, MSG_NOSIGNAL);

    if (sent >= 0)
        return sent;
    return would_block(errno) ? 0 : aio_raise(-errno, "%s", aio_strerror(-errno));
}

static void write_ready(struct stream_transport *self)
{
    struct iovec pieces[MAX_PIECES];
    ssize_t sent = send_pieces(self, pieces, aio__outbuf_peek(&self->out, pieces, MAX_PIECES));

    if (sent < 0) {
        fatal(self, (int)sent, "Fatal write error on socket transport");
        return;
    }
    aio__outbuf_drop(&self->out, (size_t)sent);
    aio__flow_shrunk(&self->flow, &self->base, self->out.size); /* which may write more */
    if (self->out.size != 0 || self->lost)
        return;
    aio__io_drop(&self->io, AIO__WRITABLE);
    if (self->closing)
        queue_end(self, NULL);
    else if (self->eof_written)
        (void)shutdown(self->io.fd, SHUT_WR);
}

/* Whether a write of so many bytes is to be done: 1, or 0 if it is dropped, or a raised code. */
static int check_write(struct stream_transport *self, size_t size)
{
    if (self->eof_written)
        return aio_raise(AIO_ERUNTIME, "Cannot call write() after write_eof()");
    if (size == 0)
        return 0;
    if (!self->lost)
        return 1;
    if (++self->dropped >= DROPPED_WRITES_TO_WARN)
        aio__log(AIO_LOG_WARNING, "socket.send() raised exception.");
    return 0;
}

/* Keep what could not be sent. */
static int buffer_rest(struct stream_transport *self, const void *data, size_t size)
{
    int err = aio__outbuf_append(&self->out, data, size);

    if (err < 0) {
        /* Part of it may be on its way: the connection is of no more use. */
        fatal(self, aio_raise(err, "no memory for the write buffer"),
              "Fatal write error on socket transport");
        return err;
    }
    return 0;
}

/* What was kept goes out when the socket takes more. */
static void expect_room(struct stream_transport *self)
{
    aio__io_add(&self->io, AIO__WRITABLE);
    aio__flow_grown(&self->flow, &self->base, self->out.size);
}

static int transport_write(aio_transport *base, const void *data, size_t size)
{
    struct stream_transport *self = transport_of(base);
    ssize_t sent = 0;
    int todo = check_write(self, size);
    int err;

    if (todo <= 0)
        return todo;
    if (self->out.size == 0) {
        sent = send(self->io.fd, data, size, MSG_NOSIGNAL);
        if (sent < 0 && !would_block(errno)) {
            fatal(self, aio_raise(-errno, "%s", aio_strerror(-errno)),
                  "Fatal write error on socket transport");
            return 0;
        }
        if (sent < 0)
            sent = 0;
        if ((size_t)sent == size)
            return 0;
    }
    err = buffer_rest(self, (const char *)data + sent, size - (size_t)sent);
    if (err == 0)
        expect_room(self);
    return err;
}

/* Send what fits into one call at once: how much went, or a raised code. */
static ssize_t send_buffers(struct stream_transport *self, const aio_buffer *buffers, size_t count)
{
    struct iovec pieces[MAX_PIECES];
    size_t first = count < MAX_PIECES ? count : MAX_PIECES;

    if (self->out.size != 0)
        return 0;
    for (size_t i = 0; i < first; i++)
        pieces[i] = (struct iovec){(void *)(uintptr_t)buffers[i].data, buffers[i].size};
    return send_pieces(self, pieces, (int)first);
}

static int transport_writelines(aio_transport *base, const aio_buffer *buffers, size_t count)
{
    struct stream_transport *self = transport_of(base);
    size_t total = 0;
    ssize_t sent;
    int todo;

    for (size_t i = 0; i < count; i++)
        total += buffers[i].size;
    todo = check_write(self, total);
    if (todo <= 0)
        return todo;
    sent = send_buffers(self, buffers, count);
    if (sent < 0) {
        fatal(self, (int)sent, "Fatal write error on socket transport");
        return 0;
    }
    if ((size_t)sent == total)
        return 0;
    for (size_t i = 0; i < count; i++) {
        size_t gone = (size_t)sent < buffers[i].size ? (size_t)sent : buffers[i].size;
        int err = 0;

        sent -= (ssize_t)gone;
        if (gone < buffers[i].size)
            err = buffer_rest(self, (const char *)buffers[i].data + gone, buffers[i].size - gone);
        if (err < 0)
            return err;
    }
    expect_room(self);
    return 0;
}

static int transport_write_eof(aio_transport *base)
{
    struct stream_transport *self = transport_of(base);

    if (self->closing || self->eof_written)
        return 0;
    self->eof_written = true;
    if (self->out.size == 0)
        (void)shutdown(self->io.fd, SHUT_WR);
    return 0;
}

static bool can_write_eof(const aio_transport *base)
{
    (void)base;
    return true;
}

static int set_limits(aio_transport *base, size_t high, size_t low)
{
    struct stream_transport *self = transport_of(base);
    int err = aio__flow_set_limits(&self->flow, high, low, DEFAULT_HIGH);

    if (err == 0 && !self->lost)
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

/* --- the rest of the interface --------------------------------------------------------- */

static const void *get_own_name(const aio_transport *base)
{
    struct stream_transport *self = transport_of(base);
    socklen_t length = sizeof(self->own);

    if (self->own.ss_family == AF_UNSPEC && self->io.fd >= 0 &&
        getsockname(self->io.fd, (struct sockaddr *)&self->own, &length) != 0)
        self->own.ss_family = AF_UNSPEC;
    return self->own.ss_family == AF_UNSPEC ? NULL : &self->own;
}

static const void *get_extra_info(const aio_transport *base, const char *name)
{
    const struct stream_transport *self = transport_of(base);

    if (strcmp(name, "socket") == 0)
        return self->io.fd < 0 ? NULL : &self->io.fd;
    if (strcmp(name, "peername") == 0)
        return self->peer.ss_family == AF_UNSPEC ? NULL : &self->peer;
    if (strcmp(name, "sockname") == 0)
        return get_own_name(base);
    return NULL;
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

static const aio_transport_ops stream_ops = {
    .size = sizeof(stream_ops),
    .close = transport_close,
    .abort = transport_abort,
    .is_closing = transport_is_closing,
    .get_extra_info = get_extra_info,
    .set_protocol = set_protocol,
    .get_protocol = get_protocol,
    .pause_reading = pause_reading,
    .resume_reading = resume_reading,
    .is_reading = is_reading,
    .write = transport_write,
    .writelines = transport_writelines,
    .write_eof = transport_write_eof,
    .can_write_eof = can_write_eof,
    .set_write_buffer_limits = set_limits,
    .get_write_buffer_limits = get_limits,
    .get_write_buffer_size = get_size,
    .get_loop = get_loop,
    .ref = ref,
    .unref = unref,
};

/* --- the beginning --------------------------------------------------------------------- */

static void on_ready(struct aio__io *io, int events)
{
    struct stream_transport *self = aio__container_of(io, struct stream_transport, io);
    aio__ctx *outer = aio__net_enter(&self->context);

    self->refs++;
    if ((events & AIO__READABLE) && !self->lost && (io->wanted & AIO__READABLE))
        read_ready(self);
    if ((events & AIO__WRITABLE) && !self->lost && (io->wanted & AIO__WRITABLE))
        write_ready(self);
    aio__net_leave(outer);
    unref(&self->base);
}

static void run_start(struct aio__ready *node)
{
    struct stream_transport *self = aio__container_of(node, struct stream_transport, start);
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
    if (is_reading(&self->base))
        aio__io_add(&self->io, AIO__READABLE);
    if (self->waiter != NULL && aio__future_is_pending(self->waiter))
        aio__future_finish(self->waiter, NULL, NULL);
    aio_future_unref(self->waiter);
    self->waiter = NULL;
}

int aio__stream_transport_new(aio_loop *loop, int fd, aio_protocol *protocol, aio_future *waiter,
                              struct aio__net_owner *owner, aio_transport **ret_transport)
{
    struct aio__net *net = aio__net_get(loop);
    struct stream_transport *self;
    int on = 1;
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
    self->base.ops = &stream_ops;
    self->loop = loop;
    self->refs = 1;
    self->start.run = run_start;
    self->end.run = run_end;
    self->object.end = end_with_loop;
    self->waiter = aio_future_ref(waiter);
    self->context = aio__ctx_capture();
    set_protocol(&self->base, protocol);
    (void)aio__flow_set_limits(&self->flow, AIO_LIMIT_DEFAULT, AIO_LIMIT_DEFAULT, DEFAULT_HIGH);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* fails but for TCP */
    aio__list_append(&net->open, &self->object.link);
    aio__list_init(&self->owner_link);
    self->owner = owner;
    if (owner != NULL)
        owner->attached(owner, &self->owner_link);
    aio__loop_queue(loop, &self->start);
    *ret_transport = &self->base;
    return 0;
}

void aio__stream_transport_set_peer(aio_transport *transport, const struct sockaddr_storage *peer)
{
    transport_of(transport)->peer = *peer;
}

aio_transport *aio__stream_transport_of(struct aio__list *link)
{
    return &aio__container_of(link, struct stream_transport, owner_link)->base;
}
