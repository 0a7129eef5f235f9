/* SPDX-License-Identifier: MIT */
/*
 * checksum.c - the SHA-256 of every file below some folders, several at a time
 *
 *     checksum [-j N] [-t SECONDS] [FOLDER...]
 *
 * Prints what sha256sum would, in the order of the names, once all is known; an interrupted
 * run prints nothing. Files that cannot be read, or not in time, go to standard error.
 *
 * N tasks share the list, and each has one file read in the default executor. They are the
 * limit: there is no need for a semaphore, or for a task a file. A job in a thread cannot be
 * cancelled, only asked to stop, through a descriptor. What it works with therefore belongs
 * to the program, not to the task that waits for it, and outlives aio_run(), which joins the
 * threads.
 */
#include "tree.h"

#include <aio/aio.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MAX_JOBS 1024 /* as many threads as libuv's pool can have */

struct program;

/* One file at a time. */
struct worker {
    struct program *program;
    struct file *file; /* NULL, or the one that is read */
    int stop_fd;       /* an eventfd: can be read when the job shall stop */
};

struct program {
    char **folders; /* ends with NULL */
    size_t jobs;
    double timeout; /* seconds a file may take */
    struct tree tree;
    size_t next; /* the first file that no worker has taken */
    size_t done;
    struct worker *workers; /* one more than jobs: the last one reads the folders */
};

static void ask_to_stop(struct worker *worker)
{
    const uint64_t one = 1;

    (void)!write(worker->stop_fd, &one, sizeof(one));
}

static void take_back_stop(struct worker *worker)
{
    uint64_t count;

    (void)!read(worker->stop_fd, &count, sizeof(count));
}

/* The two jobs: they run in threads. */

static int collect_job(void *arg, void **ret_result)
{
    struct worker *worker = arg;

    return tree_collect(&worker->program->tree, worker->program->folders, worker->stop_fd);
}

static int digest_job(void *arg, void **ret_result)
{
    struct worker *worker = arg;

    return digest_file(worker->file->name, worker->stop_fd, worker->file->digest);
}

/* All else runs in the loop's thread. */

/*
 * Run a job, and stop it when the time is over or the task is cancelled. aio_wait() leaves
 * the future alone then, where aio_wait_for() would cancel it: but the worker can take no
 * other file before the job that uses it has ended.
 */
static int run_job(struct worker *worker, aio_job_fn fn, double timeout, int *ret_code)
{
    AIO_AUTO(aio_future) job = aio_loop_run_in_executor(NULL, NULL, fn, worker);
    size_t done = 0;
    int err = aio_wait(&job, 1, timeout, AIO_ALL_COMPLETED, &done);

    if (err == 0 && done == 0) {
        ask_to_stop(worker);
        err = aio_wait(&job, 1, AIO_FOREVER, AIO_ALL_COMPLETED, NULL);
        take_back_stop(worker);
    }
    if (err < 0) {
        ask_to_stop(worker);
        (void)aio_future_cancel(job, NULL); /* nobody will ask how it ended */
        return err;
    }
    *ret_code = aio_future_result(job, NULL);
    return 0;
}

static int work(void *arg, void **ret_result)
{
    struct worker *worker = arg;
    struct program *program = worker->program;

    while (program->next < program->tree.count) {
        struct file *file = &program->tree.files[program->next++];

        if (file->code == 0) {
            int code, err;

            worker->file = file;
            err = run_job(worker, digest_job, program->timeout, &code);
            if (err < 0)
                return err;
            file->code = code == -EINTR ? AIO_ETIMEDOUT : code;
        }
        program->done++;
    }
    return 0;
}

static int show_progress(void *arg, void **ret_result)
{
    const struct program *program = arg;
    int err;

    do {
        fprintf(stderr, "\r%zu of %zu files", program->done, program->tree.count);
        err = aio_sleep(0.1);
    } while (err == 0);
    fprintf(stderr, "\r\033[K");
    return err;
}

static int run_workers(struct program *program)
{
    AIO_AUTO(aio_taskgroup) group = aio_taskgroup_new();
    int err = aio_taskgroup_enter(group);

    if (err < 0)
        return err;
    for (size_t i = 0; i < program->jobs && i < program->tree.count && err == 0; i++) {
        AIO_AUTO(aio_task) task = aio_taskgroup_create_task(group, work, &program->workers[i]);

        if (task == NULL)
            err = AIO_ENOMEM;
    }
    return aio_taskgroup_exit(group, err);
}

static int async_main(void *arg, void **ret_result)
{
    struct program *program = arg;
    int code, err;

    err = run_job(&program->workers[program->jobs], collect_job, AIO_FOREVER, &code);
    if (err == 0)
        err = code;
    if (err < 0)
        return err;

    if (!isatty(STDERR_FILENO))
        return run_workers(program);

    AIO_AUTO(aio_task) progress = aio_create_task(show_progress, program);
    err = run_workers(program);
    (void)aio_task_cancel(progress, NULL);
    (void)aio_wait(&progress, 1, AIO_FOREVER, AIO_ALL_COMPLETED, NULL);
    return err;
}

/* The program around it. */

/* A name as sha256sum writes it; the line then begins with a backslash. */
static void print_name(FILE *out, const char *name)
{
    for (; *name != '\0'; name++) {
        if (*name == '\n')
            fputs("\\n", out);
        else if (*name == '\r')
            fputs("\\r", out);
        else if (*name == '\\')
            fputs("\\\\", out);
        else
            fputc(*name, out);
    }
}

static void print_digest(const struct file *file)
{
    if (strpbrk(file->name, "\\\n\r") != NULL)
        putchar('\\');
    for (size_t i = 0; i < DIGEST_SIZE; i++)
        printf("%02x", file->digest[i]);
    printf("  ");
    print_name(stdout, file->name);
    putchar('\n');
}

static void print_error(const struct program *program, const struct file *file)
{
    fprintf(stderr, "checksum: ");
    print_name(stderr, file->name);
    if (file->code == AIO_ETIMEDOUT)
        fprintf(stderr, ": not read within %g s\n", program->timeout);
    else
        fprintf(stderr, ": %s\n", aio_strerror(file->code));
}

/* Gives the exit status. */
static int print_all(const struct program *program)
{
    int status = EXIT_SUCCESS;

    for (size_t i = 0; i < program->tree.count; i++) {
        const struct file *file = &program->tree.files[i];

        if (file->code == 0) {
            print_digest(file);
        } else {
            print_error(program, file);
            status = EXIT_FAILURE;
        }
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("checksum: standard output");
        status = EXIT_FAILURE;
    }
    return status;
}

static int make_workers(struct program *program)
{
    program->workers = calloc(program->jobs + 1, sizeof(*program->workers));
    if (program->workers == NULL)
        return AIO_ENOMEM;
    for (size_t i = 0; i <= program->jobs; i++) {
        program->workers[i].program = program;
        program->workers[i].stop_fd = -1;
    }
    for (size_t i = 0; i <= program->jobs; i++) {
        program->workers[i].stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (program->workers[i].stop_fd < 0)
            return -errno;
    }
    return 0;
}

static void free_program(struct program *program)
{
    for (size_t i = 0; program->workers != NULL && i <= program->jobs; i++) {
        if (program->workers[i].stop_fd >= 0)
            (void)close(program->workers[i].stop_fd);
    }
    free(program->workers);
    tree_free(&program->tree);
}

static int read_options(struct program *program, int argc, char **argv)
{
    int option;
    char *end;

    while ((option = getopt(argc, argv, "j:t:")) != -1) {
        if (option == 'j') {
            long jobs = strtol(optarg, &end, 10);
            if (*optarg == '\0' || *end != '\0' || jobs < 1 || jobs > MAX_JOBS)
                return AIO_EVALUE;
            program->jobs = (size_t)jobs;
        } else if (option == 't') {
            program->timeout = strtod(optarg, &end);
            if (*optarg == '\0' || *end != '\0' || !(program->timeout > 0))
                return AIO_EVALUE;
        } else {
            return AIO_EVALUE;
        }
    }
    if (optind < argc)
        program->folders = argv + optind;
    return 0;
}

static int run(struct program *program)
{
    char threads[16];
    int err = make_workers(program);

    /* Otherwise files would wait for a thread while their time runs. */
    (void)snprintf(threads, sizeof(threads), "%zu", program->jobs);
    if (err == 0 && setenv("UV_THREADPOOL_SIZE", threads, 1) < 0)
        err = -errno;
    return err < 0 ? err : aio_run(async_main, program, NULL);
}

int main(int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    char here[] = ".";
    char *default_folders[] = {here, NULL};
    struct program program = {
        .folders = default_folders,
        .jobs = cores < 1          ? 1
                : cores > MAX_JOBS ? MAX_JOBS
                                   : (size_t)cores,
        .timeout = 60,
    };
    int status = EXIT_FAILURE;
    int err;

    if (read_options(&program, argc, argv) < 0) {
        fprintf(stderr, "usage: checksum [-j FILES AT A TIME] [-t SECONDS A FILE] [FOLDER...]\n");
        return 2;
    }
    err = run(&program);
    if (err == 0)
        status = print_all(&program);
    else if (err != AIO_EKEYBOARDINTERRUPT)
        fprintf(stderr, "checksum: %s: %s\n", aio_error_name(err), aio_error_text(err));
    free_program(&program);

    if (err == AIO_EKEYBOARDINTERRUPT) {
        (void)signal(SIGINT, SIG_DFL);
        (void)raise(SIGINT); /* tells the shell that it was interrupted */
    }
    return status;
}
