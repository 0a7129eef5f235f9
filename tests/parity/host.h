/* SPDX-License-Identifier: MIT */
/*
 * host.h - a host program: it has a uv_loop_t, of which the player's loop is the guest
 *
 * For player.c, which has names of its own for what <uv.h> brings along.
 */
#ifndef PARITY_HOST_H
#define PARITY_HOST_H

struct uv_loop_s;

/* There is one at a time. NULL: it cannot be made. */
struct uv_loop_s *host_open(void);
/* Run it, and its guest with it, until host_stop() or until nothing is left to wait for. */
void host_run(struct uv_loop_s *host);
/* Let the iteration end, and host_run() with it. */
void host_stop(struct uv_loop_s *host);
/* Its guest is gone: let it come to its end, and die if it does not. NULL is allowed. */
void host_close(struct uv_loop_s *host);

#endif
