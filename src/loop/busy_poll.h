/* SPDX-License-Identifier: MIT */
/*
 * busy_poll.h - asking the kernel again and again, before sleeping
 *
 * For src/loop. Who has asked something of another thread or process has the answer some
 * microseconds later, and a thread that sleeps meanwhile takes as long, or many times as long on a
 * virtual machine, to be woken. Whether it is worth looking that long is guessed from the wait
 * before: what came soon comes soon again, and a loop that has nothing to do sleeps as others do.
 *
 * For how long is the user's to say. Where nobody has said, it is found out: some waits are slept
 * through, as many are looked through, and it goes on as that which took less.
 */
#ifndef AIO__BUSY_POLL_H
#define AIO__BUSY_POLL_H

#include <stdbool.h>
#include <stdint.h>

enum aio__busy_poll_mode {
    AIO__BUSY_POLL_NEVER,
    AIO__BUSY_POLL_ALWAYS, /* as the user says */
    AIO__BUSY_POLL_RESTS,  /* it sleeps, and looks at no clock */
    AIO__BUSY_POLL_SLEEPS, /* it sleeps, and measures for how long */
    AIO__BUSY_POLL_LOOKS,  /* it looks, and measures for how long */
};

struct aio__busy_poll {
    enum aio__busy_poll_mode mode;
    bool waits;       /* since idle_since_ns */
    bool comes_soon;  /* the wait before was no longer than soon_ns */
    unsigned left;    /* turns of the rest, or waits of the round that is measured */
    unsigned rest;    /* turns: how long the next one is */
    unsigned rounds;  /* that it has looked through, one after the other */
    uint64_t look_ns; /* at most, before it sleeps */
    uint64_t soon_ns;
    uint64_t idle_since_ns; /* when there was nothing more to do */
    uint64_t sum_ns;        /* waits of this round */
    uint64_t slept_ns;      /* waits of the last round that it slept through */
};

/* Neither: never. */
void aio__busy_poll_always(struct aio__busy_poll *poll, uint64_t look_ns);
void aio__busy_poll_learn(struct aio__busy_poll *poll);

/* A wait is over; the clock was looked at. */
void aio__busy_poll_waited(struct aio__busy_poll *poll, uint64_t wait_ns);

/* A rest is over. */
void aio__busy_poll_try(struct aio__busy_poll *poll);

/* A turn begins that has something to do. */
static inline void aio__busy_poll_found(struct aio__busy_poll *poll, uint64_t now_ns)
{
    if (poll->mode == AIO__BUSY_POLL_RESTS && --poll->left == 0)
        aio__busy_poll_try(poll);
    if (!poll->waits)
        return;
    poll->waits = false;
    aio__busy_poll_waited(poll, now_ns - poll->idle_since_ns);
}

/* Whether it looks at all, as things are. */
static inline bool aio__busy_poll_looks(const struct aio__busy_poll *poll)
{
    return poll->mode == AIO__BUSY_POLL_ALWAYS || poll->mode == AIO__BUSY_POLL_LOOKS;
}

/* Whether aio__busy_poll_goes_on() has to be asked. */
static inline bool aio__busy_poll_cares(const struct aio__busy_poll *poll)
{
    return poll->mode != AIO__BUSY_POLL_NEVER && poll->mode != AIO__BUSY_POLL_RESTS;
}

/* After a turn that leaves nothing to do: whether the next poll must not wait either. */
static inline bool aio__busy_poll_goes_on(struct aio__busy_poll *poll, uint64_t now_ns)
{
    if (!poll->waits) {
        poll->waits = true;
        poll->idle_since_ns = now_ns;
    }
    return poll->comes_soon && aio__busy_poll_looks(poll) &&
           now_ns - poll->idle_since_ns < poll->look_ns;
}

#endif
