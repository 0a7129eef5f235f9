/* SPDX-License-Identifier: MIT */
/*
 * gate.h - a way to a real server that can be cut in the middle of an answer, or stall there
 */
#ifndef TESTS_GATE_H
#define TESTS_GATE_H

#include <aio/aio.h>

enum gate_mode {
    GATE_OPEN,  /* all passes */
    GATE_CUT,   /* both sides are reset */
    GATE_STALL, /* nothing more passes, and nobody is told */
};

struct gate {
    const char *host; /* of the server, borrowed */
    int target;       /* its port */
    int port;         /* of the gate, on 127.0.0.1 */
    aio_server *server;
    enum gate_mode mode;  /* what happens to a connection ... */
    size_t after;         /* ... once so many bytes of the server's have passed since gate_set() */
    size_t passed;        /* of all connections */
    unsigned connections; /* so far */
};

/* Open a gate to a server: 0, or a code. By a task. */
int gate_open(struct gate *gate, const char *host, int port);
/* From now on. */
void gate_set(struct gate *gate, enum gate_mode mode, size_t after);
/* Close it and all connections through it, and wait for that. */
int gate_close(struct gate *gate);

#endif
