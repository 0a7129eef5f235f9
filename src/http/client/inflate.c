/* SPDX-License-Identifier: MIT */
/*
 * inflate.c - gzip and deflate, brotli and zstd, as much at a time as is asked for
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
#ifdef AIO__BROTLI
#include <brotli/decode.h>
#endif
#ifdef AIO__ZSTD
#include <zstd.h>
#include <zstd_errors.h>
#endif

enum kind { GZIP, DEFLATE, BROTLI, ZSTD, NONE };

struct aio__httpc_inflater {
    enum kind kind;
    z_stream stream; /* of gzip and deflate */
    void *decoder;   /* of the others */
    bool is_open;
    bool has_begun; /* in the midst of a stream */
    bool is_done;   /* a stream has ended; gzip may have another */
};

enum { GZIP_BITS = 15 + 16, ZLIB_BITS = 15, BARE_BITS = -15, GZIP_FIRST = 0x1f };

static enum kind kind_of(const char *encoding)
{
    if (strcasecmp(encoding, "gzip") == 0 || strcasecmp(encoding, "x-gzip") == 0)
        return GZIP;
    if (strcasecmp(encoding, "deflate") == 0)
        return DEFLATE;
#ifdef AIO__BROTLI
    if (strcasecmp(encoding, "br") == 0)
        return BROTLI;
#endif
#ifdef AIO__ZSTD
    if (strcasecmp(encoding, "zstd") == 0)
        return ZSTD;
#endif
    return NONE;
}

bool aio__httpc_can_inflate(const char *encoding)
{
    return kind_of(encoding) != NONE;
}

/* --- brotli ----------------------------------------------------------------------------- */

#ifdef AIO__BROTLI
static void *allocate_brotli(void *arg, size_t size)
{
    (void)arg;
    return aio_malloc(size);
}

static void release_brotli(void *arg, void *memory)
{
    (void)arg;
    aio_free(memory);
}

static bool open_brotli(struct aio__httpc_inflater *inflater)
{
    inflater->decoder = BrotliDecoderCreateInstance(allocate_brotli, release_brotli, NULL);
    return inflater->decoder != NULL;
}

static int inflate_brotli(struct aio__httpc_inflater *inflater, aio_buffer *input,
                          struct aio__bytes *output, size_t most)
{
    const uint8_t *in = input->data;
    uint8_t *out = (uint8_t *)output->data;
    size_t room = most;
    BrotliDecoderResult result;
    BrotliDecoderErrorCode why;

    if (inflater->is_done)
        return AIO_ESTOP; /* what follows is not ours */
    inflater->has_begun = true;
    result = BrotliDecoderDecompressStream(inflater->decoder, &input->size, &in, &room, &out, NULL);
    input->data = in;
    output->size = most - room;
    inflater->is_done = result == BROTLI_DECODER_RESULT_SUCCESS;
    if (result != BROTLI_DECODER_RESULT_ERROR)
        return 0;
    why = BrotliDecoderGetErrorCode(inflater->decoder);
    return why <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
                   why >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES
               ? AIO_ENOMEM
               : AIO_HTTP_EPAYLOAD;
}
#endif

/* --- zstd ------------------------------------------------------------------------------- */

#ifdef AIO__ZSTD
enum { MAX_WINDOW = 23 }; /* bits: 8 MiB, as RFC 9659 has it */

static bool open_zstd(struct aio__httpc_inflater *inflater)
{
    inflater->decoder = ZSTD_createDCtx();
    return inflater->decoder != NULL && !ZSTD_isError(ZSTD_DCtx_setParameter(
                                            inflater->decoder, ZSTD_d_windowLogMax, MAX_WINDOW));
}

/* One frame may follow the other. */
static int inflate_zstd(struct aio__httpc_inflater *inflater, aio_buffer *input,
                        struct aio__bytes *output, size_t most)
{
    ZSTD_inBuffer in = {input->data, input->size, 0};
    ZSTD_outBuffer out = {output->data, most, 0};
    size_t result;

    if (inflater->is_done && input->size == 0)
        return 0;
    inflater->has_begun = true;
    result = ZSTD_decompressStream(inflater->decoder, &out, &in);
    input->data = (const char *)input->data + in.pos;
    input->size -= in.pos;
    output->size = out.pos;
    inflater->is_done = result == 0;
    if (!ZSTD_isError(result))
        return 0;
    return ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation ? AIO_ENOMEM
                                                                     : AIO_HTTP_EPAYLOAD;
}
#endif

/* --- any -------------------------------------------------------------------------------- */

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

static bool open_decoder(struct aio__httpc_inflater *inflater)
{
    switch (inflater->kind) {
#ifdef AIO__BROTLI
    case BROTLI: return open_brotli(inflater);
#endif
#ifdef AIO__ZSTD
    case ZSTD: return open_zstd(inflater);
#endif
    default: return true; /* zlib begins when the first byte has come */
    }
}

int aio__httpc_inflater_new(const char *encoding, struct aio__httpc_inflater **ret_inflater)
{
    struct aio__httpc_inflater *inflater = aio_calloc(1, sizeof(*inflater));

    if (inflater == NULL)
        return AIO_ENOMEM;
    inflater->kind = kind_of(encoding);
    inflater->stream.zalloc = allocate;
    inflater->stream.zfree = release;
    if (!open_decoder(inflater)) {
        aio__httpc_inflater_free(inflater);
        return AIO_ENOMEM;
    }
    *ret_inflater = inflater;
    return 0;
}

void aio__httpc_inflater_free(struct aio__httpc_inflater *inflater)
{
    if (inflater == NULL)
        return;
    if (inflater->is_open)
        (void)inflateEnd(&inflater->stream);
#ifdef AIO__BROTLI
    if (inflater->kind == BROTLI && inflater->decoder != NULL)
        BrotliDecoderDestroyInstance(inflater->decoder);
#endif
#ifdef AIO__ZSTD
    if (inflater->kind == ZSTD)
        (void)ZSTD_freeDCtx(inflater->decoder);
#endif
    aio_free(inflater);
}

/* Begin a stream whose first byte is known. */
static int begin(struct aio__httpc_inflater *inflater, unsigned char first)
{
    bool is_zlib = (first & 15) == Z_DEFLATED && first >> 4 <= 7;
    int bits = inflater->kind == GZIP ? GZIP_BITS : is_zlib ? ZLIB_BITS : BARE_BITS;
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

static int inflate_zlib(struct aio__httpc_inflater *inflater, aio_buffer *input,
                        struct aio__bytes *output, size_t most)
{
    z_stream *stream = &inflater->stream;
    size_t taken;
    int result;
    int err;

    if (inflater->is_done && inflater->kind != GZIP)
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

int aio__httpc_inflate(struct aio__httpc_inflater *inflater, aio_buffer *input,
                       struct aio__bytes *output, size_t most)
{
    int err = aio__bytes_reserve(output, 1 + most);

    output->size = 0;
    if (err < 0)
        return err;
    switch (inflater->kind) {
#ifdef AIO__BROTLI
    case BROTLI: return inflate_brotli(inflater, input, output, most);
#endif
#ifdef AIO__ZSTD
    case ZSTD: return inflate_zstd(inflater, input, output, most);
#endif
    default: return inflate_zlib(inflater, input, output, most);
    }
}
