/* SPDX-License-Identifier: MIT */
/*
 * sendfile_internal.h - what sending a file by the system and by hand have in common
 *
 * For src/net.
 */
#ifndef AIO__SENDFILE_INTERNAL_H
#define AIO__SENDFILE_INTERNAL_H

#include <aio/transport.h>

/* A file on its way. */
struct aio__sending {
    aio_loop *loop;
    int file;
    uint64_t offset; /* of the next byte */
    uint64_t left;   /* bytes to go; UINT64_MAX: up to the end */
    uint64_t sent;
};

/* So many bytes have been sent. */
static inline void aio__sending_sent(struct aio__sending *sending, uint64_t size)
{
    sending->offset += size;
    sending->sent += size;
    if (sending->left != UINT64_MAX)
        sending->left -= size;
}

/* Read the file in a thread, and send it over a socket or a transport. 0, or a raised code. */
int aio__sendfile_by_hand(struct aio__sending *sending, int sock);
int aio__sendfile_by_transport(struct aio__sending *sending, aio_transport *transport);

#endif
