/* SPDX-License-Identifier: MIT */
/*
 * 07_async_download_aiohttp.c - three downloads at the same time: half a second, not 1.5
 *
 * Each task waits for its own response; the session's connections are used by all of them.
 */
#include <aio/aio.h>
#include <aio/http_client.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { COUNT = 3 };

struct image {
    aio_http_session *session;
    char url[256];
    int index;
};

static int save(const char *file_name, const aio_buffer *content)
{
    FILE *file = fopen(file_name, "wb");
    bool is_written;

    if (file == NULL)
        return aio_raise(-errno, "%s: %s", file_name, strerror(errno));
    is_written = fwrite(content->data, 1, content->size, file) == content->size;
    if (fclose(file) != 0 || !is_written)
        return aio_raise(AIO_EOS, "%s: cannot be written", file_name);
    return 0;
}

static int fetch(void *arg, void **ret_result)
{
    struct image *image = arg;
    aio_http_request_options options = AIO_HTTP_REQUEST_OPTIONS_INIT;
    aio_http_response *response;
    aio_buffer content;
    char file_name[32];
    int err;

    printf("发送请求： %s\n", image->url);
    options.insecure = true;
    err = aio_http_get(image->session, image->url, &options, &response);
    if (err < 0)
        return err;
    err = aio_http_response_read(response, &content);
    if (err == 0) {
        (void)snprintf(file_name, sizeof(file_name), "./images/cat%d.jpg", image->index + 1);
        err = save(file_name, &content);
    }
    return aio_http_response_exit(response, err);
}

/* In the block of a session. */
static int fetch_all(aio_http_session *session)
{
    static const char *const paths[COUNT] = {
        "/weitu/24G58PICk6YyAJqMN7IaU_cat1.jpg",
        "/weitu/64p58PICdzfqApIy7Fn2t_cat2.jpg",
        "/photo/5561_cat3.jpg",
    };
    const char *base = getenv("TUTORIAL_HTTPS");
    struct image images[COUNT];
    aio_task *tasks[COUNT];
    int err;

    if (base == NULL)
        base = "https://localhost:18443";
    for (int i = 0; i < COUNT; i++) {
        images[i].session = session;
        images[i].index = i;
        (void)snprintf(images[i].url, sizeof(images[i].url), "%s%s", base, paths[i]);
        tasks[i] = aio_create_task(fetch, &images[i]);
    }
    err = aio_wait(tasks, COUNT, AIO_FOREVER, AIO_ALL_COMPLETED, NULL);
    for (int i = 0; i < COUNT; i++)
        aio_future_unref(tasks[i]);
    return err;
}

static int async_main(void *arg, void **ret_result)
{
    aio_http_session *session = aio_http_session_new(NULL);

    return aio_http_session_exit(session, fetch_all(session));
}

int main(void)
{
    int err;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (mkdir("images", 0777) < 0 && errno != EEXIST) {
        perror("images");
        return EXIT_FAILURE;
    }
    err = aio_run(async_main, NULL, NULL);
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
