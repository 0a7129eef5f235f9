/* SPDX-License-Identifier: MIT */
/*
 * supervisor.c - keep some commands running
 *
 *     supervisor [-r RETRIES] [-p PAUSE] [-g GRACE] COMMAND...
 *
 * Each command line is a service. One that ends with 0 is done. One that fails is started again,
 * after a pause that doubles each time; when its retries are used up, all the others are stopped
 * and the supervisor ends with 1. SIGINT and SIGTERM stop all services and end it with 0.
 *
 * A service is stopped by SIGTERM to it and its children, and by SIGKILL if it is still there
 * after the grace period.
 *
 * A task for each service, in a task group: whatever ends the group, a service that gives up or a
 * signal, reaches the others as a cancellation, and each stops its own process on the way out.
 */
#include <aio/aio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct program {
    char **commands; /* ends with NULL */
    int retries;
    double pause;
    double grace;
    aio_task *main; /* to be cancelled by a signal; NULL once that is over */
    bool stopped;   /* by a signal */
};

struct service {
    const struct program *program;
    const char *command;
};

/* The service leads a process group, which has its children too. There is none of that number
 * but ours as long as the service has not been waited for. */
static void signal_group(const aio_process *process, int signum)
{
    if (!aio_process_returncode(process, NULL))
        (void)kill(-aio_process_pid(process), signum);
}

static int stop(aio_process *process, double grace)
{
    AIO_AUTO(aio_timeout) timeout = aio_timeout_new(grace);
    int err;

    signal_group(process, SIGTERM);
    err = aio_timeout_enter(timeout);
    if (err == 0)
        err = aio_timeout_exit(timeout, aio_process_wait(process, NULL));
    if (err == 0)
        return 0;
    signal_group(process, SIGKILL);
    return aio_process_wait(process, NULL);
}

/* Run the command once: 0 and how it ended, or a code, and it has been stopped. */
static int run_once(const struct service *service, int *ret_code)
{
    aio_subprocess_options options = AIO_SUBPROCESS_OPTIONS_INIT;
    aio_process *process;
    aio_exception *error;
    int err;

    options.set_process_group = true;
    err = aio_create_subprocess_shell(service->command, &options, &process);
    if (err < 0)
        return err;
    fprintf(stderr, "%s: started as %d\n", service->command, (int)aio_process_pid(process));
    err = aio_process_wait(process, ret_code);
    if (err < 0) {
        error = aio_error_catch(err);
        (void)stop(process, service->program->grace);
        fprintf(stderr, "%s: stopped\n", service->command);
        err = aio_raise_exception(error);
        aio_exception_unref(error);
    }
    aio_process_unref(process);
    return err;
}

static int supervise(void *arg, void **ret_result)
{
    const struct service *service = arg;
    double pause = service->program->pause;
    int code;
    int err;

    for (int tries = 0;; tries++) {
        err = run_once(service, &code);
        if (err < 0)
            return err;
        fprintf(stderr, "%s: ended with %d\n", service->command, code);
        if (code == 0)
            return 0;
        if (tries == service->program->retries)
            return aio_raise(AIO_ERUNTIME, "%s: gave up", service->command);
        err = aio_sleep(pause);
        if (err < 0)
            return err;
        pause *= 2;
    }
}

static int start_all(const struct program *program, aio_taskgroup *group)
{
    for (char **command = program->commands; *command != NULL; command++) {
        struct service service = {.program = program, .command = *command};
        aio_task_options options = AIO_TASK_OPTIONS_INIT;
        aio_task *task;

        options.name = *command;
        options.arg_size = sizeof(service); /* the task gets a copy */
        task = aio_taskgroup_create_task_with(group, supervise, &service, &options);
        if (task == NULL)
            return aio_last_failure();
        aio_future_unref(task);
    }
    return 0;
}

static int on_signal(void *arg)
{
    struct program *program = arg;

    if (!program->stopped && program->main != NULL)
        (void)aio_task_cancel(program->main, NULL);
    program->stopped = true;
    return 0;
}

static int run(void *arg, void **ret_result)
{
    struct program *program = arg;
    aio_loop *loop = aio_get_running_loop();
    AIO_AUTO(aio_taskgroup) group = aio_taskgroup_new();
    int err;

    program->main = aio_current_task(NULL);
    err = aio_loop_add_signal_handler(loop, SIGTERM, on_signal, program);
    if (err == 0)
        err = aio_loop_add_signal_handler(loop, SIGINT, on_signal, program);
    if (err == 0)
        err = aio_taskgroup_enter(group);
    if (err < 0)
        return err;
    err = aio_taskgroup_exit(group, start_all(program, group));
    program->main = NULL;
    return err == AIO_ECANCELLED && program->stopped ? 0 : err;
}

static int usage(void)
{
    fprintf(stderr, "usage: supervisor [-r RETRIES] [-p PAUSE] [-g GRACE] COMMAND...\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct program program = {.retries = 3, .pause = 0.5, .grace = 5};
    int option;
    int err;

    while ((option = getopt(argc, argv, "r:p:g:")) != -1) {
        if (option == 'r')
            program.retries = atoi(optarg);
        else if (option == 'p')
            program.pause = atof(optarg);
        else if (option == 'g')
            program.grace = atof(optarg);
        else
            return usage();
    }
    program.commands = argv + optind;
    if (*program.commands == NULL)
        return usage();
    err = aio_run(run, &program, NULL);
    if (err < 0)
        fprintf(stderr, "supervisor: %s\n", aio_error_text(err));
    return err < 0;
}
