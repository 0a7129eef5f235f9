/* SPDX-License-Identifier: MIT */
/*
 * graph.c - from one future to those who await it, and on to those who await these
 *
 * The nodes are found in breadth, and are in one chain in the order in which they were found, by
 * which they are freed: neither finding nor freeing takes more stack the longer the chain is. A
 * future that has been met carries a mark meanwhile.
 *
 * Thread: the loop's.
 */
#include "inspect/page.h"
#include "task/task_internal.h"

#include <aio/graph.h>
#include <errno.h>

/* So many steps from the future; indented, they would be a page wide and more. */
enum { MOST_LEVELS = 100 };

struct node {
    aio_call_graph graph; /* first: what the program sees */
    struct node *next;    /* in the order of finding */
    aio_call_graph **awaited_by;
    size_t capacity;
    unsigned level;
    bool met; /* before: it is not looked into again */
};

struct capture {
    aio_call_graph_options options;
    struct node *last;
    struct node *at; /* whose awaiters are being found */
    int err;
};

/* --- frames --------------------------------------------------------------------------------- */

static void reverse(aio_frame *frames, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        aio_frame frame = frames[i];

        frames[i] = frames[count - 1 - i];
        frames[count - 1 - i] = frame;
    }
}

/* The newest first; of these, what the options leave. */
static int get_frames(struct node *node, const aio_call_graph_options *options)
{
    aio_future *fut = node->graph.future;
    size_t oldest = (size_t)(-(long long)options->limit); /* if the limit is negative */
    aio_frame *frames;
    size_t count;
    size_t skip = 0;
    int err;

    if (!aio_future_is_task(fut) || options->limit == 0)
        return 0;
    err = aio_task_get_stack(fut, 0, &frames, &count);
    if (err < 0)
        return err;
    reverse(frames, count);
    if (fut->loop->current == &aio__task_of(fut)->strand)
        skip = (size_t)(options->depth - 1);
    if (skip > count)
        skip = count;
    count -= skip;
    if (options->limit > 0 && (size_t)options->limit < count) {
        count = (size_t)options->limit;
    } else if (options->limit < 0 && oldest < count) {
        skip += count - oldest;
        count = oldest;
    }
    if (count == 0) {
        aio_free(frames);
        return 0;
    }
    /* To the front, where the block begins that is to be freed. */
    memmove(frames, frames + skip, count * sizeof(*frames));
    node->graph.call_stack = frames;
    node->graph.call_stack_count = count;
    return 0;
}

/* --- nodes ---------------------------------------------------------------------------------- */

static struct node *add_node(struct capture *capture, aio_future *fut, unsigned level)
{
    struct node *node = aio_calloc(1, sizeof(*node));

    if (node == NULL)
        return NULL;
    node->graph.future = aio_future_ref(fut);
    node->level = level;
    node->met = fut->flags & AIO__FUTURE_MARKED;
    fut->flags |= AIO__FUTURE_MARKED;
    if (capture->last != NULL)
        capture->last->next = node;
    capture->last = node;
    capture->err = get_frames(node, &capture->options);
    return node;
}

static bool is_known(const struct node *node, const aio_future *awaiter)
{
    for (size_t i = 0; i < node->graph.awaited_by_count; i++)
        if (node->awaited_by[i]->future == awaiter)
            return true;
    return false;
}

static void add_awaiter(aio_future *awaiter, void *arg)
{
    struct capture *capture = arg;
    struct node *at = capture->at;
    struct node *node;

    if (capture->err < 0 || is_known(at, awaiter))
        return;
    if (at->graph.awaited_by_count == at->capacity) {
        size_t capacity = at->capacity == 0 ? 4 : at->capacity * 2;
        aio_call_graph **grown = aio_realloc(at->awaited_by, capacity * sizeof(aio_call_graph *));

        if (grown == NULL) {
            capture->err = AIO_ENOMEM;
            return;
        }
        at->awaited_by = grown;
        at->graph.awaited_by = grown;
        at->capacity = capacity;
    }
    node = add_node(capture, awaiter, at->level + 1);
    if (node == NULL)
        capture->err = AIO_ENOMEM;
    else
        at->awaited_by[at->graph.awaited_by_count++] = &node->graph;
}

void aio_call_graph_free(aio_call_graph *graph)
{
    struct node *node = (struct node *)graph;

    while (node != NULL) {
        struct node *next = node->next;

        aio_future_unref(node->graph.future);
        aio_free((void *)(uintptr_t)node->graph.call_stack);
        aio_free(node->awaited_by);
        aio_free(node);
        node = next;
    }
}

static int capture_from(aio_future *fut, struct capture *capture, aio_call_graph **ret_graph)
{
    struct node *first = add_node(capture, fut, 0);

    if (first == NULL)
        return AIO_ENOMEM;
    for (struct node *node = first; node != NULL && capture->err == 0; node = node->next) {
        capture->at = node;
        if (!node->met && node->level < MOST_LEVELS)
            aio__task_each_awaiter(node->graph.future, add_awaiter, capture);
    }
    for (struct node *node = first; node != NULL; node = node->next)
        node->graph.future->flags &= (uint8_t)~AIO__FUTURE_MARKED;
    if (capture->err < 0) {
        aio_call_graph_free(&first->graph);
        return capture->err;
    }
    *ret_graph = &first->graph;
    return 0;
}

int aio_capture_call_graph(aio_future *fut, const aio_call_graph_options *options,
                           aio_call_graph **ret_graph)
{
    struct capture capture = {.options = AIO_CALL_GRAPH_OPTIONS_INIT};
    aio_loop *loop;

    if (options != NULL)
        capture.options = *options;
    if (capture.options.size != sizeof(capture.options) || capture.options.depth < 1)
        return aio_raise(AIO_EVALUE, "bad options of a call graph");
    if (ret_graph == NULL)
        return aio_raise(AIO_EVALUE, "no place for the graph");
    if (fut == NULL) {
        loop = aio_get_running_loop();
        if (loop == NULL)
            return AIO_ENOLOOP;
        fut = aio_current_task(loop);
        if (fut == NULL) {
            *ret_graph = NULL;
            return 0;
        }
    }
    if (fut->loop == NULL)
        return aio_raise(AIO_ETYPE, "a coroutine object is awaited by nobody");
    return capture_from(fut, &capture, ret_graph);
}

/* --- text ----------------------------------------------------------------------------------- */

static void put_margin(struct aio__page *page, unsigned level)
{
    while (level-- > 0)
        aio__page_put(page, "    ");
}

static void put_frame(struct aio__page *page, const aio_frame *frame)
{
    const char *function = frame->function != NULL ? frame->function : "?";

    if (frame->line > 0)
        aio__page_printf(page, "  |   File '%s', line %d, in %s()\n", frame->file, frame->line,
                         function);
    else
        aio__page_printf(page, "  |   File '%s', at 0x%zx, in %s()\n",
                         frame->object != NULL ? frame->object : "?", (size_t)frame->offset,
                         function);
}

static void put_node(struct aio__page *page, const struct node *node)
{
    aio_future *fut = node->graph.future;

    put_margin(page, node->level);
    if (aio_future_is_task(fut))
        aio__page_printf(page, "* Task(name='%s', id=%p)\n", aio_task_get_name(fut), (void *)fut);
    else
        aio__page_printf(page, "* Future(id=%p)\n", (void *)fut);
    if (node->graph.call_stack_count > 0) {
        put_margin(page, node->level);
        aio__page_put(page, "  + Call stack:\n");
    }
    for (size_t i = 0; i < node->graph.call_stack_count; i++) {
        put_margin(page, node->level);
        put_frame(page, &node->graph.call_stack[i]);
    }
    if (node->graph.awaited_by_count > 0) {
        put_margin(page, node->level);
        aio__page_put(page, "  + Awaited by:\n");
    }
}

static void put_graph(struct aio__page *page, const struct node *first)
{
    const struct node *path[MOST_LEVELS + 1] = {first};
    size_t next[MOST_LEVELS + 1] = {0};
    unsigned level = 0;

    put_node(page, first);
    for (;;) {
        const struct node *node = path[level];

        if (next[level] < node->graph.awaited_by_count) {
            const struct node *child = (const struct node *)node->awaited_by[next[level]++];

            put_node(page, child);
            level++;
            path[level] = child;
            next[level] = 0;
        } else if (level-- == 0) {
            return;
        }
    }
}

int aio_format_call_graph(aio_future *fut, const aio_call_graph_options *options, char **ret_text)
{
    struct aio__page page = {.text = NULL};
    aio_call_graph *graph = NULL;
    int err;

    if (ret_text == NULL)
        return aio_raise(AIO_EVALUE, "no place for the text");
    err = aio_capture_call_graph(fut, options, &graph);
    if (err < 0)
        return err;
    if (graph != NULL)
        put_graph(&page, (const struct node *)graph);
    if (page.length > 0)
        page.length--; /* no newline at the end */
    aio_call_graph_free(graph);
    return aio__page_take(&page, ret_text);
}

int aio_print_call_graph(aio_future *fut, const aio_call_graph_options *options, FILE *file)
{
    char *text = NULL;
    int err = aio_format_call_graph(fut, options, &text);

    if (err < 0)
        return err;
    if (file == NULL)
        file = stdout;
    if (text != NULL && *text != '\0' && (fputs(text, file) < 0 || fputc('\n', file) == EOF))
        err = -EIO;
    aio_free(text);
    return err;
}
