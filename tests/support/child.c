/* SPDX-License-Identifier: MIT */
/*
 * child.c - the end of a child that a test has forked
 */
#include "support/child.h"

#include <unistd.h>

#if defined(AIO__HAVE_VALGRIND)
#include <valgrind/valgrind.h>
#endif

void end_child(int status)
{
#if defined(AIO__HAVE_VALGRIND) && defined(VALGRIND_CLO_CHANGE)
    VALGRIND_CLO_CHANGE("--leak-check=no");
#endif
    _exit(status);
}
