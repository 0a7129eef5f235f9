/* SPDX-License-Identifier: MIT */
/*
 * format.c - futures and tasks as text, as Python's repr() has them
 */
#include "base/text.h"
#include "base/type.h"
#include "future/future_internal.h"

static const char *state_name(const aio_future *fut)
{
    switch (fut->state) {
    case AIO__FUTURE_FINISHED:
    case AIO__FUTURE_FAILED: return "finished";
    case AIO__FUTURE_CANCELLED: return "cancelled";
    default: return fut->kind_flags & AIO__FUTURE_CANCELLING ? "cancelling" : "pending";
    }
}

/* How many done callbacks and strands wait. */
static size_t count_waiters(const aio_future *fut)
{
    size_t count = 0;

    if (fut->last == NULL)
        return 0;
    for (const struct aio__ready *node = fut->last->next;; node = node->next) {
        count++;
        if (node == fut->last)
            return count;
    }
}

static void put_outcome(struct aio__text *text, const aio_future *fut)
{
    size_t waiters = count_waiters(fut);

    if (fut->state == AIO__FUTURE_FINISHED) {
        aio__text_printf(text, " result=");
        aio__text_advance(text, aio__value_format(fut->type, fut->value, aio__text_end(text),
                                                  aio__text_room(text)));
    } else if (fut->state == AIO__FUTURE_FAILED) {
        const char *message = aio_exception_message(fut->error);

        aio__text_printf(text, " exception=%s(", aio_error_name(fut->code));
        if (message != NULL)
            aio__text_advance(text, aio__value_format(&aio_type_string, message,
                                                      aio__text_end(text), aio__text_room(text)));
        aio__text_printf(text, ")");
    } else if (waiters != 0) {
        aio__text_printf(text, " cb=[%zu waiting]", waiters);
    }
}

size_t aio_future_format(const aio_future *fut, char *buffer, size_t size)
{
    struct aio__text text = {.buffer = buffer, .size = size};

    if (fut == NULL) {
        aio__text_printf(&text, "<Future NULL>");
        return text.length;
    }
    aio__text_printf(&text, "<%s %s", fut->ops->name, state_name(fut));
    if (fut->ops->describe != NULL)
        aio__text_advance(&text,
                          fut->ops->describe(fut, aio__text_end(&text), aio__text_room(&text)));
    put_outcome(&text, fut);
    aio__text_printf(&text, ">");
    return text.length;
}
