/* SPDX-License-Identifier: MIT */
/*
 * test_http_upload.c - a form with files of the disk, from our client to our server
 */
#include "http/site.h"
#include "support/allocation.h"

#include <aio/http_client.h>
#include <aio/web.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LARGE = 32 * 1024 * 1024, SMALL = 100000, CUT = 1000 };

/* What a test has: a file, a server that is sent it, and a client. */
struct upload {
    char path[40];
    aio_http_server *server;
    aio_http_session *session;
    aio_event *begun;  /* some of the body has come */
    aio_event *over;   /* the request has ended */
    size_t shorten_to; /* what the file is cut to then; 0: it is not */
};

/* A file of zeros, of which the disk keeps nothing. */
static int make_file(char *path, off_t size)
{
    int fd;

    (void)strcpy(path, "/tmp/aioc-upload-XXXXXX");
    fd = mkstemp(path);
    CHECK(fd >= 0);
    CHECK(ftruncate(fd, size) == 0);
    CHECK(close(fd) == 0);
    return 0;
}

static int open_upload(struct upload *upload, off_t size, aio_http_handler_fn handler)
{
    aio_http_server_options options = AIO_HTTP_SERVER_OPTIONS_INIT;
    aio_http_session_options client = AIO_HTTP_SESSION_OPTIONS_INIT;
    char base[60];

    TRY(make_file(upload->path, size));
    options.max_body_size = 2 * (uint64_t)LARGE;
    upload->begun = aio_event_new();
    upload->over = aio_event_new();
    if (upload->begun == NULL || upload->over == NULL)
        return AIO_ENOMEM;
    TRY(site_start(handler, upload, &options, &upload->server));
    (void)snprintf(base, sizeof(base), "http://127.0.0.1:%d", aio_http_server_port(upload->server));
    client.base_url = base;
    upload->session = aio_http_session_new(&client);
    return upload->session == NULL ? AIO_ENOMEM : 0;
}

/* Gives what the test ended with. A thread may still have a file that its task has given up. */
static int close_upload(struct upload *upload, int code)
{
    int err = 0;
    int ended = aio_loop_shutdown_default_executor(aio_get_running_loop(), AIO_FOREVER);

    code = code < 0 ? code : ended;
    aio_http_session_close(upload->session);
    aio_http_session_unref(upload->session);
    if (upload->server != NULL)
        err = site_stop(upload->server);
    aio_event_unref(upload->begun);
    aio_event_unref(upload->over);
    (void)unlink(upload->path);
    return code < 0 ? code : err;
}

static int send_file(const struct upload *upload, aio_http_response **ret_response)
{
    aio_http_request_options options = AIO_HTTP_REQUEST_OPTIONS_INIT;
    AIO_AUTO(aio_http_form) form = aio_http_form_new();
    int err = aio_http_form_add_path(form, "file", upload->path, NULL, NULL);

    options.multipart = form;
    return err < 0 ? err : aio_http_post(upload->session, "/", &options, ret_response);
}

/* --- whole ------------------------------------------------------------------------------ */

static int take_file(aio_http_request *request, void *arg)
{
    const struct upload *upload = arg;
    const aio_web_upload *file = NULL;
    int err = aio_web_upload_of(request, "file", &file);

    if (err < 0)
        return err;
    return aio_web_json(request, 200, "[s,s,i]", file->content_type,
                        strcmp(file->filename, upload->path + 5) == 0 ? "same" : file->filename,
                        (int)file->size);
}

static int exchange(const struct upload *upload)
{
    AIO_AUTO(aio_http_response) response = NULL;
    const char *text = NULL;
    int err = send_file(upload, &response);

    if (err == 0 && aio_http_response_status_code(response) != 200)
        return AIO_HTTP_ESTATUS;
    if (err == 0)
        err = aio_http_response_text(response, &text);
    if (err < 0)
        return err;
    CHECK_TEXT(text, "[\"application/octet-stream\",\"same\",100000]");
    return 0;
}

static int send_small(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct upload upload = {.shorten_to = 0};
    int err = open_upload(&upload, SMALL, take_file);

    if (err == 0)
        err = exchange(&upload);
    err = close_upload(&upload, err);
    room->reports = 0;
    return err;
}

static void a_file_of_the_disk_comes_as_it_is(void **state)
{
    room_run(send_small);
}

static void an_upload_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(send_small);
}

/* --- not whole -------------------------------------------------------------------------- */

/* Read to the end; at the first piece the test goes on, and the file may be cut. */
static int read_slowly(aio_http_request *request, void *arg)
{
    struct upload *upload = arg;
    static char piece[64 * 1024];
    ptrdiff_t got = aio_http_request_read(request, piece, sizeof(piece));

    aio_event_set(upload->begun);
    if (got > 0 && upload->shorten_to == 0 && aio_event_wait(upload->over) < 0)
        return AIO_ECANCELLED;
    if (got > 0 && upload->shorten_to > 0 && truncate(upload->path, (off_t)upload->shorten_to) != 0)
        return -errno;
    while (got > 0)
        got = aio_http_request_read(request, piece, sizeof(piece));
    return got < 0 ? (int)got : aio_http_respond(request, 200, NULL, NULL, 0);
}

static int cut_file(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct upload upload = {.shorten_to = CUT};
    aio_http_response *none = NULL;
    int err;

    TRY(open_upload(&upload, LARGE, read_slowly));
    CHECK_CODE(send_file(&upload, &none), AIO_EEOF);
    CHECK(strstr(aio_error_text(AIO_EEOF), "became shorter") != NULL && none == NULL);
    err = close_upload(&upload, 0);
    room->reports = 0; /* the handler's: its client has gone */
    return err;
}

static void a_file_that_becomes_shorter_fails_the_request(void **state)
{
    room_run(cut_file);
}

static int send_in_task(void *arg, void **ret_result)
{
    aio_http_response *none = NULL;

    return send_file(arg, &none);
}

static int cancel(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct upload upload = {.shorten_to = 0};
    AIO_AUTO(aio_task) task = NULL;
    int err;

    TRY(open_upload(&upload, LARGE, read_slowly));
    task = aio_create_task(send_in_task, &upload);
    TRY(aio_event_wait(upload.begun));
    CHECK(aio_task_cancel(task, NULL));
    CHECK_CODE(aio_await(task, NULL), AIO_ECANCELLED);
    aio_event_set(upload.over);
    err = close_upload(&upload, 0);
    room->reports = 0; /* the handler's: its client has gone */
    return err;
}

static void an_upload_that_is_cancelled_leaves_nothing(void **state)
{
    room_run(cancel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_of_the_disk_comes_as_it_is),
        cmocka_unit_test(an_upload_survives_every_shortage_of_memory),
        cmocka_unit_test(a_file_that_becomes_shorter_fails_the_request),
        cmocka_unit_test(an_upload_that_is_cancelled_leaves_nothing),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
