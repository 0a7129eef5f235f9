/* SPDX-License-Identifier: MIT */
/*
 * program.h - a program of the parity language as a tree, and what its names stand for
 *
 * For all of the player. The parser makes the tree (parse.c) and the interpreter walks it
 * (interp.c). Everything here lives in the arena of one program.
 */
#ifndef PARITY_PROGRAM_H
#define PARITY_PROGRAM_H

#include "text.h"

struct player;
struct frame;
struct statement;

/** How a statement, or a block of them, was left. */
enum flow {
    FLOW_NEXT,   /* go on with the next one */
    FLOW_BREAK,  /* leave the innermost loop */
    FLOW_RETURN, /* leave the body, with the frame's result */
    FLOW_RAISE   /* the frame's raised error is on its way up */
};

/** What a slot holds. */
enum slot_kind {
    SLOT_UNBOUND,
    SLOT_FUTURE, /* tasks, gathers and shields too */
    SLOT_HANDLE,
    SLOT_TIMEOUT,
    SLOT_TASKGROUP,
    SLOT_LOCK,
    SLOT_EVENT,
    SLOT_CONDITION,
    SLOT_SEMAPHORE,
    SLOT_BARRIER,
    SLOT_QUEUE,
    SLOT_CONTEXTVAR,
    SLOT_TOKEN,
    SLOT_CONTEXT,
    SLOT_GENERATOR,
    SLOT_READER,
    SLOT_WRITER,
    SLOT_TRANSPORT
};

/** A name that ops bind objects to: one table for the whole program. */
struct slot {
    const char *name;
    enum slot_kind kind;
    void *object; /* borrowed: the player keeps what was ever bound to the end */
    struct slot *next;
};

/** An integer variable. */
struct variable {
    const char *name;
    long value;
    struct variable *next;
};

enum body_kind {
    BODY_MISSING, /* named, but not defined (so far) */
    BODY_COROUTINE,
    BODY_CALLBACK,
    BODY_GENERATOR,
    BODY_MANAGER
};

/** A coroutine, callback, generator or context manager of the program. */
struct body {
    const char *name;
    enum body_kind kind;
    struct player *player;   /* so that a body is all that a task or callback needs to get */
    struct statement *first; /* of a manager: the enter part */
    struct statement *exit;  /* of a manager only */
    struct body *next;
};

/** Bytes of the program. */
struct data {
    const char *bytes; /* in the arena; a 0 follows them */
    size_t size;
};

/** How V OP N compares. */
enum comparison { COMPARE_EQ, COMPARE_NE, COMPARE_LT, COMPARE_LE, COMPARE_GT, COMPARE_GE };

/** What an argument is read as; the names in a signature stand in parse.c. */
enum arg_kind {
    ARG_INTEGER,    /* number */
    ARG_TIME,       /* seconds, from microseconds; AIO_FOREVER for none */
    ARG_WHEN,       /* the same, or relative: +US */
    ARG_WORD,       /* text */
    ARG_MESSAGE,    /* text, marked as the program's (values.h) */
    ARG_KIND,       /* code of the exception */
    ARG_VALUE,      /* value, as a result travels (values.h) */
    ARG_DATA,       /* data */
    ARG_VARIABLE,   /* variable */
    ARG_COMPARISON, /* number, an enum comparison */
    ARG_BODY,       /* body, of one of the kinds that the signature asks for */
    ARG_NAME,       /* slot, bound or not */
    ARG_SLOT,       /* slot, bound to something of the kinds that the signature asks for */
    ARG_AWAITABLE   /* @BODY: body; otherwise a slot that holds a future */
};

/** An argument of a statement: the text always, and the field that its kind names. */
struct arg {
    enum arg_kind kind;
    bool is_self;     /* a slot argument: the current task */
    bool is_relative; /* ARG_WHEN: +US */
    const char *text;
    long number;
    double seconds;
    int code;
    void *value;
    struct data data;
    struct variable *variable;
    struct slot *slot;
    unsigned slot_kinds; /* ARG_SLOT: bits of the kinds allowed */
    struct body *body;
    unsigned body_kinds; /* bits of the kinds allowed */
};

/** One of the parts of a block: the first one, `except KIND`, `else`, ... */
struct part {
    const char *word; /* the line that begins it */
    int code;         /* the class that `except` catches */
    struct statement *first;
    struct part *next;
};

struct statement {
    const struct op *op;
    int line;
    struct arg *args;
    size_t arg_count;
    const char *subject; /* what stands before " = " and " ! " in the trace */
    struct part *parts;  /* of a block, in order */
    struct statement *next;
};

/** What runs a statement. */
typedef enum flow (*op_fn)(struct frame *frame, const struct statement *statement);

/** A word of the language that begins a statement or a declaration. */
struct op {
    const char *name;
    const char *args; /* signature: names of arguments, `?` behind optional ones, `*` behind
                         the last if it may repeat or be missing */
    op_fn run;
    const char *title; /* what the trace calls it, if not by its name */
    const char *parts; /* of a block: the words that begin its parts, then the one that ends it */
    unsigned subject_args; /* how many arguments the trace shows, if not one */
    bool subject_bare;     /* or none at all */
};

/** The ops and declarations of one level; each array ends with an empty entry. */
struct level {
    const struct op *ops;
    const struct op *declarations;
};

extern const struct level level_core;       /* interp.c: blocks and plain statements */
extern const struct level level_tasks;      /* tasks.c: level 1 */
extern const struct level level_compounds;  /* compounds.c: level 2 */
extern const struct level level_sync;       /* sync.c: level 3 */
extern const struct level level_context;    /* context.c: level 4 */
extern const struct level level_generators; /* generators.c: level 4 */
extern const struct level level_streams;    /* streams.c: level 5 */

struct program {
    struct arena *arena;
    struct slot *slots;
    struct variable *variables;
    struct body *bodies;
    struct statement *declarations;
    const char *error; /* why it could not be read; NULL if it could */
};

/*
 * Read a program. Bodies point to the player. Returns false, with program->error set,
 * for a program that is not of the language.
 */
bool program_parse(struct program *program, struct player *player, const char *text);

/* The slot, body of that name, made if there is none. */
struct slot *program_slot(struct program *program, const char *name);
struct body *program_body(struct program *program, const char *name);

#endif
