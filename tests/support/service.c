/* SPDX-License-Identifier: MIT */
/*
 * service.c - the real servers that tests/services/run.py starts for a test program
 */
#include "support/service.h"

#include "support/unit.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- starting them ---------------------------------------------------------------------- */

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

/* Nobody else has the other end of its input, which thus ends with this process. */
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

/* --- using them ------------------------------------------------------------------------- */

const char *service_info(const char *name)
{
    char variable[64];
    const char *value;

    (void)snprintf(variable, sizeof(variable), "SERVICE_%s", name);
    value = getenv(variable);
    if (value == NULL)
        fail_msg("no service has set %s: tests/services/run.py starts them", variable);
    return value;
}

int service_number(const char *name)
{
    return (int)strtol(service_info(name), NULL, 10);
}

void service_do(const char *verb, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char line[256];
    ssize_t size;

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", service_info("CONTROL"));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    size = snprintf(line, sizeof(line), "%s %s\n", verb, name);
    assert_int_equal(send(fd, line, (size_t)size, MSG_NOSIGNAL), size);
    size = recv(fd, line, sizeof(line) - 1, 0);
    close(fd);
    assert_true(size > 0);
    line[size] = '\0';
    assert_string_equal(line, "ok\n");
}
