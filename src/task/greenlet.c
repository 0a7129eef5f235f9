/* SPDX-License-Identifier: MIT */
/*
 * greenlet.c - stacks that switch to each other, in a thread or within one task
 *
 * A thread and a task are alike here: each is a "place" with a stack of its own, its root
 * greenlet, and takes turns with the greenlets made in it. A place exists while anybody refers
 * to one of its greenlets; which place is current, the running task tells.
 *
 * Invariants
 *   - In each place one greenlet is current, and all others that are alive are suspended in a
 *     switch: `fiber` is where they go on, be it the fiber of a generator they run.
 *   - The current greenlet is held by its place, unless it is the root; one that has been
 *     left is dropped by the one that arrives, since it cannot free the stack it is on.
 *   - Parents lead to the root, and every one is held by its children: so greenlets hold
 *     their place.
 *   - What a switch brings waits in the code and value of the greenlet that gets it. An error
 *     object stays in the slot of the running strand, which is the same for all of a place.
 *
 * Thread: each greenlet stays on the one that made it.
 */
#include "base/error.h"
#include "base/log.h"
#include "task/stacks.h"
#include "task/task_internal.h"

#include <aio/greenlet.h>
#include <aio/memory.h>

enum state { NOT_BEGUN, ALIVE, DEAD };

struct place;

struct aio_greenlet {
    struct aio__stack_owner owner; /* removed once it is dead; never in a root */
    size_t refs;
    enum state state;
    bool unwinding;           /* it may not switch any more */
    bool abandoned;           /* nobody refers to it: it waits for its thread's end */
    struct place *place;      /* held by way of the parents */
    aio_greenlet *parent;     /* one reference; NULL: a root */
    struct aio__fiber *fiber; /* ALIVE and suspended, or about to begin */
    aio__ctx own_context;
    aio__ctx *context; /* suspended: the current one */
    aio_greenlet_fn fn;
    void *arg;
    void (*arg_destroy)(void *arg); /* NULL once called */
    size_t stack_size;
    int code; /* what the switch to it brings */
    void *value;
};

struct place {
    aio_greenlet root;
    aio_task *task;        /* one reference; NULL: the thread */
    aio_greenlet *current; /* one reference, unless it is the root */
    aio_greenlet *left;    /* one reference, for who arrives to drop */
    struct aio__list link; /* in the thread's table */
};

/* The places of a thread, by task. */
enum { BUCKETS = 64 };

struct table {
    struct aio__list buckets[BUCKETS];
};

static bool is_root(const aio_greenlet *greenlet)
{
    return greenlet->parent == NULL;
}

/* --- places ---------------------------------------------------------------------------- */

/* The thread ends. Roots that somebody still refers to belong nowhere from now on. */
static void end_table(struct aio__stacks *stacks)
{
    struct table *table = stacks->greenlets;

    for (size_t i = 0; i < BUCKETS; i++) {
        AIO__LIST_FOREACH (link, &table->buckets[i]) {
            struct place *place = aio__container_of(link, struct place, link);

            place->root.owner.stacks = NULL;
            aio__list_remove(link);
        }
    }
    aio_free(table);
}

static struct table *table_of(struct aio__stacks *stacks)
{
    struct table *table = stacks->greenlets;

    if (table != NULL)
        return table;
    table = aio_malloc(sizeof(*table));
    if (table == NULL)
        return NULL;
    for (size_t i = 0; i < BUCKETS; i++)
        aio__list_init(&table->buckets[i]);
    stacks->greenlets = table;
    stacks->end_greenlets = end_table;
    return table;
}

static aio_task *running_task(void)
{
    aio_loop *loop = aio__thread()->running;

    return loop == NULL || loop->current == NULL ? NULL : &aio__task_of_strand(loop->current)->fut;
}

static struct aio__list *bucket_of(struct table *table, const aio_task *task)
{
    return &table->buckets[(uintptr_t)task / 64 % BUCKETS];
}

/* The current place, borrowed; NULL if it has no greenlets, or its table no memory. */
static struct place *find_place(struct aio__stacks *stacks, const aio_task *task)
{
    struct table *table = table_of(stacks);

    if (table == NULL)
        return NULL;
    AIO__LIST_FOREACH (link, bucket_of(table, task)) {
        struct place *place = aio__container_of(link, struct place, link);

        if (place->task == task)
            return place;
    }
    return NULL;
}

/* The current place with a reference to its root, made if need be. NULL: no memory. */
static struct place *hold_place(struct aio__stacks *stacks)
{
    aio_task *task = running_task();
    struct place *place = find_place(stacks, task);

    if (place == NULL) {
        if (stacks->greenlets == NULL)
            return NULL;
        place = aio_calloc(1, sizeof(*place));
        if (place == NULL)
            return NULL;
        place->root.owner.stacks = stacks;
        place->root.state = ALIVE;
        place->root.place = place;
        place->task = aio_future_ref(task);
        place->current = &place->root;
        aio__list_append(bucket_of(stacks->greenlets, task), &place->link);
    }
    place->root.refs++;
    return place;
}

static void free_place(struct place *place)
{
    aio__list_remove(&place->link);
    aio_future_unref(place->task);
    aio_free(place);
}

/* --- switching ------------------------------------------------------------------------- */

static struct aio__fiber *greenlet_base(struct aio__fiber *self);

static int take_fiber(aio_greenlet *greenlet)
{
    return aio__fiber_take(greenlet->owner.stacks->pool, greenlet->stack_size, greenlet_base,
                           greenlet, &greenlet->fiber);
}

/* It is over, or never will begin. The destructor may raise: an error on its way survives. */
static void finish(aio_greenlet *greenlet)
{
    void (*destroy)(void *) = greenlet->arg_destroy;
    aio_exception *error;

    greenlet->state = DEAD;
    greenlet->fiber = NULL;
    aio__stack_owner_remove(&greenlet->owner);
    if (destroy == NULL)
        return;
    greenlet->arg_destroy = NULL;
    error = aio__error_stash();
    destroy(greenlet->arg);
    aio__error_unstash(error);
}

/*
 * Who gets what is meant for a greenlet: itself, or the first of its parents that can. An
 * error ends those that have not begun, and AIO_EGENERATOREXIT is a dead one's return of NULL.
 */
static aio_greenlet *find_receiver(aio_greenlet *to, int *code, void **value)
{
    for (; to->state != ALIVE; to = to->parent) {
        if (to->state == NOT_BEGUN) {
            if (*code >= 0 && to->fiber == NULL)
                *code = take_fiber(to);
            if (*code >= 0)
                return to;
            finish(to);
        }
        if (*code == AIO_EGENERATOREXIT) {
            *code = 0;
            *value = NULL;
        }
    }
    return to;
}

/* Make another greenlet of the place the current one; the caller switches stacks next. */
static void set_current(struct place *place, aio_greenlet *to)
{
    aio_greenlet *from = place->current;

    place->left = is_root(from) ? NULL : from;
    place->current = to;
    if (!is_root(to))
        to->refs++;
    aio__thread()->context = to->context;
}

/* First thing on the new stack. May run what the one that was left does to unwind. */
static void drop_left(struct place *place)
{
    aio_greenlet *left = place->left;

    place->left = NULL;
    aio_greenlet_unref(left);
}

/* Switch within the current place; returns when somebody switches back. */
static int transfer(struct place *place, aio_greenlet *to, int code, void *value, void **ret_value)
{
    struct aio__stacks *stacks = to->owner.stacks;
    aio_greenlet *from = place->current;
    struct aio__fiber **running;

    to = find_receiver(to, &code, &value);
    if (to != from) {
        to->code = code;
        to->value = value;
        running = aio__stacks_running(stacks);
        from->fiber = *running;
        from->context = aio__thread()->context;
        if (is_root(from))
            from->refs++; /* others are held by the place, or by those who can resume them */
        set_current(place, to);
        aio__stacks_switch(stacks, running, to->fiber);

        code = from->code;
        value = from->value;
        drop_left(from->place); /* not the same place, if it is being unwound */
        if (is_root(from))
            aio_greenlet_unref(from);
    }
    if (code < 0)
        return code;
    if (ret_value != NULL)
        *ret_value = value;
    return 0;
}

static struct aio__fiber *greenlet_base(struct aio__fiber *self)
{
    aio_greenlet *greenlet = aio__fiber_user(self);
    void *value = greenlet->value;
    void *result = NULL;
    aio_greenlet *to;
    int code;

    greenlet->state = ALIVE;
    drop_left(greenlet->place);
    code = greenlet->fn(greenlet->arg, value, &result);

    finish(greenlet);
    if (code > 0)
        code = 0;
    to = find_receiver(greenlet, &code, &result);
    to->code = code;
    to->value = result;
    set_current(greenlet->place, to);
    aio__fiber_give(self);
    *aio__stacks_running(greenlet->owner.stacks) = to->fiber;
    return to->fiber;
}

/* The current place if a greenlet can be switched to from it. NULL: AIO_ERUNTIME is raised. */
static struct place *check_place(const aio_greenlet *greenlet)
{
    if (!aio__stack_owner_is_here(&greenlet->owner, "greenlet"))
        return NULL;
    if (AIO__LIKELY(greenlet->place->task == running_task()))
        return greenlet->place;
    (void)aio_raise(AIO_ERUNTIME, "cannot switch to a greenlet of a different task");
    return NULL;
}

int aio_greenlet_switch(aio_greenlet *greenlet, void *value, void **ret_value)
{
    struct place *place;

    if (greenlet == NULL)
        return aio__null_future();
    place = check_place(greenlet);
    if (place == NULL)
        return AIO_ERUNTIME;
    if (place->current->unwinding)
        return AIO_EGENERATOREXIT;
    if (greenlet->state == NOT_BEGUN) {
        int err = take_fiber(greenlet);

        if (err < 0)
            return err;
    }
    return transfer(place, greenlet, 0, value, ret_value);
}

int aio_greenlet_throw(aio_greenlet *greenlet, int code, void **ret_value)
{
    struct place *place;

    if (greenlet == NULL)
        return aio__null_future();
    if (code >= 0)
        return aio_raise(AIO_ETYPE, "an error to throw is below 0, not %d", code);
    place = check_place(greenlet);
    if (place == NULL)
        return AIO_ERUNTIME;
    if (place->current->unwinding)
        return AIO_EGENERATOREXIT;
    return transfer(place, greenlet, code, NULL, ret_value);
}

/* --- life ------------------------------------------------------------------------------ */

/*
 * Throw AIO_EGENERATOREXIT into a suspended greenlet from wherever we are, as its parent for
 * that time, and run it to its end: its switches fail from now on. false: no memory.
 */
static bool unwind(aio_greenlet *greenlet)
{
    struct place *home = greenlet->place;
    aio_greenlet *parent = greenlet->parent;
    struct place *place;
    aio_exception *error;
    int code;

    place = hold_place(greenlet->owner.stacks);
    if (place == NULL)
        return false;
    greenlet->unwinding = true;
    greenlet->place = place;
    greenlet->parent = aio_greenlet_ref(place->current);
    error = aio__error_stash();
    code = transfer(place, greenlet, AIO_EGENERATOREXIT, NULL, NULL);
    if (code < 0)
        aio__log(AIO_LOG_ERROR, "Exception ignored while unwinding a greenlet: %s: %s",
                 aio_error_name(code), aio_error_text(code));
    aio__error_unstash(error);
    aio_greenlet_unref(greenlet->parent);
    greenlet->parent = parent;
    greenlet->place = home;
    aio_greenlet_unref(&place->root);
    return true;
}

/* The thread ends. */
static void end_with_thread(struct aio__stack_owner *owner)
{
    aio_greenlet *greenlet = aio__container_of(owner, aio_greenlet, owner);

    greenlet->refs += greenlet->abandoned ? 0 : 1;
    if (greenlet->state != ALIVE || !unwind(greenlet))
        finish(greenlet);
    owner->stacks = NULL;
    aio_greenlet_unref(greenlet);
}

/* 0 if the options make sense. */
static int check_new(aio_greenlet_fn fn, const void *arg, const aio_greenlet_options *options)
{
    if (fn == NULL)
        return aio_raise(AIO_EVALUE, "a greenlet needs a function");
    if (options->size < sizeof(*options) || (options->arg_size != 0 && arg == NULL))
        return aio_raise(AIO_EVALUE, "bad greenlet options");
    if (options->parent != NULL && !aio__stack_owner_is_here(&options->parent->owner, "greenlet"))
        return AIO_ERUNTIME;
    return 0;
}

static int greenlet_new(aio_greenlet_fn fn, void *arg, const aio_greenlet_options *options,
                        aio_greenlet **ret_greenlet)
{
    struct aio__stacks *stacks = aio__stacks();
    aio_greenlet *parent = options->parent;
    aio_greenlet *greenlet;

    if (stacks == NULL)
        return AIO_ENOMEM;
    parent = parent != NULL ? aio_greenlet_ref(parent) : aio_greenlet_current();
    if (parent == NULL)
        return AIO_ENOMEM;
    greenlet = aio__alloc_with_copy(sizeof(*greenlet), options->arg_size);
    if (greenlet == NULL) {
        aio_greenlet_unref(parent);
        return AIO_ENOMEM;
    }

    greenlet->refs = 1;
    greenlet->place = parent->place;
    greenlet->parent = parent;
    greenlet->context = &greenlet->own_context;
    greenlet->fn = fn;
    greenlet->arg = aio__copy_behind(greenlet, sizeof(*greenlet), arg, options->arg_size);
    greenlet->arg_destroy = options->arg_destroy;
    greenlet->stack_size = options->stack_size;
    greenlet->owner.end = end_with_thread;
    aio__stack_owner_init(&greenlet->owner, stacks);
    *ret_greenlet = greenlet;
    return 0;
}

aio_greenlet *aio_greenlet_new(aio_greenlet_fn fn, void *arg, const aio_greenlet_options *options)
{
    static const aio_greenlet_options defaults = AIO_GREENLET_OPTIONS_INIT;
    aio_greenlet *greenlet = NULL;
    int err;

    if (options == NULL)
        options = &defaults;
    err = check_new(fn, arg, options);
    if (err == 0)
        err = greenlet_new(fn, arg, options, &greenlet);
    if (err == 0)
        return greenlet;
    if (options->size >= sizeof(*options) && options->arg_destroy != NULL)
        options->arg_destroy(arg);
    return aio__failed(err);
}

aio_greenlet *aio_greenlet_ref(aio_greenlet *greenlet)
{
    if (greenlet != NULL)
        greenlet->refs++;
    return greenlet;
}

void aio_greenlet_unref(aio_greenlet *greenlet)
{
    aio_greenlet *parent;

    if (greenlet == NULL)
        return;
    if (greenlet->refs == 1 && greenlet->state == ALIVE && !is_root(greenlet) &&
        !unwind(greenlet)) {
        greenlet->abandoned = true;
        return;
    }
    if (--greenlet->refs != 0)
        return;
    if (is_root(greenlet)) {
        free_place(greenlet->place);
        return;
    }
    if (greenlet->state == NOT_BEGUN)
        finish(greenlet);
    parent = greenlet->parent;
    aio__ctx_release(greenlet->own_context);
    aio_free(greenlet);
    aio_greenlet_unref(parent);
}

/* --- questions ------------------------------------------------------------------------- */

aio_greenlet *aio_greenlet_current(void)
{
    struct aio__stacks *stacks = aio__stacks();
    struct place *place = stacks != NULL ? hold_place(stacks) : NULL;
    aio_greenlet *current;

    if (place == NULL)
        return aio__failed(AIO_ENOMEM);
    current = aio_greenlet_ref(place->current);
    aio_greenlet_unref(&place->root);
    return current;
}

aio_greenlet *aio_greenlet_parent(const aio_greenlet *greenlet)
{
    return greenlet == NULL ? NULL : greenlet->parent;
}

int aio_greenlet_set_parent(aio_greenlet *greenlet, aio_greenlet *parent)
{
    aio_greenlet *former;

    if (greenlet == NULL || parent == NULL)
        return aio__null_future();
    if (is_root(greenlet))
        return aio_raise(AIO_EATTRIBUTE, "cannot set the parent of a main greenlet");
    if (greenlet->place != parent->place)
        return aio_raise(AIO_ERUNTIME, "parent cannot be on a different thread or task");
    for (const aio_greenlet *next = parent; next != NULL; next = next->parent)
        if (next == greenlet)
            return aio_raise(AIO_EVALUE, "cyclic parent chain");

    former = greenlet->parent;
    greenlet->parent = aio_greenlet_ref(parent);
    aio_greenlet_unref(former);
    return 0;
}

bool aio_greenlet_active(const aio_greenlet *greenlet)
{
    return greenlet != NULL && greenlet->state == ALIVE;
}

bool aio_greenlet_dead(const aio_greenlet *greenlet)
{
    return greenlet == NULL || greenlet->state == DEAD;
}
