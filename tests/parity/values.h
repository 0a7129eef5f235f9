/* SPDX-License-Identifier: MIT */
/*
 * values.h - values and exceptions of the parity language, and how the trace writes them
 *
 * A value is known by its text. It travels through futures as a pointer to that text with
 * bit 0 set; none is NULL. What comes out of a future without that bit was put there by the
 * library: the outcomes of a gather.
 *
 * The trace shows the messages that the program gave and none of the library's own. To tell
 * them apart, those of the program travel behind a mark.
 */
#ifndef PARITY_VALUES_H
#define PARITY_VALUES_H

#include "program.h"

#include <aio/error.h>

/* A value as it travels. */
void *value_pack(struct arena *arena, const char *text);
void value_write(struct text *out, const void *value);
const char *bool_text(bool value);

/* Bytes as programs have them: pieces with `+` between. False if the text is not of that form. */
bool data_read(struct arena *arena, const char *text, struct data *ret_data);
/* As the trace has them: in quotes, or length and checksum of long ones. */
void data_write(struct text *out, const void *bytes, size_t size);

/* The code of a kind of exception; 0 for an unknown name. */
int kind_code(const char *name);

/* A message of the program, with its mark. */
const char *message_mark(struct arena *arena, const char *message);

/*
 * An exception of the program, returned; message as message_mark() gave it, or NULL. That of
 * AIO_ENOMEM, never NULL, when memory is short.
 */
aio_exception *exception_new(int code, const char *message);
void exception_write(struct text *out, const aio_exception *error);

#endif
