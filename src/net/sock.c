/* SPDX-License-Identifier: MIT */
/*
 * sock.c - suspending calls on sockets that the program owns
 *
 * Each tries, waits until the socket is ready if it would block, and tries again: in the task, so
 * that a task which is cancelled between the readiness and its step has taken nothing (S32).
 *
 * Thread: the loop's.
 */
#include "net/connection.h"

#include <aio/error.h>
#include <aio/sock.h>
#include <aio/task.h>
#include <errno.h>
#include <netinet/in.h>

/* --- checks ---------------------------------------------------------------------------- */

static int check_call(aio_loop **loop, int sock)
{
    int err = aio__net_check_task(loop);

    if (err == 0 && sock < 0)
        return aio_raise(-EBADF, "%s", aio_strerror(-EBADF));
    return err < 0 ? err : aio__check_nonblocking(*loop, sock);
}

static int check_memory(const void *data, size_t size)
{
    if (data == NULL && size > 0)
        return aio_raise(AIO_EVALUE, "there are no %zu bytes at NULL", size);
    return 0;
}

/* A call has failed: 0 once it is to be tried again, or a raised code. */
static int wait_or_raise(aio_loop *loop, int sock, bool writing)
{
    if (errno == EINTR)
        return 0;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        return aio_raise(-errno, "%s", aio_strerror(-errno));
    return aio__wait_fd(loop, sock, writing);
}

/* --- receiving ------------------------------------------------------------------------- */

int aio_loop_sock_recvfrom(aio_loop *loop, int sock, void *data, size_t size, aio_sockname *from,
                           size_t *ret_size)
{
    bool named = from != NULL && from->name != NULL;
    int err = check_call(&loop, sock);

    if (err == 0)
        err = check_memory(data, size);
    if (err == 0 && ret_size == NULL)
        return aio_raise(AIO_EVALUE, "a place for the size is needed, not NULL");
    while (err == 0) {
        socklen_t length = named ? from->size : 0;
        ssize_t got =
            recvfrom(sock, data, size, 0, named ? from->name : NULL, named ? &length : NULL);

        if (got >= 0) {
            if (named)
                from->size = length;
            *ret_size = (size_t)got;
            return 0;
        }
        err = wait_or_raise(loop, sock, false);
    }
    return err;
}

/* For no bytes nobody waits, as in Python; a datagram would be taken, and may have none. */
int aio_loop_sock_recv(aio_loop *loop, int sock, void *data, size_t size, size_t *ret_size)
{
    int err;

    if (size > 0 || ret_size == NULL)
        return aio_loop_sock_recvfrom(loop, sock, data, size, NULL, ret_size);
    err = check_call(&loop, sock);
    if (err == 0)
        *ret_size = 0;
    return err;
}

/* --- sending --------------------------------------------------------------------------- */

int aio_loop_sock_sendall(aio_loop *loop, int sock, const void *data, size_t size)
{
    const char *rest = data;
    int err = check_call(&loop, sock);

    if (err == 0)
        err = check_memory(data, size);
    while (err == 0 && size > 0) {
        ssize_t sent = send(sock, rest, size, MSG_NOSIGNAL);

        if (sent >= 0) {
            rest += sent;
            size -= (size_t)sent;
        } else {
            err = wait_or_raise(loop, sock, true);
        }
    }
    return err;
}

int aio_loop_sock_sendto(aio_loop *loop, int sock, const void *data, size_t size,
                         const aio_sockname *to, size_t *ret_size)
{
    const struct sockaddr *name = to == NULL ? NULL : to->name;
    int err = check_call(&loop, sock);

    if (err == 0)
        err = check_memory(data, size);
    while (err == 0) {
        ssize_t sent = sendto(sock, data, size, MSG_NOSIGNAL, name, name == NULL ? 0 : to->size);

        if (sent >= 0) {
            if (ret_size != NULL)
                *ret_size = (size_t)sent;
            return 0;
        }
        err = wait_or_raise(loop, sock, true);
    }
    return err;
}

/* --- connections ----------------------------------------------------------------------- */

int aio_loop_sock_connect(aio_loop *loop, int sock, const aio_sockname *to)
{
    int err = check_call(&loop, sock);

    if (err < 0)
        return err;
    if (to == NULL || to->name == NULL)
        return aio_raise(AIO_EVALUE, "no address given");
    return aio__connect_fd(loop, sock, to->name, to->size);
}

int aio_loop_sock_accept(aio_loop *loop, int sock, aio_sockname *from, int *ret_sock)
{
    bool named = from != NULL && from->name != NULL;
    int err = check_call(&loop, sock);

    if (err == 0 && ret_sock == NULL)
        return aio_raise(AIO_EVALUE, "a place for the socket is needed, not NULL");
    while (err == 0) {
        socklen_t length = named ? from->size : 0;
        int fd = accept4(sock, named ? from->name : NULL, named ? &length : NULL,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            if (named)
                from->size = length;
            *ret_sock = fd;
            return 0;
        }
        err = wait_or_raise(loop, sock, false);
    }
    return err;
}
