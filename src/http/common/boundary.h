/* SPDX-License-Identifier: MIT */
/* boundary.h - for src/http: the line between the parts of a body of several */
#ifndef HTTP_COMMON_BOUNDARY_H
#define HTTP_COMMON_BOUNDARY_H

enum { AIO__HTTP_BOUNDARY = 33 };

/* Make one of 128 random bits, so that no part can have it. 0, -EIO. */
int aio__http_make_boundary(char boundary[AIO__HTTP_BOUNDARY]);

#endif
