/* SPDX-License-Identifier: MIT */
/*
 * download.h - fetching a file by libcurl, which blocks until it is there
 *
 * For the programs that have threads or processes do such work. Stands where Python's have
 * requests.get().
 */
#ifndef DOWNLOAD_H
#define DOWNLOAD_H

#include <aio/common.h>

/* What was received; begin with zeros, and free() the data. */
struct download {
    char *data;
    size_t size;
};

/* Fetch a URL. Certificates are verified, by those in REQUESTS_CA_BUNDLE if that is set. 0, or a
 * code that was raised. */
int download_get(const char *url, struct download *download);

/* Write a file. 0, or a code that was raised. */
int download_save(const char *path, const void *data, size_t size);

#endif
