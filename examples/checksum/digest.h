/* SPDX-License-Identifier: MIT */
/*
 * digest.h - the SHA-256 of one file, read by a thread that can be told to give up
 */
#ifndef CHECKSUM_DIGEST_H
#define CHECKSUM_DIGEST_H

#define DIGEST_SIZE 32

/**
 * Read a file to its end. Blocks, and knows nothing of loops: it is for an executor.
 *
 * @param name        Borrowed. A FIFO is waited for, as long as it takes.
 * @param stop_fd     Once this descriptor can be read, reading ends.
 * @param[out] digest The digest. Written on success only.
 * @return 0, -EINTR if it was stopped, AIO_ENOMEM, or the system's code.
 */
int digest_file(const char *name, int stop_fd, unsigned char digest[DIGEST_SIZE]);

#endif
