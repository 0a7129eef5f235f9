/* SPDX-License-Identifier: MIT */
/*
 * subprocess.c - a child process as a transport
 *
 * A watch on the child, and up to three pipes with transports of their own, whose protocols stand
 * in here and pass on what they hear. connection_lost comes last, when the child has ended and
 * every pipe is closed, in whatever order that happens (S159).
 *
 * The connection, the watch, each pipe and each queued node hold a reference of their own: the
 * memory goes when the last is over.
 *
 * Thread: the loop's.
 */
#include "process/subprocess.h"

#include "base/error.h"
#include "base/log.h"
#include "future/future_internal.h"
#include "net/pipe_internal.h"
#include "process/child.h"
#include "process/spawn.h"
#include "process/stdio.h"
#include "sync/waiter.h"

#include <aio/task.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

struct subprocess;

struct pipe {
    aio_protocol protocol;
    struct subprocess *process; /* referenced, while there is a transport */
    aio_transport *transport;   /* referenced; NULL: not piped */
    bool lost;
};

struct subprocess {
    aio_transport base; /* first */
    struct aio__child child;
    struct aio__net_object object;
    aio_loop *loop;
    aio_protocol *protocol; /* NULL once it was released */
    aio__ctx context;       /* of the connection's callbacks */
    struct pipe pipes[3];
    struct aio__ready start;
    struct aio__ready end;
    aio_future *waiter;    /* referenced; finished when connection_made was called */
    struct aio__list line; /* tasks that wait for the end */
    aio_loop *line_loop;   /* whose they are */
    uint32_t refs;
    bool closed;   /* close() was called */
    bool finished; /* connection_lost is queued or was called */
};

static const aio_transport_ops subprocess_ops;

static struct subprocess *process_of(const aio_transport *base)
{
    return aio__container_of((uintptr_t)base, struct subprocess, base);
}

/* NULL for a transport of another kind. */
static struct subprocess *checked(const aio_transport *base)
{
    return base != NULL && base->ops == &subprocess_ops ? process_of(base) : NULL;
}

/* --- the end ------------------------------------------------------------------------------ */

static aio_transport *ref(aio_transport *base)
{
    process_of(base)->refs++;
    return base;
}

static void unref(aio_transport *base)
{
    struct subprocess *self = process_of(base);

    if (--self->refs != 0)
        return;
    for (int i = 0; i < 3; i++)
        aio_transport_unref(self->pipes[i].transport);
    aio__loop_free(self->loop, self, sizeof(*self));
}

static void queue_node(struct subprocess *self, struct aio__ready *node)
{
    self->refs++;
    aio__loop_queue(self->loop, node);
}

static void on_child_gone(struct aio__child *child)
{
    unref(&aio__container_of(child, struct subprocess, child)->base);
}

static void end_connection(struct subprocess *self)
{
    aio_protocol *protocol = self->protocol;

    aio__list_remove(&self->object.link);
    self->protocol = NULL;
    if (protocol->ops->release != NULL)
        protocol->ops->release(protocol);
    aio_future_unref(self->waiter);
    self->waiter = NULL;
    aio__ctx_release(self->context);
    self->context = (aio__ctx){0};
    unref(&self->base);
}

static void report_code(struct subprocess *self, int code)
{
    if (code < 0)
        aio__loop_callback_failed(self->loop, code, NULL);
}

static void run_end(struct aio__ready *node)
{
    struct subprocess *self = aio__container_of(node, struct subprocess, end);
    aio_protocol *protocol = self->protocol;
    aio__ctx *outer;

    if (protocol != NULL && !self->loop->closed) {
        outer = aio__net_enter(&self->context);
        if (protocol->ops->connection_lost != NULL)
            report_code(self, protocol->ops->connection_lost(protocol, NULL));
        aio__net_leave(outer);
        (void)aio__line_wake(&self->line, SIZE_MAX);
        end_connection(self);
    }
    unref(&self->base);
}

static void finish_if_over(struct subprocess *self)
{
    if (!self->child.over || self->finished)
        return;
    for (int i = 0; i < 3; i++)
        if (self->pipes[i].transport != NULL && !self->pipes[i].lost)
            return;
    self->finished = true;
    queue_node(self, &self->end);
}

static void on_exited(struct aio__child *child)
{
    struct subprocess *self = aio__container_of(child, struct subprocess, child);
    aio_protocol *protocol = self->protocol;
    aio__ctx *outer;

    if (protocol != NULL && protocol->ops->process_exited != NULL) {
        outer = aio__net_enter(&self->context);
        report_code(self, protocol->ops->process_exited(protocol));
        aio__net_leave(outer);
    }
    finish_if_over(self);
}

static void close_pipes(struct subprocess *self)
{
    for (int i = 0; i < 3; i++)
        aio_transport_close(self->pipes[i].transport);
}

static void transport_close(aio_transport *base)
{
    struct subprocess *self = process_of(base);

    if (self->closed)
        return;
    self->closed = true;
    close_pipes(self);
    (void)aio__child_signal(&self->child, SIGKILL);
}

static bool transport_is_closing(const aio_transport *base)
{
    return process_of(base)->closed;
}

/* The loop is closed under a process. Its pipes have ends of their own. */
static void end_with_loop(struct aio__net_object *object)
{
    struct subprocess *self = aio__container_of(object, struct subprocess, object);

    if (self->loop->debug)
        aio__log(AIO_LOG_WARNING, "unclosed transport %p", (void *)self);
    self->closed = true;
    self->finished = true;
    aio__child_end(&self->child);
    end_connection(self);
}

/* --- its pipes ---------------------------------------------------------------------------- */

static struct pipe *pipe_of(aio_protocol *protocol)
{
    return aio__container_of(protocol, struct pipe, protocol);
}

static int fd_of(const struct pipe *pipe)
{
    return (int)(pipe - pipe->process->pipes);
}

static int pipe_data_received(aio_protocol *base, const void *data, size_t size)
{
    struct pipe *pipe = pipe_of(base);
    aio_protocol *protocol = pipe->process->protocol;

    if (protocol == NULL || protocol->ops->pipe_data_received == NULL)
        return 0;
    return protocol->ops->pipe_data_received(protocol, fd_of(pipe), data, size);
}

static int pipe_lost(aio_protocol *base, aio_exception *error)
{
    struct pipe *pipe = pipe_of(base);
    struct subprocess *self = pipe->process;
    aio_protocol *protocol = self->protocol;

    pipe->lost = true;
    if (protocol != NULL && protocol->ops->pipe_connection_lost != NULL)
        report_code(self, protocol->ops->pipe_connection_lost(protocol, fd_of(pipe), error));
    finish_if_over(self);
    return 0;
}

static int pipe_pause_writing(aio_protocol *base)
{
    aio_protocol *protocol = pipe_of(base)->process->protocol;

    if (protocol == NULL || protocol->ops->pause_writing == NULL)
        return 0;
    return protocol->ops->pause_writing(protocol);
}

static int pipe_resume_writing(aio_protocol *base)
{
    aio_protocol *protocol = pipe_of(base)->process->protocol;

    if (protocol == NULL || protocol->ops->resume_writing == NULL)
        return 0;
    return protocol->ops->resume_writing(protocol);
}

static void pipe_release(aio_protocol *base)
{
    unref(&pipe_of(base)->process->base);
}

static const aio_protocol_ops pipe_ops = {
    .size = sizeof(aio_protocol_ops),
    .connection_lost = pipe_lost,
    .pause_writing = pipe_pause_writing,
    .resume_writing = pipe_resume_writing,
    .release = pipe_release,
    .data_received = pipe_data_received,
};

static int connect_pipes(struct subprocess *self, struct aio__stdio *stdio)
{
    for (int i = 0; i < 3; i++) {
        struct pipe *pipe = &self->pipes[i];
        aio_transport *transport;
        int err;

        pipe->protocol.ops = &pipe_ops;
        pipe->process = self;
        if (stdio->ours[i] < 0)
            continue;
        err = (i == STDIN_FILENO ? aio__write_pipe_new : aio__read_pipe_new)(
            self->loop, stdio->ours[i], &pipe->protocol, NULL, &transport);
        if (err < 0)
            return err;
        stdio->ours[i] = -1;
        pipe->transport = aio_transport_ref(transport);
        self->refs++;
    }
    return 0;
}

/* --- the transport ------------------------------------------------------------------------ */

static const void *get_extra_info(const aio_transport *base, const char *name)
{
    return strcmp(name, "subprocess") == 0 ? &process_of(base)->child.pid : NULL;
}

static void set_protocol(aio_transport *base, aio_protocol *protocol)
{
    process_of(base)->protocol = protocol;
}

static aio_protocol *get_protocol(const aio_transport *base)
{
    return process_of(base)->protocol;
}

static aio_loop *get_loop(const aio_transport *base)
{
    return process_of(base)->loop;
}

static const aio_transport_ops subprocess_ops = {
    .size = sizeof(aio_transport_ops),
    .close = transport_close,
    .is_closing = transport_is_closing,
    .get_extra_info = get_extra_info,
    .set_protocol = set_protocol,
    .get_protocol = get_protocol,
    .get_loop = get_loop,
    .ref = ref,
    .unref = unref,
};

pid_t aio_subprocess_transport_get_pid(const aio_transport *transport)
{
    const struct subprocess *self = checked(transport);

    return self == NULL ? -1 : self->child.pid;
}

bool aio_subprocess_transport_get_returncode(const aio_transport *transport, int *ret_code)
{
    const struct subprocess *self = checked(transport);

    if (self == NULL || !self->child.over)
        return false;
    if (ret_code != NULL)
        *ret_code = self->child.code;
    return true;
}

aio_transport *aio_subprocess_transport_get_pipe_transport(const aio_transport *transport, int fd)
{
    const struct subprocess *self = checked(transport);

    return self == NULL || fd < 0 || fd > STDERR_FILENO ? NULL : self->pipes[fd].transport;
}

int aio_subprocess_transport_send_signal(aio_transport *transport, int signum)
{
    struct subprocess *self = checked(transport);

    if (self == NULL)
        return aio_raise(AIO_EVALUE, "a transport of a process is needed");
    if (self->protocol == NULL)
        return aio_raise(-ESRCH, "%s", aio_strerror(-ESRCH));
    return aio__child_signal(&self->child, signum);
}

int aio_subprocess_transport_terminate(aio_transport *transport)
{
    return aio_subprocess_transport_send_signal(transport, SIGTERM);
}

int aio_subprocess_transport_kill(aio_transport *transport)
{
    return aio_subprocess_transport_send_signal(transport, SIGKILL);
}

/* --- the beginning ------------------------------------------------------------------------ */

static void run_start(struct aio__ready *node)
{
    struct subprocess *self = aio__container_of(node, struct subprocess, start);
    aio_protocol *protocol = self->protocol;
    aio__ctx *outer;

    if (protocol != NULL && !self->loop->closed) {
        outer = aio__net_enter(&self->context);
        if (protocol->ops->connection_made != NULL)
            report_code(self, protocol->ops->connection_made(protocol, &self->base));
        aio__net_leave(outer);
        if (self->waiter != NULL && aio__future_is_pending(self->waiter))
            aio__future_finish(self->waiter, NULL, NULL);
    }
    unref(&self->base);
}

static struct subprocess *new_subprocess(aio_loop *loop, aio_protocol *protocol)
{
    struct subprocess *self = aio__loop_alloc(loop, sizeof(*self));

    if (self == NULL)
        return NULL;
    memset(self, 0, sizeof(*self));
    self->waiter = aio_future_new(loop);
    if (self->waiter == NULL) {
        aio__loop_free(loop, self, sizeof(*self));
        return NULL;
    }
    self->base.ops = &subprocess_ops;
    self->loop = loop;
    self->refs = 1; /* the connection's */
    self->protocol = protocol;
    self->context = aio__ctx_capture();
    self->start.run = run_start;
    self->end.run = run_end;
    self->object.end = end_with_loop;
    self->child.exited = on_exited;
    self->child.gone = on_child_gone;
    self->child.over = true; /* until there is one */
    aio__list_init(&self->line);
    aio__list_append(&aio__net_of(loop)->open, &self->object.link);
    return self;
}

/* Start the child and begin to watch it. */
static int begin_child(struct subprocess *self, const char *const *argv,
                       const aio_subprocess_options *options, const struct aio__stdio *stdio)
{
    pid_t pid;
    int err = aio__spawn(argv, options, stdio->child, &pid);

    if (err == 0)
        err = aio__child_watch(&self->child, self->loop, pid);
    if (err < 0)
        return err;
    self->child.over = false;
    self->refs++;
    return 0;
}

/* All of it, or nothing: 0, or a code. The protocol is taken. */
static int make_subprocess(aio_loop *loop, aio_protocol *protocol, const char *const *argv,
                           const aio_subprocess_options *options, struct aio__stdio *stdio,
                           struct subprocess **ret_self)
{
    struct subprocess *self = aio__net_get(loop) == NULL ? NULL : new_subprocess(loop, protocol);
    int err;

    if (self == NULL) {
        if (protocol->ops->release != NULL)
            protocol->ops->release(protocol);
        return AIO_ENOMEM;
    }
    err = begin_child(self, argv, options, stdio);
    if (err == 0)
        err = connect_pipes(self, stdio);
    if (err < 0) {
        self->finished = true;
        close_pipes(self);
        aio__child_end(&self->child);
        end_connection(self);
        return err;
    }
    queue_node(self, &self->start);
    *ret_self = self;
    return 0;
}

/* The start was cancelled: the child is killed, and waited for before that is told (S160). */
static int give_up(struct subprocess *self, int code)
{
    aio_exception *error = aio_error_catch(code);

    transport_close(&self->base);
    code = aio__subprocess_wait(&self->base, NULL);
    if (code == 0)
        code = aio_raise_exception(error);
    aio_exception_unref(error);
    return code;
}

int aio__subprocess_check(aio_loop **loop, const char *const *argv,
                          const aio_subprocess_options *options)
{
    aio_loop *running = aio_get_running_loop();

    if (running == NULL)
        return AIO_ENOLOOP;
    if (*loop != NULL && *loop != running)
        return aio_raise(AIO_ERUNTIME, "the loop is not the running one");
    if (aio_current_task(running) == NULL)
        return aio_raise(AIO_ENOTASK, "only a task can start a process");
    if (argv == NULL || argv[0] == NULL)
        return aio_raise(AIO_EVALUE, "a program is needed, not NULL");
    if (options != NULL && options->size != sizeof(*options))
        return aio_raise(AIO_EVALUE, "options of another size");
    *loop = running;
    return 0;
}

int aio__subprocess_start(aio_loop *loop, aio_protocol *protocol, const char *const *argv,
                          const aio_subprocess_options *options, int by_default,
                          aio_transport **ret_transport)
{
    const aio_subprocess_options defaults = AIO_SUBPROCESS_OPTIONS_INIT;
    struct subprocess *self = NULL;
    struct aio__stdio stdio;
    int err;

    if (options == NULL)
        options = &defaults;
    err = aio__stdio_open(&stdio, options, by_default);
    if (err < 0) {
        if (protocol->ops->release != NULL)
            protocol->ops->release(protocol);
        return err;
    }
    err = make_subprocess(loop, protocol, argv, options, &stdio, &self);
    aio__stdio_close_childs(&stdio);
    aio__stdio_close_ours(&stdio);
    if (err < 0)
        return err;

    (void)ref(&self->base);
    err = aio_await(self->waiter, NULL);
    if (err < 0) {
        err = give_up(self, err);
        unref(&self->base);
        return err;
    }
    *ret_transport = &self->base;
    return 0;
}

int aio__subprocess_wait(aio_transport *transport, int *ret_code)
{
    struct subprocess *self = process_of(transport);
    struct aio__waiter waiter;
    int err = 0;

    if (!self->child.over) {
        err = aio__waiter_init(&waiter, &self->line_loop, "process");
        if (err < 0)
            return err;
        (void)ref(transport);
        err = aio__waiter_sleep(&waiter, &self->line);
        aio__waiter_done(&waiter);
    } else {
        (void)ref(transport);
    }
    if (err == 0 && ret_code != NULL)
        *ret_code = self->child.code;
    unref(transport);
    return err;
}

/* A factory has refused: what it has raised. */
static int refused(void)
{
    aio_exception *error = *aio__thread_error_slot(aio__thread());

    return error == NULL ? AIO_ENOMEM : aio_exception_code(error);
}

int aio_loop_subprocess_exec(aio_loop *loop, aio_protocol_factory_fn factory, void *arg,
                             const char *const argv[], const aio_subprocess_options *options,
                             aio_transport **ret_transport, aio_protocol **ret_protocol)
{
    aio_protocol *protocol;
    int err = aio__subprocess_check(&loop, argv, options);

    if (err < 0)
        return err;
    if (factory == NULL || ret_transport == NULL)
        return aio_raise(AIO_EVALUE, "a factory and a place for the transport are needed");
    aio__error_forget();
    protocol = factory(arg);
    if (protocol == NULL)
        return refused();
    err = aio__subprocess_start(loop, protocol, argv, options, AIO_SUBPROCESS_PIPE, ret_transport);
    if (err == 0 && ret_protocol != NULL)
        *ret_protocol = protocol;
    return err;
}

int aio_loop_subprocess_shell(aio_loop *loop, aio_protocol_factory_fn factory, void *arg,
                              const char *command, const aio_subprocess_options *options,
                              aio_transport **ret_transport, aio_protocol **ret_protocol)
{
    if (command == NULL)
        return aio_raise(AIO_EVALUE, "a command is needed, not NULL");
    return aio_loop_subprocess_exec(loop, factory, arg, AIO__SHELL(command), options, ret_transport,
                                    ret_protocol);
}
