/* SPDX-License-Identifier: MIT */
/*
 * codec.c - the ready-made codecs
 *
 * None of them copies what it decodes: values point into the bytes, which outlive them.
 *
 * Thread: any.
 */
#include <aio/codec.h>
#include <aio/error.h>
#include <aio/memory.h>
#include <string.h>

static int copy(const void *from, size_t size, void **ret_bytes, size_t *ret_size)
{
    void *bytes = aio_malloc(size);

    if (bytes == NULL)
        return AIO_ENOMEM;
    memcpy(bytes, from, size);
    *ret_bytes = bytes;
    *ret_size = size;
    return 0;
}

static int encode_nothing(void **ret_bytes, size_t *ret_size)
{
    *ret_bytes = NULL;
    *ret_size = 0;
    return 0;
}

/* --- plain structs --- */

int aio_codec_encode_struct(const aio_codec *codec, const void *value, void **ret_bytes,
                            size_t *ret_size)
{
    if (codec == NULL || ret_bytes == NULL || ret_size == NULL)
        return aio_raise(AIO_EVALUE, "a codec and a place for the bytes are needed, not NULL");
    if (value == NULL)
        return encode_nothing(ret_bytes, ret_size);
    return copy(value, codec->value_size, ret_bytes, ret_size);
}

int aio_codec_decode_struct(const aio_codec *codec, void *bytes, size_t size, void **ret_value)
{
    if (codec == NULL || ret_value == NULL)
        return aio_raise(AIO_EVALUE, "a codec and a place for the value are needed, not NULL");
    if (size != 0 && size != codec->value_size)
        return aio_raise(AIO_EVALUE, "%zu bytes for a struct of %zu", size, codec->value_size);
    *ret_value = size == 0 ? NULL : bytes;
    return 0;
}

/* --- integers in pointers --- */

static int encode_int(const aio_codec *codec, const void *value, void **ret_bytes, size_t *ret_size)
{
    intptr_t number = (intptr_t)value;

    (void)codec;
    return copy(&number, sizeof(number), ret_bytes, ret_size);
}

static int decode_int(const aio_codec *codec, void *bytes, size_t size, void **ret_value)
{
    intptr_t number;

    (void)codec;
    if (size != sizeof(number))
        return aio_raise(AIO_EVALUE, "%zu bytes for an integer", size);
    memcpy(&number, bytes, size);
    *ret_value = (void *)number;
    return 0;
}

const aio_codec aio_codec_int = {
    .size = sizeof(aio_codec),
    .encode = encode_int,
    .decode = decode_int,
    .type = &aio_type_int,
};

/* --- strings --- */

static int encode_string(const aio_codec *codec, const void *value, void **ret_bytes,
                         size_t *ret_size)
{
    (void)codec;
    if (value == NULL)
        return encode_nothing(ret_bytes, ret_size);
    return copy(value, strlen(value) + 1, ret_bytes, ret_size);
}

static int decode_string(const aio_codec *codec, void *bytes, size_t size, void **ret_value)
{
    (void)codec;
    if (size != 0 && ((const char *)bytes)[size - 1] != '\0')
        return aio_raise(AIO_EVALUE, "a string without an end");
    *ret_value = size == 0 ? NULL : bytes;
    return 0;
}

const aio_codec aio_codec_string = {
    .size = sizeof(aio_codec),
    .encode = encode_string,
    .decode = decode_string,
    .type = &aio_type_string,
};

/* --- bytes: a mark in front tells no bytes from none at all --- */

enum { MARK = 16 };

static int encode_bytes(const aio_codec *codec, const void *value, void **ret_bytes,
                        size_t *ret_size)
{
    const aio_buffer *from = value;
    char *bytes;

    (void)codec;
    if (from == NULL)
        return encode_nothing(ret_bytes, ret_size);
    if (from->size > SIZE_MAX - MARK)
        return AIO_ENOMEM;
    bytes = aio_malloc(from->size + MARK);
    if (bytes == NULL)
        return AIO_ENOMEM;
    memset(bytes, 0, MARK);
    if (from->size != 0)
        memcpy(bytes + MARK, from->data, from->size);
    *ret_bytes = bytes;
    *ret_size = from->size + MARK;
    return 0;
}

static int decode_bytes(const aio_codec *codec, void *bytes, size_t size, void **ret_value)
{
    aio_buffer *value;

    (void)codec;
    _Static_assert(sizeof(*value) <= MARK, "the mark has room for the value itself");
    if (size != 0 && size < MARK)
        return aio_raise(AIO_EVALUE, "%zu bytes are too few", size);
    value = bytes;
    if (size != 0) {
        value->data = (char *)bytes + MARK;
        value->size = size - MARK;
    }
    *ret_value = value;
    return 0;
}

const aio_codec aio_codec_bytes = {
    .size = sizeof(aio_codec),
    .encode = encode_bytes,
    .decode = decode_bytes,
};
