/* SPDX-License-Identifier: MIT */
/*
 * transport.c - the interface of transports: calls by way of their tables
 */
#include <aio/transport.h>

aio_transport *aio_transport_ref(aio_transport *transport)
{
    return transport == NULL || transport->ops->ref == NULL ? transport
                                                            : transport->ops->ref(transport);
}

void aio_transport_unref(aio_transport *transport)
{
    if (transport != NULL && transport->ops->unref != NULL)
        transport->ops->unref(transport);
}

static int unsupported(const aio_transport *transport)
{
    if (transport == NULL)
        return aio_raise(AIO_EVALUE, "a transport is needed, not NULL");
    return aio_raise(AIO_ENOTIMPLEMENTED, "this transport does not support that");
}

void aio_transport_close(aio_transport *transport)
{
    if (transport != NULL && transport->ops->close != NULL)
        transport->ops->close(transport);
}

void aio_transport_abort(aio_transport *transport)
{
    if (transport != NULL && transport->ops->abort != NULL)
        transport->ops->abort(transport);
}

bool aio_transport_is_closing(const aio_transport *transport)
{
    return transport == NULL || transport->ops->is_closing == NULL ||
           transport->ops->is_closing(transport);
}

const void *aio_transport_get_extra_info(const aio_transport *transport, const char *name)
{
    if (transport == NULL || name == NULL || transport->ops->get_extra_info == NULL)
        return NULL;
    return transport->ops->get_extra_info(transport, name);
}

void aio_transport_set_protocol(aio_transport *transport, aio_protocol *protocol)
{
    if (transport != NULL && protocol != NULL && transport->ops->set_protocol != NULL)
        transport->ops->set_protocol(transport, protocol);
}

aio_protocol *aio_transport_get_protocol(const aio_transport *transport)
{
    if (transport == NULL || transport->ops->get_protocol == NULL)
        return NULL;
    return transport->ops->get_protocol(transport);
}

aio_loop *aio_transport_get_loop(const aio_transport *transport)
{
    if (transport == NULL || transport->ops->get_loop == NULL)
        return NULL;
    return transport->ops->get_loop(transport);
}

int aio_transport_pause_reading(aio_transport *transport)
{
    if (transport == NULL || transport->ops->pause_reading == NULL)
        return unsupported(transport);
    return transport->ops->pause_reading(transport);
}

int aio_transport_resume_reading(aio_transport *transport)
{
    if (transport == NULL || transport->ops->resume_reading == NULL)
        return unsupported(transport);
    return transport->ops->resume_reading(transport);
}

bool aio_transport_is_reading(const aio_transport *transport)
{
    return transport != NULL && transport->ops->is_reading != NULL &&
           transport->ops->is_reading(transport);
}

int aio_transport_write(aio_transport *transport, const void *data, size_t size)
{
    if (transport == NULL || transport->ops->write == NULL)
        return unsupported(transport);
    if (data == NULL && size > 0)
        return aio_raise(AIO_EVALUE, "there are no %zu bytes at NULL", size);
    return transport->ops->write(transport, data, size);
}

static int check_buffers(const aio_buffer *buffers, size_t count)
{
    if (buffers == NULL && count > 0)
        return aio_raise(AIO_EVALUE, "there are no %zu buffers at NULL", count);
    for (size_t i = 0; i < count; i++)
        if (buffers[i].data == NULL && buffers[i].size > 0)
            return aio_raise(AIO_EVALUE, "there are no %zu bytes at NULL", buffers[i].size);
    return 0;
}

int aio_transport_writelines(aio_transport *transport, const aio_buffer *buffers, size_t count)
{
    int err;

    if (transport == NULL || (transport->ops->writelines == NULL && transport->ops->write == NULL))
        return unsupported(transport);
    err = check_buffers(buffers, count);
    if (err < 0)
        return err;
    if (transport->ops->writelines != NULL)
        return transport->ops->writelines(transport, buffers, count);
    for (size_t i = 0; i < count && err == 0; i++)
        err = transport->ops->write(transport, buffers[i].data, buffers[i].size);
    return err;
}

int aio_transport_write_eof(aio_transport *transport)
{
    if (transport == NULL || transport->ops->write_eof == NULL)
        return unsupported(transport);
    return transport->ops->write_eof(transport);
}

bool aio_transport_can_write_eof(const aio_transport *transport)
{
    return transport != NULL && transport->ops->can_write_eof != NULL &&
           transport->ops->can_write_eof(transport);
}

int aio_transport_set_write_buffer_limits(aio_transport *transport, size_t high, size_t low)
{
    if (transport == NULL || transport->ops->set_write_buffer_limits == NULL)
        return unsupported(transport);
    return transport->ops->set_write_buffer_limits(transport, high, low);
}

void aio_transport_get_write_buffer_limits(const aio_transport *transport, size_t *ret_high,
                                           size_t *ret_low)
{
    size_t high = 0;
    size_t low = 0;

    if (transport != NULL && transport->ops->get_write_buffer_limits != NULL)
        transport->ops->get_write_buffer_limits(transport, &high, &low);
    if (ret_high != NULL)
        *ret_high = high;
    if (ret_low != NULL)
        *ret_low = low;
}

size_t aio_transport_get_write_buffer_size(const aio_transport *transport)
{
    if (transport == NULL || transport->ops->get_write_buffer_size == NULL)
        return 0;
    return transport->ops->get_write_buffer_size(transport);
}

int aio_transport_sendto(aio_transport *transport, const void *data, size_t size,
                         const struct sockaddr *address)
{
    if (transport == NULL || transport->ops->sendto == NULL)
        return unsupported(transport);
    if (data == NULL && size > 0)
        return aio_raise(AIO_EVALUE, "there are no %zu bytes at NULL", size);
    return transport->ops->sendto(transport, data, size, address);
}
