/* SPDX-License-Identifier: MIT */
/*
 * head.c - what the parser lets pass, and must not reach it
 *
 * Two readers that take the same bytes for different requests are how requests are smuggled past
 * proxies. llhttp, strict, still takes a bare LF for the end of the request line, an indented line
 * for part of the one before, and a line without a version for a request. So each head is looked at
 * first, line by line: lines end in CR LF and nothing else, no control character is in them, none
 * but the first is indented, and the first names a version.
 *
 * Thread: any.
 */
#include "http/server/head.h"

#include <string.h>

enum { MAX_LINES = 16 * 1024 }; /* bytes between two pieces of a body */

static bool is_control(char byte)
{
    return ((unsigned char)byte < 0x20 && byte != '\t') || byte == 0x7f;
}

/* A request line ends in a version; all that is a version is the parser's to judge. */
static bool has_version(const char *line, size_t size)
{
    return size > 9 && memcmp(line + size - 9, " HTTP/", 6) == 0;
}

/* A whole line of a head, without its CR LF. */
static bool check_line(const char *data, size_t begin, size_t end)
{
    if (begin == 0)
        return has_version(data, end);
    return data[begin] != ' ' && data[begin] != '\t';
}

ptrdiff_t aio__http_scan_head(struct aio__http_scan *scan, const char *data, size_t size)
{
    for (size_t i = scan->at; i < size; i++) {
        if (!is_control(data[i]))
            continue;
        if (data[i] == '\r') {
            if (i + 1 == size) {
                scan->at = i;
                return AIO__SCAN_MORE;
            }
            if (data[i + 1] != '\n')
                return AIO__SCAN_BAD;
            if (i == scan->line && i > 0)
                return (ptrdiff_t)(i + 2);
            if (!check_line(data, scan->line, i))
                return AIO__SCAN_BAD;
            scan->line = i + 2;
            i++;
            continue;
        }
        return AIO__SCAN_BAD;
    }
    scan->at = size;
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
        if (lines->last == '\n' && (byte == ' ' || byte == '\t'))
            return false;
        lines->last = byte;
    }
    return true;
}
