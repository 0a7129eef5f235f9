/* SPDX-License-Identifier: MIT */
/*
 * test_redis.c - connections and commands, with a real redis-server
 */
#include "support/allocation.h"
#include "support/room.h"
#include "support/service.h"

#include <aio/redis.h>
#include <stdio.h>

/* --- what all use --------------------------------------------------------------------------- */

static int connect_to(const char *service, aio_redis **ret_redis)
{
    aio_redis_options options = AIO_REDIS_OPTIONS_INIT;

    options.url = service_info(service);
    return aio_redis_connect(&options, ret_redis);
}

/* What a reply prints as. */
static const char *repr(const aio_redis_reply *reply)
{
    static char text[1024];

    (void)aio_redis_reply_repr(reply, text, sizeof(text));
    return text;
}

/* A command whose reply prints as expected. */
#define CHECK_REPLY(redis, expected, ...)                                                          \
    do {                                                                                           \
        AIO_AUTO(aio_redis_reply) check_reply_ = NULL;                                             \
        TRY(aio_redis_command((redis), &check_reply_, __VA_ARGS__));                               \
        CHECK_TEXT(repr(check_reply_), (expected));                                                \
    } while (0)

/* Close, and wait until the socket is gone. */
static int finish(aio_redis *redis)
{
    int err;

    aio_redis_close(redis);
    err = aio_redis_wait_closed(redis);
    aio_redis_unref(redis);
    return err;
}

#define TEST_OF(body)                                                                              \
    static void body##_test(void **state)                                                          \
    {                                                                                              \
        room_run(body);                                                                            \
    }

/* --- replies --------------------------------------------------------------------------------- */

static int reply_has_the_type_the_server_gives_it(void *arg, void **ret_result)
{
    aio_redis *redis = NULL;

    TRY(connect_to("REDIS", &redis));
    CHECK_REPLY(redis, "'OK'", "SET text %s", "it's");
    CHECK_REPLY(redis, "\"it's\"", "GET text");
    CHECK_REPLY(redis, "None", "GET missing");
    CHECK_REPLY(redis, "1", "INCR number:%d", 7);
    CHECK_REPLY(redis, "3", "RPUSH list a %s %b", "b c", "d\0e", (size_t)3);
    CHECK_REPLY(redis, "['a', 'b c', 'd\\x00e']", "LRANGE list 0 -1");
    CHECK_REPLY(redis, "[]", "LRANGE nolist 0 -1");
    CHECK_REPLY(redis, "[1, [2, 'x', None]]", "EVAL %s 0", "return {1, {2, 'x', false}}");
    CHECK_REPLY(redis, "b'\\xff\\n'", "ECHO %b", "\xff\n", (size_t)2);
    CHECK_REPLY(redis, "'OK'", "FLUSHALL");
    return finish(redis);
}
TEST_OF(reply_has_the_type_the_server_gives_it)

static int hash_is_a_map_in_the_servers_order(void *arg, void **ret_result)
{
    AIO_AUTO(aio_redis_reply) map = NULL;
    AIO_AUTO(aio_redis_reply) empty = NULL;
    aio_redis *redis = NULL;

    TRY(connect_to("REDIS", &redis));
    TRY(aio_redis_command(redis, NULL, "HMSET car key1 %d key2 %d key3 %d", 1, 2, 3));
    TRY(aio_redis_hgetall(redis, "car", &map));
    CHECK_TEXT(repr(map), "{'key1': '1', 'key2': '2', 'key3': '3'}");
    CHECK_TEXT(aio_redis_reply_get(map, "key2")->text, "2");
    CHECK(aio_redis_reply_get(map, "key4") == NULL);
    TRY(aio_redis_hgetall(redis, "nothing", &empty));
    CHECK_TEXT(repr(empty), "{}");
    TRY(aio_redis_command(redis, NULL, "SET text x"));
    CHECK_CODE(aio_redis_hgetall(redis, "text", NULL), AIO_REDIS_EWRONGTYPE);
    return finish(redis);
}
TEST_OF(hash_is_a_map_in_the_servers_order)

static int refusal_is_an_error_with_the_servers_text(void *arg, void **ret_result)
{
    aio_redis_reply *reply = NULL;
    aio_redis *redis = NULL;
    int err;

    TRY(connect_to("REDIS", &redis));
    TRY(aio_redis_command(redis, NULL, "SET a x"));
    err = aio_redis_command(redis, &reply, "INCR a");
    CHECK(err == AIO_REDIS_EREPLY && aio_error_is(err, AIO_REDIS_ERROR));
    CHECK_TEXT(aio_error_text(err), "ERR value is not an integer or out of range");
    CHECK_TEXT(aio_error_name(err), "ReplyError");
    err = aio_redis_command(redis, &reply, "LPUSH a x");
    CHECK(err == AIO_REDIS_EWRONGTYPE && aio_error_is(err, AIO_REDIS_EREPLY));
    CHECK_CODE(aio_redis_command(redis, &reply, "EVALSHA %s 0", "0123"), AIO_REDIS_ENOSCRIPT);
    CHECK(reply == NULL);
    CHECK_REPLY(redis, "'x'", "GET a"); /* and all goes on */
    return finish(redis);
}
TEST_OF(refusal_is_an_error_with_the_servers_text)

static int words_hold_any_bytes_and_never_make_more_words(void *arg, void **ret_result)
{
    static const char bytes[] = "a\r\n$3\r\nDEL\r\n\0 %s \xff";
    AIO_AUTO(aio_redis_reply) reply = NULL;
    aio_buffer words[3] = {{"SET", 3}, {"k e y", 5}, {bytes, sizeof(bytes)}};
    aio_redis *redis = NULL;

    TRY(connect_to("REDIS", &redis));
    TRY(aio_redis_command_argv(redis, words, 3, NULL));
    words[0] = (aio_buffer){"GET", 3};
    TRY(aio_redis_command_argv(redis, words, 2, &reply));
    CHECK(reply->size == sizeof(bytes) && memcmp(reply->text, bytes, sizeof(bytes)) == 0);
    CHECK_REPLY(redis, "1", "DEL %s", "k e y");
    CHECK_REPLY(redis, "0", "EXISTS %s", "k e y\r\nDEL x");
    words[1] = (aio_buffer){NULL, 0};
    CHECK_CODE(aio_redis_command_argv(redis, words, 2, NULL), 0);
    return finish(redis);
}
TEST_OF(words_hold_any_bytes_and_never_make_more_words)

static int large_values_come_whole(void *arg, void **ret_result)
{
    enum { SIZE = 3 << 20 };
    char *data = malloc(SIZE);
    aio_redis_reply *reply = NULL;
    aio_redis *redis = NULL;

    TRY(connect_to("REDIS", &redis));
    room_fill(data, SIZE);
    TRY(aio_redis_command(redis, NULL, "SET large %b", data, (size_t)SIZE));
    TRY(aio_redis_command(redis, &reply, "GET large"));
    CHECK(reply->size == SIZE && memcmp(reply->text, data, SIZE) == 0);
    aio_redis_reply_unref(reply);
    free(data);
    CHECK_REPLY(redis, "1", "DEL large");
    return finish(redis);
}
TEST_OF(large_values_come_whole)

/* --- connecting ------------------------------------------------------------------------------- */

static int password_and_database_are_sent_when_connecting(void *arg, void **ret_result)
{
    aio_redis_options options = AIO_REDIS_OPTIONS_INIT;
    aio_redis *redis = NULL;
    aio_redis *other = NULL;
    int err;

    options.url = service_info("REDIS_AUTH");
    options.db = 3;
    options.client_name = "tester";
    TRY(aio_redis_connect(&options, &redis));
    CHECK_REPLY(redis, "'tester'", "CLIENT GETNAME");
    CHECK_REPLY(redis, "'OK'", "SET here 3");
    TRY(connect_to("REDIS_AUTH", &other));
    CHECK_REPLY(other, "None", "GET here");
    TRY(finish(other));
    TRY(finish(redis));

    options.password = "s3cret-guess";
    err = aio_redis_connect(&options, &redis);
    CHECK(err == AIO_REDIS_EAUTH);
    CHECK_TEXT(aio_error_name(err), "AuthError");
    CHECK(strstr(aio_error_text(err), "s3cret") == NULL);
    return 0;
}
TEST_OF(password_and_database_are_sent_when_connecting)

static int server_that_wants_a_password_says_noauth(void *arg, void **ret_result)
{
    aio_redis_options options = AIO_REDIS_OPTIONS_INIT;
    const char *at = strrchr(service_info("REDIS_AUTH"), ':');
    aio_redis *redis = NULL;
    int err;

    options.host = "127.0.0.1";
    options.port = atoi(at + 1);
    TRY(aio_redis_connect(&options, &redis));
    err = aio_redis_command(redis, NULL, "GET x");
    CHECK(err == AIO_REDIS_EAUTH);
    CHECK_TEXT(aio_error_text(err), "NOAUTH Authentication required.");
    TRY(finish(redis));
    options.db = 1;
    CHECK_CODE(aio_redis_connect(&options, &redis), AIO_REDIS_EAUTH);
    return 0;
}
TEST_OF(server_that_wants_a_password_says_noauth)

static int unix_socket_serves_as_well(void *arg, void **ret_result)
{
    aio_redis_options options = AIO_REDIS_OPTIONS_INIT;
    char url[300];
    aio_redis *redis = NULL;

    (void)snprintf(url, sizeof(url), "unix://%s?db=2", service_info("REDIS_SOCKET"));
    options.url = url;
    TRY(aio_redis_connect(&options, &redis));
    CHECK_REPLY(redis, "'PONG'", "PING");
    return finish(redis);
}
TEST_OF(unix_socket_serves_as_well)

static int tls_verifies_the_server_and_its_name(void *arg, void **ret_result)
{
    aio_redis_options options = AIO_REDIS_OPTIONS_INIT;
    aio_tls_context *tls = aio_tls_context_new(AIO_TLS_CLIENT);
    aio_redis *redis = NULL;

    TRY(aio_tls_context_load_verify_locations(tls, service_info("CA"), NULL));
    options.url = service_info("REDIS_TLS");
    CHECK_CODE(aio_redis_connect(&options, &redis), AIO_ESSLCERT); /* of the system's authorities */
    options.tls = tls;
    TRY(aio_redis_connect(&options, &redis));
    CHECK_REPLY(redis, "'PONG'", "PING");
    TRY(finish(redis));
    options.server_hostname = "elsewhere.test";
    CHECK_CODE(aio_redis_connect(&options, &redis), AIO_ESSLCERT);
    aio_tls_context_unref(tls);
    return 0;
}
TEST_OF(tls_verifies_the_server_and_its_name)

static int nobody_to_connect_to_is_the_systems_error(void *arg, void **ret_result)
{
    aio_redis_options options = AIO_REDIS_OPTIONS_INIT;
    aio_redis *redis = NULL;

    options.host = "127.0.0.1";
    options.port = 1;
    CHECK_CODE(aio_redis_connect(&options, &redis), -ECONNREFUSED);
    options.path = "/nowhere/at/all";
    CHECK_CODE(aio_redis_connect(&options, &redis), -ENOENT);
    return 0;
}
TEST_OF(nobody_to_connect_to_is_the_systems_error)

static int url_that_cannot_be_read_is_not_repeated(void *arg, void **ret_result)
{
    static const char *const urls[] = {
        "http://:s3cret@host",         "redis://:s3cret@host:port", "redis://:s3cret@host:70000",
        "redis://:s3cret@host/x",      "redis://:s3cr%4@host",      "redis://:s3cret%00@host",
        "redis://:s3cret@[::1",        "unix://:s3cret@",           "redis://:s3cret@host?x=1",
        "unix://:s3cret@/path?db=two",
    };
    aio_redis_options options = AIO_REDIS_OPTIONS_INIT;
    aio_redis *redis = NULL;

    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        options.url = urls[i];
        CHECK_CODE(aio_redis_connect(&options, &redis), AIO_EVALUE);
        CHECK(strstr(aio_error_text(AIO_EVALUE), "s3cr") == NULL);
    }
    options.url = NULL;
    options.port = 70000;
    CHECK_CODE(aio_redis_connect(&options, &redis), AIO_EVALUE);
    CHECK_CODE(aio_redis_connect(&options, NULL), AIO_EVALUE);
    return 0;
}
TEST_OF(url_that_cannot_be_read_is_not_repeated)

/* --- tasks that share a connection -------------------------------------------------------------- */

struct sharer {
    aio_redis *redis;
    int number;
};

static int echo_own_number(void *arg, void **ret_result)
{
    struct sharer *self = arg;
    char expected[16];

    (void)snprintf(expected, sizeof(expected), "'%d'", self->number);
    for (int i = 0; i < 10; i++)
        CHECK_REPLY(self->redis, expected, "ECHO %d", self->number);
    return 0;
}

static int tasks_that_share_a_connection_get_their_own_replies(void *arg, void **ret_result)
{
    aio_task *tasks[50];
    aio_redis *redis = NULL;

    TRY(connect_to("REDIS", &redis));
    for (int i = 0; i < 50; i++) {
        struct sharer sharer = {redis, i};

        tasks[i] = aio_create_task_copy(echo_own_number, &sharer, sizeof(sharer));
    }
    for (int i = 0; i < 50; i++) {
        TRY(aio_await(tasks[i], NULL));
        aio_future_unref(tasks[i]);
    }
    return finish(redis);
}
TEST_OF(tasks_that_share_a_connection_get_their_own_replies)

static int pop_for_ever(void *arg, void **ret_result)
{
    return aio_redis_command(arg, NULL, "BLPOP nothing 0");
}

/* The reply that nobody waits for is thrown away, and the next are for the next. */
static int cancelled_command_leaves_the_connection_usable(void *arg, void **ret_result)
{
    aio_redis *redis = NULL;
    aio_redis *other = NULL;
    aio_task *task;

    TRY(connect_to("REDIS", &redis));
    TRY(connect_to("REDIS", &other));
    task = aio_create_task(pop_for_ever, redis);
    TRY(room_turn());
    CHECK(aio_task_cancel(task, NULL));
    CHECK_CODE(aio_await(task, NULL), AIO_ECANCELLED);
    aio_future_unref(task);
    TRY(aio_redis_command(other, NULL, "RPUSH nothing a"));
    CHECK_REPLY(redis, "'b'", "ECHO b");
    CHECK_REPLY(redis, "'c'", "ECHO c");
    TRY(finish(other));
    return finish(redis);
}
TEST_OF(cancelled_command_leaves_the_connection_usable)

static int closing_fails_those_who_wait(void *arg, void **ret_result)
{
    aio_redis *redis = NULL;
    aio_task *task;
    int err;

    TRY(connect_to("REDIS", &redis));
    task = aio_create_task(pop_for_ever, redis);
    TRY(room_turn());
    aio_redis_close(redis);
    CHECK_CODE(aio_await(task, NULL), AIO_REDIS_ECLOSED);
    aio_future_unref(task);
    CHECK(aio_redis_is_closed(redis));
    err = aio_redis_command(redis, NULL, "PING");
    CHECK(err == AIO_REDIS_ECLOSED);
    CHECK_TEXT(aio_error_text(err),
               "the connection is closed: the connection was closed by this end");
    return finish(redis);
}
TEST_OF(closing_fails_those_who_wait)

static int too_many_commands_at_once_are_refused(void *arg, void **ret_result)
{
    aio_redis_options options = AIO_REDIS_OPTIONS_INIT;
    aio_redis *redis = NULL;
    aio_task *task;

    options.url = service_info("REDIS");
    options.max_pending = 1;
    TRY(aio_redis_connect(&options, &redis));
    task = aio_create_task(pop_for_ever, redis);
    TRY(room_turn());
    CHECK_CODE(aio_redis_command(redis, NULL, "PING"), AIO_EQUEUEFULL);
    aio_redis_close(redis);
    CHECK_CODE(aio_await(task, NULL), AIO_REDIS_ECLOSED);
    aio_future_unref(task);
    return finish(redis);
}
TEST_OF(too_many_commands_at_once_are_refused)

static int reply_that_is_too_large_is_refused(void *arg, void **ret_result)
{
    aio_redis_options options = AIO_REDIS_OPTIONS_INIT;
    char data[20000];
    aio_redis *redis = NULL;
    int err;

    memset(data, 'x', sizeof(data));
    options.url = service_info("REDIS");
    options.max_reply_size = 10000;
    TRY(aio_redis_connect(&options, &redis));
    CHECK_REPLY(redis, "'OK'", "SET big %b", data, sizeof(data));
    err = aio_redis_command(redis, NULL, "GET big");
    CHECK(err == AIO_REDIS_EPROTOCOL);
    CHECK_TEXT(aio_error_text(err), "a reply needs more than 10000 bytes");
    CHECK(aio_redis_is_closed(redis));
    return finish(redis);
}
TEST_OF(reply_that_is_too_large_is_refused)

/* --- pipelines ------------------------------------------------------------------------------------ */

static int pipeline_gives_a_reply_a_command(void *arg, void **ret_result)
{
    AIO_AUTO(aio_redis_reply) replies = NULL;
    AIO_AUTO(aio_redis_reply) one = NULL;
    AIO_AUTO(aio_redis_reply) none = NULL;
    aio_redis *redis = NULL;

    TRY(connect_to("REDIS", &redis));
    AIO_AUTO(aio_redis_pipeline) pipeline = aio_redis_pipeline_new(redis, 0);

    TRY(aio_redis_pipeline_add(pipeline, "SET a %d", 1));
    TRY(aio_redis_pipeline_add(pipeline, "INCR a"));
    TRY(aio_redis_pipeline_add(pipeline, "GET a"));
    TRY(aio_redis_pipeline_execute(pipeline, &replies));
    CHECK_TEXT(repr(replies), "['OK', 2, '2']");
    TRY(aio_redis_pipeline_add(pipeline, "PING"));
    TRY(aio_redis_pipeline_execute(pipeline, &one));
    CHECK_TEXT(repr(one), "['PONG']");
    TRY(aio_redis_pipeline_execute(pipeline, &none));
    CHECK_TEXT(repr(none), "[]");
    return finish(redis);
}
TEST_OF(pipeline_gives_a_reply_a_command)

static int pipeline_with_a_failure_says_which_or_keeps_it(void *arg, void **ret_result)
{
    AIO_AUTO(aio_redis_reply) replies = NULL;
    aio_redis *redis = NULL;
    aio_exception *error;
    int err;

    TRY(connect_to("REDIS", &redis));
    for (unsigned flags = 0; flags <= AIO_REDIS_KEEP_ERRORS; flags += AIO_REDIS_KEEP_ERRORS) {
        AIO_AUTO(aio_redis_pipeline) pipeline = aio_redis_pipeline_new(redis, flags);

        TRY(aio_redis_pipeline_add(pipeline, "SET a x"));
        TRY(aio_redis_pipeline_add(pipeline, "LPUSH a 1"));
        err = aio_redis_pipeline_execute(pipeline, &replies);
        if (flags != 0) {
            TRY(err);
            break;
        }
        CHECK(err == AIO_REDIS_EPIPELINE);
        error = aio_error_catch(err);
        CHECK(aio_exception_code(aio_exception_cause(error)) == AIO_REDIS_EWRONGTYPE);
        aio_exception_unref(error);
    }
    CHECK_TEXT(repr(replies), "['OK', WrongTypeError('WRONGTYPE Operation against a key holding "
                              "the wrong kind of value')]");
    return finish(redis);
}
TEST_OF(pipeline_with_a_failure_says_which_or_keeps_it)

static int increment_in_a_transaction(void *arg, void **ret_result)
{
    AIO_AUTO(aio_redis_reply) replies = NULL;
    AIO_AUTO(aio_redis_pipeline) unit = aio_redis_pipeline_new(arg, AIO_REDIS_TRANSACTION);

    for (int i = 0; i < 3; i++)
        TRY(aio_redis_pipeline_add(unit, "INCR shared"));
    TRY(aio_redis_pipeline_execute(unit, &replies));
    CHECK(replies->count == 3);
    /* nobody else's come in between */
    CHECK(replies->items[2].integer == replies->items[0].integer + 2);
    return 0;
}

static int transactions_are_units_also_on_one_connection(void *arg, void **ret_result)
{
    aio_redis *redis = NULL;
    aio_task *tasks[10];

    TRY(connect_to("REDIS", &redis));
    TRY(aio_redis_command(redis, NULL, "DEL shared"));
    for (size_t i = 0; i < COUNT_OF(tasks); i++)
        tasks[i] = aio_create_task(increment_in_a_transaction, redis);
    for (size_t i = 0; i < COUNT_OF(tasks); i++) {
        TRY(aio_await(tasks[i], NULL));
        aio_future_unref(tasks[i]);
    }
    CHECK_REPLY(redis, "'30'", "GET shared");
    return finish(redis);
}
TEST_OF(transactions_are_units_also_on_one_connection)

static int transaction_that_cannot_be_done_does_nothing(void *arg, void **ret_result)
{
    aio_redis *redis = NULL;
    aio_redis *other = NULL;
    aio_exception *error;
    int err;

    TRY(connect_to("REDIS", &redis));
    TRY(connect_to("REDIS", &other));
    AIO_AUTO(aio_redis_pipeline) unit = aio_redis_pipeline_new(redis, AIO_REDIS_TRANSACTION);

    TRY(aio_redis_command(redis, NULL, "SET a 1"));
    TRY(aio_redis_command(redis, NULL, "WATCH a"));
    TRY(aio_redis_command(other, NULL, "SET a 2"));
    TRY(aio_redis_pipeline_add(unit, "SET a 3"));
    CHECK_CODE(aio_redis_pipeline_execute(unit, NULL), AIO_REDIS_EWATCH);
    CHECK_REPLY(redis, "'2'", "GET a");

    TRY(aio_redis_pipeline_add(unit, "SET a 4"));
    TRY(aio_redis_pipeline_add(unit, "NOSUCHCOMMAND"));
    err = aio_redis_pipeline_execute(unit, NULL);
    CHECK(err == AIO_REDIS_EEXECABORT);
    error = aio_error_catch(err);
    CHECK(aio_exception_code(aio_exception_cause(error)) == AIO_REDIS_EREPLY);
    aio_exception_unref(error);
    CHECK_REPLY(redis, "'2'", "GET a");
    TRY(finish(other));
    return finish(redis);
}
TEST_OF(transaction_that_cannot_be_done_does_nothing)

/* --- misuse, and shortage of memory ----------------------------------------------------------------- */

static int misuse_has_a_code_and_changes_nothing(void *arg, void **ret_result)
{
    aio_redis *redis = NULL;

    TRY(connect_to("REDIS", &redis));
    CHECK_CODE(aio_redis_command(NULL, NULL, "PING"), AIO_EVALUE);
    CHECK_CODE(aio_redis_command(redis, NULL, NULL), AIO_EVALUE);
    CHECK_CODE(aio_redis_command(redis, NULL, "  "), AIO_EVALUE);
    CHECK_CODE(aio_redis_command_argv(redis, NULL, 1, NULL), AIO_EVALUE);
    CHECK_CODE(aio_redis_hgetall(redis, NULL, NULL), AIO_EVALUE);
    CHECK_CODE(aio_redis_set_timeout(redis, 0), AIO_EVALUE);
    CHECK_CODE(aio_redis_wait_closed(NULL), AIO_EVALUE);
    CHECK_CODE(aio_redis_pipeline_execute(NULL, NULL), AIO_ENOMEM);
    CHECK(aio_redis_is_closed(NULL));
    aio_redis_close(NULL);
    aio_redis_unref(NULL);
    aio_redis_reply_unref(NULL);
    CHECK_REPLY(redis, "'PONG'", "PING");
    return finish(redis);
}
TEST_OF(misuse_has_a_code_and_changes_nothing)

static void command_outside_a_task_is_refused(void **state)
{
    aio_redis_options options = AIO_REDIS_OPTIONS_INIT;
    aio_redis *redis = NULL;

    assert_int_equal(aio_redis_connect(&options, &redis), AIO_ENOTASK);
}

static int talk_a_little(void *arg, void **ret_result)
{
    AIO_AUTO(aio_redis) redis = NULL;
    AIO_AUTO(aio_redis_reply) reply = NULL;

    TRY(connect_to("REDIS_AUTH", &redis));
    AIO_AUTO(aio_redis_pipeline) unit = aio_redis_pipeline_new(redis, AIO_REDIS_TRANSACTION);

    TRY(aio_redis_set_timeout(redis, 30));
    TRY(aio_redis_command(redis, NULL, "HMSET car key1 %d", 1));
    TRY(aio_redis_hgetall(redis, "car", &reply));
    CHECK_TEXT(repr(reply), "{'key1': '1'}");
    TRY(aio_redis_pipeline_add(unit, "PING"));
    TRY(aio_redis_pipeline_execute(unit, NULL));
    return 0;
}

static void connection_survives_each_allocation_failing(void **state)
{
    room_run_starved(talk_a_little);
}

static int close_while_another_waits(void *arg, void **ret_result)
{
    AIO_AUTO(aio_redis) redis = NULL;
    AIO_AUTO(aio_task) task = NULL;
    int err;

    TRY(connect_to("REDIS", &redis));
    task = aio_create_task(pop_for_ever, redis);
    TRY(room_turn());
    aio_redis_close(redis);
    err = aio_await(task, NULL);
    CHECK(err == AIO_REDIS_ECLOSED || err == AIO_ENOMEM);
    return 0;
}

static void closing_survives_each_allocation_failing(void **state)
{
    room_run_starved(close_while_another_waits);
}

static int wait_in_a_loop_that_is_closed(void *arg, void **ret_result)
{
    aio_redis *redis = NULL;

    TRY(connect_to("REDIS", &redis));
    aio_future_unref(aio_create_task(pop_for_ever, redis));
    TRY(room_turn());
    aio_redis_unref(aio_redis_ref(redis));
    *ret_result = redis;
    return 0;
}

static void connection_that_is_open_when_its_loop_is_closed_leaves_nothing(void **state)
{
    aio_loop *loop = aio_new_event_loop();
    aio_task *task = aio_loop_create_task(loop, wait_in_a_loop_that_is_closed, NULL, NULL);
    void *redis = NULL;

    assert_int_equal(aio_loop_run_until_complete(loop, task, &redis), 0);
    aio_future_unref(task);
    assert_int_equal(aio_loop_close(loop), 0);
    aio_redis_unref(redis);
    aio_loop_unref(loop);
}

#define TEST(body)                                                                                 \
    cmocka_unit_test_setup_teardown(body##_test, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reply_has_the_type_the_server_gives_it),
        TEST(hash_is_a_map_in_the_servers_order),
        TEST(refusal_is_an_error_with_the_servers_text),
        TEST(words_hold_any_bytes_and_never_make_more_words),
        TEST(large_values_come_whole),
        TEST(password_and_database_are_sent_when_connecting),
        TEST(server_that_wants_a_password_says_noauth),
        TEST(unix_socket_serves_as_well),
        TEST(tls_verifies_the_server_and_its_name),
        TEST(nobody_to_connect_to_is_the_systems_error),
        TEST(url_that_cannot_be_read_is_not_repeated),
        TEST(tasks_that_share_a_connection_get_their_own_replies),
        TEST(cancelled_command_leaves_the_connection_usable),
        TEST(closing_fails_those_who_wait),
        TEST(too_many_commands_at_once_are_refused),
        TEST(reply_that_is_too_large_is_refused),
        TEST(pipeline_gives_a_reply_a_command),
        TEST(pipeline_with_a_failure_says_which_or_keeps_it),
        TEST(transactions_are_units_also_on_one_connection),
        TEST(transaction_that_cannot_be_done_does_nothing),
        TEST(misuse_has_a_code_and_changes_nothing),
        cmocka_unit_test(command_outside_a_task_is_refused),
        cmocka_unit_test(connection_survives_each_allocation_failing),
        cmocka_unit_test(closing_survives_each_allocation_failing),
        cmocka_unit_test_setup_teardown(
            connection_that_is_open_when_its_loop_is_closed_leaves_nothing, count_allocations,
            check_allocations),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
