/* SPDX-License-Identifier: MIT */
/*
 * portal.c - a loop in a thread of its own, that other threads call into
 *
 * Four threads that know nothing of events take lines from standard input. A word is asked for by
 * blocking; what begins with "wait" is handed over, and the thread goes on to the next line.
 */
#include "guest.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { THREADS = 4 };

/* Hand a line over. The task has a copy of it, and nobody waits for its future: stopping the portal
 * does. */
static int start(aio_portal *portal, char *line)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    aio_concurrent_future *fut;

    options.arg_size = strlen(line) + 1;
    fut = aio_portal_start_task_soon(portal, guest_answer, line, &options);
    aio_concurrent_future_unref(fut);
    return fut == NULL ? AIO_ENOMEM : 0;
}

static void *take_lines(void *arg)
{
    aio_portal *portal = arg;
    char line[MAX_LINE];
    int err = 0;

    while (err == 0 && fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "wait ", 5) == 0)
            err = start(portal, line);
        else
            err = aio_portal_call(portal, guest_answer, line, NULL);
    }
    if (err < 0)
        fprintf(stderr, "portal: %s\n", aio_error_text(err));
    return NULL;
}

static int get_statistics(void *arg, void **ret_result)
{
    return aio_loop_get_statistics(NULL, arg);
}

int main(void)
{
    aio_loop_statistics statistics = AIO_LOOP_STATISTICS_INIT;
    aio_portal *portal = aio_portal_new(NULL);
    pthread_t threads[THREADS];
    int started = 0;
    int err;

    if (portal == NULL)
        return 1;
    while (started < THREADS && pthread_create(&threads[started], NULL, take_lines, portal) == 0)
        started++;
    for (int i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL);
    err = aio_portal_call(portal, get_statistics, &statistics, NULL);
    guest_report((unsigned long)statistics.iterations);
    if (err == 0)
        err = aio_portal_stop(portal, false);
    aio_portal_free(portal);
    return err < 0;
}
