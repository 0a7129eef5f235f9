/* SPDX-License-Identifier: MIT */
/*
 * flow.c - water marks of a write buffer, and telling the protocol of them
 */
#include "net/flow.h"

int aio__flow_set_limits(struct aio__flow *flow, size_t high, size_t low, size_t default_high)
{
    if (high == AIO_LIMIT_DEFAULT) {
        if (low == AIO_LIMIT_DEFAULT)
            high = default_high;
        else
            high = low > SIZE_MAX / 4 ? SIZE_MAX - 1 : 4 * low;
    }
    if (low == AIO_LIMIT_DEFAULT)
        low = high / 4;
    if (high < low)
        return aio_raise(AIO_EVALUE, "high (%zu) must be >= low (%zu)", high, low);
    flow->high = high;
    flow->low = low;
    return 0;
}

/* A protocol that fails here stays connected (S114). */
static void tell(aio_transport *transport, int (*fn)(aio_protocol *), const char *message)
{
    aio_exception_context context = {.size = sizeof(context), .message = message};
    int code;

    if (fn == NULL)
        return;
    code = fn(aio_transport_get_protocol(transport));
    if (code >= 0)
        return;
    context.error = aio_error_catch(code);
    aio_loop_call_exception_handler(aio_transport_get_loop(transport), &context);
    aio_exception_unref(context.error);
}

void aio__flow_grown(struct aio__flow *flow, aio_transport *transport, size_t size)
{
    aio_protocol *protocol = aio_transport_get_protocol(transport);

    if (size <= flow->high || flow->paused)
        return;
    flow->paused = true;
    tell(transport, protocol->ops->pause_writing, "protocol.pause_writing() failed");
}

void aio__flow_shrunk(struct aio__flow *flow, aio_transport *transport, size_t size)
{
    aio_protocol *protocol = aio_transport_get_protocol(transport);

    if (size > flow->low || !flow->paused)
        return;
    flow->paused = false;
    tell(transport, protocol->ops->resume_writing, "protocol.resume_writing() failed");
}
