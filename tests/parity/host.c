/* SPDX-License-Identifier: MIT */
/*
 * host.c - a host program: it has a uv_loop_t, of which the player's loop is the guest
 */
#include "host.h"
#include "text.h"

#include <uv.h>

uv_loop_t *host_open(void)
{
    static uv_loop_t host;

    return uv_loop_init(&host) < 0 ? NULL : &host;
}

void host_run(uv_loop_t *host)
{
    (void)uv_run(host, UV_RUN_DEFAULT);
}

void host_stop(uv_loop_t *host)
{
    uv_stop(host);
}

void host_close(uv_loop_t *host)
{
    if (host == NULL)
        return;
    (void)uv_run(host, UV_RUN_DEFAULT);
    if (uv_loop_close(host) < 0)
        die("the guest has left handles in its host's loop");
}
