/* SPDX-License-Identifier: MIT */
/* head.h - for src/http/server: where a head ends, and what is wrong before a parser sees it */
#ifndef HTTP_SERVER_HEAD_H
#define HTTP_SERVER_HEAD_H

#include <stdbool.h>
#include <stddef.h>

/* How far lines were looked at; zeroed for each head. */
struct aio__http_scan {
    size_t at;   /* of the next byte to look at */
    size_t line; /* where its line begins */
};

enum { AIO__SCAN_MORE = 0, AIO__SCAN_BAD = -1 };

/*
 * Look for the empty line that ends a head, from where the last call on the same bytes stopped.
 * Gives the head's size, the empty line included, or one of the above: more has to come, or what
 * is there is no head.
 */
ptrdiff_t aio__http_scan_head(struct aio__http_scan *scan, const char *data, size_t size);

/* The lines between the pieces of a body sent in chunks: sizes, extensions, trailers. */
struct aio__http_lines {
    size_t size; /* since the last piece */
    char last;   /* byte; 0: none */
};

/* Look at what is between two pieces; false: it is not well formed, or too long. */
bool aio__http_check_lines(struct aio__http_lines *lines, const char *data, size_t size);

#endif
