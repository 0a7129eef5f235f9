/* SPDX-License-Identifier: MIT */
/*
 * process.c - a child process whose output is collected
 *
 * The protocol behind aio_create_subprocess_exec(): it keeps what comes from the pipes, and stops
 * reading one that holds too much until somebody wants it all. When the child has ended and its
 * output too, it closes the transport, as asyncio's SubprocessStreamProtocol does.
 *
 * The transport holds the process as its protocol, the process its transport: the protocol's
 * release, which comes when the connection is over, undoes that.
 *
 * Thread: the loop's.
 */
#include "base/error.h"
#include "process/subprocess.h"
#include "sync/waiter.h"

#include <aio/memory.h>
#include <string.h>

enum { DEFAULT_LIMIT = 64 * 1024, FIRST_CAPACITY = 4096 };

/* What came from one pipe, and was not given away yet. */
struct output {
    char *data;
    size_t size;
    size_t capacity;
    bool piped;
    bool ended;
    bool wanted; /* somebody collects it all: no limit */
    aio_exception *error;
};

struct aio_process {
    aio_protocol protocol; /* first */
    aio_transport *transport;
    size_t refs; /* one of them the transport's, as its protocol */
    size_t limit;
    struct output outputs[2]; /* of fd 1 and 2 */
    struct aio__list line;    /* who waits for an output's end */
    aio_loop *line_loop;
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
        aio_free(process->outputs[i].data);
        aio_exception_unref(process->outputs[i].error);
    }
    aio_transport_unref(process->transport);
    aio_free(process);
}

/* --- as a protocol ------------------------------------------------------------------------ */

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
    memcpy(output->data + output->size, data, size);
    output->size += size;
    return 0;
}

static int connection_made(aio_protocol *base, aio_transport *transport)
{
    aio_process *process = process_of(base);

    process->transport = aio_transport_ref(transport);
    for (int i = 0; i < 2; i++)
        process->outputs[i].piped =
            aio_subprocess_transport_get_pipe_transport(transport, i + 1) != NULL;
    return 0;
}

static int data_received(aio_protocol *base, int fd, const void *data, size_t size)
{
    aio_process *process = process_of(base);
    struct output *output = &process->outputs[fd - 1];
    aio_transport *pipe = aio_subprocess_transport_get_pipe_transport(process->transport, fd);
    int err = append(output, data, size);

    if (err < 0) {
        /* What was lost cannot be had again: whoever collects hears of it. */
        if (output->error == NULL)
            output->error = aio_error_catch(err);
        aio_transport_close(pipe);
    } else if (!output->wanted && output->size / 2 > process->limit) {
        (void)aio_transport_pause_reading(pipe);
    }
    return 0;
}

static void close_if_over(aio_process *process)
{
    for (int i = 0; i < 2; i++)
        if (process->outputs[i].piped && !process->outputs[i].ended)
            return;
    if (process->exited)
        aio_transport_close(process->transport);
}

static int pipe_lost(aio_protocol *base, int fd, aio_exception *error)
{
    aio_process *process = process_of(base);
    struct output *output;

    if (fd == 0)
        return 0; /* that the child does not read is no error */
    output = &process->outputs[fd - 1];
    output->ended = true;
    if (output->error == NULL)
        output->error = aio_exception_ref(error);
    (void)aio__line_wake(&process->line, SIZE_MAX);
    close_if_over(process);
    return 0;
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
    aio_process_unref(process_of(base));
}

static const aio_protocol_ops process_ops = {
    .size = sizeof(aio_protocol_ops),
    .connection_made = connection_made,
    .release = release,
    .pipe_data_received = data_received,
    .pipe_connection_lost = pipe_lost,
    .process_exited = process_exited,
};

/* --- starting ----------------------------------------------------------------------------- */

int aio_create_subprocess_exec(const char *const argv[], const aio_subprocess_options *options,
                               aio_process **ret_process)
{
    aio_loop *loop = NULL;
    aio_transport *transport;
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
    process->limit = options == NULL || options->limit == 0 ? DEFAULT_LIMIT : options->limit;
    aio__list_init(&process->line);
    err = aio__subprocess_start(loop, &process->protocol, argv, options, AIO_SUBPROCESS_INHERIT,
                                &transport);
    if (err < 0) {
        aio_process_unref(process);
        return err;
    }
    aio_transport_unref(transport); /* the process has a reference of its own */
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

static int feed(aio_process *process, const void *input, size_t size)
{
    aio_transport *pipe = aio_subprocess_transport_get_pipe_transport(process->transport, 0);
    int err = 0;

    if (pipe != NULL && input != NULL && size != 0)
        err = aio_transport_write(pipe, input, size);
    aio_transport_close(pipe); /* once all is written */
    return err;
}

static void want_all(aio_process *process, bool wanted)
{
    for (int i = 0; i < 2; i++) {
        struct output *output = &process->outputs[i];
        aio_transport *pipe =
            aio_subprocess_transport_get_pipe_transport(process->transport, i + 1);

        output->wanted = wanted;
        if (wanted && pipe != NULL && !output->ended)
            (void)aio_transport_resume_reading(pipe);
    }
}

static int wait_for_outputs(aio_process *process)
{
    struct aio__waiter waiter;
    int err = 0;

    for (int i = 0; i < 2 && err == 0; i++) {
        struct output *output = &process->outputs[i];

        while (err == 0 && output->piped && !output->ended) {
            err = aio__waiter_init(&waiter, &process->line_loop, "process");
            if (err < 0)
                break;
            err = aio__waiter_sleep(&waiter, &process->line);
            aio__waiter_done(&waiter);
        }
        if (err == 0 && output->error != NULL)
            err = aio_raise_exception(output->error);
    }
    return err;
}

/* Make sure that there is something to give: also of a pipe nothing came from. */
static int complete(struct output *output)
{
    int err = output->piped ? append(output, "", 0) : 0;

    if (err == 0 && output->piped)
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
        err = wait_for_outputs(process);
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
    want_all(process, true);
    err = collect(process, input, size, &output);
    want_all(process, false);
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
