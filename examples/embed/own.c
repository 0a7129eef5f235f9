/* SPDX-License-Identifier: MIT */
/*
 * own.c - aioc runs the loop: the simplest way, where the program has none
 *
 * The lines of standard input, a pipe, are answered until it ends and all answers are there.
 */
#include "guest.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct input {
    struct guest guest;
    aio_event *ended;
};

static int input_is_ready(void *arg)
{
    struct input *input = arg;
    char bytes[4096];
    ssize_t size = read(STDIN_FILENO, bytes, sizeof(bytes));

    if (size > 0)
        return guest_take(&input->guest, bytes, (size_t)size);
    if (size < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    (void)aio_loop_remove_reader(input->guest.loop, STDIN_FILENO);
    aio_event_set(input->ended);
    return 0;
}

/* Until the last line is answered. */
static int wait_for_answers(void)
{
    aio_task *self = aio_current_task(NULL);
    aio_task **tasks;
    size_t count;
    int err = aio_all_tasks(NULL, &tasks, &count);

    for (size_t i = 0; i < count && err == 0; i++)
        if (tasks[i] != self)
            err = aio_await(tasks[i], NULL);
    aio_task_list_free(tasks, count);
    return err;
}

static int async_main(void *arg, void **ret_result)
{
    aio_loop_statistics statistics = AIO_LOOP_STATISTICS_INIT;
    AIO_AUTO(aio_event) ended = aio_event_new();
    struct input input = {.guest = {.loop = aio_get_running_loop()}, .ended = ended};
    int err = aio_loop_add_reader(input.guest.loop, STDIN_FILENO, input_is_ready, &input);

    if (err == 0)
        err = aio_event_wait(ended);
    if (err == 0)
        err = wait_for_answers();
    if (err == 0)
        err = aio_loop_get_statistics(NULL, &statistics);
    if (err == 0)
        guest_report((unsigned long)statistics.iterations);
    return err;
}

int main(void)
{
    return aio_main(async_main, NULL);
}
