/* SPDX-License-Identifier: MIT */
/*
 * sendfile_fallback.c - a file read in a thread, and sent like any other bytes
 *
 * A thread reads into a block of its own through a descriptor of its own: the task may be
 * cancelled, and the file closed, while it does.
 *
 * While a transport sends a file so, a protocol of ours stands in for its own: it waits for the
 * transport to take more, and passes the end on.
 *
 * Thread: the loop's, but for the reading.
 */
#include "net/sendfile_internal.h"

#include "base/type.h"
#include "future/future_internal.h"

#include <aio/executor.h>
#include <aio/memory.h>
#include <aio/sock.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { SOCK_PIECE = 256 * 1024, TRANSPORT_PIECE = 16 * 1024 };

/* --- reading --------------------------------------------------------------------------- */

/* What the thread is asked for; its own copy. */
struct request {
    int fd; /* its own, but for -1 */
    off_t offset;
    size_t size;
};

struct piece {
    size_t size;
    char data[];
};

static void close_request(void *arg)
{
    struct request *request = arg;

    if (request->fd >= 0)
        close(request->fd);
    request->fd = -1;
}

static int read_piece(void *arg, void **ret_result)
{
    struct request *request = arg;
    struct piece *piece = aio_malloc(sizeof(*piece) + request->size);
    ssize_t got = -1;
    int err = AIO_ENOMEM;

    while (piece != NULL && got < 0) {
        got = pread(request->fd, piece->data, request->size, request->offset);
        err = got < 0 ? -errno : 0;
        if (got < 0 && errno != EINTR)
            break;
    }
    close_request(request); /* before anybody hears that it is done */
    if (err < 0) {
        aio_free(piece);
        return aio_raise(err, "%s", aio_strerror(err));
    }
    piece->size = (size_t)got;
    *ret_result = piece;
    return 0;
}

/* The next bytes, to be freed; no bytes at the end. 0, or a raised code. */
static int next_piece(const struct aio__sending *sending, size_t at_most, struct piece **ret_piece)
{
    struct request request = {
        .fd = fcntl(sending->file, F_DUPFD_CLOEXEC, 0),
        .offset = (off_t)sending->offset,
        .size = sending->left < at_most ? (size_t)sending->left : at_most,
    };
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    void *piece = NULL;
    int err;

    if (request.fd < 0)
        return aio_raise(-errno, "%s", aio_strerror(-errno));
    options.arg_size = sizeof(request);
    options.arg_destroy = close_request;
    options.result_type = &aio_type_owned;
    err = aio_to_thread_with(read_piece, &request, &options, &piece);
    if (err == 0)
        *ret_piece = piece;
    return err;
}

/* --- over a socket --------------------------------------------------------------------- */

int aio__sendfile_by_hand(struct aio__sending *sending, int sock)
{
    while (sending->left > 0) {
        struct piece *piece = NULL;
        size_t size;
        int err = next_piece(sending, SOCK_PIECE, &piece);

        if (err < 0 || piece == NULL)
            return err;
        size = piece->size;
        if (size > 0)
            err = aio_loop_sock_sendall(sending->loop, sock, piece->data, size);
        aio_free(piece);
        if (err < 0 || size == 0)
            return err;
        aio__sending_sent(sending, size);
    }
    return 0;
}

/* --- over a transport ------------------------------------------------------------------ */

struct stand_in {
    aio_protocol base; /* first */
    aio_transport *transport;
    aio_protocol *protocol; /* whose place this takes; NULL once it was released */
    aio_future *room;       /* owned; who waits until writing may go on */
    bool paused;            /* the transport said last that it takes no more for now */
    bool missed;            /* the protocol does not know: what it was told last is not so */
};

static struct stand_in *stand_in_of(aio_protocol *base)
{
    return aio__container_of(base, struct stand_in, base);
}

static int connection_lost(aio_protocol *base, aio_exception *error)
{
    struct stand_in *self = stand_in_of(base);
    const aio_protocol_ops *ops = self->protocol->ops;

    if (self->room != NULL && aio__future_is_pending(self->room)) {
        aio_exception *lost = error != NULL
                                  ? aio_exception_ref(error)
                                  : aio_exception_new(-ECONNRESET, "Connection is closed by peer");

        aio__future_fail(self->room, error != NULL ? aio_exception_code(error) : -ECONNRESET, lost);
        aio_exception_unref(lost);
    }
    return ops->connection_lost == NULL ? 0 : ops->connection_lost(self->protocol, error);
}

static int pause_writing(aio_protocol *base)
{
    struct stand_in *self = stand_in_of(base);

    self->paused = true;
    self->missed = !self->missed;
    return 0;
}

static int resume_writing(aio_protocol *base)
{
    struct stand_in *self = stand_in_of(base);

    self->paused = false;
    self->missed = !self->missed;
    if (self->room != NULL && aio__future_is_pending(self->room))
        aio__future_finish(self->room, NULL, NULL);
    return 0;
}

static int data_received(aio_protocol *base, const void *data, size_t size)
{
    return aio_raise(AIO_ERUNTIME, "Invalid state: reading should be paused");
}

static bool eof_received(aio_protocol *base)
{
    return false;
}

static void release(aio_protocol *base)
{
    struct stand_in *self = stand_in_of(base);
    aio_protocol *protocol = self->protocol;

    self->protocol = NULL;
    if (self->room != NULL && aio__future_is_pending(self->room))
        aio__future_cancelled(self->room, NULL); /* the loop is closed */
    if (protocol->ops->release != NULL)
        protocol->ops->release(protocol);
}

static const aio_protocol_ops stand_in_ops = {
    .size = sizeof(stand_in_ops),
    .connection_lost = connection_lost,
    .pause_writing = pause_writing,
    .resume_writing = resume_writing,
    .release = release,
    .data_received = data_received,
    .eof_received = eof_received,
};

/* Whether resume_writing is yet to come: it may have been paused before this began. */
static bool is_full(const struct stand_in *self)
{
    size_t high;
    size_t low;

    aio_transport_get_write_buffer_limits(self->transport, &high, &low);
    return self->paused || aio_transport_get_write_buffer_size(self->transport) > high;
}

/* Wait until the transport takes more. 0, or a raised code. */
static int drain(struct stand_in *self, aio_loop *loop)
{
    int err;

    if (self->protocol == NULL || aio_transport_is_closing(self->transport))
        return aio_raise(-ECONNRESET, "Connection closed by peer");
    if (!is_full(self))
        return 0;
    self->room = aio_future_new(loop);
    if (self->room == NULL)
        return AIO_ENOMEM;
    err = aio_await(self->room, NULL);
    aio_future_unref(self->room);
    self->room = NULL;
    return err;
}

static int send_pieces(struct stand_in *self, struct aio__sending *sending)
{
    while (sending->left > 0) {
        struct piece *piece = NULL;
        size_t size;
        int err = next_piece(sending, TRANSPORT_PIECE, &piece);

        if (err < 0 || piece == NULL)
            return err;
        size = piece->size;
        err = size > 0 ? drain(self, sending->loop) : 0;
        if (err == 0 && size > 0)
            err = aio_transport_write(self->transport, piece->data, size);
        aio_free(piece);
        if (err < 0 || size == 0)
            return err;
        aio__sending_sent(sending, size);
    }
    return 0;
}

/* The transport's own protocol is back, and learns what it has missed. */
static void restore(struct stand_in *self)
{
    aio_protocol *protocol = self->protocol;

    aio_transport_set_protocol(self->transport, protocol);
    if (!self->missed)
        return;
    if (self->paused && protocol->ops->pause_writing != NULL)
        (void)protocol->ops->pause_writing(protocol);
    else if (!self->paused && protocol->ops->resume_writing != NULL)
        (void)protocol->ops->resume_writing(protocol);
}

int aio__sendfile_by_transport(struct aio__sending *sending, aio_transport *transport)
{
    bool was_reading = aio_transport_is_reading(transport);
    struct stand_in *self = aio_calloc(1, sizeof(*self));
    int err;

    if (self == NULL)
        return AIO_ENOMEM;
    self->base.ops = &stand_in_ops;
    self->transport = transport;
    self->protocol = aio_transport_get_protocol(transport);
    (void)aio_transport_pause_reading(transport);
    aio_transport_set_protocol(transport, &self->base);
    err = send_pieces(self, sending);
    if (self->protocol != NULL)
        restore(self);
    if (was_reading && !aio_transport_is_closing(transport))
        (void)aio_transport_resume_reading(transport);
    aio_free(self);
    return err;
}
