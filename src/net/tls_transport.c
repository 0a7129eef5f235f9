/* SPDX-License-Identifier: MIT */
/*
 * tls_transport.c - what the program holds of a connection of TLS
 *
 * Everything here sets a wish and lets the connection work, at once or soon: tls.c.
 *
 * Thread: the loop's.
 */
#include "base/log.h"
#include "net/tls_internal.h"

#include <aio/memory.h>
#include <string.h>

static void above_close(aio_transport *transport)
{
    struct aio__tls *self = aio__tls_of(transport);

    if (self->closing || self->loop->closed)
        return;
    self->closing = true;
    if (self->state == HANDSHAKE)
        aio__tls_abort(self, NULL);
    else
        aio__tls_work(self);
}

static void above_abort(aio_transport *transport)
{
    struct aio__tls *self = aio__tls_of(transport);

    if (!self->ended && !self->loop->closed)
        aio__tls_abort(self, NULL);
}

static bool above_is_closing(const aio_transport *transport)
{
    return aio__tls_of(transport)->closing;
}

/* Whether what is written now is dropped. */
static bool is_over(struct aio__tls *self)
{
    if (self->closing && self->dropped++ >= AIO__DROPPED_WRITES_TO_WARN)
        aio__log(AIO_LOG_WARNING, "SSL connection is closed");
    return self->closing || self->loop->closed;
}

static int above_write(aio_transport *transport, const void *data, size_t size)
{
    struct aio__tls *self = aio__tls_of(transport);
    int err;

    if (size == 0 || is_over(self))
        return 0;
    err = aio__tls_write(self, data, size);
    if (err == 0)
        aio__tls_tell_flow(self);
    return err;
}

static int above_writelines(aio_transport *transport, const aio_buffer *buffers, size_t count)
{
    int err = 0;

    if (count == 0 || is_over(aio__tls_of(transport)))
        return 0;
    for (size_t i = 0; i < count && err == 0; i++)
        err = above_write(transport, buffers[i].data, buffers[i].size);
    return err;
}

static int above_pause_reading(aio_transport *transport)
{
    aio__tls_of(transport)->app_paused = true;
    return 0;
}

static int above_resume_reading(aio_transport *transport)
{
    struct aio__tls *self = aio__tls_of(transport);

    if (self->app_paused && !self->ended) {
        self->app_paused = false;
        aio__tls_queue(self, &self->work);
    }
    return 0;
}

static bool above_is_reading(const aio_transport *transport)
{
    const struct aio__tls *self = aio__tls_of(transport);

    return !self->closing && !self->app_paused;
}

static bool cannot(const aio_transport *transport)
{
    (void)transport;
    return false;
}

static int above_set_limits(aio_transport *transport, size_t high, size_t low)
{
    struct aio__tls *self = aio__tls_of(transport);
    int err = aio__flow_set_limits(&self->flow, high, low, AIO__TLS_WRITE_HIGH);

    if (err == 0)
        aio__tls_tell_flow(self);
    return err;
}

static void above_get_limits(const aio_transport *transport, size_t *ret_high, size_t *ret_low)
{
    *ret_high = aio__tls_of(transport)->flow.high;
    *ret_low = aio__tls_of(transport)->flow.low;
}

static size_t above_get_size(const aio_transport *transport)
{
    return aio__tls_pending(aio__tls_of(transport));
}

static const void *get_cipher(struct aio__tls *self)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(self->ssl);

    if (cipher == NULL)
        return NULL;
    self->cipher.name = SSL_CIPHER_get_name(cipher);
    self->cipher.version = SSL_get_version(self->ssl);
    self->cipher.bits = SSL_CIPHER_get_bits(cipher, NULL);
    return &self->cipher;
}

static const void *get_peer(struct aio__tls *self)
{
    if (self->peer == NULL)
        self->peer = aio__tls_certificate_of(self->ssl);
    return self->peer;
}

static const void *above_extra(const aio_transport *transport, const char *name)
{
    struct aio__tls *self = aio__tls_of(transport);

    if (strcmp(name, "sslcontext") == 0)
        return self->chosen != NULL ? self->chosen : self->context;
    if (strcmp(name, "ssl_object") == 0)
        return self->ssl;
    if (strcmp(name, "peercert") == 0)
        return get_peer(self);
    if (strcmp(name, "cipher") == 0)
        return get_cipher(self);
    if (strcmp(name, "compression") == 0)
        return NULL; /* which no context allows */
    return self->lower == NULL ? NULL : aio_transport_get_extra_info(self->lower, name);
}

static void above_set_protocol(aio_transport *transport, aio_protocol *protocol)
{
    aio__tls_of(transport)->app = protocol;
}

static aio_protocol *above_get_protocol(const aio_transport *transport)
{
    return aio__tls_of(transport)->app;
}

static aio_loop *above_get_loop(const aio_transport *transport)
{
    return aio__tls_of(transport)->loop;
}

static aio_transport *above_ref(aio_transport *transport)
{
    aio__tls_of(transport)->refs++;
    return transport;
}

static void above_unref(aio_transport *transport)
{
    aio__tls_unref(aio__tls_of(transport));
}

const aio_transport_ops aio__tls_transport_ops = {
    .size = sizeof(aio__tls_transport_ops),
    .close = above_close,
    .abort = above_abort,
    .is_closing = above_is_closing,
    .get_extra_info = above_extra,
    .set_protocol = above_set_protocol,
    .get_protocol = above_get_protocol,
    .pause_reading = above_pause_reading,
    .resume_reading = above_resume_reading,
    .is_reading = above_is_reading,
    .write = above_write,
    .writelines = above_writelines,
    .can_write_eof = cannot,
    .set_write_buffer_limits = above_set_limits,
    .get_write_buffer_limits = above_get_limits,
    .get_write_buffer_size = above_get_size,
    .get_loop = above_get_loop,
    .ref = above_ref,
    .unref = above_unref,
};

/* --- what only TLS has ------------------------------------------------------------------ */

struct aio__tls *aio__tls_from(const aio_transport *transport)
{
    return transport == NULL || transport->ops != &aio__tls_transport_ops ? NULL
                                                                          : aio__tls_of(transport);
}

const char *aio_tls_selected_alpn_protocol(const aio_transport *transport)
{
    struct aio__tls *self = aio__tls_from(transport);
    const unsigned char *name;
    unsigned size;

    if (self == NULL)
        return NULL;
    SSL_get0_alpn_selected(self->ssl, &name, &size);
    if (size == 0)
        return NULL;
    if (self->alpn == NULL)
        self->alpn = aio_malloc(size + 1);
    if (self->alpn == NULL)
        return NULL;
    memcpy(self->alpn, name, size);
    self->alpn[size] = '\0';
    return self->alpn;
}

static int no_tls(const aio_transport *transport)
{
    return transport == NULL ? aio_raise(AIO_EVALUE, "a transport is needed, not NULL")
                             : aio_raise(AIO_ENOTIMPLEMENTED, "this transport is no TLS");
}

int aio_transport_set_read_buffer_limits(aio_transport *transport, size_t high, size_t low)
{
    struct aio__tls *self = aio__tls_from(transport);
    struct aio__flow flow = {0};
    int err;

    if (self == NULL)
        return no_tls(transport);
    err = aio__flow_set_limits(&flow, high, low, AIO__TLS_READ_HIGH);
    if (err < 0)
        return err;
    self->read_high = flow.high;
    self->read_low = flow.low;
    if (!self->ended && !self->loop->closed)
        aio__tls_control_reading(self);
    return 0;
}

void aio_transport_get_read_buffer_limits(const aio_transport *transport, size_t *ret_high,
                                          size_t *ret_low)
{
    const struct aio__tls *self = aio__tls_from(transport);

    if (ret_high != NULL)
        *ret_high = self == NULL ? 0 : self->read_high;
    if (ret_low != NULL)
        *ret_low = self == NULL ? 0 : self->read_low;
}

size_t aio_transport_get_read_buffer_size(const aio_transport *transport)
{
    const struct aio__tls *self = aio__tls_from(transport);

    return self == NULL ? 0 : aio__tls_incoming(self);
}
