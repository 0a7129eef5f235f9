/* SPDX-License-Identifier: MIT */
/*
 * other_worker.c - a program that is nothing but a worker of other programs' process pools
 *
 * Its functions and codecs are at other addresses than those of the program that has the pool.
 */
#include <aio/aio.h>
#include <stdlib.h>

static int square(void *arg, void **ret_result)
{
    intptr_t number = (intptr_t)arg;

    *ret_result = (void *)(number * number);
    return 0;
}

static const aio_function functions[] = {
    {sizeof(aio_function), "other.square", square, &aio_codec_int, &aio_codec_int},
};

int main(int argc, char **argv)
{
    if (aio_function_register(&functions[0]) < 0 || !aio_process_worker_main(argc, argv))
        return EXIT_FAILURE;
    return EXIT_SUCCESS;
}
