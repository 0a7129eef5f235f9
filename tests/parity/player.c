/* SPDX-License-Identifier: MIT */
/*
 * player.c - one run of one program: what asyncio.run(main()) does, under virtual time
 *
 * The loop's clock stands still while anything can run, so that every line of the trace has
 * an exact time, and a loop that would block for ever has deadlocked: the trace says so and
 * all tasks are cancelled.
 *
 * What is bound to a name is kept until the run is over, and dropped after the loop was
 * closed. Tasks that are then still pending unwind out of their waits: that is not part of
 * the trace, so nothing is printed any more.
 */
#include "player.h"
#include "host.h"
#include "interp.h"
#include "values.h"

#include <aio/testing.h>

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* A program of the corpora deadlocks three times at most. */
#define MAX_DEADLOCKS 20
#define SHUTDOWN_NAME "shutdown"

struct way way;

/* ---- The trace ----------------------------------------------------------------------- */

struct text *say_begin(struct player *player)
{
    struct text *line = player->quiet ? &player->unheard : player->trace;
    aio_task *task = aio_current_task(player->loop);

    if (player->quiet)
        text_clear(line);
    text_format(line, "%ld %s ", time_to_us(player, aio_loop_time(player->loop)),
                task == NULL ? "-" : aio_task_get_name(task));
    return line;
}

void say_end(struct player *player)
{
    text_add(player->quiet ? &player->unheard : player->trace, "\n");
}

void say(struct player *player, const char *format, ...)
{
    struct text *line = say_begin(player);
    va_list arguments;

    va_start(arguments, format);
    text_vformat(line, format, arguments);
    va_end(arguments);
    say_end(player);
}

void say_value(struct player *player, const char *subject, const void *value)
{
    struct text *line = say_begin(player);

    text_format(line, "%s = ", subject);
    value_write(line, value);
    say_end(player);
}

void say_bool(struct player *player, const char *subject, bool value)
{
    say(player, "%s = %s", subject, bool_text(value));
}

void add_error(struct text *line, const aio_exception *error)
{
    if (error == NULL)
        return;
    text_add(line, " ! ");
    exception_write(line, error);
}

void say_error(struct player *player, const char *subject, const aio_exception *error)
{
    struct text *line = say_begin(player);

    text_add(line, subject);
    add_error(line, error);
    say_end(player);
}

/* ---- What is kept, and names --------------------------------------------------------- */

void keep(struct player *player, void *object, void (*unref)(void *object))
{
    struct kept *kept = arena_alloc(&player->arena, sizeof(*kept));

    *kept = (struct kept){object, unref, player->kept};
    player->kept = kept;
}

void unref_future(void *object)
{
    aio_future_unref(object);
}

void unref_handle(void *object)
{
    aio_handle_unref(object);
}

void bind(struct player *player, struct slot *slot, enum slot_kind kind, void *object,
          void (*unref)(void *object))
{
    if (object == NULL)
        return; /* out of memory: the name stays as it was */
    slot->kind = kind;
    slot->object = object;
    keep(player, object, unref);
}

void bind_future(struct player *player, struct slot *slot, aio_future *future)
{
    bind(player, slot, SLOT_FUTURE, future, unref_future);
    label_set(player, future, slot->name);
}

static const char *label_find(struct player *player, const aio_future *future)
{
    const struct label *label;

    for (label = player->labels; label != NULL; label = label->next) {
        if (label->future == future)
            return label->name;
    }
    return NULL;
}

void label_set(struct player *player, const aio_future *future, const char *name)
{
    struct label *label;

    if (future == NULL || label_find(player, future) != NULL)
        return; /* a shield of what is done already is that itself */
    label = arena_alloc(&player->arena, sizeof(*label));
    *label = (struct label){future, name, player->labels};
    player->labels = label;
}

const char *label_of(struct player *player, aio_future *future)
{
    const char *name = label_find(player, future);

    return name != NULL ? name : aio_task_get_name(future);
}

static int names_order(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

int task_names(struct player *player, const char **ret_names, size_t *ret_count)
{
    const char **names;
    char *joined = arena_format(&player->arena, "-");
    aio_task **tasks;
    size_t count;
    size_t i;
    int code = aio_all_tasks(player->loop, &tasks, &count);

    if (code < 0)
        return code;
    names = arena_alloc(&player->arena, (count + 1) * sizeof(*names));
    for (i = 0; i < count; i++)
        names[i] = aio_task_get_name(tasks[i]);
    qsort(names, count, sizeof(*names), names_order);
    for (i = 0; i < count; i++)
        joined = arena_format(&player->arena, "%s%s%s", i == 0 ? "" : joined, i == 0 ? "" : ",",
                              names[i]);
    aio_task_list_free(tasks, count);
    *ret_names = joined;
    *ret_count = count;
    return 0;
}

const char *implicit_name(struct player *player)
{
    if (player->shutting_down)
        return SHUTDOWN_NAME;
    return arena_format(&player->arena, "Task-%u", ++player->implicit_tasks);
}

/* The task factory: tasks that the library makes by itself get their name here. */
static aio_task *make_task(aio_loop *loop, aio_site site, aio_coro_fn fn, void *arg,
                           const aio_task_options *options, void *factory_arg)
{
    struct player *player = factory_arg;
    aio_task_options named = AIO_TASK_OPTIONS_INIT;
    aio_task *task;

    if (options != NULL)
        named = *options;
    if (named.name == NULL)
        named.name = implicit_name(player);
    task = aio_task_new(loop, site, fn, arg, &named);
    label_set(player, task, named.name);
    return task;
}

/* ---- Times --------------------------------------------------------------------------- */

long time_to_us(struct player *player, double when)
{
    return lround((when - player->start) * 1e6);
}

double time_of_loop(struct player *player, double seconds)
{
    return player->start + seconds;
}

/* ---- Reports and deadlocks ----------------------------------------------------------- */

/* What the trace calls a report of the library, by its message; NULL: it is not printed. */
static const char *report_name(const char *message)
{
    static const struct {
        const char *part;
        const char *name;
    } reports[] = {
        {"never retrieved", NULL},        {"was destroyed", NULL},
        {"during shutdown", "shutdown"},  {"in callback", "callback"},
        {"in shielded future", "shield"}, {"closing of asynchronous generator", "agen"},
        {"its parent task", "taskgroup"}, {"client_connected_cb", "client"},
    };
    size_t i;

    for (i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
        if (strstr(message, reports[i].part) != NULL)
            return reports[i].name;
    }
    return message; /* a report that no program should cause: shown as it is */
}

static int on_report(aio_loop *loop, const aio_exception_context *report, void *arg)
{
    struct player *player = arg;
    const char *name = report_name(report->message);
    struct text *line;

    if (name == NULL)
        return 0;
    line = say_begin(player);
    text_format(line, "handler %s ", name);
    if (strcmp(name, "shutdown") == 0)
        text_format(line, "%s ", label_of(player, report->future));
    if (report->error != NULL)
        exception_write(line, report->error);
    say_end(player);
    return 0;
}

/* Cancel every task that is not done, in the order in which they were made. */
static int cancel_all(struct player *player)
{
    aio_task **tasks;
    size_t count;
    size_t i;
    int code = aio_all_tasks(player->loop, &tasks, &count);

    if (code < 0)
        return code;
    for (i = 0; i < count; i++)
        aio_task_cancel(tasks[i], NULL);
    aio_task_list_free(tasks, count);
    return count == 0 ? AIO_ESTOP : 0;
}

static void stop_run(struct player *player)
{
    if (player->host != NULL)
        host_stop(player->host);
    else
        aio_loop_stop(player->loop);
}

static int on_deadlock(void *arg)
{
    struct player *player = arg;

    say(player, "deadlock");
    if (cancel_all(player) < 0 || ++player->deadlocks == MAX_DEADLOCKS)
        stop_run(player); /* nothing can ever finish what the run waits for */
    return 0;
}

/* ---- The run ------------------------------------------------------------------------- */

static int end_run(aio_future *future, void *arg)
{
    stop_run(arg);
    return 0;
}

/* What aio_loop_run_until_complete() does, by the means of a host: it runs its own loop. */
static int run_until_complete_in_host(struct player *player, aio_future *future, void **ret_value)
{
    int code = aio_ensure_future(future, player->loop);

    if (code == 0)
        code = aio_future_add_done_callback(future, end_run, player);
    if (code < 0)
        return code;
    host_run(player->host);
    if (aio_future_done(future))
        return aio_future_result(future, ret_value);
    aio_future_remove_done_callback(future, end_run, player);
    return aio_raise(AIO_ERUNTIME, "Event loop stopped before Future completed.");
}

static int run_until_complete(struct player *player, aio_future *future, void **ret_value)
{
    if (player->host != NULL)
        return run_until_complete_in_host(player, future, ret_value);
    return aio_loop_run_until_complete(player->loop, future, ret_value);
}

static void run_declarations(struct player *player)
{
    struct frame frame = {.player = player};

    run_statements(&frame, player->program.declarations);
}

static void run_main(struct player *player)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    struct body *body = program_body(&player->program, "main");
    aio_exception *error = NULL;
    aio_task *task;
    void *value = NULL;
    int code;

    options.name = body->name;
    task = aio_loop_create_task(player->loop, run_coroutine, body, &options);
    bind_future(player, program_slot(&player->program, body->name), task);
    code = run_until_complete(player, task, &value);
    if (code == 0) {
        say_value(player, "main", value);
        return;
    }
    error = aio_error_catch(code);
    say_error(player, "main", error);
    aio_exception_unref(error);
}

/* As asyncio.run() does with the tasks that main left behind. */
static int shut_tasks_down(struct player *player)
{
    aio_task **tasks;
    aio_future *all;
    size_t count;
    size_t i;
    int code = aio_all_tasks(player->loop, &tasks, &count);

    if (code < 0 || count == 0)
        return code;
    for (i = 0; i < count; i++)
        aio_task_cancel(tasks[i], NULL);
    all = aio_gather(tasks, count, AIO_RETURN_EXCEPTIONS);
    code = run_until_complete(player, all, NULL);
    aio_future_unref(all);
    for (i = 0; i < count && code == 0; i++) {
        aio_exception_context report = {.size = sizeof(report),
                                        .message = "unhandled exception during shutdown",
                                        .future = tasks[i]};

        if (!aio_future_cancelled(tasks[i]) && aio_future_exception(tasks[i], &report.error) == 0 &&
            report.error != NULL)
            aio_loop_call_exception_handler(player->loop, &report);
    }
    aio_task_list_free(tasks, count);
    return code;
}

/* The coroutine that closes the generators which were left half way. */
static int close_generators(void *arg, void **ret_result)
{
    struct player *player = arg;

    return aio_loop_shutdown_asyncgens(player->loop);
}

static int shut_generators_down(struct player *player)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    aio_coroutine *closing;
    int code;

    player->shutting_down = true;
    options.name = SHUTDOWN_NAME;
    closing = aio_coroutine_new(close_generators, player, &options);
    code = run_until_complete(player, closing, NULL);
    aio_future_unref(closing);
    return code;
}

static void run_shutdown(struct player *player)
{
    const char *names = "-";
    size_t count;
    int code = task_names(player, &names, &count);

    say(player, "shutdown %s", names);
    if (code == 0)
        code = shut_tasks_down(player);
    if (code == 0 && player->has_generators)
        code = shut_generators_down(player);
    if (code < 0)
        say(player, "the shutdown failed: %s", aio_error_name(code));
    say(player, "end");
}

static bool player_open(struct player *player, struct text *trace)
{
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;

    options.clock = AIO_CLOCK_VIRTUAL;
    options.stack_size = STACK_BYTES;
    if (way.in_host) {
        player->host = host_open();
        if (player->host == NULL)
            return false;
        options.uv = player->host;
    }
    player->loop = aio_loop_new(&options);
    if (player->loop == NULL) {
        host_close(player->host);
        return false;
    }
    if (way.debug)
        aio_loop_set_debug(player->loop, true);
    player->trace = trace;
    player->start = aio_loop_time(player->loop);
    aio_set_event_loop(player->loop);
    aio_loop_set_exception_handler(player->loop, on_report, player);
    aio_loop_set_task_factory(player->loop, make_task, player);
    aio_testing_on_blocked(player->loop, on_deadlock, player);
    return true;
}

static void player_close(struct player *player)
{
    struct kept *kept;

    player->quiet = true;
    aio_testing_on_blocked(player->loop, NULL, NULL);
    aio_loop_close(player->loop);
    for (kept = player->kept; kept != NULL; kept = kept->next)
        kept->unref(kept->object);
    aio_set_event_loop(NULL);
    aio_loop_unref(player->loop);
    host_close(player->host);
}

bool play(const char *text, struct text *trace, struct text *error)
{
    struct player player = {.quiet = false};
    bool played = false;

    player.program.arena = &player.arena;
    if (!program_parse(&player.program, &player, text)) {
        text_add(error, player.program.error);
    } else if (!player_open(&player, trace)) {
        text_add(error, "no event loop can be made");
    } else {
        run_declarations(&player);
        run_main(&player);
        run_shutdown(&player);
        player_close(&player);
        played = true;
    }
    text_free(&player.unheard);
    arena_free(&player.arena);
    return played;
}
