/* SPDX-License-Identifier: MIT */
/*
 * download.c - fetching a file by libcurl, which blocks until it is there
 */
#include "download.h"

#include <aio/error.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64 << 20 }; /* bytes: whoever sends more is given up */

static size_t receive(char *data, size_t one, size_t size, void *arg)
{
    struct download *download = arg;
    char *grown;

    if (size > MOST - download->size)
        return 0;
    grown = realloc(download->data, download->size + size);
    if (grown == NULL)
        return 0;
    memcpy(grown + download->size, data, size);
    download->data = grown;
    download->size += size;
    return size * one;
}

static CURLcode perform(CURL *curl, const char *url, struct download *download)
{
    const char *authorities = getenv("REQUESTS_CA_BUNDLE");

    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, download);
    if (authorities != NULL)
        (void)curl_easy_setopt(curl, CURLOPT_CAINFO, authorities);
    return curl_easy_perform(curl);
}

int download_get(const char *url, struct download *download)
{
    CURL *curl = curl_easy_init();
    CURLcode code;

    if (curl == NULL)
        return AIO_ENOMEM;
    code = perform(curl, url, download);
    curl_easy_cleanup(curl);
    if (code == CURLE_OK)
        return 0;
    free(download->data);
    *download = (struct download){NULL, 0};
    return aio_raise(AIO_EOS, "%s: %s", url, curl_easy_strerror(code));
}

int download_save(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    bool is_written;

    if (file == NULL)
        return aio_raise(-errno, "%s: %s", path, strerror(errno));
    is_written = fwrite(data, 1, size, file) == size;
    if (fclose(file) != 0 || !is_written)
        return aio_raise(AIO_EOS, "%s: cannot be written", path);
    return 0;
}
