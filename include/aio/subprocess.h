/* SPDX-License-Identifier: MIT */
/*
 * subprocess.h - running other programs
 *
 * Two layers, as in asyncio: aio_create_subprocess_exec() gives a process with
 * streams; aio_loop_subprocess_exec() gives a transport that tells a protocol what happens.
 *
 * A child is watched by its own descriptor, or by a thread where the system has none. SIGCHLD is
 * not touched, and children that the program made by other means are left alone. No descriptor
 * leaks into a child but those asked for.
 *
 * Thread: the loop's, for everything here.
 */
#ifndef AIO_SUBPROCESS_H
#define AIO_SUBPROCESS_H

#include <aio/stream.h>
#include <aio/transport.h>
#include <sys/types.h>

AIO_BEGIN_DECLS

/** @name How a program is started @{ */

/** What a standard stream of the child is, beside a descriptor of ours from 1 on. */
enum {
    AIO_SUBPROCESS_DEFAULT = 0,  /**< a pipe for transports, else the program's own */
    AIO_SUBPROCESS_PIPE = -1,    /**< a pipe, its other end being ours. asyncio: PIPE */
    AIO_SUBPROCESS_STDOUT = -2,  /**< of std_err: where std_out goes. asyncio: STDOUT */
    AIO_SUBPROCESS_DEVNULL = -3, /**< the null device. asyncio: DEVNULL */
    AIO_SUBPROCESS_INHERIT = -4  /**< the program's own. asyncio: None */
};

/** How a program is started. Zero in a field means the default; all is borrowed for the call. */
typedef struct aio_subprocess_options {
    size_t size; /**< sizeof(aio_subprocess_options) */
    int std_in;  /**< one of the above, or a descriptor, which stays the caller's */
    int std_out;
    int std_err;
    int pipe_size;             /**< bytes that a pipe holds; default: the system's */
    size_t limit;              /**< of the readers of a process; default AIO_STREAM_LIMIT */
    const char *executable;    /**< the program to run instead of argv[0] */
    const char *cwd;           /**< its directory */
    const char *const *env;    /**< "NAME=value", ..., NULL; default: the program's own */
    const int *pass_fds;       /**< descriptors that the child keeps, under the same numbers */
    size_t pass_fd_count;      /**< how many */
    bool keep_fds;             /**< close only those marked so: asyncio's close_fds=False */
    bool keep_signals;         /**< leave SIGPIPE and SIGXFSZ ignored if they are:
                                   restore_signals=False */
    bool start_new_session;    /**< setsid() */
    bool set_process_group;    /**< the field below counts */
    bool set_umask;            /**< likewise */
    bool set_user;             /**< likewise */
    bool set_group;            /**< likewise */
    bool set_extra_groups;     /**< likewise */
    pid_t process_group;       /**< 0: a new one */
    mode_t umask;              /**< as of umask() */
    uid_t user;                /**< real and effective */
    gid_t group;               /**< real and effective */
    const gid_t *extra_groups; /**< instead of the program's own */
    size_t extra_group_count;  /**< how many */
} aio_subprocess_options;

/** The defaults. */
#define AIO_SUBPROCESS_OPTIONS_INIT AIO_SIZED(aio_subprocess_options)

/**
 * What a wait status means: the exit code, or minus the signal's number; any other status as it
 * is.   Thread: any.   asyncio: waitstatus_to_exitcode()   Since: 0.1
 */
AIO_API int aio_waitstatus_to_exitcode(int status);
/** @} */

/** @name Processes @{ */

/** A child with its streams. */
typedef struct aio_process aio_process;

/** What a child wrote: a copy, with a zero behind it that does not count. NULL: not piped. */
typedef struct aio_process_output {
    char *out;
    size_t out_size;
    char *err;
    size_t err_size;
} aio_process_output;

/** Free what aio_process_communicate() gave. Since: 0.1 */
AIO_API void aio_process_output_clear(aio_process_output *output);

/**
 * Start a program.
 *
 * @param argv              Its arguments, the first being its name, looked up in the PATH of the
 *                          environment it gets; NULL ends them. Borrowed.
 * @param options           NULL: the defaults; the streams are then the program's own.
 * @param[out] ret_process  Returned: aio_process_unref() it, at any time: that ends neither the
 *                          child nor the watch on it. Written on success only.
 * @return 0, or a negative code:
 *   -ENOENT, -EACCES, ...  what starting it met: a missing program or directory
 *   AIO_EVALUE             no program, or options that make no sense
 *   AIO_ECANCELLED         the child, if there was one, has been killed and waited for
 *   AIO_ENOTASK, AIO_ENOLOOP, AIO_ENOMEM
 *
 * Suspends: yes.   Cancellation point: yes.
 * asyncio: asyncio.create_subprocess_exec()                      Since: 0.1
 * Differs: no preexec_fn, whose code could not safely run there, and no text mode.
 */
AIO_API int aio_create_subprocess_exec(const char *const argv[],
                                       const aio_subprocess_options *options,
                                       aio_process **ret_process);

/** The same with a command line for /bin/sh.
 *  asyncio: asyncio.create_subprocess_shell()   Since: 0.1 */
AIO_API int aio_create_subprocess_shell(const char *command, const aio_subprocess_options *options,
                                        aio_process **ret_process);

/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_process *aio_process_ref(aio_process *process);
/** Drop a reference; NULL is allowed. Since: 0.1 */
AIO_API void aio_process_unref(aio_process *process);
AIO_DEFINE_AUTO(aio_process)

/** Its id; of the shell for a command line.   asyncio: Process.pid   Since: 0.1 */
AIO_API pid_t aio_process_pid(const aio_process *process);

/**
 * How it ended.
 *
 * @param[out] ret_code  The exit code, or minus the signal's number; 255 if somebody else waited
 *                       for the child. Written only if it has ended. May be NULL.
 * @return Whether it has ended.
 * Suspends: no.   asyncio: Process.returncode                    Since: 0.1
 */
AIO_API bool aio_process_returncode(const aio_process *process, int *ret_code);

/** The writer to its input, borrowed; NULL if that is not piped. Its wait_closed() tells what became
 *  of the pipe.   asyncio: Process.stdin   Since: 0.1 */
AIO_API aio_stream_writer *aio_process_stdin(const aio_process *process);
/** The reader of its output, borrowed; NULL if that is not piped.
 *  asyncio: Process.stdout   Since: 0.1 */
AIO_API aio_stream_reader *aio_process_stdout(const aio_process *process);
/** The reader of its other output, borrowed; NULL if that is not piped, or goes where the first one
 *  goes.   asyncio: Process.stderr   Since: 0.1 */
AIO_API aio_stream_reader *aio_process_stderr(const aio_process *process);

/** Its transport, borrowed; get_pipe_transport() gives those of its streams. Since: 0.1 */
AIO_API aio_transport *aio_process_transport(const aio_process *process);

/**
 * Wait until the child has ended and its pipes are closed: by all that hold them, so also by
 * children of its own. If it has ended already, the call returns at once. A child whose output
 * fills a pipe that nobody empties does not end: see aio_process_communicate().
 *
 * @param[out] ret_code  As aio_process_returncode(). May be NULL.
 * @return 0, AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOMEM, AIO_EVALUE for NULL.
 * Suspends: unless it has ended.   Cancellation point: whenever it suspends.
 * asyncio: Process.wait()                                        Since: 0.1
 */
AIO_API int aio_process_wait(aio_process *process, int *ret_code);

/**
 * Write to the child, collect all that it writes to its pipes, and wait for its end.
 *
 * @param input            Borrowed. Ignored unless std_in is a pipe, which is closed behind it.
 *                         That the child does not read all is no error.
 * @param size             Of the input; 0: none.
 * @param[out] ret_output  To be freed with aio_process_output_clear(). Written on success only;
 *                         NULL: drop it. What a cancelled call had collected, the next one gives.
 * @return 0, or a negative code: AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOMEM; AIO_ERUNTIME while
 *         another task does the same, or reads; an error of reading; AIO_EVALUE for NULL.
 * Suspends: unless all is there.   Cancellation point: whenever it suspends.
 * asyncio: Process.communicate()                                 Since: 0.1
 * Differs: asyncio loses what a cancelled call had collected.
 */
AIO_API int aio_process_communicate(aio_process *process, const void *input, size_t size,
                                    aio_process_output *ret_output);

/**
 * Send a signal to the child; not to children of its own.
 *
 * @return 0, also when it has just ended; -ESRCH once it has ended and its pipes are closed; the
 *         system's code: -EINVAL, -EPERM; AIO_EVALUE for NULL.
 * Suspends: no.   asyncio: Process.send_signal()                 Since: 0.1
 */
AIO_API int aio_process_send_signal(aio_process *process, int signum);
/** Send SIGTERM.   asyncio: Process.terminate()   Since: 0.1 */
AIO_API int aio_process_terminate(aio_process *process);
/** Send SIGKILL.   asyncio: Process.kill()   Since: 0.1 */
AIO_API int aio_process_kill(aio_process *process);
/** @} */

/** @name Transports of processes
 *  Closing one closes the pipes, and kills a child that still runs. @{ */

/**
 * Start a program and tell a protocol: connection_made; for fd 1 and 2 pipe_data_received; for
 * each pipe pipe_connection_lost; process_exited, which may come before the last output; and at
 * last connection_lost. pause_writing and resume_writing are about the pipe to its input.
 *
 * @param loop                The running one, or NULL for it.
 * @param factory             Makes the protocol. Called before the program is started; if that
 *                            fails, release is called.
 * @param argv                As for aio_create_subprocess_exec().
 * @param options             Likewise, but that the streams are pipes unless it says otherwise.
 * @param[out] ret_transport  Returned: aio_transport_unref() it. Written on success only.
 * @param[out] ret_protocol   Borrowed from the transport. May be NULL.
 * @return As aio_create_subprocess_exec().
 *
 * Suspends: yes.   Cancellation point: yes.
 * asyncio: loop.subprocess_exec()                                Since: 0.1
 */
AIO_API int aio_loop_subprocess_exec(aio_loop *loop, aio_protocol_factory_fn factory, void *arg,
                                     const char *const argv[],
                                     const aio_subprocess_options *options,
                                     aio_transport **ret_transport, aio_protocol **ret_protocol);

/** The same with a command line for /bin/sh.   asyncio: loop.subprocess_shell()   Since: 0.1 */
AIO_API int aio_loop_subprocess_shell(aio_loop *loop, aio_protocol_factory_fn factory, void *arg,
                                      const char *command, const aio_subprocess_options *options,
                                      aio_transport **ret_transport, aio_protocol **ret_protocol);

/** The process id; -1 for a transport of another kind.
 *  asyncio: SubprocessTransport.get_pid()   Since: 0.1 */
AIO_API pid_t aio_subprocess_transport_get_pid(const aio_transport *transport);
/** As aio_process_returncode().   asyncio: SubprocessTransport.get_returncode()   Since: 0.1 */
AIO_API bool aio_subprocess_transport_get_returncode(const aio_transport *transport, int *ret_code);
/** The transport of pipe 0, 1 or 2, borrowed; NULL if that stream is not piped.
 *  asyncio: SubprocessTransport.get_pipe_transport()   Since: 0.1 */
AIO_API aio_transport *aio_subprocess_transport_get_pipe_transport(const aio_transport *transport,
                                                                   int fd);
/** As aio_process_send_signal().   asyncio: SubprocessTransport.send_signal()   Since: 0.1 */
AIO_API int aio_subprocess_transport_send_signal(aio_transport *transport, int signum);
/** Send SIGTERM.   asyncio: SubprocessTransport.terminate()   Since: 0.1 */
AIO_API int aio_subprocess_transport_terminate(aio_transport *transport);
/** Send SIGKILL.   asyncio: SubprocessTransport.kill()   Since: 0.1 */
AIO_API int aio_subprocess_transport_kill(aio_transport *transport);
/** @} */

AIO_END_DECLS

#endif
