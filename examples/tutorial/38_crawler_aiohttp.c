/* SPDX-License-Identifier: MIT */
/*
 * 38_crawler_aiohttp.c - three pages at the same time: a redirect, compression, and a charset
 * that is not UTF-8
 */
#include <aio/aio.h>
#include <aio/http_client.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 3 };

struct page {
    aio_http_session *session;
    char url[256];
    int index;
};

/* len(text): its characters, not its bytes. */
static size_t length(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++)
        count += (*text & 0xc0) != 0x80;
    return count;
}

static int fetch(void *arg, void **ret_result)
{
    struct page *page = arg;
    aio_http_request_options options = AIO_HTTP_REQUEST_OPTIONS_INIT;
    aio_http_response *response;
    const char *text;
    int err;

    printf("发送请求： %s\n", page->url);
    options.insecure = true;
    err = aio_http_get(page->session, page->url, &options, &response);
    if (err < 0)
        return err;
    err = aio_http_response_text(response, &text);
    if (err == 0) {
        printf("第%d个url: %s 得到结果:\n%zu\n", page->index + 1, page->url, length(text));
        *ret_result = (void *)(intptr_t)aio_http_response_status_code(response);
    }
    return aio_http_response_exit(response, err);
}

/* In the block of a session. */
static int fetch_all(aio_http_session *session)
{
    static const char *const paths[COUNT] = {"/python.org", "/www.baidu.com", "/www.pythonav.com"};
    const char *base = getenv("TUTORIAL_HTTPS");
    struct page pages[COUNT];
    aio_task *tasks[COUNT];
    int err;

    if (base == NULL)
        base = "https://localhost:18443";
    for (int i = 0; i < COUNT; i++) {
        pages[i].session = session;
        pages[i].index = i;
        (void)snprintf(pages[i].url, sizeof(pages[i].url), "%s%s", base, paths[i]);
        tasks[i] = aio_create_task(fetch, &pages[i]);
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
    err = aio_run(async_main, NULL, NULL);
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
