/* SPDX-License-Identifier: MIT */
/*
 * guest.c - lines of text, answered by tasks
 */
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In a thread of the default executor. */
static int reverse(void *arg, void **ret_result)
{
    char *word = aio_strdup(arg);
    size_t size = word == NULL ? 0 : strlen(word);

    for (size_t i = 0; i < size / 2; i++) {
        char first = word[i];

        word[i] = word[size - 1 - i];
        word[size - 1 - i] = first;
    }
    *ret_result = word;
    return word == NULL ? AIO_ENOMEM : 0;
}

static int answer_word(char *word)
{
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    void *reversed = NULL;
    int err;

    options.arg_size =
        strlen(word) + 1; /* a copy: the thread may outlive a task that is cancelled */
    options.result_type = &aio_type_owned_string;
    err = aio_to_thread_with(reverse, word, &options, &reversed);
    if (err == 0)
        printf("%s -> %s\n", word, (char *)reversed);
    aio_free(reversed);
    return err;
}

int guest_answer(void *arg, void **ret_result)
{
    char *line = arg;
    int err;

    if (strncmp(line, "wait ", 5) != 0)
        return answer_word(line);
    err = aio_sleep(strtod(line + 5, NULL));
    if (err == 0)
        printf("waited %s\n", line + 5);
    return err;
}

static int line_is_answered(aio_future *task, void *arg)
{
    struct guest *guest = arg;

    guest->open--;
    return aio_future_result(task, NULL);
}

static int begin(struct guest *guest, const char *line)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    AIO_AUTO(aio_task) task = NULL;
    int err;

    options.arg_size = strlen(line) + 1; /* the task has a copy of its own */
    task = aio_loop_create_task(guest->loop, guest_answer, (void *)(uintptr_t)line, &options);
    err = aio_future_add_done_callback(task, line_is_answered, guest);
    if (err == 0)
        guest->open++;
    return err;
}

int guest_take(struct guest *guest, const char *bytes, size_t size)
{
    int err = 0;

    for (size_t i = 0; i < size && err == 0; i++) {
        /* A line that is too long counts as several. */
        if (bytes[i] == '\n' || guest->used == MAX_LINE - 1) {
            guest->text[guest->used] = '\0';
            guest->used = 0;
            err = begin(guest, guest->text);
        }
        if (bytes[i] != '\n')
            guest->text[guest->used++] = bytes[i];
    }
    return err;
}

void guest_report(unsigned long turns)
{
    (void)fflush(stdout);
    fprintf(stderr, "%lu turns\n", turns);
}
