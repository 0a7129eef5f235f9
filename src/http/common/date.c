/* SPDX-License-Identifier: MIT */
/*
 * date.c - the date as HTTP writes it, in whatever locale the program is
 *
 * Thread: any.
 */
#include "http/common/date.h"

#include <stdio.h>
#include <string.h>

static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void aio__http_date(time_t when, char text[AIO__HTTP_DATE])
{
    struct tm now = {0};
    char room[64]; /* for whatever numbers the compiler thinks possible */

    (void)gmtime_r(&when, &now);
    (void)snprintf(room, sizeof(room), "%s, %02d %s %04d %02d:%02d:%02d GMT", days[now.tm_wday],
                   now.tm_mday, months[now.tm_mon], (now.tm_year + 1900) % 10000, now.tm_hour,
                   now.tm_min, now.tm_sec);
    memcpy(text, room, AIO__HTTP_DATE);
    text[AIO__HTTP_DATE - 1] = '\0';
}

bool aio__http_read_date(const char *text, time_t *ret_when)
{
    struct tm when = {0};
    char month[4] = "";
    int end = 0;
    char back[AIO__HTTP_DATE];
    time_t found;

    if (strlen(text) != AIO__HTTP_DATE - 1 ||
        sscanf(text, "%*3s, %2d %3s %4d %2d:%2d:%2d GMT%n", &when.tm_mday, month, &when.tm_year,
               &when.tm_hour, &when.tm_min, &when.tm_sec, &end) != 6 ||
        end != AIO__HTTP_DATE - 1)
        return false;
    when.tm_year -= 1900;
    while (when.tm_mon < 12 && strcmp(months[when.tm_mon], month) != 0)
        when.tm_mon++;
    if (when.tm_mon == 12)
        return false;
    /* What is written otherwise again was no date: the 31st of June, a wrong day of the week. */
    found = timegm(&when);
    aio__http_date(found, back);
    if (strcmp(text, back) != 0)
        return false;
    *ret_when = found;
    return true;
}
