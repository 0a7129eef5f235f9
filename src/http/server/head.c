/* SPDX-License-Identifier: MIT */
/*
 * head.c - what the parser lets pass, and must not reach it
 *
 * Two readers that take the same bytes for different requests are how requests are smuggled past
 * proxies. llhttp, strict, still takes a bare LF for the end of the request line, an indented line
 * for part of the one before, a line without a version for a request, and nothing for a name. So
 * each head is looked at first, line by line: lines end in CR LF and nothing else, no control
 * character is in them, none is indented or begins with a colon, and the first has three words.
 *
 * Thread: any.
 */
#include "http/server/head.h"

#include <string.h>

enum { MAX_LINES = 16 * 1024 }; /* bytes between two pieces of a body */

static inline bool is_control(char byte)
{
    return ((unsigned char)byte < 0x20 && byte != '\t') || byte == 0x7f;
}

/* Three words with one blank between them, the last a version; the rest is the parser's to judge. */
static bool is_request_line(const char *line, size_t size)
{
    const char *target = memchr(line, ' ', size);
    const char *version;

    if (target == NULL)
        return false;
    target++;
    version = memchr(target, ' ', (size_t)(line + size - target));
    return version != NULL && version > target && line + size - version == 9 &&
           memcmp(version, " HTTP/", 6) == 0;
}

/* A whole line of a head, without its CR LF. */
static bool check_line(const char *data, size_t begin, size_t end)
{
    if (begin == 0)
        return is_request_line(data, end);
    return data[begin] != ' ' && data[begin] != '\t' && data[begin] != ':';
}

/* The next control character from a place on; `size` if there is none. */
static size_t next_control(const char *data, size_t at, size_t size)
{
    /* Most are printable, which one comparison tells. */
    while (at < size && ((unsigned char)(data[at] - 0x20) < 0x5f || !is_control(data[at])))
        at++;
    return at;
}

ptrdiff_t aio__http_scan_head(struct aio__http_scan *scan, const char *data, size_t size)
{
    size_t i = next_control(data, scan->at, size);

    for (; i + 1 < size; i = next_control(data, i + 2, size)) {
        if (data[i] != '\r' || data[i + 1] != '\n')
            return AIO__SCAN_BAD;
        if (i == scan->line && i > 0)
            return (ptrdiff_t)(i + 2);
        if (!check_line(data, scan->line, i))
            return AIO__SCAN_BAD;
        scan->line = i + 2;
    }
    /* A CR at the very end may have its LF yet to come. */
    if (i < size && data[i] != '\r')
        return AIO__SCAN_BAD;
    scan->at = i;
    return AIO__SCAN_MORE;
}

bool aio__http_check_lines(struct aio__http_lines *lines, const char *data, size_t size)
{
    lines->size += size;
    if (lines->size > MAX_LINES)
        return false;
    for (size_t i = 0; i < size; i++) {
        char byte = data[i];

        if ((lines->last == '\r') != (byte == '\n'))
            return false;
        if (byte != '\r' && byte != '\n' && is_control(byte))
            return false;
        if (lines->last == '\n' && (byte == ' ' || byte == '\t' || byte == ':'))
            return false;
        lines->last = byte;
    }
    return true;
}
