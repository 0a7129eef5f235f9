/* SPDX-License-Identifier: MIT */
/*
 * message.c - what a process pool and its workers say to each other: sending and receiving
 *
 * A short message takes one system call: what follows the head is read with it.
 *
 * Thread: any; a message belongs to one.
 */
#include "executor/message.h"

#include <aio/memory.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { AHEAD = 4096 };

/* What a call on the socket came to. 0: not now. */
static ssize_t outcome(ssize_t moved)
{
    if (moved > 0)
        return moved;
    if (moved == 0)
        return -EPIPE; /* the end */
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return 0;
    return errno == ECONNRESET ? -EPIPE : -errno;
}

static ssize_t receive_some(int fd, struct iovec *parts, size_t count, int flags)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t got;

    do
        got = recvmsg(fd, &message, flags);
    while (got < 0 && errno == EINTR);
    return outcome(got);
}

/* The head is there, and some of the bytes. */
static int begin_bytes(struct aio__incoming *in, const void *ahead, size_t size)
{
    if (size > in->head.size)
        return -EPROTO;
    in->received += size;
    if (in->head.size == 0)
        return 0;
    in->bytes = in->head.size > SIZE_MAX / 2 ? NULL : aio_malloc(in->head.size);
    in->is_lost = in->bytes == NULL;
    if (!in->is_lost)
        memcpy(in->bytes, ahead, size);
    return 0;
}

static ssize_t receive_head(int fd, struct aio__incoming *in, size_t head_size, int flags)
{
    char ahead[AHEAD];
    size_t left = head_size - in->received;
    struct iovec parts[] = {{(char *)&in->head + in->received, left}, {ahead, sizeof(ahead)}};
    ssize_t got = receive_some(fd, parts, 2, flags);
    int err;

    if (got <= 0)
        return got;
    if ((size_t)got < left) {
        in->received += (size_t)got;
        return got;
    }
    in->received = head_size;
    err = begin_bytes(in, ahead, (size_t)got - left);
    return err < 0 ? err : got;
}

static ssize_t receive_bytes(int fd, struct aio__incoming *in, size_t head_size, int flags)
{
    char nowhere[AHEAD];
    size_t done = in->received - head_size;
    size_t left = (size_t)in->head.size - done;
    struct iovec part = {nowhere, left < sizeof(nowhere) ? left : sizeof(nowhere)};
    ssize_t got;

    if (!in->is_lost)
        part = (struct iovec){(char *)in->bytes + done, left};
    got = receive_some(fd, &part, 1, flags);
    if (got > 0)
        in->received += (size_t)got;
    return got;
}

int aio__receive(int fd, struct aio__incoming *in, size_t head_size, int flags)
{
    while (in->received < head_size || in->received - head_size < in->head.size) {
        ssize_t got = in->received < head_size ? receive_head(fd, in, head_size, flags)
                                               : receive_bytes(fd, in, head_size, flags);

        if (got <= 0)
            return (int)got;
    }
    return 1;
}

int aio__send(int fd, struct aio__outgoing *out, int flags)
{
    while (out->sent < out->head_size + out->size) {
        size_t head_done = out->sent < out->head_size ? out->sent : out->head_size;
        size_t done = out->sent - head_done;
        struct iovec parts[] = {
            {(char *)(uintptr_t)out->head + head_done, out->head_size - head_done},
            {(void *)((uintptr_t)out->bytes + done), out->size - done},
        };
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        ssize_t put;

        do
            put = sendmsg(fd, &message, flags | MSG_NOSIGNAL);
        while (put < 0 && errno == EINTR);
        put = outcome(put);
        if (put <= 0)
            return (int)put;
        out->sent += (size_t)put;
    }
    return 1;
}
