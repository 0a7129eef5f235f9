/* SPDX-License-Identifier: MIT */
/*
 * fixture.c - a loop on a virtual clock, tasks with names, and the trace they leave
 */
#include "support/fixture.h"

#include "loop/loop_internal.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

static void append(char *text, size_t size, const char *more)
{
    size_t used = strlen(text);

    (void)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", more);
}

static int note_report(aio_loop *loop, const aio_exception_context *context, void *arg)
{
    struct fixture *f = arg;
    char text[256];

    (void)loop;
    f->reports++;
    (void)snprintf(
        text, sizeof(text), "%s%s%s", context->message, context->error == NULL ? "" : " ",
        context->error == NULL ? "" : aio_error_name(aio_exception_code(context->error)));
    append(f->reported, sizeof(f->reported), text);
    return 0;
}

/* libuv opens some for the whole process when the first loop is made. */
static size_t count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;

    if (dir == NULL)
        return 0;
    while (readdir(dir) != NULL)
        count++;
    (void)closedir(dir);
    return count;
}

static void make_first_loop(void)
{
    static bool made;
    aio_loop *loop;

    if (made)
        return;
    made = true;
    loop = aio_new_event_loop();
    (void)aio_loop_close(loop);
    aio_loop_unref(loop);
}

bool fx_open_with(struct fixture *f, aio_clock clock)
{
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;

    memset(f, 0, sizeof(*f));
    options.clock = clock;
    f->loop = aio_loop_new(&options);
    if (f->loop == NULL)
        return false;
    /* Each object an allocation of its own, so that any of them can be made to fail. */
    assert_int_equal(aio_testing_disable_pool(f->loop), 0);
    aio_set_event_loop(f->loop);
    aio_loop_set_exception_handler(f->loop, note_report, f);
    return true;
}

bool fx_open(struct fixture *f)
{
    return fx_open_with(f, AIO_CLOCK_VIRTUAL);
}

void fx_end_tasks(struct fixture *f)
{
    for (size_t i = 0; i < f->task_count; i++)
        (void)aio_task_cancel(f->tasks[i], NULL);
    fx_settle(f);
}

static void drop_all(struct fixture *f)
{
    while (f->task_count > 0)
        aio_future_unref(f->tasks[--f->task_count]);
    (void)aio_loop_close(f->loop);
    aio_set_event_loop(NULL);
    aio_loop_unref(f->loop);
}

void fx_close(struct fixture *f)
{
    fx_end_tasks(f);
    drop_all(f);
}

static int set_up(void **state, aio_clock clock)
{
    static struct fixture fixture;
    size_t descriptors;

    make_first_loop();
    descriptors = count_descriptors();
    (void)count_allocations(state);
    if (!fx_open_with(&fixture, clock))
        return -1;
    fixture.descriptors = descriptors;
    *state = &fixture;
    return 0;
}

int fx_setup(void **state)
{
    return set_up(state, AIO_CLOCK_VIRTUAL);
}

int fx_setup_real(void **state)
{
    return set_up(state, AIO_CLOCK_REAL);
}

static int check_descriptors(const struct fixture *f)
{
    size_t now = count_descriptors();

    if (now == f->descriptors)
        return 0;
    print_error("%zu descriptors are open, %zu were\n", now, f->descriptors);
    return -1;
}

int fx_setup_future(void **state)
{
    struct fixture *f;

    if (fx_setup(state) < 0)
        return -1;
    f = *state;
    f->subject = aio_future_new(f->loop);
    return f->subject == NULL ? -1 : 0;
}

int fx_teardown(void **state)
{
    struct fixture *f = *state;
    int err;

    if (f->loop->is_virtual)
        fx_end_tasks(f);
    drop_all(f);
    aio_log_set_handler(NULL, NULL);
    err = check_allocations(state);
    if (check_descriptors(f) < 0)
        err = -1;
    if (f->reports == 0)
        return err;
    print_error("reported: %s\n", f->reported);
    return -1;
}

int fx_teardown_future(void **state)
{
    struct fixture *f = *state;

    fx_end_tasks(f);
    aio_future_unref(f->subject);
    return fx_teardown(state);
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

void fx_assert_reports(struct fixture *f, const char *expected)
{
    assert_string_equal(f->reported, expected);
    f->reports = 0;
    f->reported[0] = '\0';
}

static void note_log(aio_log_level level, const char *text, void *arg)
{
    struct fixture *f = arg;

    (void)level;
    append(f->logged, sizeof(f->logged), text);
}

void fx_hear(struct fixture *f)
{
    aio_log_set_handler(note_log, f);
}

void fx_assert_log(struct fixture *f, const char *expected)
{
    assert_string_equal(f->logged, expected);
    f->logged[0] = '\0';
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
