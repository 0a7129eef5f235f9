/* SPDX-License-Identifier: MIT */
/*
 * main.c - the parity player: programs of asyncio, played in C
 *
 * A program of the parity language (tests/parity/README.md) comes with the trace that
 * CPython's asyncio gave for it. The player plays it with this library; the traces must be
 * equal, line by line.
 */
#include "corpus.h"
#include "player.h"
#include "starve.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_FAILURES 5

static const char usage[] =
    "usage: player                            play the program on standard input\n"
    "       player --batch [OPTION...]        play a corpus on standard input\n"
    "       player --check [OPTION...] FILE   play a corpus, compare with its traces\n"
    "       player --starve [OPTION...] FILE  the same, with every allocation failing in turn\n"
    "options:\n"
    "       --levels N    only cases up to this level\n"
    "       --part I/N    only the I-th of every N cases\n"
    "       --case ID     only this one\n"
    "       --host        in a loop that is the guest of a host, which runs its uv_loop_t\n"
    "       --debug       in debug mode\n"
    "       --verbose     print the id of a case before it is played\n";

enum mode { MODE_PROGRAM, MODE_BATCH, MODE_CHECK, MODE_STARVE };

struct settings {
    enum mode mode;
    const char *file; /* NULL: standard input */
    const char *only;
    int levels;
    unsigned part;
    unsigned parts;
    bool verbose;
};

static void fail_usage(const char *word)
{
    fprintf(stderr, "player: what is '%s'?\n%s", word, usage);
    exit(2);
}

static void read_settings(int count, char **words, struct settings *ret_settings)
{
    struct settings settings = {.levels = 99, .part = 1, .parts = 1};
    int i;

    for (i = 1; i < count; i++) {
        const char *word = words[i];
        const char *next = i + 1 < count ? words[i + 1] : NULL;

        if (strcmp(word, "--batch") == 0)
            settings.mode = MODE_BATCH;
        else if (strcmp(word, "--check") == 0)
            settings.mode = MODE_CHECK;
        else if (strcmp(word, "--starve") == 0)
            settings.mode = MODE_STARVE;
        else if (strcmp(word, "--host") == 0)
            way.in_host = true;
        else if (strcmp(word, "--debug") == 0)
            way.debug = true;
        else if (strcmp(word, "--verbose") == 0)
            settings.verbose = true;
        else if (strcmp(word, "--levels") == 0 && next != NULL)
            settings.levels = atoi(words[++i]);
        else if (strcmp(word, "--case") == 0 && next != NULL)
            settings.only = words[++i];
        else if (strcmp(word, "--part") == 0 && next != NULL &&
                 sscanf(next, "%u/%u", &settings.part, &settings.parts) == 2)
            i++;
        else if (word[0] != '-' && settings.mode >= MODE_CHECK && settings.file == NULL)
            settings.file = word;
        else
            fail_usage(word);
    }
    if (settings.part < 1 || settings.part > settings.parts)
        fail_usage("--part");
    *ret_settings = settings;
}

static void read_input(const char *name, struct text *text)
{
    FILE *file = name == NULL ? stdin : fopen(name, "r");

    if (file == NULL || !file_read(file, text))
        die("cannot read %s", name == NULL ? "standard input" : name);
    if (name != NULL)
        fclose(file);
}

/* ---- One program --------------------------------------------------------------------- */

static int play_program(const struct text *program)
{
    struct text trace = {NULL, 0, 0};
    struct text error = {NULL, 0, 0};
    bool played = play(program->data, &trace, &error);

    if (played)
        fwrite(trace.data, 1, trace.length, stdout);
    else
        fprintf(stderr, "player: %s\n", error.data);
    text_free(&trace);
    text_free(&error);
    return played ? 0 : 2;
}

/* ---- A corpus ------------------------------------------------------------------------ */

struct counts {
    unsigned passed;
    unsigned failed;
};

/* Print a line of a trace, which may be at its end. */
static void print_line(const char *title, const char *line)
{
    int length = (int)strcspn(line, "\n");

    printf("  %s %.*s\n", title, length, length == 0 ? "" : line);
}

static void print_difference(const struct corpus_case *item, const char *trace)
{
    const char *expected = item->expected.data;
    unsigned line = 1;

    for (;;) {
        size_t length = strcspn(expected, "\n");

        if (expected[length] == '\0' || strncmp(expected, trace, length + 1) != 0)
            break;
        expected += length + 1;
        trace += length + 1;
        line++;
    }
    printf("FAILED %s: line %u of the trace\n", item->id, line);
    print_line("expected:", expected);
    print_line("got:     ", trace);
}

static void check_trace(const struct corpus_case *item, const struct text *trace,
                        struct counts *counts)
{
    if (strcmp(trace->data, item->expected.data) == 0) {
        counts->passed++;
        return;
    }
    if (counts->failed++ < SHOWN_FAILURES)
        print_difference(item, trace->data);
}

static void play_case(const struct settings *settings, const struct corpus_case *item,
                      struct counts *counts)
{
    struct text trace = {NULL, 0, 0};
    struct text error = {NULL, 0, 0};
    bool played;

    if (settings->verbose)
        fprintf(stderr, "%s\n", item->id);
    text_add(&trace, "");
    if (settings->mode == MODE_STARVE)
        played = starve(item->program.data, &trace, &error);
    else
        played = play(item->program.data, &trace, &error);
    if (!played) {
        fprintf(stderr, "player: case %s: %s\n", item->id, error.data);
        counts->failed++;
    } else if (settings->mode != MODE_BATCH) {
        check_trace(item, &trace, counts);
    } else {
        printf("=== case %s\n%s", item->id, trace.data);
        fflush(stdout);
    }
    text_free(&trace);
    text_free(&error);
}

static int play_corpus(const struct settings *settings, const struct text *corpus)
{
    const char *at = corpus->data;
    struct corpus_case item = {.level = 0};
    struct counts counts = {0, 0};
    unsigned index;

    for (index = 0; corpus_next(&at, &item); index++) {
        if (item.level > settings->levels || index % settings->parts + 1 != settings->part)
            continue;
        if (settings->only == NULL || strcmp(item.id, settings->only) == 0)
            play_case(settings, &item, &counts);
    }
    corpus_case_free(&item);
    if (*at != '\0')
        die("this is no corpus: %.*s", (int)strcspn(at, "\n"), at);
    if (settings->mode == MODE_BATCH)
        return counts.failed == 0 ? 0 : 2;
    printf("%u passed, %u failed\n", counts.passed, counts.failed);
    return counts.failed == 0 && counts.passed > 0 ? 0 : 1;
}

int main(int count, char **words)
{
    struct settings settings;
    struct text input = {NULL, 0, 0};
    int status;

    read_settings(count, words, &settings);
    if (settings.mode == MODE_STARVE)
        starve_prepare();
    read_input(settings.file, &input);
    if (settings.mode == MODE_PROGRAM)
        status = play_program(&input);
    else
        status = play_corpus(&settings, &input);
    text_free(&input);
    return status;
}
