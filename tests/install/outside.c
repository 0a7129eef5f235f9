/* SPDX-License-Identifier: MIT */
/*
 * outside.c - a program that has the installed library only
 *
 * C and C++. Uses a function, an object and a header-only piece of the library.
 */
#include <aio/aio.h>

#include <stdio.h>
#include <string.h>

static int fetch(int index)
{
    if (index > 9)
        return aio_raise(AIO_EVALUE, "no such image: %d", index);
    return 0;
}

int main(void)
{
    char text[256];
    int err = fetch(12);
    AIO_AUTO(aio_exception) error = aio_error_catch(err);

    (void)aio_exception_format(error, text, sizeof(text));
    (void)puts(text);
    return strstr(text, "ValueError: no such image: 12") == NULL;
}
