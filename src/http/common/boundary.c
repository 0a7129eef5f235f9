/* SPDX-License-Identifier: MIT */
/*
 * boundary.c - the line between the parts of a body of several
 *
 * Thread: any.
 */
#include "http/common/boundary.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

int aio__http_make_boundary(char boundary[AIO__HTTP_BOUNDARY])
{
    unsigned char random[(AIO__HTTP_BOUNDARY - 1) / 2];
    size_t used = 0;

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return -EIO;
    for (size_t i = 0; i < sizeof(random); i++)
        used += (size_t)snprintf(boundary + used, AIO__HTTP_BOUNDARY - used, "%02x", random[i]);
    return 0;
}
