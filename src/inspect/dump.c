/* SPDX-License-Identifier: MIT */
/*
 * dump.c - all tasks of a loop as text, for people
 *
 * As a list, in order of creation; or as trees, each task below the one that awaits it. One that
 * several await stands below the first, and is only named below the others. Tasks that await each
 * other in a circle have no root: they come last.
 *
 * Thread: the loop's.
 */
#include "inspect/inspect_internal.h"
#include "inspect/page.h"
#include "inspect/places.h"
#include "inspect/survey.h"

#include <aio/inspect.h>
#include <aio/signal.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { MOST_FRAMES = 64, ALL_FLAGS = AIO_DUMP_TREE | AIO_DUMP_STACKS };

struct dump {
    struct aio__page page;
    struct aio__places places;
    struct aio__survey survey;
    unsigned flags;
    bool *shown; /* of each task: it has its place in a tree */
};

/* --- one task ------------------------------------------------------------------------------- */

static void put_name(struct aio__page *page, const struct aio__task *task)
{
    if (task->fut.kind_flags & AIO__TASK_NAMED)
        aio__page_put(page, task->id.name);
    else
        aio__page_printf(page, "Task-%" PRIu64, task->id.number);
}

static void put_state(struct aio__page *page, const struct aio__task *task)
{
    const aio_future *waiting = task->waiting;

    if (task->fut.loop->current == &task->strand) {
        aio__page_put(page, "running");
    } else if (task->strand.fiber == NULL) {
        aio__page_put(page, "not started");
    } else if (waiting == NULL || !aio__future_is_pending(waiting)) {
        aio__page_put(page, "ready");
    } else if (aio_future_is_task(waiting)) {
        aio__page_put(page, "awaits ");
        put_name(page, aio__task_of(waiting));
    } else {
        aio__page_printf(page, "awaits a %s", waiting->ops->name);
    }
    if (task->fut.kind_flags & AIO__FUTURE_CANCELLING)
        aio__page_put(page, ", cancelling");
}

static void put_task(struct dump *dump, const struct aio__task *task)
{
    struct aio__page *page = &dump->page;

    put_name(page, task);
    aio__page_printf(page, ": %s()", task->coroutine != NULL ? task->coroutine : "?");
    if (task->file != NULL)
        aio__page_printf(page, " of %s:%d", task->file, task->line);
    aio__page_put(page, ", ");
    put_state(page, task);
}

static void put_frame(struct dump *dump, const char *margin, const void *address)
{
    const struct aio__place *place = aio__places_find(&dump->places, address);
    const char *object;

    if (place == NULL) {
        dump->page.spoilt = true;
        return;
    }
    if (strncmp(place->symbol.name, "aio__", 5) == 0)
        return;
    aio__page_printf(&dump->page, "%s    %s", margin,
                     place->symbol.name[0] != '\0' ? place->symbol.name : "?");
    object = strrchr(place->symbol.object, '/');
    object = object != NULL ? object + 1 : place->symbol.object;
    if (place->line.number > 0)
        aio__page_printf(&dump->page, " (%s:%d)\n", place->line.file, place->line.number);
    else
        aio__page_printf(&dump->page, " (%s+0x%zx)\n", object, (size_t)place->symbol.offset);
}

/* The oldest call first, as a traceback has it. */
static void put_stack(struct dump *dump, const char *margin, struct aio__task *task)
{
    const void *places[MOST_FRAMES];
    size_t count;

    if (!(dump->flags & AIO_DUMP_STACKS))
        return;
    count = aio__task_places(&task->fut, places, MOST_FRAMES);
    while (count > 0)
        put_frame(dump, margin, places[--count]);
}

/* --- a list --------------------------------------------------------------------------------- */

struct awaiters {
    struct aio__page *page;
    const aio_future *last;
    size_t count;
};

static void put_awaiter(aio_future *awaiter, void *arg)
{
    struct awaiters *awaiters = arg;

    if (awaiter == awaiters->last)
        return;
    awaiters->last = awaiter;
    aio__page_put(awaiters->page, awaiters->count++ == 0 ? ", awaited by " : " ");
    put_name(awaiters->page, aio__task_of(awaiter));
}

static void put_list(struct dump *dump)
{
    for (size_t i = 0; i < dump->survey.count; i++) {
        struct aio__task *task = dump->survey.tasks[i];
        struct awaiters awaiters = {.page = &dump->page};

        put_task(dump, task);
        aio__task_each_awaiter(&task->fut, put_awaiter, &awaiters);
        aio__page_put(&dump->page, "\n");
        put_stack(dump, "", task);
    }
}

/* --- trees ---------------------------------------------------------------------------------- */

/* Deeper ones are named where they are cut off, and come again as roots. */
enum { MOST_LEVELS = 64, LEVEL_WIDTH = 16 };

struct level {
    size_t edge; /* the next one to be shown */
    size_t end;
};

/* What stands in front of a line: "|   " for each level that goes on, and a branch. */
static void draw_margin(char *margin, const struct level *levels, size_t depth, bool branch)
{
    margin[0] = '\0';
    for (size_t i = 0; i < depth; i++) {
        bool more = levels[i].edge < levels[i].end;

        if (branch && i + 1 == depth)
            (void)strcat(margin, more ? "├── " : "└── ");
        else
            (void)strcat(margin, more ? "│   " : "    ");
    }
}

static void put_node(struct dump *dump, size_t number, const struct level *levels, size_t depth)
{
    char margin[MOST_LEVELS * LEVEL_WIDTH];

    draw_margin(margin, levels, depth, true);
    aio__page_put(&dump->page, margin);
    if (dump->shown[number]) {
        put_name(&dump->page, dump->survey.tasks[number]);
        aio__page_put(&dump->page, " (shown elsewhere)\n");
        return;
    }
    put_task(dump, dump->survey.tasks[number]);
    if (depth + 1 == MOST_LEVELS) {
        aio__page_put(&dump->page, " (goes on elsewhere)\n");
        return;
    }
    dump->shown[number] = true;
    aio__page_put(&dump->page, "\n");
    draw_margin(margin, levels, depth, false);
    put_stack(dump, margin, dump->survey.tasks[number]);
}

static void put_tree(struct dump *dump, size_t root)
{
    const struct aio__survey *survey = &dump->survey;
    struct level levels[MOST_LEVELS] = {{0, 0}};
    size_t depth = 0;

    put_node(dump, root, levels, 0);
    levels[0] = (struct level){survey->first_edge[root], survey->first_edge[root + 1]};
    for (;;) {
        struct level *level = &levels[depth];
        size_t child;
        bool fresh;

        if (level->edge == level->end) {
            if (depth == 0)
                return;
            depth--;
            continue;
        }
        child = survey->edges[level->edge++].awaited;
        fresh = !dump->shown[child];
        put_node(dump, child, levels, depth + 1);
        if (fresh && dump->shown[child])
            levels[++depth] =
                (struct level){survey->first_edge[child], survey->first_edge[child + 1]};
    }
}

static int put_trees(struct dump *dump)
{
    dump->shown = aio_calloc(dump->survey.count + 1, sizeof(bool));
    if (dump->shown == NULL)
        return AIO_ENOMEM;
    for (size_t i = 0; i < dump->survey.count; i++)
        if (dump->survey.awaiters[i] == 0)
            put_tree(dump, i);
    for (size_t i = 0; i < dump->survey.count; i++)
        if (!dump->shown[i])
            put_tree(dump, i);
    aio_free(dump->shown);
    return 0;
}

/* --- for programs --------------------------------------------------------------------------- */

int aio__inspect_loop(aio_loop **loop)
{
    uintptr_t thread;

    if (*loop == NULL)
        *loop = aio_get_running_loop();
    if (*loop == NULL)
        return AIO_ENOLOOP;
    if ((*loop)->closed)
        return aio_raise(AIO_ECLOSED, "Event loop is closed");
    thread = atomic_load_explicit(&(*loop)->thread, memory_order_acquire);
    if (thread != 0 && thread != (uintptr_t)aio__thread())
        return aio_raise(AIO_ERUNTIME, "the event loop runs in another thread");
    return 0;
}

static int check_flags(unsigned flags)
{
    return flags & ~(unsigned)ALL_FLAGS ? aio_raise(AIO_EVALUE, "unknown flags: %#x", flags) : 0;
}

int aio_loop_format_tasks(aio_loop *loop, unsigned flags, char **ret_text)
{
    struct dump dump = {.flags = flags};
    int err = aio__inspect_loop(&loop);

    if (err == 0)
        err = check_flags(flags);
    if (err == 0 && ret_text == NULL)
        err = aio_raise(AIO_EVALUE, "no place for the text");
    if (err == 0)
        err = aio__survey_take(loop, &dump.survey);
    if (err < 0)
        return err;

    aio__page_printf(&dump.page, "%zu task%s\n", dump.survey.count,
                     dump.survey.count == 1 ? "" : "s");
    if (flags & AIO_DUMP_TREE)
        err = put_trees(&dump);
    else
        put_list(&dump);
    aio__survey_free(&dump.survey);
    aio__places_free(&dump.places);
    dump.page.spoilt |= err < 0;
    return aio__page_take(&dump.page, ret_text);
}

int aio__page_print(char *text, FILE *file)
{
    int err = fputs(text, file) < 0 || fflush(file) != 0 ? -EIO : 0;

    aio_free(text);
    return err;
}

int aio_loop_print_tasks(aio_loop *loop, unsigned flags, FILE *file)
{
    char *text;
    int err = aio_loop_format_tasks(loop, flags, &text);

    return err < 0 ? err : aio__page_print(text, file != NULL ? file : stderr);
}

/* --- on a signal ---------------------------------------------------------------------------- */

static int print_on_signal(void *arg)
{
    const struct aio__dump_request *request = arg;

    return aio_loop_print_tasks(request->loop, request->flags, request->file);
}

int aio_loop_print_tasks_on_signal(aio_loop *loop, int signum, unsigned flags, FILE *file)
{
    struct aio__dump_request *request;
    int err = aio__inspect_loop(&loop);

    if (err == 0)
        err = check_flags(flags);
    if (err < 0)
        return err;
    request = aio__inspect_request(loop, signum);
    if (request == NULL)
        return AIO_ENOMEM;
    err = aio_loop_add_signal_handler(loop, signum, print_on_signal, request);
    if (err < 0)
        return err;
    request->flags = flags;
    request->file = file;
    return 0;
}
