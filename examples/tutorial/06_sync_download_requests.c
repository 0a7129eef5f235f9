/* SPDX-License-Identifier: MIT */
/*
 * 06_sync_download_requests.c - three downloads, one after the other: 1.5 seconds
 *
 * No loop here: download_get() blocks until all is there. 07 does the same in a third of the time.
 */
#include "download.h"

#include <aio/error.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int download_image(const char *url)
{
    struct download response = {NULL, 0};
    int err;

    printf("开始下载: %s\n", url);
    err = download_get(url, &response);
    if (err < 0)
        return err;
    printf("下载完成\n");

    err = download_save(strrchr(url, '_') + 1, response.data, response.size);
    free(response.data);
    return err;
}

int main(void)
{
    static const char *const paths[] = {
        "/weitu/24G58PICk6YyAJqMN7IaU_cat1.jpg",
        "/weitu/64p58PICdzfqApIy7Fn2t_cat2.jpg",
        "/photo/5561_cat3.jpg",
    };
    const char *base = getenv("TUTORIAL_HTTPS");
    char url[256];
    int err = 0;

    if (base == NULL)
        base = "https://localhost:18443";
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]) && err == 0; i++) {
        (void)snprintf(url, sizeof(url), "%s%s", base, paths[i]);
        err = download_image(url);
    }
    curl_global_cleanup();
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
