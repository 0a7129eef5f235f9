/* SPDX-License-Identifier: MIT */
/*
 * service.c - the real servers that tests/services/run.py has started for this program
 */
#include "support/service.h"

#include "support/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

const char *service_info(const char *name)
{
    char variable[64];
    const char *value;

    (void)snprintf(variable, sizeof(variable), "SERVICE_%s", name);
    value = getenv(variable);
    if (value == NULL)
        fail_msg("%s is not set: this program is run by tests/services/run.py", variable);
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
