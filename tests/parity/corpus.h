/* SPDX-License-Identifier: MIT */
/*
 * corpus.h - files of programs with the traces that CPython's asyncio gave
 *
 *     === case ID LEVEL FEATURE,FEATURE,...
 *     program lines
 *     --- trace
 *     expected lines
 */
#ifndef PARITY_CORPUS_H
#define PARITY_CORPUS_H

#include "text.h"

#include <stdio.h>

/** One case; its texts are its own. Zero it to begin with. */
struct corpus_case {
    char id[128];
    int level;
    struct text program;
    struct text expected;
};

/* Read a whole file. False if it cannot be read. */
bool file_read(FILE *file, struct text *text);

/*
 * Read the case that begins at *at, which moves behind it. False at the end of the text, or
 * where it is no corpus: *at then stands on something else than a 0.
 */
bool corpus_next(const char **at, struct corpus_case *ret_case);
void corpus_case_free(struct corpus_case *item);

#endif
