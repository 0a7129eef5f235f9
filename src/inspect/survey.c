/* SPDX-License-Identifier: MIT */
/*
 * survey.c - the tasks of a loop at one moment, and who awaits whom among them
 */
#include "inspect/survey.h"

#include "base/random.h"

#include <aio/memory.h>
#include <stdlib.h>
#include <string.h>

/* --- numbers of tasks ----------------------------------------------------------------------- */

static size_t *slot_of(const struct aio__survey *survey, const struct aio__task *task)
{
    size_t mask = survey->slot_count - 1;
    size_t at = aio__random_mix((uint64_t)(uintptr_t)task) & mask;

    while (survey->slots[at] != 0 && survey->tasks[survey->slots[at] - 1] != task)
        at = (at + 1) & mask;
    return &survey->slots[at];
}

static int number_tasks(struct aio__survey *survey, const aio_loop *loop)
{
    survey->slot_count = 16;
    while (survey->slot_count < 2 * loop->task_count)
        survey->slot_count *= 2;
    survey->tasks = aio_calloc(loop->task_count + 1, sizeof(struct aio__task *));
    survey->slots = aio_calloc(survey->slot_count, sizeof(size_t));
    survey->awaiters = aio_calloc(loop->task_count + 1, sizeof(size_t));
    survey->first_edge = aio_calloc(loop->task_count + 2, sizeof(size_t));
    if (survey->tasks == NULL || survey->slots == NULL || survey->awaiters == NULL ||
        survey->first_edge == NULL)
        return AIO_ENOMEM;
    AIO__LIST_FOREACH (link, &loop->tasks) {
        struct aio__task *task = aio__container_of(link, struct aio__task, link);

        survey->tasks[survey->count] = task;
        *slot_of(survey, task) = ++survey->count;
    }
    return 0;
}

/* --- who awaits whom ------------------------------------------------------------------------ */

struct find {
    struct aio__survey *survey;
    size_t awaited;
};

static void add_edge(aio_future *awaiter, void *arg)
{
    const struct find *find = arg;
    struct aio__survey *survey = find->survey;
    size_t number = *slot_of(survey, aio__task_of(awaiter));

    if (number == 0)
        return; /* done, or of another loop */
    if (survey->edge_count == survey->edge_capacity) {
        size_t capacity = survey->edge_capacity == 0 ? 64 : survey->edge_capacity * 2;
        struct aio__wait_edge *edges = aio_realloc(survey->edges, capacity * sizeof(*edges));

        if (edges == NULL) {
            survey->short_of_memory = true;
            return;
        }
        survey->edges = edges;
        survey->edge_capacity = capacity;
    }
    survey->edges[survey->edge_count++] = (struct aio__wait_edge){number - 1, find->awaited};
}

static int compare(const void *left, const void *right)
{
    const struct aio__wait_edge *a = left;
    const struct aio__wait_edge *b = right;

    if (a->awaiter != b->awaiter)
        return a->awaiter < b->awaiter ? -1 : 1;
    return a->awaited < b->awaited ? -1 : a->awaited > b->awaited;
}

/* In order, and each once. */
static void settle_edges(struct aio__survey *survey)
{
    size_t kept = 0;

    if (survey->edge_count > 0)
        qsort(survey->edges, survey->edge_count, sizeof(*survey->edges), compare);
    for (size_t i = 0; i < survey->edge_count; i++)
        if (kept == 0 || compare(&survey->edges[kept - 1], &survey->edges[i]) != 0)
            survey->edges[kept++] = survey->edges[i];
    survey->edge_count = kept;
    for (size_t i = 0; i < kept; i++) {
        survey->first_edge[survey->edges[i].awaiter + 1]++;
        survey->awaiters[survey->edges[i].awaited]++;
    }
    for (size_t i = 0; i < survey->count; i++)
        survey->first_edge[i + 1] += survey->first_edge[i];
}

int aio__survey_take(aio_loop *loop, struct aio__survey *survey)
{
    int err;

    memset(survey, 0, sizeof(*survey));
    err = number_tasks(survey, loop);
    for (size_t i = 0; err == 0 && i < survey->count; i++) {
        struct find find = {survey, i};

        aio__task_each_awaiter(&survey->tasks[i]->fut, add_edge, &find);
        if (survey->short_of_memory)
            err = AIO_ENOMEM;
    }
    if (err < 0) {
        aio__survey_free(survey);
        return err;
    }
    settle_edges(survey);
    return 0;
}

void aio__survey_free(struct aio__survey *survey)
{
    aio_free(survey->tasks);
    aio_free(survey->edges);
    aio_free(survey->first_edge);
    aio_free(survey->awaiters);
    aio_free(survey->slots);
}
