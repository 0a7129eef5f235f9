/* SPDX-License-Identifier: MIT */
/*
 * error_text.c - an error as the text Python would print for it
 *
 * The layout is that of Python's traceback module: causes before what they caused,
 * and the members of a group in a frame drawn with |, + and -. As there, a group
 * shows 15 members, and groups nest 10 deep. That bounds the recursion; the chain of
 * causes, which has no bound, is walked without any.
 */
#include "base/error_internal.h"

#include <stdio.h>
#include <string.h>

#define GROUP_WIDTH 15
#define GROUP_DEPTH 10

/* Where the text goes, counted even when it no longer fits, as snprintf does. */
struct text {
    char *buffer;
    size_t size;
    size_t length;
    unsigned depth;    /* of groups around what is written */
    bool at_line;      /* the next character begins a line */
    bool frame_opened; /* the frame around the last member is still to be closed */
};

static void put_char(struct text *text, char c)
{
    if (text->length + 1 < text->size)
        text->buffer[text->length] = c;
    text->length++;
}

static void put_indent(struct text *text)
{
    for (unsigned i = 0; i < text->depth; i++) {
        put_char(text, ' ');
        put_char(text, ' ');
    }
}

/* Write within the frames: each line begins with the margin of the innermost one. */
static void put_margin(struct text *text, const char *string, char margin)
{
    for (; *string != '\0'; string++) {
        if (text->at_line && text->depth > 0) {
            put_indent(text);
            put_char(text, margin);
            put_char(text, ' ');
        }
        put_char(text, *string);
        text->at_line = *string == '\n';
    }
}

static void put(struct text *text, const char *string)
{
    put_margin(text, string, '|');
}

/* Write a line of the frame itself. */
static void put_rule(struct text *text, const char *corner, const char *title)
{
    put_indent(text);
    for (; *corner != '\0'; corner++)
        put_char(text, *corner);
    for (; *title != '\0'; title++)
        put_char(text, *title);
    put_char(text, '\n');
    text->at_line = true;
}

static void write_place(struct text *text, const aio_exception *error)
{
    char line[32];

    if (error->file == NULL)
        return;
    (void)snprintf(line, sizeof(line), "\", line %d", error->line);
    put(text, "  File \"");
    put(text, error->file);
    put(text, line);
    if (error->function != NULL) {
        put(text, ", in ");
        put(text, error->function);
    }
    put(text, "\n");
}

static void write_message(struct text *text, const aio_exception *error)
{
    const char *message = error->message != NULL ? error->message : aio_strerror(error->code);
    char number_text[64] = "";
    int number;

    if (error->message == NULL && message[0] != '\0' && aio__error_number(error->code, &number))
        (void)snprintf(number_text, sizeof(number_text), "[Errno %d] ", number);
    else if (error->message == NULL && error->code <= AIO_EUSER)
        (void)snprintf(number_text, sizeof(number_text), "code %d", error->code);
    else if (error->member_count > 0)
        (void)snprintf(number_text, sizeof(number_text), " (%zu sub-exception%s)",
                       error->member_count, error->member_count > 1 ? "s" : "");

    put(text, aio_error_name(error->code));
    if (message[0] != '\0' || number_text[0] != '\0')
        put(text, ": ");
    if (error->member_count == 0)
        put(text, number_text);
    put(text, message);
    if (error->member_count > 0)
        put(text, number_text);
    put(text, "\n");
}

static void write_error(struct text *text, const aio_exception *error);

static void write_member(struct text *text, const aio_exception *group, size_t index)
{
    char line[64];

    if (index < GROUP_WIDTH) {
        write_error(text, group->members[index]);
        return;
    }
    (void)snprintf(line, sizeof(line), "and %zu more exception%s\n",
                   group->member_count - GROUP_WIDTH,
                   group->member_count - GROUP_WIDTH > 1 ? "s" : "");
    put(text, line);
}

static void write_members(struct text *text, const aio_exception *group)
{
    size_t shown = group->member_count <= GROUP_WIDTH ? group->member_count : GROUP_WIDTH + 1;
    char title[64];

    text->frame_opened = false;
    for (size_t i = 0; i < shown; i++) {
        if (i < GROUP_WIDTH)
            (void)snprintf(title, sizeof(title), "---------------- %zu ----------------", i + 1);
        else
            (void)snprintf(title, sizeof(title), "---------------- ... ----------------");
        /* A group that is the last member closes the frames of all those around it. */
        if (i + 1 == shown)
            text->frame_opened = true;
        put_rule(text, i == 0 ? "+-+" : "  +", title);
        text->depth++;
        write_member(text, group, i);
        if (i + 1 == shown && text->frame_opened) {
            put_rule(text, "+", "------------------------------------");
            text->frame_opened = false;
        }
        text->depth--;
    }
}

static void write_group(struct text *text, const aio_exception *group)
{
    bool outermost = text->depth == 0;
    char line[64];

    if (text->depth > GROUP_DEPTH) {
        (void)snprintf(line, sizeof(line), "... (max_group_depth is %d)\n", GROUP_DEPTH);
        put(text, line);
        return;
    }
    if (outermost)
        text->depth++;
    if (group->file != NULL)
        put_margin(text, "Exception Group Traceback (most recent call last):\n",
                   outermost ? '+' : '|');
    write_place(text, group);
    write_message(text, group);
    write_members(text, group);
    if (outermost)
        text->depth--;
}

static const aio_exception *cause_behind(const aio_exception *error, size_t steps)
{
    while (steps-- > 0)
        error = error->cause;
    return error;
}

/* The first cause comes first. Finding each from the front costs the square of the
 * chain's length and no memory; chains are short. */
static void write_error(struct text *text, const aio_exception *error)
{
    size_t causes = 0;

    for (const aio_exception *cause = error->cause; cause != NULL; cause = cause->cause)
        causes++;
    for (size_t left = causes + 1; left-- > 0;) {
        const aio_exception *one = cause_behind(error, left);

        if (left != causes)
            put(text, "\nThe above exception was the direct cause of the following exception:"
                      "\n\n");
        if (one->member_count > 0) {
            write_group(text, one);
            continue;
        }
        if (one->file != NULL)
            put(text, "Traceback (most recent call last):\n");
        write_place(text, one);
        write_message(text, one);
    }
}

size_t aio_exception_format(const aio_exception *error, char *buffer, size_t size)
{
    struct text text = {.buffer = buffer, .size = size, .at_line = true};

    if (error != NULL)
        write_error(&text, error);
    if (text.length > 0)
        text.length--; /* the last newline: whoever prints the text ends the line */
    if (size > 0)
        buffer[text.length < size ? text.length : size - 1] = '\0';
    return text.length;
}
