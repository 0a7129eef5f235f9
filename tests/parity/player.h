/* SPDX-License-Identifier: MIT */
/*
 * player.h - one run of one program: its loop, its trace, what it keeps alive
 *
 * For all of the player. Which file does what:
 *
 *   main.c      options; one program, a corpus, or a check against the expected traces
 *   text.c      memory and texts          values.c     values and exceptions
 *   parse.c     text to tree              player.c     the run, from main to shutdown
 *   interp.c    frames, blocks, plain statements, and what ops share
 *   tasks.c     level 1                   compounds.c  level 2
 *   sync.c      level 3                   context.c    level 4, but for
 *   starve.c    allocations that fail     generators.c its generators
 *   host.c      whose guest the loop may be
 *   streams.c   level 5, but for          transport.c  its transports
 */
#ifndef PARITY_PLAYER_H
#define PARITY_PLAYER_H

#include "program.h"

#include <aio/aio.h>

/* Of a task or generator: bodies are run by recursion, and sanitizers make frames large. */
#define STACK_BYTES (256u * 1024u)

/** Something to drop when the run is over. */
struct kept {
    void *object;
    void (*unref)(void *object);
    struct kept *next;
};

/** The name under which a future or task was made. */
struct label {
    const aio_future *future;
    const char *name;
    struct label *next;
};

struct player {
    struct arena arena;
    struct program program;
    struct text *trace;  /* where lines go; borrowed */
    struct text unheard; /* where they go when the run is over */
    bool quiet;
    bool has_generators;    /* some were made: the shutdown closes them */
    struct uv_loop_s *host; /* only where way.in_host */
    aio_loop *loop;
    double start; /* the loop's time at the beginning, which the trace calls 0 */
    unsigned implicit_tasks;
    bool shutting_down; /* generators are being closed */
    unsigned deadlocks;
    struct kept *kept; /* newest first */
    struct label *labels;
};

/** How programs are played: what a program sees is the same. */
struct way {
    bool in_host; /* the loop is the guest of a host's uv_loop_t */
    bool debug;   /* in debug mode */
};
extern struct way way;

/*
 * Play a program and append its trace. Returns false if it could not be read or the loop not
 * be made, and appends to the error why.
 */
bool play(const char *text, struct text *trace, struct text *error);

/** @name The trace: `TIME WHO TEXT` @{ */
/* Begin a line, and end it; what stands between is added to the text. */
struct text *say_begin(struct player *player);
void say_end(struct player *player);
void say(struct player *player, const char *format, ...) AIO_PRINTF(2, 3);
void say_value(struct player *player, const char *subject, const void *value);
void say_bool(struct player *player, const char *subject, bool value);
void say_error(struct player *player, const char *subject, const aio_exception *error);
/* Add ` ! EXC` to a line, unless the error is NULL. */
void add_error(struct text *line, const aio_exception *error);
/** @} */

/*
 * The names of the tasks that are not done, sorted by bytes and with commas between; `-` if
 * there are none. 0 or a negative code.
 */
int task_names(struct player *player, const char **ret_names, size_t *ret_count);

/* Take over a reference that is dropped when the run is over. NULL is allowed. */
void keep(struct player *player, void *object, void (*unref)(void *object));
/* Bind a name to an object, whose reference is taken over. NULL leaves the name as it was. */
void bind(struct player *player, struct slot *slot, enum slot_kind kind, void *object,
          void (*unref)(void *object));
/* bind() for futures, which get the slot's name as label. */
void bind_future(struct player *player, struct slot *slot, aio_future *future);

/* A name for a task that the program gives none: Task-N. */
const char *implicit_name(struct player *player);
/* Remember under which name a future was made; only the first name counts. */
void label_set(struct player *player, const aio_future *future, const char *name);
const char *label_of(struct player *player, aio_future *future);

/* Microseconds of a loop's time, and the loop's time of seconds of the program. */
long time_to_us(struct player *player, double when);
double time_of_loop(struct player *player, double seconds);

/* The unref functions, in the shape that keep() asks for. */
void unref_future(void *object);
void unref_handle(void *object);

#endif
