/* SPDX-License-Identifier: MIT */
/*
 * starve.c - playing programs while memory is short
 *
 * The traces say nothing about a shortage, so that what is tested here is the promise of the
 * library alone: a call that needed the memory fails, and nothing leaks or breaks.
 *
 * Thread: one; the programs use no executor.
 */
#include "starve.h"
#include "player.h"

#include <stdlib.h>

static size_t live;      /* blocks allocated and not freed */
static size_t countdown; /* to the allocation that fails; 0: it is behind us, or none does */

static bool runs_short(void)
{
    return countdown > 0 && --countdown == 0;
}

static void *allocate(size_t bytes, void *arg)
{
    void *memory = runs_short() ? NULL : malloc(bytes);

    live += memory != NULL;
    return memory;
}

static void *reallocate(void *old, size_t bytes, void *arg)
{
    void *memory = runs_short() ? NULL : realloc(old, bytes);

    live += memory != NULL && old == NULL;
    return memory;
}

static void release(void *memory, void *arg)
{
    live -= memory != NULL;
    free(memory);
}

void starve_prepare(void)
{
    static const aio_allocator allocator = {
        .size = sizeof(allocator),
        .allocate = allocate,
        .reallocate = reallocate,
        .release = release,
    };

    if (aio_set_allocator(&allocator) < 0)
        die("the allocator is refused");
}

/* An error raised outside of any task travels with its thread: take it, and drop it. */
static void drop_raised(void)
{
    aio_exception_unref(aio_error_catch(aio_raise(AIO_EVALUE, "the last one")));
}

/* Play with the nth allocation failing. False if there are not so many. */
static bool play_short(const char *program, size_t nth, struct text *trace, struct text *error,
                       bool *ret_played)
{
    bool failed;

    text_clear(trace);
    text_clear(error);
    countdown = nth;
    *ret_played = play(program, trace, error);
    failed = countdown == 0;
    countdown = 0;
    drop_raised();
    return failed;
}

bool starve(const char *program, struct text *trace, struct text *error)
{
    size_t nth;
    size_t before = live;
    bool played;

    for (nth = 1; play_short(program, nth, trace, error, &played); nth++) {
        if (live == before)
            continue;
        /* The thread may have made something that it keeps; what leaks, leaks again. */
        before = live;
        play_short(program, nth, trace, error, &played);
        if (live != before) {
            text_format(error, "%zu blocks left when allocation %zu failed", live - before, nth);
            return false;
        }
    }
    return played;
}
