/* SPDX-License-Identifier: MIT */
/*
 * sync.c - level 3: locks, events, conditions, semaphores, barriers, queues
 */
#include "interp.h"
#include "values.h"

#include <aio/barrier.h>
#include <aio/condition.h>
#include <aio/event.h>
#include <aio/lock.h>
#include <aio/queue.h>
#include <aio/semaphore.h>

#include <string.h>

/* The end of an async op that gives `true`, or `none`. */
static enum flow async_end_word(struct frame *frame, const struct statement *statement, int code,
                                const char *word)
{
    if (code < 0)
        return async_fail(frame, statement->subject, code);
    say(frame->player, "%s = %s", statement->subject, word);
    return FLOW_NEXT;
}

/* ---- Declarations -------------------------------------------------------------------- */

static void unref_lock(void *object)
{
    aio_lock_unref(object);
}

static void unref_event(void *object)
{
    aio_event_unref(object);
}

static void unref_condition(void *object)
{
    aio_condition_unref(object);
}

static void unref_semaphore(void *object)
{
    aio_semaphore_unref(object);
}

static void unref_barrier(void *object)
{
    aio_barrier_unref(object);
}

static void unref_queue(void *object)
{
    aio_queue_unref(object);
}

static enum flow declare(struct frame *frame, const struct statement *statement,
                         enum slot_kind kind, void *object, void (*unref)(void *object))
{
    bind(frame->player, statement->args[0].slot, kind, object, unref);
    return FLOW_NEXT;
}

static enum flow declare_lock(struct frame *frame, const struct statement *statement)
{
    return declare(frame, statement, SLOT_LOCK, aio_lock_new(), unref_lock);
}

static enum flow declare_event(struct frame *frame, const struct statement *statement)
{
    return declare(frame, statement, SLOT_EVENT, aio_event_new(), unref_event);
}

static enum flow declare_cond(struct frame *frame, const struct statement *statement)
{
    aio_condition *condition = statement->arg_count > 1
                                   ? aio_condition_new_with(object_arg(&statement->args[1]))
                                   : aio_condition_new();

    return declare(frame, statement, SLOT_CONDITION, condition, unref_condition);
}

static enum flow declare_sem(struct frame *frame, const struct statement *statement)
{
    return declare(frame, statement, SLOT_SEMAPHORE, aio_semaphore_new(statement->args[1].number),
                   unref_semaphore);
}

static enum flow declare_bsem(struct frame *frame, const struct statement *statement)
{
    return declare(frame, statement, SLOT_SEMAPHORE,
                   aio_bounded_semaphore_new(statement->args[1].number), unref_semaphore);
}

static enum flow declare_barrier(struct frame *frame, const struct statement *statement)
{
    return declare(frame, statement, SLOT_BARRIER, aio_barrier_new(statement->args[1].number),
                   unref_barrier);
}

static enum flow declare_queue(struct frame *frame, const struct statement *statement)
{
    return declare(frame, statement, SLOT_QUEUE, aio_queue_new(statement->args[1].number),
                   unref_queue);
}

static enum flow declare_lifo_queue(struct frame *frame, const struct statement *statement)
{
    return declare(frame, statement, SLOT_QUEUE, aio_lifo_queue_new(statement->args[1].number),
                   unref_queue);
}

/* Items are integers, kept in the pointer itself. */
static void *item_of(long number)
{
    return (void *)(intptr_t)number;
}

static long number_of(const void *item)
{
    return (long)(intptr_t)item;
}

static int compare_items(const void *left, const void *right, void *arg)
{
    long a = number_of(left);
    long b = number_of(right);

    return (a > b) - (a < b);
}

static enum flow declare_priority_queue(struct frame *frame, const struct statement *statement)
{
    aio_queue *queue = aio_priority_queue_new(statement->args[1].number, compare_items, NULL);

    return declare(frame, statement, SLOT_QUEUE, queue, unref_queue);
}

/* ---- What locks, conditions and semaphores have in common ----------------------------- */

static int acquire(const struct arg *arg)
{
    switch (arg->slot->kind) {
    case SLOT_LOCK: return aio_lock_acquire(object_arg(arg));
    case SLOT_CONDITION: return aio_condition_acquire(object_arg(arg));
    default: return aio_semaphore_acquire(object_arg(arg));
    }
}

static int release(const struct arg *arg)
{
    switch (arg->slot->kind) {
    case SLOT_LOCK: return aio_lock_release(object_arg(arg));
    case SLOT_CONDITION: return aio_condition_release(object_arg(arg));
    default: return aio_semaphore_release(object_arg(arg));
    }
}

static bool locked(const struct arg *arg)
{
    switch (arg->slot->kind) {
    case SLOT_LOCK: return aio_lock_locked(object_arg(arg));
    case SLOT_CONDITION: return aio_condition_locked(object_arg(arg));
    default: return aio_semaphore_locked(object_arg(arg));
    }
}

static int with_enter(const struct arg *arg)
{
    switch (arg->slot->kind) {
    case SLOT_LOCK: return aio_lock_enter(object_arg(arg));
    case SLOT_CONDITION: return aio_condition_enter(object_arg(arg));
    default: return aio_semaphore_enter(object_arg(arg));
    }
}

static int with_exit(const struct arg *arg, int code)
{
    switch (arg->slot->kind) {
    case SLOT_LOCK: return aio_lock_exit(object_arg(arg), code);
    case SLOT_CONDITION: return aio_condition_exit(object_arg(arg), code);
    default: return aio_semaphore_exit(object_arg(arg), code);
    }
}

static enum flow op_acquire(struct frame *frame, const struct statement *statement)
{
    return async_end_word(frame, statement, acquire(&statement->args[0]), "true");
}

static enum flow op_release(struct frame *frame, const struct statement *statement)
{
    (void)sync_ok(frame, statement, release(&statement->args[0]));
    return FLOW_NEXT;
}

static enum flow op_locked(struct frame *frame, const struct statement *statement)
{
    say_bool(frame->player, statement->subject, locked(&statement->args[0]));
    return FLOW_NEXT;
}

static enum flow op_with(struct frame *frame, const struct statement *statement)
{
    const struct arg *lock = &statement->args[0];
    struct text *line;
    enum flow flow;
    int code = with_enter(lock);

    if (code < 0)
        return async_fail(frame, statement->subject, code);
    say(frame->player, "%s enter", statement->subject);
    flow = run_statements(frame, statement->parts->first);
    code = with_exit(lock, flow_code(frame, flow));
    flow = flow_after(frame, flow, code);

    line = say_begin(frame->player);
    text_format(line, "%s exit", statement->subject);
    add_error(line, frame->raised);
    say_end(frame->player);
    return flow;
}

/* ---- Events -------------------------------------------------------------------------- */

static enum flow op_event_set(struct frame *frame, const struct statement *statement)
{
    aio_event_set(object_arg(&statement->args[0]));
    return FLOW_NEXT;
}

static enum flow op_event_clear(struct frame *frame, const struct statement *statement)
{
    aio_event_clear(object_arg(&statement->args[0]));
    return FLOW_NEXT;
}

static enum flow op_event_is_set(struct frame *frame, const struct statement *statement)
{
    say_bool(frame->player, statement->subject, aio_event_is_set(object_arg(&statement->args[0])));
    return FLOW_NEXT;
}

static enum flow op_event_wait(struct frame *frame, const struct statement *statement)
{
    return async_end_word(frame, statement, aio_event_wait(object_arg(&statement->args[0])),
                          "true");
}

/* ---- Conditions ---------------------------------------------------------------------- */

static enum flow op_cond_wait(struct frame *frame, const struct statement *statement)
{
    return async_end_word(frame, statement, aio_condition_wait(object_arg(&statement->args[0])),
                          "true");
}

/* The predicate V OP N of the statement. */
static int is_true(void *arg)
{
    const struct statement *statement = arg;
    const struct arg *args = statement->args;

    return compare(args[1].variable->value, args[2].number, args[3].number);
}

static enum flow op_cond_wait_for(struct frame *frame, const struct statement *statement)
{
    struct statement predicate = *statement;
    int code = aio_condition_wait_for(object_arg(&statement->args[0]), is_true, &predicate);

    return async_end_word(frame, statement, code, "true");
}

static enum flow op_notify(struct frame *frame, const struct statement *statement)
{
    const struct arg *args = statement->args;
    size_t count = args[1].number < 0 ? 0 : (size_t)args[1].number;

    (void)sync_ok(frame, statement, aio_condition_notify(object_arg(&args[0]), count));
    return FLOW_NEXT;
}

static enum flow op_notify_all(struct frame *frame, const struct statement *statement)
{
    (void)sync_ok(frame, statement, aio_condition_notify_all(object_arg(&statement->args[0])));
    return FLOW_NEXT;
}

/* ---- Barriers ------------------------------------------------------------------------ */

static enum flow op_barrier_wait(struct frame *frame, const struct statement *statement)
{
    size_t index = 0;
    int code = aio_barrier_wait(object_arg(&statement->args[0]), &index);

    if (code < 0)
        return async_fail(frame, statement->subject, code);
    say(frame->player, "%s = %zu", statement->subject, index);
    return FLOW_NEXT;
}

static enum flow op_barrier_reset(struct frame *frame, const struct statement *statement)
{
    return async_end_word(frame, statement, aio_barrier_reset(object_arg(&statement->args[0])),
                          "none");
}

static enum flow op_barrier_abort(struct frame *frame, const struct statement *statement)
{
    return async_end_word(frame, statement, aio_barrier_abort(object_arg(&statement->args[0])),
                          "none");
}

static enum flow op_barrier_info(struct frame *frame, const struct statement *statement)
{
    const aio_barrier *barrier = object_arg(&statement->args[0]);

    say(frame->player, "%s parties=%zu n_waiting=%zu broken=%s", statement->subject,
        aio_barrier_parties(barrier), aio_barrier_n_waiting(barrier),
        bool_text(aio_barrier_broken(barrier)));
    return FLOW_NEXT;
}

/* ---- Queues -------------------------------------------------------------------------- */

static enum flow op_put(struct frame *frame, const struct statement *statement)
{
    const struct arg *args = statement->args;

    return async_end_word(frame, statement,
                          aio_queue_put(object_arg(&args[0]), item_of(args[1].number)), "none");
}

static enum flow op_get(struct frame *frame, const struct statement *statement)
{
    void *item = NULL;
    int code = aio_queue_get(object_arg(&statement->args[0]), &item);

    if (code < 0)
        return async_fail(frame, statement->subject, code);
    say(frame->player, "%s = %ld", statement->subject, number_of(item));
    return FLOW_NEXT;
}

static enum flow op_join(struct frame *frame, const struct statement *statement)
{
    return async_end_word(frame, statement, aio_queue_join(object_arg(&statement->args[0])),
                          "none");
}

static enum flow op_put_nowait(struct frame *frame, const struct statement *statement)
{
    const struct arg *args = statement->args;

    (void)sync_ok(frame, statement,
                  aio_queue_put_nowait(object_arg(&args[0]), item_of(args[1].number)));
    return FLOW_NEXT;
}

static enum flow op_get_nowait(struct frame *frame, const struct statement *statement)
{
    void *item = NULL;
    int code = aio_queue_get_nowait(object_arg(&statement->args[0]), &item);

    if (sync_ok(frame, statement, code))
        say(frame->player, "%s = %ld", statement->subject, number_of(item));
    return FLOW_NEXT;
}

static enum flow op_task_done(struct frame *frame, const struct statement *statement)
{
    (void)sync_ok(frame, statement, aio_queue_task_done(object_arg(&statement->args[0])));
    return FLOW_NEXT;
}

static enum flow op_shutdown(struct frame *frame, const struct statement *statement)
{
    bool immediate = statement->arg_count > 1 && strcmp(statement->args[1].text, "immediate") == 0;

    aio_queue_shutdown(object_arg(&statement->args[0]), immediate);
    return FLOW_NEXT;
}

static enum flow op_queue_info(struct frame *frame, const struct statement *statement)
{
    const aio_queue *queue = object_arg(&statement->args[0]);

    say(frame->player, "%s qsize=%zu empty=%s full=%s", statement->subject, aio_queue_qsize(queue),
        bool_text(aio_queue_empty(queue)), bool_text(aio_queue_full(queue)));
    return FLOW_NEXT;
}

/* ---- Tables -------------------------------------------------------------------------- */

static const struct op sync_ops[] = {
    {.name = "acquire", .args = "lockable", .run = op_acquire},
    {.name = "release", .args = "lockable", .run = op_release},
    {.name = "locked", .args = "lockable", .run = op_locked},
    {.name = "with", .args = "lockable", .run = op_with, .parts = "endwith"},
    {.name = "event_set", .args = "event", .run = op_event_set},
    {.name = "event_clear", .args = "event", .run = op_event_clear},
    {.name = "event_is_set", .args = "event", .run = op_event_is_set},
    {.name = "event_wait", .args = "event", .run = op_event_wait},
    {.name = "cond_wait", .args = "condition", .run = op_cond_wait},
    {.name = "cond_wait_for",
     .args = "condition variable comparison integer",
     .run = op_cond_wait_for},
    {.name = "notify", .args = "condition integer", .run = op_notify},
    {.name = "notify_all", .args = "condition", .run = op_notify_all},
    {.name = "barrier_wait", .args = "barrier", .run = op_barrier_wait},
    {.name = "barrier_reset", .args = "barrier", .run = op_barrier_reset},
    {.name = "barrier_abort", .args = "barrier", .run = op_barrier_abort},
    {.name = "barrier_info", .args = "barrier", .run = op_barrier_info},
    {.name = "put", .args = "queue integer", .run = op_put},
    {.name = "get", .args = "queue", .run = op_get},
    {.name = "join", .args = "queue", .run = op_join},
    {.name = "put_nowait", .args = "queue integer", .run = op_put_nowait},
    {.name = "get_nowait", .args = "queue", .run = op_get_nowait},
    {.name = "task_done", .args = "queue", .run = op_task_done},
    {.name = "shutdown", .args = "queue word?", .run = op_shutdown},
    {.name = "queue_info", .args = "queue", .run = op_queue_info},
    {.name = NULL},
};

static const struct op sync_declarations[] = {
    {.name = "lock", .args = "name", .run = declare_lock},
    {.name = "event", .args = "name", .run = declare_event},
    {.name = "cond", .args = "name lock?", .run = declare_cond},
    {.name = "sem", .args = "name integer", .run = declare_sem},
    {.name = "bsem", .args = "name integer", .run = declare_bsem},
    {.name = "barrier", .args = "name integer", .run = declare_barrier},
    {.name = "queue", .args = "name integer", .run = declare_queue},
    {.name = "lifo_queue", .args = "name integer", .run = declare_lifo_queue},
    {.name = "priority_queue", .args = "name integer", .run = declare_priority_queue},
    {.name = NULL},
};

const struct level level_sync = {sync_ops, sync_declarations};
