/* SPDX-License-Identifier: MIT */
/* bytes.h - for src/http: bytes that grow at their end */
#ifndef HTTP_COMMON_BYTES_H
#define HTTP_COMMON_BYTES_H

#include <aio/error.h>

struct aio__bytes {
    char *data; /* NULL while nothing was ever put in */
    size_t size;
    size_t capacity;
};

/* Make room for `more` bytes behind those there are. 0, AIO_ENOMEM. */
int aio__bytes_reserve(struct aio__bytes *bytes, size_t more);

/* Add bytes; a string; a formatted text. 0, or AIO_ENOMEM, nothing being added then. */
int aio__bytes_append(struct aio__bytes *bytes, const void *data, size_t size);
int aio__bytes_append_text(struct aio__bytes *bytes, const char *text);
int aio__bytes_format(struct aio__bytes *bytes, const char *format, ...) AIO_PRINTF(2, 3);

/* Drop the first `size` bytes; the memory stays. */
void aio__bytes_drop(struct aio__bytes *bytes, size_t size);

/* Empty it; memory beyond `keep` bytes goes. */
void aio__bytes_clear(struct aio__bytes *bytes, size_t keep);

void aio__bytes_free(struct aio__bytes *bytes);

#endif
