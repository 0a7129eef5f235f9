/* SPDX-License-Identifier: MIT */
/*
 * 37_fastapi_client.c - the client of 36: "/" once, "/red" once, then 50 times at the same time
 *
 * The session has no limit of connections, and each of the 50 requests takes a second: so all of
 * them do.
 */
#include <aio/aio.h>
#include <aio/http_client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 50 };

/* What a request is answered: the texts are its own. */
struct answer {
    int status;
    char *content_type;
    char *text;
};

static void free_answer(void *value)
{
    struct answer *answer = value;

    free(answer->content_type);
    free(answer->text);
    free(answer);
}

static const aio_type answer_type = {.destroy = free_answer};

static int take_answer(aio_http_response *response, void **ret_result)
{
    struct answer *answer;
    const char *text;
    int err = aio_http_response_text(response, &text);

    if (err < 0)
        return err;
    answer = calloc(1, sizeof(*answer));
    if (answer == NULL)
        return AIO_ENOMEM;
    answer->status = aio_http_response_status_code(response);
    answer->content_type = strdup(aio_http_response_header(response, "content-type"));
    answer->text = strdup(text);
    if (answer->content_type == NULL || answer->text == NULL) {
        free_answer(answer);
        return AIO_ENOMEM;
    }
    *ret_result = answer;
    return 0;
}

struct request {
    aio_http_session *session;
    const char *method;
    const char *path;
};

static int ask(void *arg, void **ret_result)
{
    const struct request *request = arg;
    aio_http_response *response;
    int err;

    err =
        aio_http_session_request(request->session, request->method, request->path, NULL, &response);
    if (err < 0)
        return err;
    return aio_http_response_exit(response, take_answer(response, ret_result));
}

static int show(aio_http_session *session, const char *method, const char *path)
{
    struct request request = {session, method, path};
    void *value = NULL;
    struct answer *answer;
    int err = ask(&request, &value);

    if (err < 0)
        return err;
    answer = value;
    printf("%d %s %s\n", answer->status, answer->content_type, answer->text);
    free_answer(answer);
    return 0;
}

/* Ask so many times at once; gives how many were answered with 200. */
static int gather(aio_http_session *session, const char *path, int *ret_ok)
{
    struct request request = {session, "GET", path};
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    aio_task *tasks[COUNT];
    void *value;
    int err;

    options.result_type = &answer_type;
    for (int i = 0; i < COUNT; i++)
        tasks[i] = aio_create_task_with(ask, &request, &options);
    AIO_AUTO(aio_future) all = aio_gather(tasks, COUNT, 0);
    err = aio_await(all, NULL);
    *ret_ok = 0;
    for (int i = 0; i < COUNT; i++) {
        if (err == 0 && aio_future_result(tasks[i], &value) == 0)
            *ret_ok += ((struct answer *)value)->status == 200;
        aio_future_unref(tasks[i]);
    }
    return err;
}

static int show_all(aio_http_session *session)
{
    aio_loop *loop = aio_get_running_loop();
    double began;
    double taken;
    int ok;
    int err;

    err = show(session, "GET", "/");
    if (err < 0)
        return err;
    began = aio_loop_time(loop);
    err = show(session, "GET", "/red");
    if (err < 0)
        return err;
    printf("one /red: %.1f s\n", aio_loop_time(loop) - began);
    began = aio_loop_time(loop);
    err = gather(session, "/red", &ok);
    if (err < 0)
        return err;
    taken = aio_loop_time(loop) - began;
    printf("50 /red: ok=%d, under 2 s: %s\n", ok, taken < 2 ? "True" : "False");
    fprintf(stderr, "50 /red took %.3f s\n", taken);
    err = gather(session, "/", &ok);
    if (err < 0)
        return err;
    printf("50 /: ok=%d\n", ok);
    err = show(session, "GET", "/nosuch");
    return err < 0 ? err : show(session, "POST", "/red");
}

static int async_main(void *arg, void **ret_result)
{
    aio_http_session_options options = AIO_HTTP_SESSION_OPTIONS_INIT;
    const char *port = getenv("TUTORIAL_APP_PORT");
    aio_http_session *session;
    char base[64];

    (void)snprintf(base, sizeof(base), "http://127.0.0.1:%s", port == NULL ? "15000" : port);
    options.base_url = base;
    options.limit = AIO_HTTP_UNLIMITED;
    session = aio_http_session_new(&options);
    return aio_http_session_exit(session, show_all(session));
}

int main(void)
{
    int err;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    err = aio_run(async_main, NULL, NULL);
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
