/* SPDX-License-Identifier: MIT */
/*
 * busy_poll.c - finding out whether looking is better than sleeping
 *
 * What is measured is how long waits take, from nothing to do to something to do. Where what comes
 * comes by itself, as requests of many strangers do, waits are as long whether one sleeps or looks;
 * where they are answers to what was asked just before, the time to wake is all saved. A third must
 * be, or it is not worth the processor's time. In that case looking ends now and then for a round,
 * since what was measured may no longer be so; else it is tried again after a rest, which is twice
 * as long each time.
 */
#include "loop/busy_poll.h"

/* Nanoseconds. What takes half of LOOK_NS has been seen to take 200 us with sleeping, on a virtual
 * machine; it has to count as soon there too. */
enum { SOON_NS = 400000, LOOK_NS = 100000, WORTH_NS = 5000 };

enum { ROUND = 32, SHORTEST_REST = 4 * ROUND, LONGEST_REST = 1024 * ROUND, MOST_ROUNDS = 256 };

static void begin_round(struct aio__busy_poll *poll, enum aio__busy_poll_mode mode)
{
    poll->mode = mode;
    poll->left = ROUND;
    poll->sum_ns = 0;
}

void aio__busy_poll_always(struct aio__busy_poll *poll, uint64_t look_ns)
{
    poll->mode = AIO__BUSY_POLL_ALWAYS;
    poll->look_ns = look_ns;
    poll->soon_ns = look_ns;
    poll->comes_soon = true; /* until a wait shows that it does not */
}

void aio__busy_poll_learn(struct aio__busy_poll *poll)
{
    poll->rest = SHORTEST_REST;
    poll->look_ns = LOOK_NS;
    poll->soon_ns = SOON_NS;
    begin_round(poll, AIO__BUSY_POLL_SLEEPS);
}

void aio__busy_poll_try(struct aio__busy_poll *poll)
{
    poll->comes_soon = false;
    begin_round(poll, AIO__BUSY_POLL_SLEEPS);
}

static void begin_rest(struct aio__busy_poll *poll)
{
    poll->mode = AIO__BUSY_POLL_RESTS;
    poll->left = poll->rest;
    if (poll->rest < LONGEST_REST)
        poll->rest *= 2;
}

static void end_round(struct aio__busy_poll *poll)
{
    if (poll->mode == AIO__BUSY_POLL_SLEEPS) {
        poll->slept_ns = poll->sum_ns;
        poll->rounds = 0;
        if (poll->slept_ns < (uint64_t)ROUND * WORTH_NS)
            begin_rest(poll);
        else
            begin_round(poll, AIO__BUSY_POLL_LOOKS);
    } else if (poll->sum_ns > poll->slept_ns / 3 * 2) {
        begin_rest(poll);
    } else {
        poll->rest = SHORTEST_REST;
        begin_round(poll,
                    ++poll->rounds < MOST_ROUNDS ? AIO__BUSY_POLL_LOOKS : AIO__BUSY_POLL_SLEEPS);
    }
}

/* Only waits after short ones count, whichever way: those that looking may make shorter. */
void aio__busy_poll_waited(struct aio__busy_poll *poll, uint64_t wait_ns)
{
    bool counts = poll->comes_soon;

    poll->comes_soon = wait_ns <= poll->soon_ns;
    if (!counts || poll->mode == AIO__BUSY_POLL_ALWAYS || poll->mode == AIO__BUSY_POLL_RESTS)
        return;
    poll->sum_ns += wait_ns < poll->soon_ns ? wait_ns : poll->soon_ns;
    if (--poll->left == 0)
        end_round(poll);
}
