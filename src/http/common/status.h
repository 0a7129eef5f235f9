/* SPDX-License-Identifier: MIT */
/* status.h - for src/http: what a status says */
#ifndef HTTP_COMMON_STATUS_H
#define HTTP_COMMON_STATUS_H

/* The phrase Python has for a status: "Not Found"; "" for one it does not know. */
const char *aio__http_phrase(int status);

#endif
