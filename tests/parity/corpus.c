/* SPDX-License-Identifier: MIT */
/*
 * corpus.c - files of programs with the traces that CPython's asyncio gave
 */
#include "corpus.h"

#include <string.h>

#define CASE_LINE  "=== case "
#define TRACE_LINE "--- trace"

bool file_read(FILE *file, struct text *text)
{
    char buffer[8192];
    size_t length;

    text_clear(text);
    text_add(text, ""); /* so that data is there even for an empty file */
    while ((length = fread(buffer, 1, sizeof(buffer), file)) > 0)
        text_append(text, buffer, length);
    return ferror(file) == 0;
}

/* Append the lines from *at on, up to one that begins with `end`, or to the end. */
static void take_lines(const char **at, const char *end, struct text *text)
{
    const char *line = *at;

    while (*line != '\0' && strncmp(line, end, strlen(end)) != 0) {
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    text_clear(text);
    text_append(text, *at, (size_t)(line - *at));
    *at = line;
}

static void skip_line(const char **at)
{
    *at += strcspn(*at, "\n");
    *at += **at == '\n';
}

bool corpus_next(const char **at, struct corpus_case *ret_case)
{
    while (**at == '\n')
        skip_line(at);
    if (sscanf(*at, CASE_LINE "%127s %d", ret_case->id, &ret_case->level) != 2)
        return false;
    skip_line(at);
    take_lines(at, TRACE_LINE, &ret_case->program);
    skip_line(at);
    take_lines(at, CASE_LINE, &ret_case->expected);
    return true;
}

void corpus_case_free(struct corpus_case *item)
{
    text_free(&item->program);
    text_free(&item->expected);
}
