/* SPDX-License-Identifier: MIT */
/*
 * frames.c - the calls that a task is in the middle of
 *
 * A suspended task is asked: its fiber is switched to, walks its own stack and switches back
 * (fiber.h). A task that waits inside a generator is suspended on the generator's fiber; whoever
 * has resumed that is asked next, until the task's own fiber has answered.
 *
 * Thread: the loop's.
 */
#include "base/backtrace.h"
#include "base/lines.h"
#include "task/generator_internal.h"
#include "task/task_internal.h"

#include <aio/memory.h>
#include <aio/stack.h>
#include <string.h>

enum { MAX_FRAMES = 64, TASK_TEXT = 512 };

/* Places, the newest first. */
struct walk {
    const void *places[MAX_FRAMES];
    size_t count;
};

typedef void (*function)(void);

static void walk_task(struct aio__task *task, struct walk *walk);

/* The inside of the library, which no reader wants to see. */
static bool is_hidden(const void *place)
{
    static const function hidden[] = {
        (function)aio__fiber_answer,    (function)aio__strand_suspend, (function)aio__task_wait,
        (function)aio__task_yield,      (function)aio__body_resume,    (function)aio_task_get_stack,
        (function)aio_task_print_stack, (function)walk_task,
    };

    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
        if (aio__place_is_in(place, hidden[i]))
            return true;
    return false;
}

/* Keep of what a fiber's stack has given, from `start` on, what is the program's. */
static void tidy(struct walk *walk, size_t start, const aio_loop *loop,
                 const struct aio__fiber *fiber)
{
    size_t kept = start;

    for (size_t i = start; i < walk->count; i++) {
        const void *place = walk->places[i];

        if (aio__place_is_in(place, (function)loop->strand_ops->main) ||
            aio__place_is_in(place, (function)aio__fiber_runs(fiber)))
            break;
        if (!is_hidden(place))
            walk->places[kept++] = place;
    }
    walk->count = kept;
}

/* Those who have resumed the generators that the task is in. */
static void walk_callers(struct walk *walk, const aio_loop *loop, struct aio__fiber *fiber)
{
    struct aio__stacks *stacks = NULL;
    size_t start;

    while ((fiber = aio__body_caller(fiber, &stacks)) != NULL) {
        start = walk->count;
        if (start == MAX_FRAMES || fiber->low == NULL)
            return;
        walk->count +=
            aio__fiber_ask(fiber, &stacks->question, walk->places + start, MAX_FRAMES - start);
        tidy(walk, start, loop, fiber);
    }
}

AIO__NOINLINE static void walk_task(struct aio__task *task, struct walk *walk)
{
    aio_loop *loop = task->fut.loop;
    struct aio__strand *strand = &task->strand;
    struct aio__fiber *fiber = strand->fiber;

    if (!aio__future_is_pending(&task->fut))
        return;
    if (loop->current == strand && loop == aio__thread()->running) {
        fiber = loop->fiber;
        walk->count = aio__backtrace(walk->places, MAX_FRAMES);
    } else if (aio__strand_is_suspended(loop, strand)) {
        walk->count = aio__fiber_ask(fiber, &loop->question, walk->places, MAX_FRAMES);
    } else {
        if (!(task->fut.kind_flags & AIO__TASK_RUNNING_BODY))
            walk->places[walk->count++] = aio__place_of((function)task->fn);
        return;
    }
    tidy(walk, 0, loop, fiber);
    walk_callers(walk, loop, fiber);
}

static int check_task(const aio_task *task)
{
    if (task == NULL)
        return aio__null_future();
    return aio_future_is_task(task) ? 0 : aio_raise(AIO_ETYPE, "only a task has a stack");
}

/* --- for programs ------------------------------------------------------------------------- */

/* A frame with its texts behind it. */
struct named_frame {
    char function[AIO__SYMBOL_NAME];
    char object[AIO__SYMBOL_OBJECT];
    char file[AIO__LINE_FILE];
};

static const char *copy(char *place, const char *text)
{
    return text[0] == '\0' ? NULL : strcpy(place, text);
}

static void fill_frame(aio_frame *frame, struct named_frame *texts, const void *place,
                       struct aio__lines *lines)
{
    struct aio__symbol symbol;
    struct aio__line line;

    aio__symbol_find(place, &symbol);
    aio__line_find(lines, (const char *)place - 1, &line); /* the call, not what follows it */
    frame->address = place;
    frame->function = copy(texts->function, symbol.name);
    frame->object = copy(texts->object, symbol.object);
    frame->offset = symbol.offset;
    frame->file = copy(texts->file, line.file);
    frame->line = line.number;
}

int aio_task_get_stack(aio_task *task, size_t limit, aio_frame **ret_frames, size_t *ret_count)
{
    struct walk walk = {.count = 0};
    struct named_frame *texts;
    struct aio__lines *lines;
    aio_frame *frames = NULL;
    size_t count;
    int err;

    err = check_task(task);
    if (err < 0)
        return err;
    if (ret_frames == NULL || ret_count == NULL)
        return aio_raise(AIO_EVALUE, "no place for the frames");
    walk_task(aio__task_of(task), &walk);
    count = limit != 0 && limit < walk.count ? limit : walk.count;
    if (count != 0) {
        frames = aio_malloc(count * (sizeof(*frames) + sizeof(*texts)));
        if (frames == NULL)
            return AIO_ENOMEM;
        texts = (struct named_frame *)(void *)(frames + count);
        lines = aio__lines_open();
        for (size_t i = 0; i < count; i++)
            fill_frame(&frames[i], &texts[i], walk.places[count - 1 - i], lines);
        aio__lines_close(lines);
    }
    *ret_frames = frames;
    *ret_count = count;
    return 0;
}

size_t aio__task_places(aio_task *task, const void **places, size_t limit)
{
    struct walk walk = {.count = 0};

    walk_task(aio__task_of(task), &walk);
    if (walk.count < limit)
        limit = walk.count;
    memcpy(places, walk.places, limit * sizeof(*places));
    return limit;
}

char *aio__task_stack_text(aio_task *task)
{
    struct walk walk = {.count = 0};

    walk_task(aio__task_of(task), &walk);
    return walk.count == 0 ? NULL : aio__backtrace_text(walk.places, walk.count);
}

static int print_error(const aio_exception *error, FILE *file)
{
    size_t size = aio_exception_format(error, NULL, 0) + 1;
    char *text = aio_malloc(size);

    if (text == NULL)
        return AIO_ENOMEM;
    (void)aio_exception_format(error, text, size);
    (void)fprintf(file, "%s\n", text);
    aio_free(text);
    return 0;
}

int aio_task_print_stack(aio_task *task, size_t limit, FILE *file)
{
    struct walk walk = {.count = 0};
    char name[TASK_TEXT];
    char *text;
    int err;

    err = check_task(task);
    if (err < 0)
        return err;
    if (file == NULL)
        file = stderr;
    (void)aio_future_format(task, name, sizeof(name));
    if (task->state == AIO__FUTURE_FAILED && task->error != NULL) {
        (void)fprintf(file, "Traceback for %s (most recent call last):\n", name);
        return print_error(task->error, file);
    }
    walk_task(aio__task_of(task), &walk);
    if (walk.count == 0) {
        (void)fprintf(file, "No stack for %s\n", name);
        return 0;
    }
    text = aio__backtrace_text(walk.places, limit != 0 && limit < walk.count ? limit : walk.count);
    if (text == NULL)
        return AIO_ENOMEM;
    (void)fprintf(file, "Stack for %s (most recent call last):\n%s\n", name, text);
    aio_free(text);
    return 0;
}
