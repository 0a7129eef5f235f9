/* SPDX-License-Identifier: MIT */
/*
 * date.c - the date as HTTP writes it, in whatever locale the program is
 *
 * Thread: any.
 */
#include "http/common/date.h"

#include <stdio.h>
#include <string.h>

void aio__http_date(time_t when, char text[AIO__HTTP_DATE])
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm now = {0};
    char room[64]; /* for whatever numbers the compiler thinks possible */

    (void)gmtime_r(&when, &now);
    (void)snprintf(room, sizeof(room), "%s, %02d %s %04d %02d:%02d:%02d GMT", days[now.tm_wday],
                   now.tm_mday, months[now.tm_mon], (now.tm_year + 1900) % 10000, now.tm_hour,
                   now.tm_min, now.tm_sec);
    memcpy(text, room, AIO__HTTP_DATE);
    text[AIO__HTTP_DATE - 1] = '\0';
}
