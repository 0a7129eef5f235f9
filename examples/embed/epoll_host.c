/* SPDX-License-Identifier: MIT */
/*
 * epoll_host.c - driven by somebody else's poll loop: here a bare epoll
 *
 * The host watches one descriptor more than its own, waits no longer than it is told, and makes a
 * step, which does not wait.
 */
#include "guest.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

struct host {
    struct guest guest;
    int epoll;
    bool input_ended;
};

static int watch(struct host *host, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    return epoll_ctl(host->epoll, EPOLL_CTL_ADD, fd, &event);
}

static int read_input(struct host *host)
{
    char bytes[4096];
    ssize_t size = read(STDIN_FILENO, bytes, sizeof(bytes));

    if (size > 0)
        return guest_take(&host->guest, bytes, (size_t)size);
    host->input_ended = true;
    return epoll_ctl(host->epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
}

static int run_host(struct host *host)
{
    unsigned long turns = 0;
    int err = 0;

    while (err >= 0 && (!host->input_ended || host->guest.open != 0)) {
        struct epoll_event events[2];
        int count = epoll_wait(host->epoll, events, 2, aio_loop_timeout(host->guest.loop));

        for (int i = 0; i < count && err >= 0; i++)
            if (events[i].data.fd == STDIN_FILENO)
                err = read_input(host);
        if (err >= 0)
            err = aio_loop_step(host->guest.loop);
        turns++;
    }
    guest_report(turns);
    return err < 0 ? err : 0;
}

int main(void)
{
    AIO_AUTO(aio_loop) loop = aio_new_event_loop();
    struct host host = {.guest = {.loop = loop}, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    int err = -1;

    if (loop == NULL)
        return 1;
    if (watch(&host, STDIN_FILENO) == 0 && watch(&host, aio_loop_fd(loop)) == 0)
        err = run_host(&host);
    (void)close(host.epoll);
    if (err < 0)
        fprintf(stderr, "epoll_host: %s\n", aio_error_text(err));
    return aio_loop_close(loop) < 0 || err < 0;
}
