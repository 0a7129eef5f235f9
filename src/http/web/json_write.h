/* SPDX-License-Identifier: MIT */
/* json_write.h - for src/http/web: values as JSON text, compact */
#ifndef HTTP_WEB_JSON_WRITE_H
#define HTTP_WEB_JSON_WRITE_H

#include "http/common/bytes.h"

#include <stdarg.h>

/* Each adds a value. 0, AIO_ENOMEM, AIO_EVALUE for what JSON cannot say. */
int aio__json_string(struct aio__bytes *out, const char *text); /* NULL: null */
int aio__json_int(struct aio__bytes *out, int64_t value);
int aio__json_float(struct aio__bytes *out, double value); /* as Python's repr() */

/* Add the one value that a format of aio_web_json() describes. */
int aio__json_pack(struct aio__bytes *out, const char *format, va_list args);

#endif
