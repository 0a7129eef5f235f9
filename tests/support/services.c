/* SPDX-License-Identifier: MIT */
/*
 * services.c - real services for a test program
 *
 * run.py holds them until its standard input ends, which it does with this process: nobody else
 * has the other end.
 */
#include "support/services.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void run(const char *names, int input, int output)
{
    char command[1000];

    (void)snprintf(command, sizeof(command), "exec python3 '%s' %s", SERVICES_RUN, names);
    (void)dup2(input, STDIN_FILENO);
    (void)dup2(output, STDOUT_FILENO);
    (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(1);
}

/* Lines "NAME=VALUE" up to "ready". */
static bool read_environment(FILE *output)
{
    char line[1000];

    while (fgets(line, sizeof(line), output) != NULL) {
        char *value = strchr(line, '=');

        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, "ready") == 0)
            return true;
        if (value == NULL) {
            (void)fprintf(stderr, "%s\n", line);
            continue;
        }
        *value = '\0';
        (void)setenv(line, value + 1, 1);
    }
    return false;
}

int services_start(const char *names)
{
    int input[2];
    int output[2];
    int status = 0;
    FILE *said;
    pid_t pid;

    if (pipe2(input, O_CLOEXEC) < 0 || pipe2(output, O_CLOEXEC) < 0)
        return EXIT_FAILURE;
    pid = fork();
    if (pid == 0)
        run(names, input[0], output[1]);
    (void)close(input[0]);
    (void)close(output[1]);
    said = fdopen(output[0], "r");
    if (pid < 0 || said == NULL)
        return EXIT_FAILURE;
    if (read_environment(said)) {
        (void)fclose(said);
        return 0; /* input[1] stays open for as long as this process lives */
    }
    (void)fclose(said);
    (void)waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : EXIT_FAILURE;
}

const char *service(const char *name)
{
    const char *value = getenv(name);

    if (value == NULL) {
        (void)fprintf(stderr, "no service has set %s\n", name);
        exit(EXIT_FAILURE);
    }
    return value;
}
