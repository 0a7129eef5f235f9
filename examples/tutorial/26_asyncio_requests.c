/* SPDX-License-Identifier: MIT */
/*
 * 26_asyncio_requests.c - a library that blocks, in threads, so that three downloads overlap
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
    struct download *response = value;

    free(response->data);
    free(response);
}

static const aio_type response_type = {.destroy = free_response};

/* requests.get */
static int get(void *arg, void **ret_result)
{
    struct download *response = calloc(1, sizeof(*response));
    int err = response == NULL ? AIO_ENOMEM : download_get(arg, response);

    if (err < 0) {
        free(response);
        return err;
    }
    *ret_result = response;
    return 0;
}

static int download_image(void *arg, void **ret_result)
{
    struct image *image = arg;
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    struct download *response;
    char file_name[32];
    void *value;
    int err;

    printf("开始下载第%d张图片，url:%s\n", image->index + 1, image->url);
    options.arg_size = sizeof(image->url);
    options.result_type = &response_type;

    AIO_AUTO(aio_future)
    future = aio_loop_run_in_executor_with(NULL, NULL, get, image->url, &options);
    err = aio_await(future, &value);
    if (err < 0)
        return err;
    response = value;
    printf("下载完成！\n");

    (void)snprintf(file_name, sizeof(file_name), "cat%d.jpg", image->index + 1);
    return download_save(file_name, response->data, response->size);
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

int main(void)
{
    int err;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    err = aio_run(async_main, NULL, NULL);
    curl_global_cleanup();
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
