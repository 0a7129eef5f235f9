/* SPDX-License-Identifier: MIT */
/*
 * test_http_after.c - what is done behind an answer
 */
#include "http/site.h"
#include "support/allocation.h"

#include <stdio.h>

#define GET "GET / HTTP/1.1\r\nHost: test\r\n\r\n"

static struct answer answer;

/* What happens, in its order. */
struct scene {
    aio_event *go; /* the work waits for it */
    aio_event *done;
    char trace[200];
    int code; /* of the handler */
    int fails;
};

static void note(struct scene *scene, const char *text)
{
    (void)strcat(strcat(scene->trace, " "), text);
}

static int first(void *arg)
{
    struct scene *scene = arg;
    int err;

    note(scene, "first");
    err = aio_event_wait(scene->go);
    note(scene, err == AIO_ECANCELLED ? "cancelled" : "went");
    if (err == AIO_ECANCELLED)
        aio_event_set(scene->done);
    return err < 0 ? err : scene->fails;
}

static int second(void *arg)
{
    struct scene *scene = arg;

    note(scene, "second");
    aio_event_set(scene->done);
    return 0;
}

static int handle(aio_http_request *request, void *arg)
{
    struct scene *scene = arg;
    int err = aio_http_after(request, first, scene);

    if (err == 0)
        err = aio_http_after(request, second, scene);
    if (err == 0)
        err = aio_http_respond(request, 200, NULL, "x", 1);
    note(scene, "handled");
    return err < 0 ? err : scene->code;
}

static void open_scene(struct scene *scene)
{
    *scene = (struct scene){.go = aio_event_new(), .done = aio_event_new()};
}

static void close_scene(struct scene *scene)
{
    aio_event_unref(scene->go);
    aio_event_unref(scene->done);
}

static int answer_first(void *arg, void **ret_result)
{
    struct scene scene;
    aio_http_server *server = NULL;
    struct peer peer;

    open_scene(&scene);
    TRY(site_start(handle, &scene, NULL, &server));
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, GET GET));
    TRY(peer_hear(&peer, &answer));
    TRY(peer_hear(&peer, &answer)); /* the connection has not waited for the work */
    CHECK_TEXT(strstr(scene.trace, "handled"), "handled handled first first");
    aio_event_set(scene.go);
    peer_close(&peer); /* which ends none of it */
    TRY(aio_event_wait(scene.done));
    TRY(site_stop(server));
    CHECK_TEXT(scene.trace, " handled handled first first went second went second");
    close_scene(&scene);
    return 0;
}

static void work_is_done_in_order_behind_the_answer(void **state)
{
    room_run(answer_first);
}

static int drop_work(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct scene scene;
    aio_http_server *server = NULL;

    open_scene(&scene);
    aio_event_set(scene.go);
    scene.code = AIO_EUSER;
    TRY(site_start(handle, &scene, NULL, &server));
    TRY(site_ask(server, GET, &answer));
    CHECK(answer.status == 500 && room->reports == 1);
    scene.code = 0;
    scene.fails = AIO_EUSER;
    TRY(site_ask(server, GET, &answer));
    CHECK(answer.status == 200);
    TRY(site_stop(server));
    CHECK(room->reports == 2);
    CHECK(strstr(room->report, "Error behind an answer") != NULL);
    CHECK_TEXT(scene.trace, " handled handled first went");
    room->reports = 0;
    close_scene(&scene);
    return 0;
}

static void a_failure_ends_what_was_to_be_done(void **state)
{
    room_run(drop_work);
}

static int stop(void *server, void **ret_result)
{
    return aio_http_server_stop(server);
}

static int wait_for_work(void *arg, void **ret_result)
{
    struct scene scene;
    aio_http_server *server = NULL;
    AIO_AUTO(aio_task) task = NULL;

    open_scene(&scene);
    TRY(site_start(handle, &scene, NULL, &server));
    TRY(site_ask(server, GET, &answer));
    task = aio_create_task(stop, server);
    for (int i = 0; i < 10; i++)
        TRY(aio_sleep(0));
    CHECK(!aio_future_done(task));
    aio_event_set(scene.go);
    TRY(aio_await(task, NULL));
    CHECK_TEXT(scene.trace, " handled first went second");
    aio_http_server_unref(server);
    close_scene(&scene);
    return 0;
}

static void a_server_that_stops_waits_for_work(void **state)
{
    room_run(wait_for_work);
}

static int cancel_work(void *arg, void **ret_result)
{
    aio_http_server_options options = AIO_HTTP_SERVER_OPTIONS_INIT;
    struct scene scene;
    aio_http_server *server = NULL;

    open_scene(&scene);
    options.shutdown_timeout = 0.01;
    TRY(site_start(handle, &scene, &options, &server));
    TRY(site_ask(server, GET, &answer));
    CHECK(aio_http_server_stop(server) == AIO_ETIMEDOUT);
    CHECK_TEXT(scene.trace, " handled first cancelled");
    aio_http_server_unref(server);
    close_scene(&scene);
    CHECK(aio_http_after(NULL, first, NULL) == AIO_EVALUE);
    return 0;
}

static void a_server_that_stops_cancels_work_that_hangs(void **state)
{
    room_run(cancel_work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_is_done_in_order_behind_the_answer),
        cmocka_unit_test(a_failure_ends_what_was_to_be_done),
        cmocka_unit_test(a_server_that_stops_waits_for_work),
        cmocka_unit_test(a_server_that_stops_cancels_work_that_hangs),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
