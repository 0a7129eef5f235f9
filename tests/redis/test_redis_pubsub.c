/* SPDX-License-Identifier: MIT */
/*
 * test_redis_pubsub.c - messages, by a real redis-server
 */
#include "support/allocation.h"
#include "support/gate.h"
#include "support/room.h"
#include "support/service.h"

#include <aio/redis.h>

#define TEST_OF(body)                                                                              \
    static void body##_test(void **state)                                                          \
    {                                                                                              \
        room_run(body);                                                                            \
    }

static int connect_to(const char *service, aio_redis **ret_redis)
{
    aio_redis_options options = AIO_REDIS_OPTIONS_INIT;

    options.url = service_info(service);
    return aio_redis_connect(&options, ret_redis);
}

/* A connection that listens, and one that speaks. */
static int both(aio_redis_pubsub **ret_pubsub, aio_redis **ret_redis)
{
    aio_redis *listener = NULL;

    TRY(connect_to("REDIS", &listener));
    TRY(aio_redis_pubsub_new(listener, ret_pubsub));
    aio_redis_unref(listener);
    return connect_to("REDIS", ret_redis);
}

static int finish(aio_redis_pubsub *pubsub, aio_redis *redis)
{
    aio_redis_pubsub_close(pubsub);
    aio_redis_pubsub_unref(pubsub);
    aio_redis_close(redis);
    TRY(aio_redis_wait_closed(redis));
    aio_redis_unref(redis);
    return room_turn();
}

static int next(aio_redis_pubsub *pubsub, const aio_redis_message **ret_message)
{
    void *item = NULL;
    int err = aio_anext(aio_redis_pubsub_iterator(pubsub), &item);

    if (err == 0)
        *ret_message = item;
    return err;
}

static int messages_come_in_order_by_channel_and_pattern(void *arg, void **ret_result)
{
    const aio_redis_message *message = NULL;
    aio_redis_pubsub *pubsub = NULL;
    aio_redis *redis = NULL;

    TRY(both(&pubsub, &redis));
    TRY(aio_redis_subscribe(pubsub, "news"));
    TRY(aio_redis_psubscribe(pubsub, "sport.*"));
    TRY(aio_redis_command(redis, NULL, "PUBLISH news %b", "a\0b", (size_t)3));
    TRY(aio_redis_command(redis, NULL, "PUBLISH other x"));
    TRY(aio_redis_command(redis, NULL, "PUBLISH sport.chess e4"));
    TRY(next(pubsub, &message));
    CHECK_TEXT(message->channel, "news");
    CHECK(message->pattern == NULL && message->size == 3 && memcmp(message->data, "a\0b", 4) == 0);
    TRY(next(pubsub, &message));
    CHECK_TEXT(message->channel, "sport.chess");
    CHECK_TEXT(message->pattern, "sport.*");
    CHECK_TEXT(message->data, "e4");
    return finish(pubsub, redis);
}
TEST_OF(messages_come_in_order_by_channel_and_pattern)

static int subscription_that_ended_brings_nothing_more(void *arg, void **ret_result)
{
    const aio_redis_message *message = NULL;
    aio_redis_pubsub *pubsub = NULL;
    aio_redis *redis = NULL;

    TRY(both(&pubsub, &redis));
    TRY(aio_redis_subscribe(pubsub, "a"));
    TRY(aio_redis_subscribe(pubsub, "b"));
    TRY(aio_redis_psubscribe(pubsub, "c*"));
    TRY(aio_redis_unsubscribe(pubsub, "a"));
    TRY(aio_redis_punsubscribe(pubsub, "c*"));
    TRY(aio_redis_command(redis, NULL, "PUBLISH a 1"));
    TRY(aio_redis_command(redis, NULL, "PUBLISH c 1"));
    TRY(aio_redis_command(redis, NULL, "PUBLISH b 2"));
    TRY(next(pubsub, &message));
    CHECK_TEXT(message->data, "2");
    TRY(aio_redis_unsubscribe(pubsub, "b"));
    TRY(aio_redis_subscribe(pubsub, "d"));
    return finish(pubsub, redis);
}
TEST_OF(subscription_that_ended_brings_nothing_more)

static int read_one(void *arg, void **ret_result)
{
    const aio_redis_message *message = NULL;

    return next(arg, &message);
}

static int iterator_ends_when_this_end_closes(void *arg, void **ret_result)
{
    aio_redis_pubsub *pubsub = NULL;
    aio_redis *redis = NULL;
    aio_task *reader;

    TRY(both(&pubsub, &redis));
    TRY(aio_redis_subscribe(pubsub, "a"));
    reader = aio_create_task(read_one, pubsub);
    TRY(aio_sleep(0));
    CHECK_CODE(read_one(pubsub, NULL), AIO_ERUNTIME); /* one at a time */
    aio_redis_pubsub_close(pubsub);
    CHECK_CODE(aio_await(reader, NULL), AIO_ESTOP);
    aio_future_unref(reader);
    CHECK_CODE(read_one(pubsub, NULL), AIO_ESTOP);
    CHECK_CODE(aio_redis_subscribe(pubsub, "b"), AIO_REDIS_ECLOSED);
    return finish(pubsub, redis);
}
TEST_OF(iterator_ends_when_this_end_closes)

static int reader_that_is_cancelled_loses_nothing(void *arg, void **ret_result)
{
    const aio_redis_message *message = NULL;
    aio_redis_pubsub *pubsub = NULL;
    aio_redis *redis = NULL;
    aio_task *reader;

    TRY(both(&pubsub, &redis));
    TRY(aio_redis_subscribe(pubsub, "a"));
    reader = aio_create_task(read_one, pubsub);
    TRY(aio_sleep(0));
    CHECK(aio_task_cancel(reader, NULL));
    CHECK_CODE(aio_await(reader, NULL), AIO_ECANCELLED);
    aio_future_unref(reader);
    TRY(aio_redis_command(redis, NULL, "PUBLISH a 1"));
    TRY(next(pubsub, &message));
    CHECK_TEXT(message->data, "1");
    return finish(pubsub, redis);
}
TEST_OF(reader_that_is_cancelled_loses_nothing)

static int subscribe_to_a(void *arg, void **ret_result)
{
    return aio_redis_subscribe(arg, "a");
}

static int subscription_that_is_cancelled_does_not_mix_the_answers_up(void *arg, void **ret_result)
{
    aio_redis_pubsub *pubsub = NULL;
    aio_redis *redis = NULL;
    aio_task *task;

    TRY(both(&pubsub, &redis));
    task = aio_create_task(subscribe_to_a, pubsub);
    TRY(aio_sleep(0));
    CHECK(aio_task_cancel(task, NULL));
    CHECK_CODE(aio_await(task, NULL), AIO_ECANCELLED);
    aio_future_unref(task);
    TRY(aio_redis_subscribe(pubsub, "b"));
    TRY(aio_redis_unsubscribe(pubsub, "a"));
    return finish(pubsub, redis);
}
TEST_OF(subscription_that_is_cancelled_does_not_mix_the_answers_up)

/* Far more than the queue holds: reading stops, and goes on as the messages are taken. */
static int flood_is_held_back_and_loses_nothing(void *arg, void **ret_result)
{
    enum { COUNT = 20000 };
    const aio_redis_message *message = NULL;
    aio_redis_pubsub *pubsub = NULL;
    aio_redis *redis = NULL;

    TRY(both(&pubsub, &redis));
    TRY(aio_redis_subscribe(pubsub, "a"));
    AIO_AUTO(aio_redis_pipeline) pipeline = aio_redis_pipeline_new(redis, 0);

    for (int i = 0; i < COUNT; i++)
        TRY(aio_redis_pipeline_add(pipeline, "PUBLISH a %d", i));
    TRY(aio_redis_pipeline_execute(pipeline, NULL));
    for (int i = 0; i < COUNT; i++) {
        TRY(next(pubsub, &message));
        CHECK(atoi(message->data) == i);
    }
    return finish(pubsub, redis);
}
TEST_OF(flood_is_held_back_and_loses_nothing)

static int server_that_goes_is_told_to_the_reader(void *arg, void **ret_result)
{
    aio_redis_pubsub *pubsub = NULL;
    aio_redis *redis = NULL;
    int err;

    TRY(both(&pubsub, &redis));
    TRY(aio_redis_subscribe(pubsub, "a"));
    service_do("kill", "redis");
    err = read_one(pubsub, NULL);
    service_do("start", "redis");
    CHECK(err == AIO_REDIS_ECLOSED);
    return finish(pubsub, redis);
}
TEST_OF(server_that_goes_is_told_to_the_reader)

/* What is half here when the connection ends belongs to nobody. */
static int message_that_is_cut_anywhere_is_an_error(void *arg, void **ret_result)
{
    aio_redis_options options = AIO_REDIS_OPTIONS_INIT;
    aio_redis *listener = NULL;
    aio_redis_pubsub *pubsub = NULL;
    aio_redis *redis = NULL;
    struct gate gate;

    TRY(gate_open(&gate, "127.0.0.1", atoi(strrchr(service_info("REDIS"), ':') + 1)));
    options.host = "127.0.0.1";
    options.port = gate.port;
    for (size_t after = 0; after < 41; after += 4) { /* as many as a message has */
        TRY(aio_redis_connect(&options, &listener));
        TRY(aio_redis_pubsub_new(listener, &pubsub));
        aio_redis_unref(listener);
        TRY(connect_to("REDIS", &redis));
        TRY(aio_redis_subscribe(pubsub, "a"));
        gate_set(&gate, GATE_CUT, after);
        TRY(aio_redis_command(redis, NULL, "PUBLISH a 0123456789"));
        CHECK_CODE(read_one(pubsub, NULL), AIO_REDIS_ECLOSED);
        gate_set(&gate, GATE_OPEN, 0);
        TRY(finish(pubsub, redis));
    }
    return gate_close(&gate);
}
TEST_OF(message_that_is_cut_anywhere_is_an_error)

static int connection_that_listens_takes_no_commands(void *arg, void **ret_result)
{
    aio_redis *redis = NULL;
    aio_redis_pubsub *pubsub = NULL;
    aio_redis_pubsub *again = NULL;

    TRY(connect_to("REDIS", &redis));
    TRY(aio_redis_pubsub_new(redis, &pubsub));
    CHECK_CODE(aio_redis_command(redis, NULL, "PING"), AIO_ERUNTIME);
    CHECK_CODE(aio_redis_pubsub_new(redis, &again), AIO_ERUNTIME);
    CHECK_CODE(aio_redis_subscribe(pubsub, NULL), AIO_EVALUE);
    CHECK_CODE(aio_redis_subscribe(NULL, "a"), AIO_EVALUE);
    CHECK(aio_redis_pubsub_iterator(NULL) == NULL);
    aio_redis_pubsub_close(NULL);
    aio_redis_pubsub_unref(NULL);
    aio_redis_pubsub_unref(pubsub);
    CHECK(aio_redis_is_closed(redis));
    TRY(aio_redis_wait_closed(redis));
    aio_redis_unref(redis);
    return 0;
}
TEST_OF(connection_that_listens_takes_no_commands)

static int server_without_permission_says_so(void *arg, void **ret_result)
{
    aio_redis_options options = AIO_REDIS_OPTIONS_INIT;
    aio_redis_pubsub *pubsub = NULL;
    aio_redis *redis = NULL;

    options.host = "127.0.0.1";
    options.port = atoi(strrchr(service_info("REDIS_AUTH"), ':') + 1);
    TRY(aio_redis_connect(&options, &redis));
    TRY(aio_redis_pubsub_new(redis, &pubsub));
    CHECK_CODE(aio_redis_subscribe(pubsub, "a"), AIO_REDIS_EAUTH);
    return finish(pubsub, redis);
}
TEST_OF(server_without_permission_says_so)

static int listen_a_little(void *arg, void **ret_result)
{
    AIO_AUTO(aio_redis) redis = NULL;
    AIO_AUTO(aio_redis) listener = NULL;
    AIO_AUTO(aio_redis_pubsub) pubsub = NULL;
    const aio_redis_message *message = NULL;

    TRY(connect_to("REDIS", &redis));
    TRY(connect_to("REDIS", &listener));
    TRY(aio_redis_pubsub_new(listener, &pubsub));
    TRY(aio_redis_subscribe(pubsub, "a"));
    TRY(aio_redis_command(redis, NULL, "PUBLISH a 1"));
    TRY(next(pubsub, &message));
    CHECK_TEXT(message->data, "1");
    return 0;
}

static void pubsub_survives_each_allocation_failing(void **state)
{
    room_run_starved(listen_a_little);
}

#define TEST(body)                                                                                 \
    cmocka_unit_test_setup_teardown(body##_test, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_come_in_order_by_channel_and_pattern),
        TEST(subscription_that_ended_brings_nothing_more),
        TEST(iterator_ends_when_this_end_closes),
        TEST(reader_that_is_cancelled_loses_nothing),
        TEST(subscription_that_is_cancelled_does_not_mix_the_answers_up),
        TEST(flood_is_held_back_and_loses_nothing),
        TEST(server_that_goes_is_told_to_the_reader),
        TEST(message_that_is_cut_anywhere_is_an_error),
        TEST(connection_that_listens_takes_no_commands),
        TEST(server_without_permission_says_so),
        cmocka_unit_test(pubsub_survives_each_allocation_failing),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
