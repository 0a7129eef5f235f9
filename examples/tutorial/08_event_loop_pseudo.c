/* SPDX-License-Identifier: MIT */
/*
 * 08_event_loop_pseudo.c - the pseudo code of an event loop, made to run
 *
 * Tasks are generators. In each round the loop runs all that can run, then drops those that
 * have finished, until there is none.
 */
#include <aio/generator.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { TASKS = 3 };

struct task {
    const char *name;
    int rounds;
};

static int task(void *arg, void **ret_result)
{
    const struct task *self = arg;

    for (int i = 0; i < self->rounds; i++) {
        int err;

        printf("%s %d\n", self->name, i);
        err = aio_yield(NULL, NULL);
        if (err < 0)
            return err;
    }
    printf("%s done\n", self->name);
    return 0;
}

/* One round of the loop: a step of every task, then those that finished leave the list. */
static int run_round(aio_generator **task_list, size_t *count)
{
    bool finished[TASKS];
    size_t left = 0;

    for (size_t i = 0; i < *count; i++) {
        int err = aio_next(task_list[i], NULL);

        if (err < 0 && err != AIO_ESTOP)
            return err;
        finished[i] = err == AIO_ESTOP;
    }
    for (size_t i = 0; i < *count; i++) {
        if (finished[i])
            aio_generator_unref(task_list[i]);
        else
            task_list[left++] = task_list[i];
    }
    *count = left;
    return 0;
}

int main(void)
{
    struct task tasks[TASKS] = {{"task1", 1}, {"task2", 2}, {"task3", 3}};
    aio_generator *task_list[TASKS];
    size_t count = TASKS;
    int err = 0;

    for (size_t i = 0; i < TASKS; i++)
        task_list[i] = aio_generator_new(task, &tasks[i], NULL);
    while (count > 0 && err == 0)
        err = run_round(task_list, &count);
    if (err == 0)
        printf("loop ends\n");
    else
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));

    for (size_t i = 0; i < count; i++)
        aio_generator_unref(task_list[i]);
    return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
