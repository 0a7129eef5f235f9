/* SPDX-License-Identifier: MIT */
/*
 * python.c - a program of Python's asyncio on the other side
 */
#include "support/python.h"

#include "support/room.h"

bool python_is_here(void)
{
    return system("python3 -c 'import asyncio' 2>/dev/null") == 0;
}

int python_start(const char *program, const char *argument, int std_in, aio_process **ret_process)
{
    const char *const argv[] = {"python3", "-c", program, argument, NULL};
    aio_subprocess_options options = AIO_SUBPROCESS_OPTIONS_INIT;

    options.std_in = std_in;
    options.std_out = AIO_SUBPROCESS_PIPE;
    return aio_create_subprocess_exec(argv, &options, ret_process);
}

int python_run(const char *program, const char *argument, aio_process **ret_process)
{
    return python_start(program, argument, AIO_SUBPROCESS_DEVNULL, ret_process);
}

int python_read_number(aio_process *process, int *ret_number)
{
    aio_bytes line;

    TRY(aio_stream_reader_readline(aio_process_stdout(process), &line));
    *ret_number = line.size > 0 ? atoi(line.data) : 0;
    aio_bytes_free(&line);
    CHECK(*ret_number > 0);
    return 0;
}

int python_expect_success(aio_process *process)
{
    int code = -1;

    TRY(aio_process_wait(process, &code));
    aio_process_unref(process);
    CHECK(code == 0);
    return 0;
}
