/* SPDX-License-Identifier: MIT */
/*
 * fixture.c - a loop on a virtual clock, tasks with names, and the trace they leave
 */
#include "support/fixture.h"

#include <stdio.h>
#include <string.h>

static int count_report(aio_loop *loop, const aio_exception_context *context, void *arg)
{
    struct fixture *f = arg;

    f->reports++;
    print_error("reported: %s %s\n", context->message,
                context->error == NULL ? "" : aio_error_name(aio_exception_code(context->error)));
    return 0;
}

bool fx_open(struct fixture *f)
{
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;

    memset(f, 0, sizeof(*f));
    options.clock = AIO_CLOCK_VIRTUAL;
    f->loop = aio_loop_new(&options);
    if (f->loop == NULL)
        return false;
    /* Each object an allocation of its own, so that any of them can be made to fail. */
    assert_int_equal(aio_testing_disable_pool(f->loop), 0);
    aio_set_event_loop(f->loop);
    aio_loop_set_exception_handler(f->loop, count_report, f);
    return true;
}

void fx_end_tasks(struct fixture *f)
{
    for (size_t i = 0; i < f->task_count; i++)
        (void)aio_task_cancel(f->tasks[i], NULL);
    fx_settle(f);
}

void fx_close(struct fixture *f)
{
    fx_end_tasks(f);
    while (f->task_count > 0)
        aio_future_unref(f->tasks[--f->task_count]);
    (void)aio_loop_close(f->loop);
    aio_set_event_loop(NULL);
    aio_loop_unref(f->loop);
}

int fx_setup(void **state)
{
    static struct fixture fixture;

    (void)count_allocations(state);
    if (!fx_open(&fixture))
        return -1;
    *state = &fixture;
    return 0;
}

int fx_teardown(void **state)
{
    struct fixture *f = *state;

    fx_close(f);
    if (check_allocations(state) < 0)
        return -1;
    return f->reports == 0 ? 0 : -1;
}

aio_task *fx_spawn(struct fixture *f, const char *name, aio_coro_fn fn)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    aio_task *task;

    assert_true(f->task_count < COUNT_OF(f->tasks));
    options.name = name;
    task = aio_loop_create_task(f->loop, fn, f, &options);
    if (task != NULL)
        f->tasks[f->task_count++] = task;
    return task;
}

void fx_settle(struct fixture *f)
{
    (void)aio_testing_run_until_idle(f->loop);
}

void fx_step(struct fixture *f)
{
    aio_loop_stop(f->loop);
    (void)aio_loop_run_forever(f->loop);
}

static void add(struct fixture *f, const char *text)
{
    size_t length = strlen(text);

    assert_true(f->used + length < sizeof(f->trace));
    memcpy(f->trace + f->used, text, length + 1);
    f->used += length;
}

void fx_note(struct fixture *f, const char *format, ...)
{
    aio_task *task = aio_current_task(f->loop);
    char text[256];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    if (f->used > 0)
        add(f, ", ");
    add(f, task == NULL ? "-" : aio_task_get_name(task));
    add(f, " ");
    add(f, text);
}

int fx_note_code(struct fixture *f, const char *what, int code)
{
    if (code < 0)
        fx_note(f, "%s ! %s", what, aio_error_name(code));
    else
        fx_note(f, "%s", what);
    return code;
}

void fx_assert_trace(struct fixture *f, const char *expected)
{
    assert_string_equal(f->trace, expected);
    f->used = 0;
    f->trace[0] = '\0';
}

int fx_tick(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = 0;

    for (int i = 0; i < 3 && err == 0; i++) {
        fx_note(f, "%d", i);
        err = aio_sleep(0);
    }
    return err;
}
