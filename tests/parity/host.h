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
/* Its guest is gone: let it come to its end, and die if it does not. NULL is allowed. */
void host_close(struct uv_loop_s *host);

#endif
