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

/* A number of digits; what is none gives one that does not come back the same. */
static int number(const char *digits, int count)
{
    int value = 0;

    for (int i = 0; i < count; i++)
        value = value * 10 + (digits[i] - '0');
    return value;
}

bool aio__http_read_date(const char *text, time_t *ret_when)
{
    struct tm when = {0};
    char back[AIO__HTTP_DATE];
    time_t found;

    if (strlen(text) != AIO__HTTP_DATE - 1)
        return false;
    /* Sun, 06 Nov 1994 08:49:37 GMT */
    while (when.tm_mon < 12 && memcmp(months[when.tm_mon], text + 8, 3) != 0)
        when.tm_mon++;
    when.tm_mday = number(text + 5, 2);
    when.tm_year = number(text + 12, 4) - 1900;
    when.tm_hour = number(text + 17, 2);
    when.tm_min = number(text + 20, 2);
    when.tm_sec = number(text + 23, 2);
    /* What is written otherwise again was no date: the 31st of June, a wrong day of the week. */
    found = timegm(&when);
    if (found < 0)
        return false;
    aio__http_date(found, back);
    if (strcmp(text, back) != 0)
        return false;
    *ret_when = found;
    return true;
}
