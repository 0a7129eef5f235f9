/* SPDX-License-Identifier: MIT */
/*
 * inflate.c - gzip and deflate, as much at a time as is asked for
 *
 * What a few bytes inflate to is made only as the reader takes it: a bomb costs nobody memory.
 * Servers send two things as "deflate": zlib's format, which is right, and the bare one. The
 * first byte tells them apart.
 */
#include "http/client/client.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <limits.h>
#include <strings.h>
#include <zlib.h>

struct aio__httpc_inflater {
    z_stream stream;
    bool is_gzip;
    bool is_open;
    bool has_begun; /* in the midst of a stream */
    bool is_done;   /* a stream has ended; gzip may have another */
};

enum { GZIP_BITS = 15 + 16, ZLIB_BITS = 15, BARE_BITS = -15, GZIP_FIRST = 0x1f };

static bool is_gzip(const char *encoding)
{
    return strcasecmp(encoding, "gzip") == 0 || strcasecmp(encoding, "x-gzip") == 0;
}

bool aio__httpc_can_inflate(const char *encoding)
{
    return is_gzip(encoding) || strcasecmp(encoding, "deflate") == 0;
}

static void *allocate(void *arg, unsigned count, unsigned size)
{
    (void)arg;
    return aio_calloc(count, size);
}

static void release(void *arg, void *memory)
{
    (void)arg;
    aio_free(memory);
}

int aio__httpc_inflater_new(const char *encoding, struct aio__httpc_inflater **ret_inflater)
{
    struct aio__httpc_inflater *inflater = aio_calloc(1, sizeof(*inflater));

    if (inflater == NULL)
        return AIO_ENOMEM;
    inflater->is_gzip = is_gzip(encoding);
    inflater->stream.zalloc = allocate;
    inflater->stream.zfree = release;
    *ret_inflater = inflater;
    return 0;
}

void aio__httpc_inflater_free(struct aio__httpc_inflater *inflater)
{
    if (inflater == NULL)
        return;
    if (inflater->is_open)
        (void)inflateEnd(&inflater->stream);
    aio_free(inflater);
}

/* Begin a stream whose first byte is known. */
static int begin(struct aio__httpc_inflater *inflater, unsigned char first)
{
    bool is_zlib = (first & 15) == Z_DEFLATED && first >> 4 <= 7;
    int bits = inflater->is_gzip ? GZIP_BITS : is_zlib ? ZLIB_BITS : BARE_BITS;
    int result = inflater->is_open ? inflateReset2(&inflater->stream, bits)
                                   : inflateInit2(&inflater->stream, bits);

    if (result != Z_OK)
        return AIO_ENOMEM;
    inflater->is_open = true;
    inflater->has_begun = true;
    inflater->is_done = false;
    return 0;
}

bool aio__httpc_inflater_is_done(const struct aio__httpc_inflater *inflater)
{
    return inflater->is_done || !inflater->has_begun;
}

int aio__httpc_inflate(struct aio__httpc_inflater *inflater, aio_buffer *input,
                       struct aio__bytes *output, size_t most)
{
    z_stream *stream = &inflater->stream;
    size_t taken;
    int result;
    int err;

    output->size = 0;
    if (inflater->is_done && !inflater->is_gzip)
        return AIO_ESTOP; /* what follows is not ours */
    if ((!inflater->has_begun || inflater->is_done) && input->size > 0) {
        const unsigned char *first = input->data;

        if (inflater->is_done && *first != GZIP_FIRST)
            return AIO_ESTOP; /* padding */
        err = begin(inflater, *first);
        if (err < 0)
            return err;
    }
    if (!inflater->has_begun || inflater->is_done)
        return 0;
    err = aio__bytes_reserve(output, 1 + most);
    if (err < 0)
        return err;
    taken = input->size > UINT_MAX ? UINT_MAX : input->size;
    stream->next_in = (unsigned char *)(uintptr_t)input->data;
    stream->avail_in = (unsigned)taken;
    stream->next_out = (unsigned char *)output->data;
    stream->avail_out = (unsigned)most;
    result = inflate(stream, Z_NO_FLUSH);
    taken -= stream->avail_in;
    output->size = most - stream->avail_out;
    input->data = (const char *)input->data + taken;
    input->size -= taken;
    if (result == Z_STREAM_END)
        inflater->is_done = true;
    else if (result == Z_MEM_ERROR)
        return AIO_ENOMEM;
    else if (result != Z_OK && result != Z_BUF_ERROR)
        return AIO_HTTP_EPAYLOAD;
    return 0;
}
