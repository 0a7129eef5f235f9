/* SPDX-License-Identifier: MIT */
/*
 * process.c - a child process with streams
 *
 * The protocol behind aio_create_subprocess_exec(): it feeds a reader for each output that is
 * piped, and stands before the stream's protocol that the writer to the input has. When the child
 * has ended and its outputs too, it closes the transport, as asyncio's SubprocessStreamProtocol
 * does.
 *
 * The transport holds the process as its protocol, the process its transport: the protocol's
 * release, which comes when the connection is over, undoes that.
 *
 * Thread: the loop's.
 */
#include "base/error.h"
#include "base/list.h"
#include "process/subprocess.h"

#include <aio/memory.h>
#include <aio/task.h>
#include <string.h>

enum { FIRST_CAPACITY = 4096 };

/* The child's fd 1 or 2. */
struct output {
    aio_stream_reader *reader; /* NULL: not piped */
    bool ended;
    char *data; /* what aio_process_communicate() has collected, and not given away yet */
    size_t size;
    size_t capacity;
};

struct aio_process {
    aio_protocol protocol; /* first */
    aio_transport *transport;
    aio_protocol *input; /* the writer's; owned until the release; NULL: not piped */
    aio_stream_writer *writer;
    size_t refs; /* one of them the transport's, as its protocol */
    struct output outputs[2];
    bool exited;
    bool collecting; /* a task is in aio_process_communicate() */
};

static aio_process *process_of(aio_protocol *protocol)
{
    return aio__container_of(protocol, aio_process, protocol);
}

aio_process *aio_process_ref(aio_process *process)
{
    if (process != NULL)
        process->refs++;
    return process;
}

void aio_process_unref(aio_process *process)
{
    if (process == NULL || --process->refs != 0)
        return;
    for (int i = 0; i < 2; i++) {
        aio_stream_reader_unref(process->outputs[i].reader);
        aio_free(process->outputs[i].data);
    }
    aio_stream_writer_unref(process->writer);
    aio_transport_unref(process->transport);
    aio_free(process);
}

/* --- as a protocol ------------------------------------------------------------------------ */

static int connection_made(aio_protocol *base, aio_transport *transport)
{
    aio_process *process = process_of(base);
    int err = 0;

    process->transport = aio_transport_ref(transport);
    if (process->input != NULL)
        err = process->input->ops->connection_made(
            process->input, aio_subprocess_transport_get_pipe_transport(transport, 0));
    for (int i = 0; i < 2 && err == 0; i++)
        if (process->outputs[i].reader != NULL)
            err = aio_stream_reader_set_transport(
                process->outputs[i].reader,
                aio_subprocess_transport_get_pipe_transport(transport, i + 1));
    return err;
}

static int data_received(aio_protocol *base, int fd, const void *data, size_t size)
{
    aio_process *process = process_of(base);
    aio_stream_reader *reader = process->outputs[fd - 1].reader;
    int err = aio_stream_reader_feed_data(reader, data, size);
    aio_exception *error;

    if (err != AIO_ENOMEM)
        return err;
    /* What was lost cannot be had again: whoever reads hears of it. */
    error = aio_error_catch(err);
    aio_stream_reader_set_exception(reader, error);
    aio_exception_unref(error);
    aio_transport_close(aio_subprocess_transport_get_pipe_transport(process->transport, fd));
    return 0;
}

static void close_if_over(aio_process *process)
{
    for (int i = 0; i < 2; i++)
        if (process->outputs[i].reader != NULL && !process->outputs[i].ended)
            return;
    if (process->exited)
        aio_transport_close(process->transport);
}

static int pipe_lost(aio_protocol *base, int fd, aio_exception *error)
{
    aio_process *process = process_of(base);
    struct output *output;

    if (fd == 0)
        return process->input->ops->connection_lost(process->input, error);
    output = &process->outputs[fd - 1];
    output->ended = true;
    if (error != NULL)
        aio_stream_reader_set_exception(output->reader, error);
    else
        aio_stream_reader_feed_eof(output->reader);
    close_if_over(process);
    return 0;
}

static int pause_writing(aio_protocol *base)
{
    aio_protocol *input = process_of(base)->input;

    return input->ops->pause_writing(input);
}

static int resume_writing(aio_protocol *base)
{
    aio_protocol *input = process_of(base)->input;

    return input->ops->resume_writing(input);
}

static int process_exited(aio_protocol *base)
{
    aio_process *process = process_of(base);

    process->exited = true;
    close_if_over(process);
    return 0;
}

static void release(aio_protocol *base)
{
    aio_process *process = process_of(base);

    if (process->input != NULL)
        process->input->ops->release(process->input);
    process->input = NULL;
    aio_process_unref(process);
}

static const aio_protocol_ops process_ops = {
    .size = sizeof(aio_protocol_ops),
    .connection_made = connection_made,
    .pause_writing = pause_writing,
    .resume_writing = resume_writing,
    .release = release,
    .pipe_data_received = data_received,
    .pipe_connection_lost = pipe_lost,
    .process_exited = process_exited,
};

/* --- starting ----------------------------------------------------------------------------- */

/* The protocol of the writer to come, which wants a reader: one that nothing is ever fed to. */
static int make_input(aio_process *process, aio_loop *loop)
{
    aio_stream_reader *nothing = aio_stream_reader_new(loop, AIO_STREAM_LIMIT);

    process->input = aio_stream_protocol_new(nothing, NULL, NULL, false);
    aio_stream_reader_unref(nothing);
    return process->input == NULL ? aio_last_failure() : 0;
}

/* What the pipes need, before there are any: then nothing can fail when there are. */
static int make_streams(aio_process *process, aio_loop *loop, const aio_subprocess_options *options)
{
    const int wanted[2] = {options->std_out, options->std_err};
    size_t limit = options->limit == 0 ? AIO_STREAM_LIMIT : options->limit;
    int err = options->std_in == AIO_SUBPROCESS_PIPE ? make_input(process, loop) : 0;

    for (int i = 0; i < 2 && err == 0; i++) {
        if (wanted[i] != AIO_SUBPROCESS_PIPE)
            continue;
        process->outputs[i].reader = aio_stream_reader_new(loop, limit);
        if (process->outputs[i].reader == NULL)
            err = aio_last_failure();
    }
    return err;
}

/* The process has begun: a writer needs the transport of its pipe. */
static int make_writer(aio_process *process)
{
    if (process->input == NULL)
        return 0;
    process->writer = aio_stream_writer_new(
        aio_subprocess_transport_get_pipe_transport(process->transport, 0), process->input, NULL);
    if (process->writer != NULL)
        return 0;
    aio_transport_close(process->transport);
    (void)aio__subprocess_wait(process->transport, NULL);
    return aio_last_failure();
}

static int start(aio_process *process, aio_loop *loop, const char *const argv[],
                 const aio_subprocess_options *options)
{
    const aio_subprocess_options defaults = AIO_SUBPROCESS_OPTIONS_INIT;
    aio_transport *transport;
    int err;

    if (options == NULL)
        options = &defaults;
    err = make_streams(process, loop, options);
    if (err < 0) {
        release(&process->protocol);
        return err;
    }
    err = aio__subprocess_start(loop, &process->protocol, argv, options, AIO_SUBPROCESS_INHERIT,
                                &transport);
    if (err < 0)
        return err;
    aio_transport_unref(transport); /* the process has a reference of its own */
    return make_writer(process);
}

int aio_create_subprocess_exec(const char *const argv[], const aio_subprocess_options *options,
                               aio_process **ret_process)
{
    aio_loop *loop = NULL;
    aio_process *process;
    int err = aio__subprocess_check(&loop, argv, options);

    if (err < 0)
        return err;
    if (ret_process == NULL)
        return aio_raise(AIO_EVALUE, "a place for the process is needed");
    process = aio_calloc(1, sizeof(*process));
    if (process == NULL)
        return AIO_ENOMEM;
    process->protocol.ops = &process_ops;
    process->refs = 2; /* ours, and the transport's */
    err = start(process, loop, argv, options);
    if (err < 0) {
        aio_process_unref(process);
        return err;
    }
    *ret_process = process;
    return 0;
}

int aio_create_subprocess_shell(const char *command, const aio_subprocess_options *options,
                                aio_process **ret_process)
{
    if (command == NULL)
        return aio_raise(AIO_EVALUE, "a command is needed, not NULL");
    return aio_create_subprocess_exec(AIO__SHELL(command), options, ret_process);
}

/* --- asking and signalling ---------------------------------------------------------------- */

static int check(const aio_process *process)
{
    return process == NULL ? aio_raise(AIO_EVALUE, "a process is needed, not NULL") : 0;
}

aio_transport *aio_process_transport(const aio_process *process)
{
    return process == NULL ? NULL : process->transport;
}

aio_stream_writer *aio_process_stdin(const aio_process *process)
{
    return process == NULL ? NULL : process->writer;
}

aio_stream_reader *aio_process_stdout(const aio_process *process)
{
    return process == NULL ? NULL : process->outputs[0].reader;
}

aio_stream_reader *aio_process_stderr(const aio_process *process)
{
    return process == NULL ? NULL : process->outputs[1].reader;
}

pid_t aio_process_pid(const aio_process *process)
{
    return aio_subprocess_transport_get_pid(aio_process_transport(process));
}

bool aio_process_returncode(const aio_process *process, int *ret_code)
{
    return aio_subprocess_transport_get_returncode(aio_process_transport(process), ret_code);
}

int aio_process_send_signal(aio_process *process, int signum)
{
    int err = check(process);

    return err < 0 ? err : aio_subprocess_transport_send_signal(process->transport, signum);
}

int aio_process_terminate(aio_process *process)
{
    int err = check(process);

    return err < 0 ? err : aio_subprocess_transport_terminate(process->transport);
}

int aio_process_kill(aio_process *process)
{
    int err = check(process);

    return err < 0 ? err : aio_subprocess_transport_kill(process->transport);
}

/* --- waiting ------------------------------------------------------------------------------ */

int aio_process_wait(aio_process *process, int *ret_code)
{
    int err = check(process);

    return err < 0 ? err : aio__subprocess_wait(process->transport, ret_code);
}

/* --- communicate ---------------------------------------------------------------------------- */

/* With a byte to spare, for the zero behind what is given away. */
static int append(struct output *output, const void *data, size_t size)
{
    size_t capacity = output->capacity == 0 ? FIRST_CAPACITY : output->capacity;
    char *grown;

    while (capacity - output->size <= size) {
        if (capacity > SIZE_MAX / 2)
            return AIO_ENOMEM;
        capacity *= 2;
    }
    if (capacity != output->capacity) {
        grown = aio_realloc(output->data, capacity);
        if (grown == NULL)
            return AIO_ENOMEM;
        output->data = grown;
        output->capacity = capacity;
    }
    if (size > 0)
        memcpy(output->data + output->size, data, size);
    output->size += size;
    return 0;
}

/* That the child does not read all is no error. */
static int feed(aio_process *process, const void *input, size_t size)
{
    int err = 0;

    if (process->writer == NULL)
        return 0;
    if (input != NULL && size != 0)
        err = aio_stream_writer_write(process->writer, input, size);
    aio_stream_writer_close(process->writer); /* once all is written */
    return err;
}

/* Move all that comes to the process, where it stays if we are cancelled. */
static int read_all(struct output *output)
{
    aio_buffer view;
    int err;

    if (output->reader == NULL)
        return 0;
    for (;;) {
        err = aio_stream_reader_peek(output->reader, 1, &view);
        if (err < 0 || view.size == 0)
            return err;
        err = append(output, view.data, view.size);
        if (err == 0)
            err = aio_stream_reader_consume(output->reader, view.size);
        if (err < 0)
            return err;
    }
}

static int read_stderr(void *arg, void **ret_result)
{
    aio_process **process = arg;

    return read_all(&(*process)->outputs[1]);
}

static void drop_process(void *arg)
{
    aio_process **process = arg;

    aio_process_unref(*process);
}

/* A child may fill either pipe before it writes to the other, so both are read at once. */
static int read_both(aio_process *process)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    aio_exception *error;
    aio_task *task;
    int err;

    if (process->outputs[0].reader == NULL || process->outputs[1].reader == NULL) {
        err = read_all(&process->outputs[0]);
        return err < 0 ? err : read_all(&process->outputs[1]);
    }
    options.arg_size = sizeof(process);
    options.arg_destroy = drop_process;
    (void)aio_process_ref(process);
    task = aio_create_task_with(read_stderr, &process, &options);
    err = task == NULL ? aio_last_failure() : read_all(&process->outputs[0]);
    if (err < 0 && task != NULL) {
        error = aio_error_catch(err);
        (void)aio_task_cancel(task, NULL);
        (void)aio_await(task, NULL);
        err = aio_raise_exception(error);
        aio_exception_unref(error);
    } else if (err == 0) {
        err = aio_await(task, NULL);
    }
    aio_future_unref(task);
    return err;
}

/* Make sure that there is something to give: also of a pipe nothing came from. */
static int complete(struct output *output)
{
    int err = output->reader != NULL ? append(output, "", 0) : 0;

    if (err == 0 && output->reader != NULL)
        output->data[output->size] = '\0';
    return err;
}

static void give(struct output *output, char **ret_data, size_t *ret_size)
{
    *ret_data = output->data;
    *ret_size = output->size;
    output->data = NULL;
    output->size = 0;
    output->capacity = 0;
}

static int collect(aio_process *process, const void *input, size_t size, aio_process_output *output)
{
    int err = feed(process, input, size);

    if (err == 0)
        err = read_both(process);
    if (err == 0)
        err = aio__subprocess_wait(process->transport, NULL);
    for (int i = 0; i < 2 && err == 0; i++)
        err = complete(&process->outputs[i]);
    if (err < 0)
        return err;
    give(&process->outputs[0], &output->out, &output->out_size);
    give(&process->outputs[1], &output->err, &output->err_size);
    return 0;
}

int aio_process_communicate(aio_process *process, const void *input, size_t size,
                            aio_process_output *ret_output)
{
    aio_process_output output = {0};
    int err = check(process);

    if (err < 0)
        return err;
    if (process->collecting)
        return aio_raise(AIO_ERUNTIME,
                         "communicate() called while another coroutine is already waiting for "
                         "incoming data");
    (void)aio_process_ref(process);
    process->collecting = true;
    err = collect(process, input, size, &output);
    process->collecting = false;
    aio_process_unref(process);
    if (err < 0)
        return err;
    if (ret_output != NULL)
        *ret_output = output;
    else
        aio_process_output_clear(&output);
    return 0;
}

void aio_process_output_clear(aio_process_output *output)
{
    if (output == NULL)
        return;
    aio_free(output->out);
    aio_free(output->err);
    *output = (aio_process_output){0};
}
