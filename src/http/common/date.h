/* SPDX-License-Identifier: MIT */
/* date.h - for src/http: the date as HTTP writes it */
#ifndef HTTP_COMMON_DATE_H
#define HTTP_COMMON_DATE_H

#include <stdbool.h>
#include <time.h>

enum { AIO__HTTP_DATE = sizeof("Sun, 06 Nov 1994 08:49:37 GMT") };

/* Write a time, which is of this age: a year of four digits. */
void aio__http_date(time_t when, char text[AIO__HTTP_DATE]);

/* Read one as it is written above; false: it is none. */
bool aio__http_read_date(const char *text, time_t *ret_when);

#endif
