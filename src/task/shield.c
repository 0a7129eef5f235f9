/* SPDX-License-Identifier: MIT */
/*
 * shield.c - a future that ends as another does, and can be cancelled without it
 *
 * The outer future holds the inner one, whose value it lends, and watches it. Once it is
 * cancelled it leaves somebody else to watch for an error that nobody would hear of.
 *
 * Thread: the loop's.
 */
#include "task/fan.h"

#include <aio/wait.h>
#include <stdio.h>

struct shield {
    aio_future fut;
    struct aio__fan fan;
    aio_future *inner; /* referenced */
    bool let_go;       /* the outer future was done first: how the inner one ends changes nothing */
};

static struct shield *shield_of(const aio_future *fut)
{
    return aio__container_of((uintptr_t)fut, struct shield, fut);
}

static void release_shield(struct aio__fan *fan)
{
    struct shield *shield = aio__container_of(fan, struct shield, fan);

    aio__loop_free(shield->fut.loop, shield, sizeof(*shield));
}

static void dispose_shield(aio_future *fut)
{
    struct shield *shield = shield_of(fut);
    aio_future *inner = shield->inner;

    aio__fan_end(&shield->fan, &inner, 1);
    aio_future_unref(inner);
}

/* S73: the error of what was left alone is reported when it comes. */
static int report_error(aio_future *inner, void *arg)
{
    char message[96];

    (void)arg;
    if (inner->state != AIO__FUTURE_FAILED)
        return 0;
    (void)snprintf(message, sizeof(message), "%s exception in shielded future",
                   aio_error_name(inner->code));
    aio__future_disarm(inner);
    aio__loop_report(inner->loop, message, inner->error, inner);
    return 0;
}

/*
 * Somebody else has given the outer future a result, too late for the inner one to be let go:
 * asyncio gives it another one then, and the handler hears that this cannot be.
 */
static void outer_taken(const struct shield *shield, aio_future *inner)
{
    if (shield->let_go || shield->fut.state == AIO__FUTURE_CANCELLED ||
        inner->state == AIO__FUTURE_CANCELLED)
        return;
    aio__future_disarm(inner);
    aio__loop_callback_failed(inner->loop, aio_raise(AIO_EINVALIDSTATE, "invalid state"), NULL);
}

static void inner_done(struct aio__fan *fan, aio_future *inner)
{
    struct shield *shield = aio__container_of(fan, struct shield, fan);
    aio_future *outer = &shield->fut;

    if (!aio__future_is_pending(outer)) {
        outer_taken(shield, inner);
        return;
    }
    aio__future_disarm(inner);
    if (inner->state == AIO__FUTURE_CANCELLED)
        aio__future_cancelled(outer, NULL);
    else if (inner->state == AIO__FUTURE_FAILED)
        aio__future_fail(outer, inner->code, inner->error);
    else
        aio__future_finish(outer, inner->value, NULL);
}

static int outer_done(aio_future *outer, void *arg)
{
    struct shield *shield = shield_of(outer);
    aio_future *inner = shield->inner;

    (void)arg;
    if (!aio__future_is_pending(inner) || inner->loop->closed)
        return 0;
    shield->let_go = true;
    (void)aio_future_remove_done_callback(inner, report_error, NULL);
    (void)aio_future_add_done_callback(inner, report_error, NULL);
    return 0;
}

static const struct aio__future_ops shield_ops = {
    .name = "Future",
    .dispose = dispose_shield,
};

aio_future *aio_shield(aio_future *awaitable)
{
    struct shield *shield;
    aio_loop *loop;
    int err;

    if (awaitable == NULL)
        return aio__failed(aio__null_future());
    err = aio_ensure_future(awaitable, NULL);
    if (err < 0)
        return aio__failed(err);
    if (!aio__future_is_pending(awaitable))
        return aio_future_ref(awaitable);

    loop = awaitable->loop;
    shield = aio__loop_alloc(loop, sizeof(*shield));
    if (shield == NULL)
        return aio__failed(AIO_ENOMEM);
    aio__future_init(&shield->fut, loop, &shield_ops);
    shield->fan =
        (struct aio__fan){.on_done = inner_done, .release = release_shield, .outer = &shield->fut};
    shield->inner = aio_future_ref(awaitable);
    shield->let_go = false;
    err = aio__fan_watch(&shield->fan, awaitable);
    if (err == 0)
        err = aio__future_add_step(&shield->fut, outer_done, NULL);
    if (err < 0) {
        aio_future_unref(&shield->fut);
        return aio__failed(err);
    }
    return &shield->fut;
}
