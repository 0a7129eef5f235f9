/* SPDX-License-Identifier: MIT */
/*
 * codec.h - values as bytes, and functions by name: how a job gets to another process
 *
 * A process cannot follow a pointer of another. What a job needs and what it gives crosses the
 * border as bytes, which a codec makes of a value and turns into one again. A plain struct,
 * without pointers, needs no more than its size:
 *
 *     static const aio_codec point_codec = AIO_CODEC_STRUCT(struct point);
 *
 * Codecs, like functions, are found again in the other process by their place in the program or
 * in a library: they are constants, not variables of a block.
 */
#ifndef AIO_CODEC_H
#define AIO_CODEC_H

#include <aio/type.h>

AIO_BEGIN_DECLS

/** @name Codecs @{ */

typedef struct aio_codec aio_codec;

/** How values become bytes and values again. A constant: the library keeps the pointer. */
struct aio_codec {
    size_t size; /**< sizeof(aio_codec) */
    /**
     * Write a value as bytes. Called in the process that has the value.
     *
     * @param[out] ret_bytes  Made with aio_malloc(); aio_free() frees it. NULL for 0 bytes.
     * @return 0, or a negative code, which becomes that of the job.
     */
    int (*encode)(const aio_codec *codec, const void *value, void **ret_bytes, size_t *ret_size);
    /**
     * Make a value of bytes. They are aligned for any type and stay where they are for as long as
     * the value is used, which may thus point into them.
     *
     * @param bytes  NULL if there are none.
     * @return 0, or a negative code, which becomes that of the job.
     */
    int (*decode)(const aio_codec *codec, void *bytes, size_t size, void **ret_value);
    /** How to free and print what decode() gave; NULL: it owns nothing but the bytes. */
    const aio_type *type;
    size_t value_size; /**< of a plain struct; else the codec's own affair */
};

/** A codec for values that point to a plain struct or array; NULL stays NULL. The bytes are
 *  copied as they are, so both processes have to be of one build. Since: 0.1 */
#define AIO_CODEC_STRUCT(type)                                                                     \
    {                                                                                              \
        sizeof(aio_codec), aio_codec_encode_struct, aio_codec_decode_struct, NULL, sizeof(type)    \
    }
/** For AIO_CODEC_STRUCT(). Since: 0.1 */
AIO_API int aio_codec_encode_struct(const aio_codec *codec, const void *value, void **ret_bytes,
                                    size_t *ret_size);
/** For AIO_CODEC_STRUCT(). AIO_EVALUE if the size is another. Since: 0.1 */
AIO_API int aio_codec_decode_struct(const aio_codec *codec, void *bytes, size_t size,
                                    void **ret_value);

/** An intptr_t kept in the pointer itself, as aio_type_int prints it. Since: 0.1 */
AIO_API extern const aio_codec aio_codec_int;
/** A `const char *`; NULL stays NULL. Since: 0.1 */
AIO_API extern const aio_codec aio_codec_string;

/** Bytes of any number: a `const aio_buffer *`; NULL stays NULL. Since: 0.1 */
AIO_API extern const aio_codec aio_codec_bytes;
/** @} */

/** @name Functions by name
 *  A job's function is found in a worker by its place in the program or library it is in, static
 *  functions too. Registering gives it a name instead: for functions in libraries that are
 *  loaded later, and for engines whose workers are other programs. @{ */

/** A function that has a name. A constant: the library keeps the pointer. */
typedef struct aio_function {
    size_t size;                             /**< sizeof(aio_function) */
    const char *name;                        /**< unique in the program */
    int (*fn)(void *arg, void **ret_result); /**< an aio_job_fn */
    const aio_codec *arg_codec;              /**< for its argument; NULL: the job's options say */
    const aio_codec *result_codec;           /**< for its result; likewise */
} aio_function;

/**
 * Give a function a name. To be done in the same way by every process, at the start of main()
 * before aio_process_worker_main(), say.
 *
 * @return 0, also if it is registered already; AIO_EVALUE if something is missing or the name
 *         is another function's; AIO_ENOMEM.
 * Thread: any.                                                   Since: 0.1
 */
AIO_API int aio_function_register(const aio_function *function);
/** The function of a name; NULL if there is none. Thread: any.   Since: 0.1 */
AIO_API const aio_function *aio_function_by_name(const char *name);
/** What a function was registered as; NULL if it was not. Thread: any.   Since: 0.1 */
AIO_API const aio_function *aio_function_of(int (*fn)(void *arg, void **ret_result));
/** @} */

AIO_END_DECLS

#endif
