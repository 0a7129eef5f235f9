/* SPDX-License-Identifier: MIT */
/*
 * parse.c - from the text of a program to its tree
 *
 * A line is split at blanks; its first word names an op, whose signature says how the
 * other words are read. A block reads statements until a line begins with one of the
 * words of its parts. Names are looked up once, here: running a program compares no text.
 *
 * The first mistake ends the reading: parser->failed stops every loop, and the message is
 * left in program->error.
 */
#include "program.h"
#include "values.h"

#include <stdlib.h>
#include <string.h>

#define MAX_WORDS 256

struct parser {
    struct program *program;
    struct player *player;
    const char *rest; /* the lines not read yet */
    int line;
    char *words[MAX_WORDS]; /* of the line read last */
    size_t word_count;      /* 0 at the end of the program */
    bool failed;
};

/** An argument's name in a signature. */
struct arg_type {
    const char *name;
    enum arg_kind kind;
    unsigned detail; /* ARG_BODY: bits of the kinds of body; ARG_SLOT: of the kinds of slot */
};

static const struct arg_type arg_types[] = {
    {"integer", ARG_INTEGER, 0},
    {"time", ARG_TIME, 0},
    {"when", ARG_WHEN, 0},
    {"word", ARG_WORD, 0},
    {"message", ARG_MESSAGE, 0},
    {"kind", ARG_KIND, 0},
    {"value", ARG_VALUE, 0},
    {"variable", ARG_VARIABLE, 0},
    {"comparison", ARG_COMPARISON, 0},
    {"name", ARG_NAME, 0},
    {"awaitable", ARG_AWAITABLE, 0},
    {"data", ARG_DATA, 0},
    {"coroutine", ARG_BODY, 1u << BODY_COROUTINE},
    {"callback", ARG_BODY, 1u << BODY_CALLBACK},
    {"client", ARG_BODY, 1u << BODY_COROUTINE | 1u << BODY_CALLBACK},
    {"generator", ARG_BODY, 1u << BODY_GENERATOR},
    {"manager", ARG_BODY, 1u << BODY_MANAGER},
    {"future", ARG_SLOT, 1u << SLOT_FUTURE},
    {"handle", ARG_SLOT, 1u << SLOT_HANDLE},
    {"timeout", ARG_SLOT, 1u << SLOT_TIMEOUT},
    {"taskgroup", ARG_SLOT, 1u << SLOT_TASKGROUP},
    {"lock", ARG_SLOT, 1u << SLOT_LOCK},
    {"lockable", ARG_SLOT, 1u << SLOT_LOCK | 1u << SLOT_CONDITION | 1u << SLOT_SEMAPHORE},
    {"event", ARG_SLOT, 1u << SLOT_EVENT},
    {"condition", ARG_SLOT, 1u << SLOT_CONDITION},
    {"barrier", ARG_SLOT, 1u << SLOT_BARRIER},
    {"queue", ARG_SLOT, 1u << SLOT_QUEUE},
    {"cvar", ARG_SLOT, 1u << SLOT_CONTEXTVAR},
    {"token", ARG_SLOT, 1u << SLOT_TOKEN},
    {"context", ARG_SLOT, 1u << SLOT_CONTEXT},
    {"agen", ARG_SLOT, 1u << SLOT_GENERATOR},
    {"reader", ARG_SLOT, 1u << SLOT_READER},
    {"writer", ARG_SLOT, 1u << SLOT_WRITER},
    {"transport", ARG_SLOT, 1u << SLOT_TRANSPORT},
};

static const struct level *const levels[] = {
    &level_core,    &level_tasks,      &level_compounds, &level_sync,
    &level_context, &level_generators, &level_streams,
};

static struct statement *parse_statements(struct parser *parser, const char *closers);

static void fail(struct parser *parser, const char *what, const char *word)
{
    if (parser->failed)
        return;
    parser->failed = true;
    parser->program->error =
        arena_format(parser->program->arena, "line %d: %s '%s'", parser->line, what, word);
}

/* ---- Lines and words ---------------------------------------------------------------- */

static void split_line(struct parser *parser, const char *line, size_t length)
{
    static const char blanks[] = " \t\r";
    char *copy = arena_copy(parser->program->arena, line, length);
    char *save = NULL;
    char *word;

    parser->word_count = 0;
    for (word = strtok_r(copy, blanks, &save); word != NULL; word = strtok_r(NULL, blanks, &save)) {
        if (parser->word_count == MAX_WORDS) {
            fail(parser, "too many words on the line of", parser->words[0]);
            return;
        }
        parser->words[parser->word_count++] = word;
    }
}

/* Read the next line that says something. False at the end, or after a mistake. */
static bool next_line(struct parser *parser)
{
    while (!parser->failed && *parser->rest != '\0') {
        size_t length = strcspn(parser->rest, "\n");
        const char *line = parser->rest;

        parser->rest += length + (line[length] == '\n');
        parser->line++;
        split_line(parser, line, length);
        if (parser->word_count > 0 && parser->words[0][0] != '#')
            return !parser->failed;
    }
    parser->word_count = 0;
    return false;
}

/* Whether a word is one of those in a list separated by blanks. */
static bool is_among(const char *word, const char *list)
{
    size_t length = strlen(word);
    const char *at = list;

    while ((at = strstr(at, word)) != NULL) {
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
        at += length;
    }
    return false;
}

/* ---- Names --------------------------------------------------------------------------- */

struct slot *program_slot(struct program *program, const char *name)
{
    struct slot *slot;

    for (slot = program->slots; slot != NULL; slot = slot->next) {
        if (strcmp(slot->name, name) == 0)
            return slot;
    }
    slot = arena_alloc(program->arena, sizeof(*slot));
    slot->name = name;
    slot->next = program->slots;
    program->slots = slot;
    return slot;
}

struct body *program_body(struct program *program, const char *name)
{
    struct body *body;

    for (body = program->bodies; body != NULL; body = body->next) {
        if (strcmp(body->name, name) == 0)
            return body;
    }
    body = arena_alloc(program->arena, sizeof(*body));
    body->name = name;
    body->next = program->bodies;
    program->bodies = body;
    return body;
}

static struct variable *program_variable(struct program *program, const char *name)
{
    struct variable *variable;

    for (variable = program->variables; variable != NULL; variable = variable->next) {
        if (strcmp(variable->name, name) == 0)
            return variable;
    }
    variable = arena_alloc(program->arena, sizeof(*variable));
    variable->name = name;
    variable->next = program->variables;
    program->variables = variable;
    return variable;
}

/* ---- Arguments ----------------------------------------------------------------------- */

static long parse_integer(struct parser *parser, const char *word)
{
    char *end;
    long number = strtol(word, &end, 10);

    if (end == word || *end != '\0')
        fail(parser, "not an integer:", word);
    return number;
}

static double parse_time(struct parser *parser, const char *word)
{
    if (strcmp(word, "none") == 0)
        return AIO_FOREVER;
    return (double)parse_integer(parser, word) / 1e6;
}

static long parse_comparison(struct parser *parser, const char *word)
{
    static const char *const comparisons[] = {"==", "!=", "<", "<=", ">", ">="};
    size_t i;

    for (i = 0; i < sizeof(comparisons) / sizeof(comparisons[0]); i++) {
        if (strcmp(word, comparisons[i]) == 0)
            return (long)i;
    }
    fail(parser, "not a comparison:", word);
    return COMPARE_EQ;
}

static int parse_kind(struct parser *parser, const char *word)
{
    int code = kind_code(word);

    if (code == 0)
        fail(parser, "not a kind of exception:", word);
    return code;
}

static void parse_slot(struct parser *parser, struct arg *arg, const char *word)
{
    arg->is_self = strcmp(word, "self") == 0;
    if (!arg->is_self)
        arg->slot = program_slot(parser->program, word);
}

static void parse_body_name(struct parser *parser, struct arg *arg, const char *word,
                            unsigned kinds)
{
    arg->body = program_body(parser->program, word);
    arg->body_kinds = kinds; /* looked at by check_bodies(): the body may stand further down */
}

static void parse_data(struct parser *parser, struct arg *arg, const char *word)
{
    if (!data_read(parser->program->arena, word, &arg->data))
        fail(parser, "not data:", word);
}

static void parse_arg(struct parser *parser, struct arg *arg, const struct arg_type *type,
                      const char *word)
{
    arg->kind = type->kind;
    arg->text = word;
    switch (type->kind) {
    case ARG_INTEGER: arg->number = parse_integer(parser, word); break;
    case ARG_TIME: arg->seconds = parse_time(parser, word); break;
    case ARG_WHEN:
        arg->is_relative = word[0] == '+';
        arg->seconds = parse_time(parser, word + arg->is_relative);
        break;
    case ARG_WORD: break;
    case ARG_MESSAGE: arg->text = message_mark(parser->program->arena, word); break;
    case ARG_KIND: arg->code = parse_kind(parser, word); break;
    case ARG_VALUE: arg->value = value_pack(parser->program->arena, word); break;
    case ARG_VARIABLE: arg->variable = program_variable(parser->program, word); break;
    case ARG_COMPARISON: arg->number = parse_comparison(parser, word); break;
    case ARG_DATA: parse_data(parser, arg, word); break;
    case ARG_BODY: parse_body_name(parser, arg, word, type->detail); break;
    case ARG_NAME: parse_slot(parser, arg, word); break;
    case ARG_SLOT:
        arg->slot_kinds = type->detail;
        parse_slot(parser, arg, word);
        break;
    case ARG_AWAITABLE:
        if (word[0] == '@') {
            parse_body_name(parser, arg, word + 1, 1u << BODY_COROUTINE);
        } else {
            arg->slot_kinds = 1u << SLOT_FUTURE;
            parse_slot(parser, arg, word);
        }
        break;
    }
}

/* The type that a name of the signature stands for; *mark is the `?` or `*` behind it. */
static const struct arg_type *arg_type_find(const char *name, size_t length, char *mark)
{
    size_t i;

    *mark = '\0';
    if (length > 0 && (name[length - 1] == '?' || name[length - 1] == '*'))
        *mark = name[--length];
    for (i = 0; i < sizeof(arg_types) / sizeof(arg_types[0]); i++) {
        if (strlen(arg_types[i].name) == length && memcmp(arg_types[i].name, name, length) == 0)
            return &arg_types[i];
    }
    die("a signature names '%.*s', which is no argument", (int)length, name);
}

/* Read the words behind the op by its signature. */
static void parse_args(struct parser *parser, struct statement *statement)
{
    const char *signature = statement->op->args;
    size_t count = parser->word_count - 1;
    size_t i = 0;

    statement->args = arena_alloc(parser->program->arena, (count + 1) * sizeof(struct arg));
    while (*signature != '\0') {
        size_t length = strcspn(signature, " ");
        char mark;
        const struct arg_type *type = arg_type_find(signature, length, &mark);

        if (i == count) {
            if (mark == '\0')
                fail(parser, "too few arguments of", parser->words[0]);
            break;
        }
        do {
            parse_arg(parser, &statement->args[i], type, parser->words[i + 1]);
            i++;
        } while (mark == '*' && i < count);
        signature += length;
        signature += strspn(signature, " ");
    }
    statement->arg_count = i;
    if (i < count)
        fail(parser, "too many arguments of", parser->words[0]);
}

/* ---- Statements ---------------------------------------------------------------------- */

static const struct op *op_find(const char *name, bool declaration)
{
    size_t i;

    for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        const struct op *op = declaration ? levels[i]->declarations : levels[i]->ops;

        for (; op != NULL && op->name != NULL; op++) {
            if (strcmp(op->name, name) == 0)
                return op;
        }
    }
    return NULL;
}

/* What the trace calls the statement: the op, and as many of its arguments as it shows. */
static const char *subject_of(struct parser *parser, const struct op *op)
{
    size_t shown = op->subject_bare ? 0 : op->subject_args == 0 ? 1 : op->subject_args;
    const char *subject = op->title != NULL ? op->title : op->name;
    size_t i;

    for (i = 1; i <= shown && i < parser->word_count; i++)
        subject = arena_format(parser->program->arena, "%s %s", subject, parser->words[i]);
    return subject;
}

/* Read the parts of a block, up to the last of the words in op->parts. */
static void parse_parts(struct parser *parser, struct statement *statement)
{
    const char *last = strrchr(statement->op->parts, ' ');
    struct part **link = &statement->parts;

    last = last == NULL ? statement->op->parts : last + 1;
    for (;;) {
        struct part *part = arena_alloc(parser->program->arena, sizeof(*part));

        part->word = parser->words[0];
        if (strcmp(part->word, "except") == 0) {
            if (parser->word_count == 2)
                part->code = parse_kind(parser, parser->words[1]);
            else
                fail(parser, "one kind, please, after", part->word);
        }
        *link = part;
        link = &part->next;
        part->first = parse_statements(parser, statement->op->parts);
        if (parser->failed || strcmp(parser->words[0], last) == 0)
            return;
    }
}

static struct statement *parse_statement(struct parser *parser, bool declaration)
{
    const struct op *op = op_find(parser->words[0], declaration);
    struct statement *statement;

    if (op == NULL) {
        fail(parser, declaration ? "unknown declaration" : "unknown op", parser->words[0]);
        return NULL;
    }
    statement = arena_alloc(parser->program->arena, sizeof(*statement));
    statement->op = op;
    statement->line = parser->line;
    statement->subject = subject_of(parser, op);
    parse_args(parser, statement);
    if (op->parts != NULL && !parser->failed)
        parse_parts(parser, statement);
    return statement;
}

/* Read statements up to a line that begins with one of the closing words. */
static struct statement *parse_statements(struct parser *parser, const char *closers)
{
    struct statement *first = NULL;
    struct statement **link = &first;

    while (next_line(parser)) {
        if (is_among(parser->words[0], closers))
            return first;
        *link = parse_statement(parser, false);
        if (*link == NULL)
            return NULL;
        link = &(*link)->next;
    }
    fail(parser, "the program ends before", closers);
    return first;
}

/* ---- Declarations and bodies --------------------------------------------------------- */

static enum body_kind body_kind_of(const char *word)
{
    if (strcmp(word, "coro") == 0)
        return BODY_COROUTINE;
    if (strcmp(word, "callback") == 0)
        return BODY_CALLBACK;
    if (strcmp(word, "agen") == 0)
        return BODY_GENERATOR;
    if (strcmp(word, "cm") == 0)
        return BODY_MANAGER;
    return BODY_MISSING;
}

static void parse_body(struct parser *parser, enum body_kind kind)
{
    struct body *body;

    if (parser->word_count != 2) {
        fail(parser, "one name, please, after", parser->words[0]);
        return;
    }
    body = program_body(parser->program, parser->words[1]);
    if (body->kind != BODY_MISSING)
        fail(parser, "a second body of the name", body->name);
    body->kind = kind;
    body->player = parser->player;
    if (kind != BODY_MANAGER) {
        body->first = parse_statements(parser, "end");
        return;
    }
    if (!next_line(parser) || strcmp(parser->words[0], "enter") != 0)
        fail(parser, "no line 'enter' in", body->name);
    body->first = parse_statements(parser, "exit");
    body->exit = parse_statements(parser, "end");
}

/* Whether every body that a statement names is there, and of the right kind. */
static void check_bodies(struct parser *parser, const struct statement *statement)
{
    for (; statement != NULL; statement = statement->next) {
        const struct part *part;
        size_t i;

        parser->line = statement->line;
        for (i = 0; i < statement->arg_count; i++) {
            const struct arg *arg = &statement->args[i];

            if (arg->body != NULL && (arg->body_kinds & 1u << arg->body->kind) == 0)
                fail(parser, "no body of that kind has the name", arg->body->name);
        }
        for (part = statement->parts; part != NULL; part = part->next)
            check_bodies(parser, part->first);
    }
}

bool program_parse(struct program *program, struct player *player, const char *text)
{
    struct parser parser = {.program = program, .player = player, .rest = text};
    struct statement **link = &program->declarations;
    struct body *body;

    while (next_line(&parser)) {
        enum body_kind kind = body_kind_of(parser.words[0]);

        if (kind != BODY_MISSING) {
            parse_body(&parser, kind);
        } else {
            *link = parse_statement(&parser, true);
            if (*link != NULL)
                link = &(*link)->next;
        }
    }
    for (body = program->bodies; body != NULL; body = body->next) {
        check_bodies(&parser, body->first);
        check_bodies(&parser, body->exit);
    }
    if (program_body(program, "main")->kind != BODY_COROUTINE)
        fail(&parser, "there is no coro", "main");
    return !parser.failed;
}
