/* SPDX-License-Identifier: MIT */
/*
 * flow.h - water marks of a write buffer, and telling the protocol of them
 *
 * For transports. asyncio: transports._FlowControlMixin.
 */
#ifndef AIO__FLOW_H
#define AIO__FLOW_H

#include <aio/transport.h>

struct aio__flow {
    size_t high;
    size_t low;
    bool paused; /* the protocol was told to pause */
};

/* The marks for what the caller gave: AIO_LIMIT_DEFAULT means by the other, or 64 KiB.
 * 0, or AIO_EVALUE and nothing has changed. */
int aio__flow_set_limits(struct aio__flow *flow, size_t high, size_t low, size_t default_high);

/* Tell the protocol once the buffer is above high, and once it is down to low. */
void aio__flow_grown(struct aio__flow *flow, aio_transport *transport, size_t size);
void aio__flow_shrunk(struct aio__flow *flow, aio_transport *transport, size_t size);

#endif
