/* SPDX-License-Identifier: MIT */
/*
 * test_subprocess_io.c - child processes: communicate, and their streams
 */
#include "support/children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* --- communicate -------------------------------------------------------------------------- */

static int in_communicate_feeds_and_collects(void *arg, void **ret_result)
{
    aio_subprocess_options options =
        with_pipes(AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE);
    aio_process *process = start_command("cat; echo wrong >&2; exit 2", &options);
    aio_process_output output;
    int code;

    expect_int_equal(aio_process_communicate(process, "some data", 9, &output), 0);
    expect_string_equal(output.out, "some data");
    expect_int_equal(output.out_size, 9);
    expect_string_equal(output.err, "wrong\n");
    expect_int_equal(output.err_size, 6);
    expect_true(aio_process_returncode(process, &code));
    expect_int_equal(code, 2);
    aio_process_output_clear(&output);
    aio_process_unref(process);
    return 0;
}
IN_TASK(communicate_feeds_and_collects);

static int in_communicate_gives_null_for_what_is_not_piped(void *arg, void **ret_result)
{
    aio_process *process = start_command("exit 0", NULL);
    aio_process_output output = {.out_size = 1};

    expect_int_equal(aio_process_communicate(process, "ignored", 7, &output), 0);
    expect_null(output.out);
    expect_null(output.err);
    expect_int_equal(output.out_size, 0);
    aio_process_unref(process);
    return 0;
}
IN_TASK(communicate_gives_null_for_what_is_not_piped);

static int in_communicate_carries_10_mib_through_cat(void *arg, void **ret_result)
{
    static const char *const argv[] = {"cat", NULL};
    const size_t size = 10 * 1024 * 1024;
    aio_subprocess_options options = with_pipes(AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE, 0);
    unsigned char *data = malloc(size);
    aio_process_output output;
    aio_process *process;

    for (size_t i = 0; data != NULL && i < size; i++)
        data[i] = (unsigned char)(i * 2654435761U >> 13);
    expect_int_equal(aio_create_subprocess_exec(argv, &options, &process), 0);
    expect_int_equal(aio_process_communicate(process, data, size, &output), 0);
    expect_int_equal(output.out_size, size);
    expect_int_equal(memcmp(output.out, data, size), 0);
    aio_process_output_clear(&output);
    aio_process_unref(process);
    free(data);
    return 0;
}
IN_TASK(communicate_carries_10_mib_through_cat);

/* after asyncio's test_communicate_ignore_broken_pipe */
static int in_communicate_ignores_that_nobody_reads(void *arg, void **ret_result)
{
    static const char zeros[1024 * 1024];
    aio_subprocess_options options = with_pipes(AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE, 0);
    aio_process *process = start_command("exec <&-; echo closed; exit 4", &options);
    aio_process_output output;
    int code = 0;

    expect_int_equal(aio_process_communicate(process, zeros, sizeof(zeros), &output), 0);
    expect_string_equal(output.out, "closed\n");
    expect_int_equal(aio_process_wait(process, &code), 0);
    expect_int_equal(code, 4);
    aio_process_output_clear(&output);
    aio_process_unref(process);
    return 0;
}
IN_TASK(communicate_ignores_that_nobody_reads);

static int communicate_with_it(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_process_output output;
    int err = aio_process_communicate(f->subject, NULL, 0, &output);

    if (err == 0)
        aio_process_output_clear(&output);
    return err;
}

static int in_communicate_cancelled_can_be_called_again(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_subprocess_options options = with_pipes(AIO_SUBPROCESS_INHERIT, AIO_SUBPROCESS_PIPE, 0);
    aio_process_output output;
    aio_process *process;
    aio_task *task;
    int hold[2];

    expect_int_equal(pipe2(hold, O_CLOEXEC), 0);
    options.std_in = hold[0];
    process = start_command("echo before; exec cat", &options);
    close(hold[0]);
    f->subject = process;
    task = aio_create_task(communicate_with_it, f);
    expect_int_equal(aio_sleep(0), 0);
    expect_int_equal(aio_process_communicate(process, NULL, 0, &output), AIO_ERUNTIME);
    expect_true(aio_task_cancel(task, NULL));
    expect_int_equal(aio_await(task, NULL), AIO_ECANCELLED);
    aio_future_unref(task);

    expect_int_equal(write(hold[1], "after", 5), 5);
    close(hold[1]);
    expect_int_equal(aio_process_communicate(process, NULL, 0, &output), 0);
    expect_string_equal(output.out, "before\nafter");
    aio_process_output_clear(&output);
    aio_process_unref(process);
    return 0;
}
IN_TASK(communicate_cancelled_can_be_called_again);

static int in_output_that_nobody_wants_stops_the_child(void *arg, void **ret_result)
{
    aio_subprocess_options options = with_output();
    aio_transport *pipe;
    aio_process_output output;
    aio_process *process;

    options.limit = 1000;
    process = start_command("head -c 1000000 /dev/zero", &options);
    pipe = aio_subprocess_transport_get_pipe_transport(aio_process_transport(process), 1);
    while (aio_transport_is_reading(pipe))
        expect_int_equal(aio_sleep(0), 0);
    expect_false(aio_process_returncode(process, NULL));
    expect_int_equal(aio_process_communicate(process, NULL, 0, &output), 0);
    expect_int_equal(output.out_size, 1000000);
    aio_process_output_clear(&output);
    aio_process_unref(process);
    return 0;
}
IN_TASK(output_that_nobody_wants_stops_the_child);

/* --- streams ------------------------------------------------------------------------------ */

/* after asyncio's test_subprocess.SubprocessMixin.test_stdin_stdout */
static int in_streams_talk_with_the_child(void *arg, void **ret_result)
{
    aio_subprocess_options options = with_pipes(AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE, 0);
    aio_process *process = start_command("exec cat", &options);
    aio_stream_writer *writer = aio_process_stdin(process);
    aio_stream_reader *reader = aio_process_stdout(process);
    aio_bytes line = {0};
    int code = 1;

    expect_null(aio_process_stderr(process));
    for (int i = 0; i < 3; i++) {
        expect_int_equal(aio_stream_writer_write(writer, "some line\n", 10), 0);
        expect_int_equal(aio_stream_writer_drain(writer), 0);
        expect_int_equal(aio_stream_reader_readline(reader, &line), 0);
        expect_int_equal(line.size, 10);
        expect_string_equal(line.data, "some line\n");
        aio_bytes_free(&line);
    }
    expect_int_equal(aio_stream_writer_write_eof(writer), 0);
    expect_int_equal(aio_stream_writer_wait_closed(writer), 0);
    expect_int_equal(aio_stream_reader_readline(reader, &line), 0);
    expect_int_equal(line.size, 0);
    aio_bytes_free(&line);
    expect_int_equal(aio_process_wait(process, &code), 0);
    expect_int_equal(code, 0);
    aio_process_unref(process);
    return 0;
}
IN_TASK(streams_talk_with_the_child);

static int in_drain_waits_for_the_child_to_read(void *arg, void **ret_result)
{
    static const char zeros[1024 * 1024];
    aio_subprocess_options options = with_pipes(AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE, 0);
    aio_process *process = start_command("wc -c", &options);
    aio_stream_writer *writer = aio_process_stdin(process);
    aio_process_output output;

    expect_int_equal(aio_stream_writer_write(writer, zeros, sizeof(zeros)), 0);
    expect_int_equal(aio_stream_writer_drain(writer), 0);
    expect_true(aio_transport_get_write_buffer_size(aio_stream_writer_transport(writer)) <=
                16 * 1024);
    expect_int_equal(aio_process_communicate(process, NULL, 0, &output), 0);
    expect_string_equal(output.out, "1048576\n");
    aio_process_output_clear(&output);
    aio_process_unref(process);
    return 0;
}
IN_TASK(drain_waits_for_the_child_to_read);

static int in_writer_tells_that_the_child_has_gone(void *arg, void **ret_result)
{
    static const char zeros[1024 * 1024];
    aio_subprocess_options options = with_pipes(AIO_SUBPROCESS_PIPE, 0, 0);
    aio_process *process = start_command("exec sleep 1000", &options);
    aio_stream_writer *writer = aio_process_stdin(process);

    expect_null(aio_process_stdout(process));
    expect_int_equal(aio_stream_writer_write(writer, zeros, sizeof(zeros)), 0);
    expect_int_equal(aio_process_kill(process), 0);
    expect_int_equal(aio_stream_writer_drain(writer), -EPIPE);
    expect_int_equal(aio_stream_writer_wait_closed(writer), -EPIPE);
    expect_int_equal(aio_process_wait(process, NULL), 0);
    aio_process_unref(process);
    return 0;
}
IN_TASK(writer_tells_that_the_child_has_gone);

/* Each pipe holds less than that: whoever read one after the other would wait for ever. */
static int in_communicate_reads_both_outputs_at_once(void *arg, void **ret_result)
{
    aio_subprocess_options options = with_pipes(0, AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE);
    aio_process *process =
        start_command("head -c 500000 /dev/zero >&2; head -c 600000 /dev/zero", &options);
    aio_process_output output;

    expect_int_equal(aio_process_communicate(process, NULL, 0, &output), 0);
    expect_int_equal(output.out_size, 600000);
    expect_int_equal(output.err_size, 500000);
    aio_process_output_clear(&output);
    aio_process_unref(process);
    return 0;
}
IN_TASK(communicate_reads_both_outputs_at_once);

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CHILDREN_TEST(communicate_feeds_and_collects),
        CHILDREN_TEST(communicate_gives_null_for_what_is_not_piped),
        CHILDREN_TEST(communicate_carries_10_mib_through_cat),
        CHILDREN_TEST(communicate_ignores_that_nobody_reads),
        CHILDREN_TEST(communicate_cancelled_can_be_called_again),
        CHILDREN_TEST(output_that_nobody_wants_stops_the_child),
        CHILDREN_TEST(streams_talk_with_the_child),
        CHILDREN_TEST(drain_waits_for_the_child_to_read),
        CHILDREN_TEST(writer_tells_that_the_child_has_gone),
        CHILDREN_TEST(communicate_reads_both_outputs_at_once),
        CHILDREN_TEST_WITH_THREAD(communicate_feeds_and_collects),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
