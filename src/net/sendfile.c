/* SPDX-License-Identifier: MIT */
/*
 * sendfile.c - sendfile, sock_sendfile
 *
 * One call of sendfile(2) for each time the socket takes more, of at most 1 MiB: a fast peer then
 * does not keep the loop from others. How far the file was sent is kept beside the file, whose
 * position is set once, at the end.
 *
 * Thread: the loop's.
 */
#include "net/connection.h"
#include "net/sender.h"
#include "net/sendfile_internal.h"
#include "net/sigpipe.h"

#include <aio/sendfile.h>
#include <aio/sock.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AT_MOST = 1024 * 1024 };

/* --- by the system --------------------------------------------------------------------- */

/* Whom the socket belongs to. */
struct target {
    int sock;
    struct aio__sender *sender; /* NULL: to the program */
};

static int wait_for_room(const struct aio__sending *sending, const struct target *target)
{
    return target->sender != NULL ? aio__sender_wait_room(target->sender)
                                  : aio__wait_fd(sending->loop, target->sock, true);
}

static ssize_t send_piece(struct aio__sending *sending, int sock)
{
    size_t size = sending->left < AT_MOST ? (size_t)sending->left : AT_MOST;
    off_t offset = (off_t)sending->offset;
    struct aio__sigpipe hold;
    ssize_t done;

    aio__sigpipe_hold(&hold);
    done = sendfile(sock, sending->file, &offset, size);
    aio__sigpipe_release(&hold, done);
    return done;
}

static int raise_unavailable(void)
{
    return aio_raise(AIO_ESENDFILENOTAVAILABLE, "os.sendfile call failed");
}

/* Send all: 0, or a raised code, which is AIO_ESENDFILENOTAVAILABLE only if nothing was sent. */
static int send_natively(struct aio__sending *sending, const struct target *target)
{
    struct stat file;
    int err;

    if (fstat(sending->file, &file) != 0 || !S_ISREG(file.st_mode))
        return raise_unavailable();
    while (sending->left > 0) {
        ssize_t done = send_piece(sending, target->sock);

        if (done == 0)
            return 0;
        if (done > 0)
            aio__sending_sent(sending, (uint64_t)done);
        else if (sending->sent == 0 && (errno == EINVAL || errno == ENOSYS || errno == EOVERFLOW))
            return raise_unavailable();
        else if (!aio__would_block(errno))
            return aio_raise(-errno, "%s", aio_strerror(-errno));
        err = sending->left > 0 ? wait_for_room(sending, target) : 0;
        if (err < 0)
            return err;
    }
    return 0;
}

static int send_by_sender(struct aio__sending *sending, aio_transport *transport)
{
    const struct target target = {*(const int *)aio_transport_get_extra_info(transport, "socket"),
                                  aio__sender_of(transport)};
    bool was_reading = aio__channel_is_reading(transport);
    int err;

    err = aio__sender_claim(target.sender);
    if (err < 0)
        return err;
    (void)aio__channel_pause_reading(transport);
    err = aio__sender_flush(target.sender);
    if (err == 0)
        err = send_natively(sending, &target);
    aio__sender_disclaim(target.sender);
    if (was_reading)
        (void)aio__channel_resume_reading(transport);
    return err;
}

/* --- the calls ------------------------------------------------------------------------- */

static int begin(struct aio__sending *sending, aio_loop *loop, int file,
                 const aio_sendfile_options *options)
{
    static const aio_sendfile_options defaults = AIO_SENDFILE_OPTIONS_INIT;
    int err = aio__net_check_task(&loop);

    if (err < 0)
        return err;
    if (options == NULL)
        options = &defaults;
    if (options->size < sizeof(*options) || options->offset > INT64_MAX ||
        options->count > INT64_MAX)
        return aio_raise(AIO_EVALUE, "bad sendfile options");
    *sending = (struct aio__sending){
        .loop = loop,
        .file = file,
        .offset = options->offset,
        .left = options->count > 0 ? options->count : UINT64_MAX,
    };
    return 0;
}

/* The file's position goes behind what was sent. */
static int end(const struct aio__sending *sending, int err, uint64_t *ret_sent)
{
    if (sending->sent > 0)
        (void)lseek(sending->file, (off_t)sending->offset, SEEK_SET);
    if (err == 0 && ret_sent != NULL)
        *ret_sent = sending->sent;
    return err;
}

static bool may_fall_back(const aio_sendfile_options *options, int err)
{
    return err == AIO_ESENDFILENOTAVAILABLE && (options == NULL || !options->no_fallback);
}

static int check_socket(int sock)
{
    socklen_t size = sizeof(int);
    int type = 0;

    if (getsockopt(sock, SOL_SOCKET, SO_TYPE, &type, &size) != 0)
        return aio_raise(-errno, "%s", aio_strerror(-errno));
    if (type != SOCK_STREAM)
        return aio_raise(AIO_EVALUE, "only SOCK_STREAM type sockets are supported");
    return 0;
}

int aio_loop_sock_sendfile(aio_loop *loop, int sock, int file, const aio_sendfile_options *options,
                           uint64_t *ret_sent)
{
    struct target target = {.sock = sock};
    struct aio__sending sending = {.file = -1};
    int err = begin(&sending, loop, file, options);

    if (err == 0)
        err = aio__check_nonblocking(sending.loop, sock);
    if (err == 0)
        err = check_socket(sock);
    if (err < 0)
        return err;
    err = send_natively(&sending, &target);
    if (may_fall_back(options, err))
        err = aio__sendfile_by_hand(&sending, sock);
    return end(&sending, err, ret_sent);
}

int aio_loop_sendfile(aio_loop *loop, aio_transport *transport, int file,
                      const aio_sendfile_options *options, uint64_t *ret_sent)
{
    struct aio__sending sending = {.file = -1};
    int err = begin(&sending, loop, file, options);

    if (err < 0)
        return err;
    if (transport == NULL)
        return aio_raise(AIO_EVALUE, "a transport is needed, not NULL");
    if (aio_transport_is_closing(transport))
        return aio_raise(AIO_ERUNTIME, "Transport is closing");
    if (transport->ops->write == NULL || transport->ops->pause_reading == NULL ||
        transport->ops->set_protocol == NULL)
        return aio_raise(AIO_ERUNTIME, "sendfile is not supported for this transport");
    (void)aio_transport_ref(transport);
    if (aio__is_stream_transport(transport))
        err = send_by_sender(&sending, transport);
    else
        err = aio_raise(AIO_ESENDFILENOTAVAILABLE, "fallback is disabled and native sendfile is "
                                                   "not supported for this transport");
    if (may_fall_back(options, err))
        err = aio__sendfile_by_transport(&sending, transport);
    aio_transport_unref(transport);
    return end(&sending, err, ret_sent);
}
