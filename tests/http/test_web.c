/* SPDX-License-Identifier: MIT */
/*
 * test_web.c - routes, parameters, answers, middleware, blocking handlers
 */
#include "http/site.h"
#include "support/allocation.h"

#include <aio/web.h>
#include <jansson.h>
#include <pthread.h>
#include <unistd.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: test\r\n\r\n"

static struct answer answer;

/* An application and its server. */
struct service {
    aio_web *app;
    aio_http_server *server;
};

static int start(struct service *service, struct room *room)
{
    return site_start(aio_web_handle, service->app, NULL, &service->server);
}

static int stop(struct service *service)
{
    int err = site_stop(service->server);

    aio_web_unref(service->app);
    return err;
}

static int ask(const struct service *service, const char *request, int status, const char *body)
{
    TRY(site_ask(service->server, request, &answer));
    if (answer.status != status || strcmp(answer.body, body) != 0)
        return aio_raise(AIO_EASSERTION, "%.60s: %d %s", request, answer.status, answer.body);
    return 0;
}

/* --- routes ----------------------------------------------------------------------------- */

static int say_arg(aio_http_request *request, void *arg)
{
    return aio_web_text(request, 200, arg);
}

static int say_params(aio_http_request *request, void *arg)
{
    const char *text = aio_web_path_text(request, "text");

    return aio_web_json(request, 200, "[I f s s]", aio_web_path_int(request, "int"),
                        aio_web_path_float(request, "float"), text,
                        aio_web_path_text(request, "none"));
}

static int route(void *arg, void **ret_result)
{
    struct service service = {aio_web_new(), NULL};
    aio_web *app = service.app;

    TRY(aio_web_get(app, "/", say_arg, aio_constant("root")));
    TRY(aio_web_get(app, "/users/me", say_arg, aio_constant("me")));
    TRY(aio_web_get(app, "/users/{text}", say_params, NULL));
    TRY(aio_web_get(app, "/users/me/{text}", say_params, NULL));
    TRY(aio_web_get(app, "/users/{text}/friends", say_arg, aio_constant("friends")));
    TRY(aio_web_get(app, "/n/{int:int}/{float:float}", say_params, NULL));
    TRY(aio_web_get(app, "/files/{text:path}", say_params, NULL));
    TRY(aio_web_post(app, "/users/me", say_arg, aio_constant("posted")));
    TRY(start(&service, arg));
    TRY(ask(&service, GET("/"), 200, "root"));
    TRY(ask(&service, GET("/?a=b"), 200, "root"));
    TRY(ask(&service, GET("/users/me"), 200, "me"));
    TRY(ask(&service, GET("/users/you%20all"), 200, "[0,0.0,\"you all\",null]"));
    TRY(ask(&service, GET("/users/me/friends"), 200, "[0,0.0,\"friends\",null]"));
    TRY(ask(&service, GET("/users/you/friends"), 200, "friends"));
    TRY(ask(&service, GET("/n/-12/2.50"), 200, "[-12,2.5,null,null]"));
    TRY(ask(&service, GET("/files/a/b/c"), 200, "[0,0.0,\"a/b/c\",null]"));
    TRY(ask(&service, "POST /users/me HTTP/1.1\r\nHost: x\r\n\r\n", 200, "posted"));
    TRY(ask(&service, GET("/users"), 404, "{\"detail\":\"Not Found\"}"));
    TRY(ask(&service, GET("/users/"), 404, "{\"detail\":\"Not Found\"}"));
    TRY(ask(&service, GET("/users/a/b"), 404, "{\"detail\":\"Not Found\"}"));
    TRY(ask(&service, GET("//"), 404, "{\"detail\":\"Not Found\"}"));
    TRY(ask(&service, "DELETE /users/me HTTP/1.1\r\nHost: x\r\n\r\n", 405,
            "{\"detail\":\"Method Not Allowed\"}"));
    CHECK_TEXT(answer_header(&answer, "allow"), "GET, POST");
    TRY(ask(&service, GET("/n/x/2"), 422,
            "{\"detail\":[{\"loc\":[\"path\",\"int\"],\"msg\":\"value is not a valid integer\","
            "\"type\":\"type_error.integer\"}]}"));
    TRY(ask(&service, GET("/n/1/1e999"), 422,
            "{\"detail\":[{\"loc\":[\"path\",\"float\"],\"msg\":\"value is not a valid float\","
            "\"type\":\"type_error.float\"}]}"));
    return stop(&service);
}

static void paths_lead_to_their_handlers(void **state)
{
    room_run(route);
}

/* As Starlette does: a redirect with all there is but the slash; the method stays, by 307. */
static int add_slashes(void *arg, void **ret_result)
{
    struct service service = {aio_web_new(), NULL};
    aio_web *app = service.app;

    TRY(aio_web_get(app, "/a", say_arg, aio_constant("a")));
    TRY(aio_web_get(app, "/b/", say_arg, aio_constant("b")));
    TRY(aio_web_get(app, "/{x}/c", say_arg, aio_constant("c")));
    TRY(start(&service, arg));
    TRY(ask(&service, GET("/a/?q=1"), 307, ""));
    CHECK_TEXT(answer_header(&answer, "location"), "/a?q=1");
    TRY(ask(&service, GET("/a//"), 307, ""));
    CHECK_TEXT(answer_header(&answer, "location"), "/a");
    TRY(ask(&service, "POST /b HTTP/1.1\r\nHost: x\r\n\r\n", 307, ""));
    CHECK_TEXT(answer_header(&answer, "location"), "/b/");
    TRY(ask(&service, GET("/%c3%a4/c/?a=%20"), 307, ""));
    CHECK_TEXT(answer_header(&answer, "location"), "/%c3%a4/c?a=%20");
    TRY(ask(&service, GET("/a%2f"), 404, "{\"detail\":\"Not Found\"}"));
    TRY(ask(&service, GET("//x/c/"), 404, "{\"detail\":\"Not Found\"}"));
    TRY(ask(&service, GET("http://x/a/"), 404, "{\"detail\":\"Not Found\"}"));
    return stop(&service);
}

static void a_slash_too_many_or_too_few_is_redirected(void **state)
{
    room_run(add_slashes);
}

static int refuse_head(void *arg, void **ret_result)
{
    struct service service = {aio_web_new(), NULL};
    struct peer peer;

    TRY(aio_web_get(service.app, "/", say_arg, aio_constant("root")));
    TRY(aio_web_patch(service.app, "/patch", say_arg, aio_constant("patched")));
    TRY(start(&service, arg));
    TRY(peer_open(&peer, service.server));
    TRY(peer_say(&peer, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"));
    TRY(peer_hear_head(&peer, &answer));
    peer_close(&peer);
    CHECK(answer.status == 405);
    CHECK_TEXT(answer_header(&answer, "allow"), "GET");
    TRY(ask(&service, "PATCH /patch HTTP/1.1\r\nHost: x\r\n\r\n", 200, "patched"));
    return stop(&service);
}

static void a_route_of_get_does_not_answer_head(void **state)
{
    room_run(refuse_head);
}

static int count_call(aio_web *app, void *arg)
{
    ++*(int *)arg;
    return 0;
}

static int include(void *arg, void **ret_result)
{
    struct service service = {aio_web_new(), NULL};
    AIO_AUTO(aio_web) users = aio_web_new();
    int calls = 0;

    TRY(aio_web_get(users, "/", say_arg, aio_constant("users")));
    TRY(aio_web_get(users, "/{text}", say_params, NULL));
    TRY(aio_web_post(users, "/{name}", say_arg, aio_constant("posted")));
    TRY(aio_web_get(users, "/all/{text:path}", say_params, NULL));
    TRY(aio_web_on_startup(users, count_call, &calls));
    TRY(aio_web_include(service.app, "/users", users));
    TRY(aio_web_include(service.app, "/n/{int:int}", users));
    CHECK(aio_web_include(service.app, "/users", users) == AIO_EKEY);
    CHECK(aio_web_include(service.app, "users", users) == AIO_EVALUE);
    CHECK(aio_web_include(service.app, "/x", service.app) == AIO_EVALUE);
    CHECK(aio_web_include(service.app, NULL, users) == AIO_EVALUE);
    TRY(start(&service, arg));
    TRY(ask(&service, GET("/users/"), 200, "users"));
    TRY(ask(&service, GET("/users/you"), 200, "[0,0.0,\"you\",null]"));
    TRY(ask(&service, GET("/users/all/a/b"), 200, "[0,0.0,\"a/b\",null]"));
    TRY(ask(&service, GET("/n/7/you"), 200, "[7,0.0,\"you\",null]"));
    TRY(ask(&service, "POST /users/you HTTP/1.1\r\nHost: x\r\n\r\n", 200, "posted"));
    TRY(ask(&service, GET("/you"), 404, "{\"detail\":\"Not Found\"}"));
    return stop(&service);
}

static void routes_of_another_application_stand_behind_a_prefix(void **state)
{
    room_run(include);
}

static void routes_that_make_no_sense_are_refused(void **state)
{
    AIO_AUTO(aio_web) app = aio_web_new();
    static const char *const bad[] = {"",       "a",           "/{",        "/{}",
                                      "/x{a}",  "/{a}x",       "/{a:uint}", "/{1}",
                                      "/{a b}", "/{p:path}/x", "/{a:int:}"};

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(aio_web_get(app, bad[i], say_arg, NULL), AIO_EVALUE);
    assert_int_equal(aio_web_get(app, NULL, say_arg, NULL), AIO_EVALUE);
    assert_int_equal(aio_web_get(app, "/", NULL, NULL), AIO_EVALUE);
    assert_int_equal(aio_web_get(NULL, "/", say_arg, NULL), AIO_EVALUE);
    assert_int_equal(aio_web_get(app, "/a/{x}", say_arg, NULL), 0);
    assert_int_equal(aio_web_get(app, "/a/{y}", say_arg, NULL), AIO_EKEY);
}

static void add_routes(void *arg)
{
    AIO_AUTO(aio_web) app = aio_web_new();
    const char *const paths[] = {"/a", "/b/{x:int}", "/a/{p:path}"};

    if (app == NULL)
        return;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        int err = aio_web_get(app, paths[i], say_arg, NULL);

        assert_true(err == 0 || err == AIO_ENOMEM);
    }
}

static void routes_survive_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(add_routes, NULL) > 0);
}

/* --- parameters ------------------------------------------------------------------------- */

static int say_values(aio_http_request *request, void *arg)
{
    const char *form = NULL;
    int err = aio_web_form(request, "form", &form);

    if (err < 0)
        return err;
    return aio_web_json(request, 200, "[s s s s]", aio_web_query(request, "q"),
                        aio_web_query(request, "\xc3\xa4"), form, aio_web_cookie(request, "c"));
}

static int send_values(void *arg, void **ret_result)
{
    struct service service = {aio_web_new(), NULL};

    TRY(aio_web_get(service.app, "/", say_values, NULL));
    TRY(aio_web_post(service.app, "/", say_values, NULL));
    TRY(start(&service, arg));
    TRY(ask(&service, GET("/"), 200, "[null,null,null,null]"));
    TRY(ask(&service, GET("/?q=1&q=a+b%2B&%C3%A4=%ff&q"), 200,
            "[\"\",\"\xef\xbf\xbd\",null,null]"));
    TRY(ask(&service, GET("/?q=a+b%2B%zz&&=x"), 200, "[\"a b+%zz\",null,null,null]"));
    TRY(ask(&service, GET("/?q=a%00b"), 200, "[null,null,null,null]"));
    TRY(ask(&service,
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nCookie: a=b; c=\"d e\"; f\r\n"
            "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n\r\nform=x%26+y",
            200, "[null,null,\"x& \",\"d e\"]"));
    TRY(ask(&service, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nform=x", 200,
            "[null,null,null,null]"));
    return stop(&service);
}

static void queries_forms_and_cookies_are_decoded(void **state)
{
    room_run(send_values);
}

/* --- answers ---------------------------------------------------------------------------- */

static int answer_as(aio_http_request *request, void *arg)
{
    const char *how = aio_web_path_text(request, "how");
    json_t *tree;
    int err;

    if (strcmp(how, "html") == 0)
        return aio_web_html(request, 201, "<p>");
    if (strcmp(how, "away") == 0)
        return aio_web_redirect(request, 0, "/users/me");
    if (strcmp(how, "abort") == 0)
        return aio_web_abort(request, 404, "no item %d", 7);
    if (strcmp(how, "teapot") == 0)
        return aio_web_abort(request, 418, NULL);
    if (strcmp(how, "cookie") == 0) {
        if (aio_web_set_cookie(request, "a", "b;c", 1, true) != AIO_EVALUE)
            return AIO_EASSERTION;
        if (aio_http_add_header(request, "x", "a\r\nb: c") != AIO_EVALUE ||
            aio_http_add_header(request, "x y", "a") != AIO_EVALUE ||
            aio_http_add_header(request, "Content-Length", "5") != AIO_EVALUE)
            return AIO_EASSERTION;
        err = aio_web_set_cookie(request, "a", "b", 60, true);
        return err < 0 ? err : aio_web_text(request, 200, "");
    }
    if (strcmp(how, "tree") == 0) {
        tree = json_pack("{s:[i,i],s:s}", "a", 1, 2, "b", "\xe5\xbc\xa0");
        err = aio_web_json(request, 200, "[o b b]", tree, 1, 0);
        json_decref(tree);
        return err;
    }
    if (strcmp(how, "fail") == 0)
        return aio_raise(AIO_EUSER, "no");
    return aio_web_json(request, 200, "{s: {s: [], s: {}}, s: s, s: I, s: n, s: f}", "a", "b", "c",
                        "text", "\"\\\n\x01\x7f\xe5\xbc\xa0", "big", (int64_t)9007199254740993,
                        "none", "f", 0.1);
}

static int hear_all(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct service service = {aio_web_new(), NULL};

    TRY(aio_web_get(service.app, "/{how}", answer_as, NULL));
    TRY(start(&service, room));
    TRY(ask(&service, GET("/json"), 200,
            "{\"a\":{\"b\":[],\"c\":{}},\"text\":\"\\\"\\\\\\n\\u0001\x7f\xe5\xbc\xa0\","
            "\"big\":9007199254740993,\"none\":null,\"f\":0.1}"));
    CHECK_TEXT(answer_header(&answer, "content-type"), "application/json");
    TRY(ask(&service, GET("/tree"), 200, "[{\"a\":[1,2],\"b\":\"\xe5\xbc\xa0\"},true,false]"));
    TRY(ask(&service, GET("/html"), 201, "<p>"));
    CHECK_TEXT(answer_header(&answer, "content-type"), "text/html; charset=utf-8");
    TRY(ask(&service, GET("/away"), 307, ""));
    CHECK_TEXT(answer_header(&answer, "location"), "/users/me");
    TRY(ask(&service, GET("/abort"), 404, "{\"detail\":\"no item 7\"}"));
    TRY(ask(&service, GET("/teapot"), 418, "{\"detail\":\"I'm a Teapot\"}"));
    TRY(ask(&service, GET("/cookie"), 200, ""));
    CHECK_TEXT(answer_header(&answer, "set-cookie"),
               "a=b; HttpOnly; Max-Age=60; Path=/; SameSite=lax");
    CHECK(room->reports == 0);
    TRY(ask(&service, GET("/fail"), 500, "Internal Server Error"));
    CHECK(room->reports == 1);
    room->reports = 0;
    return stop(&service);
}

static void answers_are_of_all_kinds(void **state)
{
    room_run(hear_all);
}

static int send_file(aio_http_request *request, void *arg)
{
    return aio_web_file(request, arg, NULL);
}

static int hear_file(void *arg, void **ret_result)
{
    static char content[150000];
    char path[] = "/tmp/aioc-web-XXXXXX.css";
    struct service service = {aio_web_new(), NULL};
    int fd = mkstemps(path, 4);

    room_fill(content, sizeof(content));
    CHECK(write(fd, content, sizeof(content)) == (ssize_t)sizeof(content));
    close(fd);
    TRY(aio_web_get(service.app, "/", send_file, path));
    TRY(aio_web_get(service.app, "/none", send_file, aio_constant("/nonexistent")));
    TRY(aio_web_get(service.app, "/folder", send_file, aio_constant("/tmp")));
    TRY(start(&service, arg));
    TRY(site_ask(service.server, GET("/"), &answer));
    CHECK(answer.status == 200);
    CHECK_TEXT(answer_header(&answer, "content-type"), "text/css; charset=utf-8");
    CHECK(answer_header(&answer, "last-modified") != NULL);
    CHECK(answer.body_size == sizeof(content));
    CHECK(memcmp(answer.body, content, sizeof(content)) == 0);
    TRY(ask(&service, GET("/none"), 404, "{\"detail\":\"Not Found\"}"));
    TRY(ask(&service, GET("/folder"), 404, "{\"detail\":\"Not Found\"}"));
    unlink(path);
    return stop(&service);
}

static void a_file_is_sent_with_its_type(void **state)
{
    room_run(hear_file);
}

/* --- blocking handlers ------------------------------------------------------------------ */

static pthread_t loop_thread;

static int block(aio_http_request *request, void *arg)
{
    const void *body;
    size_t size;
    int err = aio_http_request_body(request, &body, &size);

    if (err < 0)
        return err;
    if (pthread_equal(pthread_self(), loop_thread))
        return aio_raise(AIO_EASSERTION, "it blocks the loop");
    if (size == 0)
        return aio_web_abort(request, 400, "no body");
    if (aio_http_stream(request, 200, NULL, 1) != AIO_ENOTASK)
        return aio_raise(AIO_EASSERTION, "a thread writes");
    return aio_web_json(request, 200, "{s:i}", body, (int)size);
}

static int ask_threads(void *arg, void **ret_result)
{
    struct service service = {aio_web_new(), NULL};

    loop_thread = pthread_self();
    TRY(aio_web_route(service.app, "POST", "/", AIO_WEB_BLOCKING, block, NULL));
    TRY(start(&service, arg));
    TRY(ask(&service, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 200,
            "{\"hello\":5}"));
    TRY(ask(&service, "POST / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "{\"detail\":\"no body\"}"));
    return stop(&service);
}

static void a_blocking_handler_runs_in_a_thread(void **state)
{
    room_run(ask_threads);
}

/* The handler is in a thread while its client goes away. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static int block_at_gate(aio_http_request *request, void *arg)
{
    struct room *room = arg;

    (void)__atomic_fetch_add(&room->fail_code, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return aio_web_text(request, 200, "late");
}

static int leave_thread(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct service service = {aio_web_new(), NULL};
    aio_http_server_stats stats = AIO_HTTP_SERVER_STATS_INIT;
    struct peer peer;

    TRY(aio_web_route(service.app, "GET", "/", AIO_WEB_BLOCKING, block_at_gate, room));
    TRY(start(&service, room));
    pthread_mutex_lock(&gate);
    TRY(peer_open(&peer, service.server));
    TRY(peer_say(&peer, GET("/")));
    while (__atomic_load_n(&room->fail_code, __ATOMIC_SEQ_CST) == 0)
        TRY(aio_sleep(0));
    peer_close(&peer);
    do {
        TRY(aio_sleep(0));
        TRY(aio_http_server_get_stats(service.server, &stats));
    } while (stats.connections > 0);
    CHECK(stats.active == 1); /* it is waited for */
    pthread_mutex_unlock(&gate);
    do {
        TRY(aio_sleep(0));
        TRY(aio_http_server_get_stats(service.server, &stats));
    } while (stats.active > 0);
    return stop(&service);
}

static void a_blocking_handler_is_waited_for_though_its_client_is_gone(void **state)
{
    room_run(leave_thread);
}

/* --- middleware ------------------------------------------------------------------------- */

static int outer(aio_http_request *request, aio_web_next *next, void *arg)
{
    int err;

    if (aio_http_request_header(request, "x-key") == NULL)
        return aio_web_abort(request, 401, NULL);
    err = aio_web_call_next(request, next);
    if (aio_http_response_status(request) == 404)
        return aio_web_text(request, 404, "nothing here");
    return err;
}

static int inner(aio_http_request *request, aio_web_next *next, void *arg)
{
    int err = aio_web_call_next(request, next);
    int added = aio_http_add_header(request, "x-inner", arg);

    return err < 0 ? err : added;
}

static int pass(void *arg, void **ret_result)
{
    struct service service = {aio_web_new(), NULL};

    TRY(aio_web_get(service.app, "/", say_arg, aio_constant("in")));
    TRY(aio_web_add_middleware(service.app, inner, aio_constant("yes")));
    TRY(aio_web_add_middleware(service.app, outer, NULL));
    TRY(start(&service, arg));
    TRY(ask(&service, GET("/"), 401, "{\"detail\":\"Unauthorized\"}"));
    CHECK(answer_header(&answer, "x-inner") == NULL);
    TRY(ask(&service, "GET / HTTP/1.1\r\nHost: x\r\nX-Key: 1\r\n\r\n", 200, "in"));
    CHECK_TEXT(answer_header(&answer, "x-inner"), "yes");
    TRY(ask(&service, "GET /no HTTP/1.1\r\nHost: x\r\nX-Key: 1\r\n\r\n", 404, "nothing here"));
    CHECK_TEXT(answer_header(&answer, "x-inner"), "yes");
    return stop(&service);
}

static void middleware_stands_around_the_handlers(void **state)
{
    room_run(pass);
}

/* --- shortage --------------------------------------------------------------------------- */

static int survive(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct service service = {aio_web_new(), NULL};
    int err =
        service.app == NULL ? AIO_ENOMEM : aio_web_get(service.app, "/{how}", answer_as, NULL);

    if (err == 0)
        err = aio_web_post(service.app, "/", say_values, NULL);
    if (err == 0)
        err = start(&service, room);
    if (err == 0)
        err = site_ask(service.server, GET("/json"), &answer);
    if (err == 0)
        err = site_ask(service.server,
                       "POST /?q=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nCookie: c=d\r\n"
                       "Content-Type: application/x-www-form-urlencoded\r\n\r\nform=x",
                       &answer);
    if (service.server != NULL) {
        int stopped = site_stop(service.server);

        err = err < 0 ? err : stopped;
    }
    aio_web_unref(service.app);
    room->reports = 0;
    return err;
}

static void a_service_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(survive);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_lead_to_their_handlers),
        cmocka_unit_test(a_slash_too_many_or_too_few_is_redirected),
        cmocka_unit_test(a_route_of_get_does_not_answer_head),
        cmocka_unit_test(routes_of_another_application_stand_behind_a_prefix),
        cmocka_unit_test_setup_teardown(routes_that_make_no_sense_are_refused, count_allocations,
                                        check_allocations),
        cmocka_unit_test_setup_teardown(routes_survive_every_shortage_of_memory, count_allocations,
                                        check_allocations),
        cmocka_unit_test(queries_forms_and_cookies_are_decoded),
        cmocka_unit_test(answers_are_of_all_kinds),
        cmocka_unit_test(a_file_is_sent_with_its_type),
        cmocka_unit_test(a_blocking_handler_runs_in_a_thread),
        cmocka_unit_test(a_blocking_handler_is_waited_for_though_its_client_is_gone),
        cmocka_unit_test(middleware_stands_around_the_handlers),
        cmocka_unit_test(a_service_survives_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
