/* SPDX-License-Identifier: MIT */
/*
 * pubsub.c - a connection that is told messages
 *
 * The server answers each (un)subscription once, among the messages: those who wait for that stand
 * in line. Messages stand in a queue until the iterator gives them out. While that is full the
 * connection is not read, which holds the answers back too.
 *
 * Thread: the loop's.
 */
#include "redis/redis_internal.h"

#include <aio/memory.h>
#include <aio/task.h>
#include <aio/wait.h>
#include <string.h>

enum { QUEUE_HIGH = 1000, QUEUE_LOW = 500 };

/* Who waits for an answer. Owned by the line until that has come, then by who waits. */
struct waiter {
    struct waiter *next;
    aio_future *done; /* NULL: nobody waits any more */
    aio_exception *error;
};

struct message {
    struct message *next;
    struct aio__redis_block *block;
    aio_redis_message view;
};

struct aio_redis_pubsub {
    aio_iterator iterator; /* first */
    size_t refs;
    aio_redis *redis;     /* owned */
    struct waiter *first; /* those who wait for an answer */
    struct waiter *last;
    struct message *head; /* the queue */
    struct message *tail;
    size_t queued;
    struct message *given; /* the one the iterator gave last */
    aio_future *news;      /* owned; who waits for a message. NULL: nobody */
    bool paused;
    bool closed; /* by this end */
};

/* --- life -------------------------------------------------------------------------------------- */

static void free_message(struct message *message)
{
    if (message == NULL)
        return;
    aio__redis_block_free(message->block);
    aio_free(message);
}

static int pubsub_next(aio_iterator *iterator, void **ret_item);

static const aio_iterator_ops iterator_ops = {.size = sizeof(iterator_ops), .next = pubsub_next};

int aio_redis_pubsub_new(aio_redis *redis, aio_redis_pubsub **ret_pubsub)
{
    aio_redis_pubsub *pubsub;

    if (redis == NULL || ret_pubsub == NULL)
        return aio_raise(AIO_EVALUE, "a connection, and a place for the pub/sub, are needed");
    if (redis->lost)
        return aio_raise(AIO_REDIS_ECLOSED, "the connection is closed");
    if (redis->pubsub != NULL || redis->pending > 0)
        return aio_raise(AIO_ERUNTIME, redis->pubsub != NULL
                                           ? "the connection serves a pub/sub already"
                                           : "commands wait for their replies");
    pubsub = aio_calloc(1, sizeof(*pubsub));
    if (pubsub == NULL)
        return AIO_ENOMEM;
    pubsub->iterator.ops = &iterator_ops;
    pubsub->refs = 1;
    pubsub->redis = aio_redis_ref(redis);
    redis->pubsub = pubsub;
    *ret_pubsub = pubsub;
    return 0;
}

aio_redis_pubsub *aio_redis_pubsub_ref(aio_redis_pubsub *pubsub)
{
    if (pubsub != NULL)
        pubsub->refs++;
    return pubsub;
}

void aio_redis_pubsub_unref(aio_redis_pubsub *pubsub)
{
    if (pubsub == NULL || --pubsub->refs != 0)
        return;
    aio_redis_pubsub_close(pubsub);
    pubsub->redis->pubsub = NULL;
    aio_redis_unref(pubsub->redis);
    while (pubsub->head != NULL) {
        struct message *next = pubsub->head->next;

        free_message(pubsub->head);
        pubsub->head = next;
    }
    while (pubsub->first != NULL) {
        struct waiter *next = pubsub->first->next;

        aio_free(pubsub->first);
        pubsub->first = next;
    }
    free_message(pubsub->given);
    aio_free(pubsub);
}

void aio_redis_pubsub_close(aio_redis_pubsub *pubsub)
{
    if (pubsub == NULL || pubsub->closed)
        return;
    pubsub->closed = true;
    aio_redis_close(pubsub->redis);
}

/* --- what comes -------------------------------------------------------------------------------- */

/* The first in line has its answer. */
static void answer(aio_redis_pubsub *pubsub, aio_exception *error)
{
    struct waiter *waiter = pubsub->first;

    if (waiter == NULL)
        return;
    pubsub->first = waiter->next;
    if (waiter->done == NULL) {
        aio_free(waiter);
        return;
    }
    waiter->error = aio_exception_ref(error);
    (void)aio_future_set_result(waiter->done, waiter);
}

static void wake_reader(aio_redis_pubsub *pubsub)
{
    if (pubsub->news != NULL && !aio_future_done(pubsub->news))
        (void)aio_future_set_result(pubsub->news, NULL);
}

/* Whether a reply is an array of so many texts, but for its last item, that begins with a word. */
static bool is_push(const aio_redis_reply *reply, const char *word, size_t count)
{
    if (reply->type != AIO_REDIS_ARRAY || reply->count != count)
        return false;
    for (size_t i = 0; i + 1 < count; i++) {
        if (reply->items[i].text == NULL)
            return false;
    }
    return reply->items[0].size == strlen(word) &&
           memcmp(reply->items[0].text, word, reply->items[0].size) == 0;
}

static bool is_answer(const aio_redis_reply *reply)
{
    return is_push(reply, "subscribe", 3) || is_push(reply, "psubscribe", 3) ||
           is_push(reply, "unsubscribe", 3) || is_push(reply, "punsubscribe", 3);
}

/* What a message says; false if it is none. */
static bool read_message(const aio_redis_reply *reply, aio_redis_message *ret_view)
{
    bool by_pattern = is_push(reply, "pmessage", 4);
    const aio_redis_reply *channel;
    const aio_redis_reply *data;

    if (!by_pattern && !is_push(reply, "message", 3))
        return false;
    channel = &reply->items[by_pattern ? 2 : 1];
    data = &reply->items[by_pattern ? 3 : 2];
    if (data->text == NULL)
        return false;
    *ret_view = (aio_redis_message){
        .channel = channel->text,
        .channel_size = channel->size,
        .pattern = by_pattern ? reply->items[1].text : NULL,
        .data = data->text,
        .size = data->size,
    };
    return true;
}

static void lose(aio_redis_pubsub *pubsub, int code, const char *text)
{
    aio_exception *error = aio_exception_new(code, "%s", text);

    aio__redis_lose(pubsub->redis, error);
    aio_exception_unref(error);
}

/* At the end of the queue. The block is taken. */
static int add_message(aio_redis_pubsub *pubsub, struct aio__redis_block *block,
                       const aio_redis_message *view)
{
    struct message *message = aio_malloc(sizeof(*message));

    if (message == NULL)
        return AIO_ENOMEM;
    *message = (struct message){.block = block, .view = *view};
    if (pubsub->head == NULL)
        pubsub->head = message;
    else
        pubsub->tail->next = message;
    pubsub->tail = message;
    if (++pubsub->queued >= QUEUE_HIGH && !pubsub->paused) {
        pubsub->paused = true;
        (void)aio_transport_pause_reading(pubsub->redis->transport);
    }
    wake_reader(pubsub);
    return 0;
}

void aio__redis_pubsub_push(aio_redis_pubsub *pubsub, struct aio__redis_block *block)
{
    const aio_redis_reply *reply = &block->root;
    aio_redis_message view;

    if (read_message(reply, &view)) {
        if (add_message(pubsub, block, &view) == 0)
            return;
        lose(pubsub, AIO_ENOMEM, "no memory for a message"); /* one that is left out is no stream */
    } else if (reply->type == AIO_REDIS_FAILURE) {
        aio_exception *error = aio_error_catch(aio__redis_raise_reply(reply));

        answer(pubsub, error);
        aio_exception_unref(error);
    } else if (is_answer(reply)) {
        answer(pubsub, NULL);
    } else {
        lose(pubsub, AIO_REDIS_EPROTOCOL, "something else than a message of pub/sub");
    }
    aio__redis_block_free(block);
}

void aio__redis_pubsub_lost(aio_redis_pubsub *pubsub)
{
    while (pubsub->first != NULL)
        answer(pubsub, pubsub->redis->why);
    wake_reader(pubsub);
}

/* --- subscriptions ------------------------------------------------------------------------------- */

static int check(const aio_redis_pubsub *pubsub, const char *name)
{
    if (pubsub == NULL || name == NULL)
        return aio_raise(AIO_EVALUE, "a pub/sub and a name are needed, not NULL");
    if (pubsub->redis->lost)
        return aio_raise_from(pubsub->redis->why, AIO_REDIS_ECLOSED, "the connection is closed");
    if (aio_current_task(NULL) == NULL)
        return aio_raise(AIO_ENOTASK, "only a task can wait for the server's answer");
    return 0;
}

static int wait_for_answer(aio_redis_pubsub *pubsub, struct waiter *waiter)
{
    double timeout = pubsub->redis->timeout;
    aio_future *done = aio_future_ref(waiter->done);
    void *answered = NULL;
    int err;

    err = timeout == AIO_FOREVER ? aio_await(done, &answered)
                                 : aio_wait_for(done, timeout, &answered);
    if (aio_future_done(done) && !aio_future_cancelled(done)) {
        if (err == 0 && (waiter->error != NULL || pubsub->redis->lost))
            err = aio_raise_exception(waiter->error); /* none: memory was short */
        aio_exception_unref(waiter->error);
        aio_free(waiter);
    } else {
        waiter->done = NULL; /* a tombstone */
    }
    aio_future_unref(done);
    aio_future_unref(done);
    if (err == AIO_ETIMEDOUT) {
        lose(pubsub, err, "no reply from redis in time");
        err = aio_raise(err, "no reply from redis in time");
    }
    return err;
}

static int change(aio_redis_pubsub *pubsub, const char *verb, const char *name)
{
    struct waiter *waiter;
    aio_redis *redis;
    int err = check(pubsub, name);

    if (err < 0)
        return err;
    redis = pubsub->redis;
    waiter = aio_calloc(1, sizeof(*waiter));
    if (waiter == NULL)
        return AIO_ENOMEM;
    waiter->done = aio_future_new(redis->loop);
    if (waiter->done != NULL) {
        aio_buffer words[2] = {{verb, strlen(verb)}, {name, strlen(name)}};

        err = aio__redis_add_argv(&redis->out, words, 2);
    }
    if (waiter->done == NULL || err < 0) {
        aio_future_unref(waiter->done);
        aio_free(waiter);
        return AIO_ENOMEM;
    }
    if (pubsub->first == NULL)
        pubsub->first = waiter;
    else
        pubsub->last->next = waiter;
    pubsub->last = waiter;
    (void)aio_redis_pubsub_ref(pubsub);
    (void)aio__redis_flush(redis);
    err = wait_for_answer(pubsub, waiter);
    aio_redis_pubsub_unref(pubsub);
    return err;
}

int aio_redis_subscribe(aio_redis_pubsub *pubsub, const char *channel)
{
    return change(pubsub, "SUBSCRIBE", channel);
}

int aio_redis_psubscribe(aio_redis_pubsub *pubsub, const char *pattern)
{
    return change(pubsub, "PSUBSCRIBE", pattern);
}

int aio_redis_unsubscribe(aio_redis_pubsub *pubsub, const char *channel)
{
    return change(pubsub, "UNSUBSCRIBE", channel);
}

int aio_redis_punsubscribe(aio_redis_pubsub *pubsub, const char *pattern)
{
    return change(pubsub, "PUNSUBSCRIBE", pattern);
}

/* --- iteration ----------------------------------------------------------------------------------- */

static struct message *take_message(aio_redis_pubsub *pubsub)
{
    struct message *message = pubsub->head;

    pubsub->head = message->next;
    pubsub->queued--;
    if (pubsub->paused && pubsub->queued <= QUEUE_LOW) {
        pubsub->paused = false;
        if (!pubsub->redis->lost)
            (void)aio_transport_resume_reading(pubsub->redis->transport);
    }
    return message;
}

/* Wait until there is a message, or the connection is lost. */
static int wait_for_news(aio_redis_pubsub *pubsub)
{
    int err;

    if (pubsub->news != NULL)
        return aio_raise(AIO_ERUNTIME, "another task waits for a message");
    pubsub->news = aio_future_new(pubsub->redis->loop);
    err = aio_await(pubsub->news, NULL);
    aio_future_unref(pubsub->news);
    pubsub->news = NULL;
    return err;
}

static int pubsub_next(aio_iterator *iterator, void **ret_item)
{
    aio_redis_pubsub *pubsub = (aio_redis_pubsub *)(void *)iterator;
    int err = 0;

    (void)aio_redis_pubsub_ref(pubsub);
    while (err == 0 && pubsub->head == NULL) {
        if (pubsub->closed)
            err = AIO_ESTOP;
        else if (pubsub->redis->lost)
            err = aio_raise_exception(pubsub->redis->why);
        else
            err = wait_for_news(pubsub);
    }
    if (err == 0 && pubsub->closed)
        err = AIO_ESTOP;
    if (err == 0) {
        free_message(pubsub->given);
        pubsub->given = take_message(pubsub);
        *ret_item = &pubsub->given->view;
    }
    aio_redis_pubsub_unref(pubsub);
    return err;
}

aio_iterator *aio_redis_pubsub_iterator(aio_redis_pubsub *pubsub)
{
    return pubsub == NULL ? NULL : &pubsub->iterator;
}
