/* SPDX-License-Identifier: MIT */
/*
 * spawn.c - making a child process
 *
 * vfork(), so that the price does not grow with the program's memory. The child then shares that
 * memory until exec: it allocates nothing, takes no lock, changes no variable but its own, and
 * runs with signals blocked until no handler is left that could run in it. Where it changes its
 * identity it has a copy of the memory instead, by fork(): a process of another user is not to
 * share ours.
 *
 * What fails in the child comes back through a pipe that exec closes: nothing in it means that
 * the program runs.
 */
#include "process/spawn.h"

#include <aio/memory.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_PATH "/bin:/usr/bin"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

/* All that the child needs, made before there is one. */
struct plan {
    const aio_subprocess_options *options;
    char **places; /* where the program may be, in the order to try; NULL ends them */
    char **argv;
    char **env;
    const int *fds;
    int report; /* the pipe's writing end */
    sigset_t mask;
};

/* What the child has to say when it fails. */
struct failure {
    int error;
    bool in_cwd; /* it is about the directory */
};

int aio__fd_above_standard(int fd)
{
    int copy;

    if (fd > STDERR_FILENO)
        return fd;
    copy = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (copy < 0)
        copy = -errno;
    close(fd);
    return copy;
}

/* --- in the child ------------------------------------------------------------------------ */

static int clear_cloexec(int fd)
{
    int flags = fcntl(fd, F_GETFD);

    return flags < 0 ? -1 : fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC);
}

/* One may have to go where another comes from, so those in the way move first. */
static int place_fds(const int wanted[3])
{
    int fds[3];

    for (int i = 0; i < 3; i++) {
        fds[i] = wanted[i];
        if (fds[i] >= 0 && fds[i] <= STDERR_FILENO && fds[i] != i)
            fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (fds[i] < 0 && wanted[i] >= 0)
            return -1;
    }
    for (int i = 0; i < 3; i++) {
        int done = fds[i] < 0 ? 0 : fds[i] == i ? clear_cloexec(i) : dup2(fds[i], i);

        if (done < 0)
            return -1;
    }
    return 0;
}

/* Mark all but the standard ones to be closed by exec, which leaves them open for the report. */
static void mark_all_cloexec(void)
{
    struct rlimit limit;
    int flags;

    if (syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
        return;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > INT_MAX)
        limit.rlim_cur = INT_MAX;
    for (int fd = STDERR_FILENO + 1; fd < (int)limit.rlim_cur; fd++) {
        flags = fcntl(fd, F_GETFD);
        if (flags >= 0)
            (void)fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
    }
}

static int prepare_fds(const struct plan *plan)
{
    const aio_subprocess_options *options = plan->options;

    if (place_fds(plan->fds) < 0)
        return -1;
    if (!options->keep_fds)
        mark_all_cloexec();
    for (size_t i = 0; i < options->pass_fd_count; i++)
        if (clear_cloexec(options->pass_fds[i]) < 0)
            return -1;
    return 0;
}

/* No handler of the program's may run here, in the memory that we share with it. */
static void reset_signals(const struct plan *plan)
{
    const struct sigaction by_default = {.sa_handler = SIG_DFL};
    struct sigaction action;

    for (int signum = 1; signum < NSIG; signum++) {
        bool restore = !plan->options->keep_signals && (signum == SIGPIPE || signum == SIGXFSZ);

        if (sigaction(signum, NULL, &action) < 0 || action.sa_handler == SIG_DFL)
            continue;
        if (action.sa_handler != SIG_IGN || restore)
            (void)sigaction(signum, &by_default, NULL);
    }
    (void)sigprocmask(SIG_SETMASK, &plan->mask, NULL);
}

/* The C library's own would tell the threads of the program, where these are about this one. */
static int set_identity(const aio_subprocess_options *options)
{
#ifdef SYS_setgroups32
    const long setgroups_call = SYS_setgroups32;
    const long setregid_call = SYS_setregid32;
    const long setreuid_call = SYS_setreuid32;
#else
    const long setgroups_call = SYS_setgroups;
    const long setregid_call = SYS_setregid;
    const long setreuid_call = SYS_setreuid;
#endif

    if (options->set_extra_groups &&
        syscall(setgroups_call, options->extra_group_count, options->extra_groups) < 0)
        return -1;
    if (options->set_group && syscall(setregid_call, options->group, options->group) < 0)
        return -1;
    if (options->set_user && syscall(setreuid_call, options->user, options->user) < 0)
        return -1;
    return 0;
}

static int set_attributes(const struct plan *plan)
{
    const aio_subprocess_options *options = plan->options;

    if (options->set_umask)
        (void)umask(options->umask);
    reset_signals(plan);
    if (options->start_new_session && setsid() < 0)
        return -1;
    if (options->set_process_group && setpgid(0, options->process_group) < 0)
        return -1;
    return set_identity(options);
}

/* Of several places, the error that says most: that it was not there only if it was in none. */
static int exec_first(const struct plan *plan)
{
    int error = 0;

    for (char **place = plan->places; *place != NULL; place++) {
        (void)execve(*place, plan->argv, plan->env);
        if (error == 0 && errno != ENOENT && errno != ENOTDIR)
            error = errno;
    }
    return error != 0 ? error : errno;
}

static _Noreturn void be_child(const struct plan *plan)
{
    struct failure failure;

    memset(&failure, 0, sizeof(failure));
    if (prepare_fds(plan) < 0) {
        failure.error = errno;
    } else if (plan->options->cwd != NULL && chdir(plan->options->cwd) < 0) {
        failure.error = errno;
        failure.in_cwd = true;
    } else if (set_attributes(plan) < 0) {
        failure.error = errno;
    } else {
        failure.error = exec_first(plan);
    }
    while (write(plan->report, &failure, sizeof(failure)) < 0 && errno == EINTR)
        continue;
    _exit(255);
}

/* --- in the program ---------------------------------------------------------------------- */

static bool changes_identity(const aio_subprocess_options *options)
{
    return options->set_user || options->set_group || options->set_extra_groups;
}

/* A function of its own, whose frame the child may use up while we stand still. */
static __attribute__((noinline)) pid_t start_child(const struct plan *plan)
{
    /* posix_spawn() cannot do what the plan asks for; the child writes to its own frame only. */
    /* NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork) */
    pid_t pid = changes_identity(plan->options) ? fork() : vfork();

    if (pid == 0)
        be_child(plan); /* NOLINT(clang-analyzer-unix.Vfork) */
    return pid < 0 ? -errno : pid;
}

static const char *find_path(char *const *env)
{
    for (; *env != NULL; env++)
        if (strncmp(*env, "PATH=", 5) == 0)
            return *env + 5;
    return DEFAULT_PATH;
}

/* Where a program may be, as one block of memory. NULL: none left. */
static char **list_places(const char *program, const char *path)
{
    size_t name_size = strlen(program) + 1;
    size_t count = 1;
    char **places;
    char *text;

    if (strchr(program, '/') != NULL)
        path = "";
    for (const char *c = path; *c != '\0'; c++)
        count += *c == ':';
    places = aio_malloc((count + 1) * sizeof(char *) + strlen(path) + count * (name_size + 1));
    if (places == NULL)
        return NULL;
    text = (char *)(places + count + 1);
    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(path, ":");

        places[i] = text;
        memcpy(text, path, length);
        text += length;
        if (length > 0)
            *text++ = '/';
        memcpy(text, program, name_size);
        text += name_size;
        path += length + 1;
    }
    places[count] = NULL;
    return places;
}

/* What the child has to say; true: nothing, the program runs. */
static bool read_report(int fd, struct failure *failure)
{
    ssize_t got;

    do
        got = read(fd, failure, sizeof(*failure));
    while (got < 0 && errno == EINTR);
    return got != sizeof(*failure);
}

static int raise_failure(const struct plan *plan, const char *program, pid_t pid,
                         const struct failure *failure)
{
    const char *name = failure->in_cwd ? plan->options->cwd : program;

    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    return aio_raise(-failure->error, "%s: '%s'", aio_strerror(-failure->error), name);
}

static int open_report(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    ends[0] = aio__fd_above_standard(ends[0]);
    ends[1] = aio__fd_above_standard(ends[1]);
    if (ends[0] >= 0 && ends[1] >= 0)
        return 0;
    if (ends[0] >= 0)
        close(ends[0]);
    if (ends[1] >= 0)
        close(ends[1]);
    return ends[0] < 0 ? ends[0] : ends[1];
}

static int run_plan(struct plan *plan, const char *program, pid_t *ret_pid)
{
    struct failure failure;
    sigset_t all;
    int ends[2];
    pid_t pid;
    int err;

    err = open_report(ends);
    if (err < 0)
        return aio_raise(err, "%s", aio_strerror(err));
    plan->report = ends[1];
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &plan->mask);
    pid = start_child(plan);
    (void)pthread_sigmask(SIG_SETMASK, &plan->mask, NULL);
    close(ends[1]);
    if (pid < 0)
        err = aio_raise(pid, "%s", aio_strerror(pid));
    else if (!read_report(ends[0], &failure))
        err = raise_failure(plan, program, pid, &failure);
    else
        *ret_pid = pid;
    close(ends[0]);
    return err;
}

int aio__spawn(const char *const *argv, const aio_subprocess_options *options, const int fds[3],
               pid_t *ret_pid)
{
    const char *program = options->executable != NULL ? options->executable : argv[0];
    struct plan plan = {
        .options = options,
        .argv = (char **)(uintptr_t)argv,
        .env = options->env != NULL ? (char **)(uintptr_t)options->env : environ,
        .fds = fds,
    };
    int err;

    plan.places = list_places(program, find_path(plan.env));
    if (plan.places == NULL)
        return AIO_ENOMEM;
    err = run_plan(&plan, program, ret_pid);
    aio_free(plan.places);
    return err;
}
