/* SPDX-License-Identifier: MIT */
/*
 * lines.h - which line of which source file a place in the program is from
 *
 * For dumps, which people read. elfutils' libdw knows; it is loaded when somebody asks for the first
 * time. Where it is not installed, or the program has no debug information, no line is known.
 */
#ifndef AIO__LINES_H
#define AIO__LINES_H

#include <aio/common.h>

enum { AIO__LINE_FILE = 256 };

struct aio__line {
    char file[AIO__LINE_FILE]; /* as the compiler was given it; "" if it is not known */
    int number;
};

struct aio__lines;

/*
 * Open the process's debug information. It holds descriptors of the program's files, so that it is
 * for a moment only. NULL, which may be asked and closed as well: there is none to be had.
 *
 * All of these use more stack than a fiber has, and take one of their own. Thread: any; each one
 * that was opened belongs to who has opened it.
 */
struct aio__lines *aio__lines_open(void);
void aio__lines_close(struct aio__lines *lines);

/* The line of an address. */
void aio__line_find(struct aio__lines *lines, const void *address, struct aio__line *ret_line);

#endif
