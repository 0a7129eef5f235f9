/* SPDX-License-Identifier: MIT */
/*
 * digest.c - the SHA-256 of one file, read by a thread that can be told to give up
 *
 * A thread that blocks in open() or read() cannot be stopped from outside, and would hold
 * the program's end up for as long as nobody writes to a FIFO. So nothing here blocks but
 * poll(), and that looks at the descriptor which says stop as well.
 */
#include "digest.h"

#include <aio/error.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <unistd.h>

/* Wait for data or the end of the file; a regular file is always ready. */
static int wait_readable(int fd, int stop_fd)
{
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = stop_fd, .events = POLLIN}};

    while (poll(fds, 2, -1) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return fds[1].revents != 0 ? -EINTR : 0;
}

/* Feed a file to the digest until its end. */
static int read_all(int fd, int stop_fd, EVP_MD_CTX *context)
{
    unsigned char buffer[1 << 16];

    for (;;) {
        ssize_t got;
        int err = wait_readable(fd, stop_fd);

        if (err < 0)
            return err;
        got = read(fd, buffer, sizeof(buffer));
        if (got == 0)
            return 0;
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        if (got > 0 && EVP_DigestUpdate(context, buffer, (size_t)got) != 1)
            return AIO_ENOMEM;
    }
}

int digest_file(const char *name, int stop_fd, unsigned char digest[DIGEST_SIZE])
{
    EVP_MD_CTX *context;
    int err;
    int fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return -errno;

    context = EVP_MD_CTX_new();
    if (context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
        err = AIO_ENOMEM;
        goto free_context;
    }
    err = read_all(fd, stop_fd, context);
    if (err == 0 && EVP_DigestFinal_ex(context, digest, NULL) != 1)
        err = AIO_ENOMEM;

free_context:
    EVP_MD_CTX_free(context);
    (void)close(fd);
    return err;
}
