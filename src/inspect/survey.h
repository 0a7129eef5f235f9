/* SPDX-License-Identifier: MIT */
/*
 * survey.h - the tasks of a loop at one moment, and who awaits whom among them
 *
 * While it is there nothing may run.
 */
#ifndef AIO__SURVEY_H
#define AIO__SURVEY_H

#include "task/task_internal.h"

/* Two tasks, by their numbers. */
struct aio__wait_edge {
    size_t awaiter;
    size_t awaited;
};

struct aio__survey {
    struct aio__task **tasks; /* not done, in order of creation; borrowed */
    size_t count;
    struct aio__wait_edge *edges; /* by awaiter, and by awaited; each once */
    size_t edge_count;
    size_t edge_capacity;
    size_t *first_edge; /* of each task as awaiter; one more says where the last one's end */
    size_t *awaiters;   /* how many await each task */
    size_t *slots;      /* a hash table: a task's number and 1 */
    size_t slot_count;
    bool short_of_memory;
};

/* 0, or AIO_ENOMEM: nothing is to be freed then. */
int aio__survey_take(aio_loop *loop, struct aio__survey *survey);
void aio__survey_free(struct aio__survey *survey);

#endif
