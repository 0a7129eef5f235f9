/* SPDX-License-Identifier: MIT */
/* url.h - for src/http: percent encoding, and the pairs of queries and forms */
#ifndef HTTP_COMMON_URL_H
#define HTTP_COMMON_URL_H

#include <aio/error.h>

/* How many bytes decoding `size` bytes may write, the final 0 among them. */
#define AIO__URL_DECODED(size) (3 * (size) + 1)

/*
 * Decode "%41" and, in forms and queries, "+", as Python's unquote() and unquote_plus() do: what is
 * no escape stays, and what is not UTF-8 becomes U+FFFD. The text gets a final 0.
 *
 * Gives its length, or AIO_EVALUE if it would hold a 0 of its own.
 */
ptrdiff_t aio__url_decode(char *out, const char *text, size_t size, bool plus);

/* Gets a pair of a query or form, still encoded. Any code but 0 ends the walk. */
typedef int (*aio__url_pair_fn)(const char *name, size_t name_size, const char *value,
                                size_t value_size, void *arg);

/* Walk through "a=1&b=2", as Python's parse_qsl(keep_blank_values=True) does. */
int aio__url_pairs(const char *text, size_t size, aio__url_pair_fn fn, void *arg);

/* Replace what is not UTF-8 by U+FFFD, in a place of three times the size. Gives the new size. */
size_t aio__utf8_mend(char *text, size_t size);

/* Length of the UTF-8 character at the start of a text; 0 if it is none. */
size_t aio__utf8_length(const char *text, size_t size);

#endif
