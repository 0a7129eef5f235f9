/* SPDX-License-Identifier: MIT */
/*
 * wire.c - a transport in memory, for tests of what stands on transports
 */
#include "support/wire.h"

#include <string.h>

static struct wire *of(const aio_transport *base)
{
    return (struct wire *)(uintptr_t)base;
}

static void wire_close(aio_transport *base)
{
    fx_note(of(base)->f, "close");
    of(base)->closing = true;
}

static bool wire_is_closing(const aio_transport *base)
{
    return of(base)->closing;
}

static const void *wire_extra_info(const aio_transport *base, const char *name)
{
    if (strcmp(name, "sslcontext") == 0)
        return of(base)->over_tls ? of(base) : NULL;
    return strcmp(name, "peername") == 0 ? "the test" : NULL;
}

static int wire_pause_reading(aio_transport *base)
{
    fx_note(of(base)->f, "pause_reading");
    return of(base)->pause_code;
}

static int wire_resume_reading(aio_transport *base)
{
    fx_note(of(base)->f, "resume_reading");
    return of(base)->resume_code;
}

static int wire_write(aio_transport *base, const void *data, size_t size)
{
    (void)data;
    fx_note(of(base)->f, "write %zu", size);
    return 0;
}

static int wire_writelines(aio_transport *base, const aio_buffer *buffers, size_t count)
{
    (void)buffers;
    fx_note(of(base)->f, "writelines %zu", count);
    return 0;
}

static int wire_write_eof(aio_transport *base)
{
    fx_note(of(base)->f, "write_eof");
    return 0;
}

static bool wire_can_write_eof(const aio_transport *base)
{
    (void)base;
    return true;
}

static aio_protocol *wire_protocol(const aio_transport *base)
{
    return of(base)->protocol;
}

static aio_loop *wire_loop(const aio_transport *base)
{
    return of(base)->f->loop;
}

static aio_transport *wire_ref(aio_transport *base)
{
    of(base)->refs++;
    return base;
}

static void wire_unref(aio_transport *base)
{
    of(base)->refs--;
}

static const aio_transport_ops wire_ops = {
    .size = sizeof(wire_ops),
    .close = wire_close,
    .is_closing = wire_is_closing,
    .get_extra_info = wire_extra_info,
    .get_protocol = wire_protocol,
    .pause_reading = wire_pause_reading,
    .resume_reading = wire_resume_reading,
    .write = wire_write,
    .writelines = wire_writelines,
    .write_eof = wire_write_eof,
    .can_write_eof = wire_can_write_eof,
    .get_loop = wire_loop,
    .ref = wire_ref,
    .unref = wire_unref,
};

void wire_init(struct wire *wire, struct fixture *f, aio_protocol *protocol)
{
    *wire = (struct wire){.base.ops = &wire_ops, .f = f, .protocol = protocol};
}

int wire_connect(struct wire *wire)
{
    return wire->protocol->ops->connection_made(wire->protocol, &wire->base);
}

int wire_data(struct wire *wire, const char *text)
{
    return wire->protocol->ops->data_received(wire->protocol, text, strlen(text));
}

void wire_end(struct wire *wire)
{
    aio_protocol *protocol = wire->protocol;

    wire->protocol = NULL;
    if (protocol != NULL)
        protocol->ops->release(protocol);
}

void wire_lose(struct wire *wire, aio_exception *error)
{
    wire->closing = true;
    (void)wire->protocol->ops->connection_lost(wire->protocol, error);
    wire_end(wire);
}
