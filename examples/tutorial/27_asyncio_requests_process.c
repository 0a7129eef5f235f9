/* SPDX-License-Identifier: MIT */
/*
 * 27_asyncio_requests_process.c - a library that blocks, in processes: the URL goes out, and the
 * whole response comes back
 */
#include "download.h"

#include <aio/aio.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 3 };

struct image {
    char url[256];
    int index;
};

static void free_response(void *value)
{
    aio_buffer *response = value;

    free((void *)(uintptr_t)response->data);
    free(response);
}

static const aio_type response_type = {.destroy = free_response};

/* requests.get: in a worker, where its result is freed once it is sent. */
static int get(void *arg, void **ret_result)
{
    struct download download = {NULL, 0};
    aio_buffer *response = malloc(sizeof(*response));
    int err = response == NULL ? AIO_ENOMEM : download_get(arg, &download);

    if (err < 0) {
        free(response);
        return err;
    }
    *response = (aio_buffer){download.data, download.size};
    *ret_result = response;
    return 0;
}

static int download_in(aio_executor *pool, struct image *image)
{
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    const aio_buffer *response;
    char file_name[32];
    void *value;
    int err;

    options.arg_codec = &aio_codec_string;
    options.result_codec = &aio_codec_bytes;
    options.result_type = &response_type;
    AIO_AUTO(aio_future)
    future = aio_loop_run_in_executor_with(NULL, pool, get, image->url, &options);
    err = aio_await(future, &value);
    if (err < 0)
        return err;
    response = value;
    printf("下载完成！\n");

    (void)snprintf(file_name, sizeof(file_name), "cat%d.jpg", image->index + 1);
    return download_save(file_name, response->data, response->size);
}

static int download_image(void *arg, void **ret_result)
{
    struct image *image = arg;
    int err, end;

    printf("开始下载第%d张图片，url:%s\n", image->index + 1, image->url);

    AIO_AUTO(aio_executor) pool = aio_process_pool_new(NULL);
    err = download_in(pool, image);
    end = aio_shutdown_executor(pool, AIO_FOREVER, false);
    return err < 0 ? err : end;
}

static int async_main(void *arg, void **ret_result)
{
    static const char *const paths[COUNT] = {
        "/weitu/24G58PICk6YyAJqMN7IaU_cat1.jpg",
        "/weitu/64p58PICdzfqApIy7Fn2t_cat2.jpg",
        "/photo/5561_cat3.jpg",
    };
    const char *base = getenv("TUTORIAL_HTTPS");
    struct image images[COUNT];
    aio_task *task_list[COUNT];
    int err;

    if (base == NULL)
        base = "https://localhost:18443";
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(images[i].url, sizeof(images[i].url), "%s%s", base, paths[i]);
        images[i].index = i;
        task_list[i] = aio_create_task(download_image, &images[i]);
    }
    err = aio_wait(task_list, COUNT, AIO_FOREVER, AIO_ALL_COMPLETED, NULL);
    for (int i = 0; i < COUNT; i++)
        aio_future_unref(task_list[i]);
    return err;
}

int main(int argc, char **argv)
{
    int err;

    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    if (aio_process_worker_main(argc, argv)) /* which needs what was initialised before */
        return EXIT_SUCCESS;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    err = aio_run(async_main, NULL, NULL);
    curl_global_cleanup();
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
