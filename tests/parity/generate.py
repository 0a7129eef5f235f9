#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make random programs of the parity language (language.md), all of levels 1 to 4.

usage: generate.py SEED COUNT > corpus

The cases have no traces: what CPython makes of them is not known here. They are for what has to
hold of every program: the player does not crash, leaks nothing, and gives the same trace whatever
the fibers switch by, in debug mode, and in a host's loop.
"""
import random
import sys

KINDS = ['ValueError', 'KeyError', 'TypeError', 'RuntimeError', 'TimeoutError', 'CancelledError']
CAUGHT = ['BaseException', 'Exception', 'CancelledError', 'ValueError', 'RuntimeError',
          'TimeoutError', 'GeneratorExit']
COROS = ['w1', 'w2', 'w3', 'w4', 'h1', 'h2']  # each starts only those behind it
FUTURES = ['f1', 'f2', 'f3']
TASKS = ['t1', 't2', 't3', 't4', 't5']
LOCKS = ['l1', 's1', 'b1']
QUEUES = ['q1', 'q2', 'q3']


class Maker:
    def __init__(self, rng):
        self.rng = rng
        self.lines = []
        self.time = 0

    def add(self, depth, line):
        self.lines.append('  ' * depth + line)

    def pick(self, *choices):
        return self.rng.choice(choices)

    def delay(self):
        """Zero, or one that no other timer of the program has."""
        if self.rng.random() < 0.4:
            return 0
        self.time += 1
        return self.rng.randrange(1, 400) * 100 + self.time % 100

    def later(self):
        return self.delay() or 37

    def limit(self):
        return self.pick('none', '0', str(self.later()), str(self.later()))

    def kind(self):
        return self.rng.choice(KINDS[:5] if self.rng.random() < 0.8 else KINDS)

    def message(self):
        return self.pick('', ' m1')

    def futurelike(self):
        return self.rng.choice(FUTURES + TASKS + ['g1', 'g2', 'sh'])

    def task(self):
        return self.rng.choice(TASKS + ['self', 'main'])

    def behind(self, index):
        """A coroutine that may be started from the one at an index, or None."""
        rest = COROS[index + 1:]
        return self.rng.choice(rest) if rest else None

    def awaitable(self, index):
        body = self.behind(index)
        return '@' + body if body and self.rng.random() < 0.4 else self.futurelike()

    # --- statements ---

    def sync_op(self, index):
        rng = self.rng
        ops = [
            lambda: f'log m{rng.randrange(9)}',
            lambda: f'add v {rng.randrange(-2, 3)}',
            lambda: 'var v',
            lambda: f'cancel {self.futurelike()}{self.message()}',
            lambda: f'cancel {self.task()}{self.message()}',
            lambda: f'{self.pick("uncancel", "cancelling", "get_name")} {self.task()}',
            lambda: f'{self.pick("done", "cancelled", "result", "exception")} {self.futurelike()}',
            lambda: self.pick('current_task', 'all_tasks'),
            lambda: f'new_future {rng.choice(FUTURES)}',
            lambda: f'set_result {rng.choice(FUTURES)} {rng.randrange(9)}',
            lambda: f'set_exception {rng.choice(FUTURES)} {rng.choice(KINDS[:5])}{self.message()}',
            lambda: f'add_done_callback {self.futurelike()} {self.pick("k1", "k2")}',
            lambda: f'remove_done_callback {self.futurelike()} {self.pick("k1", "k2")}',
            lambda: f'call_soon h1 {self.pick("k1", "k2")}',
            lambda: f'call_later h2 {self.later()} {self.pick("k1", "k2")}',
            lambda: f'{self.pick("handle_cancel", "handle_cancelled")} {self.pick("h1", "h2")}',
            lambda: 'handle_when h2',
            lambda: f'release {rng.choice(LOCKS)}',
            lambda: f'locked {rng.choice(LOCKS)}',
            lambda: self.pick('event_set e1', 'event_clear e1', 'event_is_set e1'),
            lambda: self.pick('notify c1 1', 'notify c1 2', 'notify_all c1', 'barrier_info ba'),
            lambda: f'put_nowait {rng.choice(QUEUES)} {rng.randrange(9)}',
            lambda: f'{self.pick("get_nowait", "task_done", "queue_info")} {rng.choice(QUEUES)}',
            lambda: f'shutdown {rng.choice(QUEUES)}{self.pick("", " immediate")}',
            lambda: f'cvar_set x1 {rng.randrange(9)} k{rng.randrange(3)}x',
            lambda: 'cvar_get x1',
            lambda: f'cvar_reset x1 k{rng.randrange(3)}x',
            lambda: 'copy_context cx',
            lambda: f'call_soon_ctx h1 {self.pick("k1", "k2")} cx',
        ]
        body = self.behind(index)
        if body is not None:
            tasks = [
                lambda: f'create_task {rng.choice(TASKS)} {body}',
                lambda: f'create_task_eager {rng.choice(TASKS)} {body}',
                lambda: f'create_task_ctx {rng.choice(TASKS)} {body} cx',
                lambda: f'tg_create_task tg {rng.choice(TASKS)} {body}',
                lambda: f'tg_create_task_eager tg {rng.choice(TASKS)} {body}',
                lambda: f'shield sh {self.awaitable(index)}',
                lambda: f'gather g1 {self.awaitable(index)} {self.awaitable(index)}',
                lambda: f'gather_return_exceptions g2 {self.awaitable(index)} {self.futurelike()}',
                lambda: f'agen_new {self.pick("a1", "a2")} gen',
                lambda: f'{self.pick("expired", "when")} tm',
                lambda: f'reschedule tm {self.pick("none", "0", "+" + str(self.later()))}',
            ]
            ops += tasks * 2
        return rng.choice(ops)()

    def async_op(self, index):
        rng = self.rng
        ops = [
            lambda: f'sleep {self.delay()}',
            lambda: f'sleep {self.delay()}',
            lambda: f'await {self.futurelike()}',
            lambda: f'wait_for {self.limit()} {self.awaitable(index)}',
            lambda: f'wait {self.pick("ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION")} '
                    f'{self.limit()} {self.futurelike()} {self.futurelike()}',
            lambda: f'acquire {rng.choice(LOCKS)}',
            lambda: 'event_wait e1',
            lambda: 'cond_wait c1',
            lambda: f'cond_wait_for c1 v {self.pick(">", "<", "==")} {rng.randrange(3)}',
            lambda: self.pick('barrier_wait ba', 'barrier_wait ba', 'barrier_reset ba',
                              'barrier_abort ba'),
            lambda: f'put {rng.choice(QUEUES)} {rng.randrange(9)}',
            lambda: f'get {rng.choice(QUEUES)}',
            lambda: f'join {rng.choice(QUEUES)}',
            lambda: f'anext {self.pick("a1", "a2")}',
            lambda: f'aclose {self.pick("a1", "a2")}',
            lambda: f'athrow {self.pick("a1", "a2")} {self.kind()}{self.message()}',
        ]
        body = self.behind(index)
        if body is not None:
            ops += [lambda: f'call {body}'] * 3
        return rng.choice(ops)()

    def attempt(self, index, depth, size, loops):
        self.add(depth, 'try')
        self.block(index, depth + 1, size, loops)
        for kind in self.rng.sample(CAUGHT, self.rng.randrange(0, 3)):
            self.add(depth, f'except {kind}')
            self.block(index, depth + 1, size // 2, loops)
            if self.rng.random() < 0.3:
                self.add(depth + 1, 'reraise')
        if self.rng.random() < 0.4 or not self.lines[-1].strip():
            self.add(depth, 'finally')
            self.block(index, depth + 1, size // 2, False, final=True)
        else:
            self.add(depth, 'except CancelledError')
            self.block(index, depth + 1, 1, loops)
        self.add(depth, 'endtry')

    def compound(self, index, depth, size, loops):
        rng = self.rng
        which = rng.choice(['try', 'try', 'try', 'if', 'repeat', 'timeout', 'timeout_at', 'taskgroup',
                            'with', 'with_cm', 'async_for', 'for_as_completed',
                            'async_as_completed'])
        inside = depth + 1
        if which == 'try':
            self.attempt(index, depth, size, loops)
            return
        begin = {
            'if': f'if v {self.pick("==", "<", ">=", "!=")} {rng.randrange(3)}',
            'repeat': f'repeat {rng.randrange(1, 4)}',
            'timeout': f'timeout tm {self.limit()}',
            'timeout_at': f'timeout_at tm {self.later()}',
            'taskgroup': 'taskgroup tg',
            # Taken otherwise it might never be released, and who waits for a condition takes
            # no cancellation before it has the lock back.
            'with': f'with {rng.choice(LOCKS + ["c1"])}',
            'with_cm': 'with_cm man',
            'async_for': f'async_for {self.pick("a1", "a2")}',
            'for_as_completed': f'for_as_completed as {self.limit()} {self.awaitable(index)} '
                                f'{self.futurelike()}',
            'async_as_completed': f'async_as_completed as {self.limit()} {self.futurelike()} '
                                  f'{self.futurelike()}',
        }[which]
        end = {'if': 'endif', 'repeat': 'endrepeat', 'timeout': 'endtimeout',
               'timeout_at': 'endtimeout', 'taskgroup': 'endtaskgroup', 'with': 'endwith',
               'with_cm': 'endwith'}.get(which, 'endfor')
        self.add(depth, begin)
        if which == 'for_as_completed':
            self.add(inside, 'next as')
        self.block(index, inside, size, loops or end in ('endrepeat', 'endfor'))
        self.add(depth, end)

    def block(self, index, depth, size, loops, final=False):
        for _ in range(self.rng.randrange(1, size + 2)):
            chance = self.rng.random()
            if chance < 0.4:
                self.add(depth, self.sync_op(index))
            elif chance < 0.75:
                self.add(depth, self.async_op(index))
            elif chance < 0.95 and size > 1 and depth < 5:
                self.compound(index, depth, size // 2, loops and not final)
            elif chance < 0.97:
                self.add(depth, f'raise {self.kind()}{self.message()}')
            elif not final and loops and chance < 0.985:
                self.add(depth, 'break')
            elif not final:
                self.add(depth, f'return {self.rng.randrange(9)}')

    # --- bodies ---

    def callback(self, name):
        self.add(0, f'callback {name}')
        for _ in range(self.rng.randrange(0, 3)):
            op = self.sync_op(len(COROS))
            # A callback that queues itself would never end.
            self.add(1, op if not op.startswith(('call_', 'add_done')) else 'log again')
        if self.rng.random() < 0.15:
            self.add(1, f'raise {self.rng.choice(KINDS[:5])}')
        self.add(0, 'end')

    def generator(self):
        self.add(0, 'agen gen')
        for i in range(self.rng.randrange(1, 4)):
            if self.rng.random() < 0.4:
                self.add(1, f'sleep {self.delay()}')
            if self.rng.random() < 0.3:
                self.add(1, 'try')
                self.add(2, f'yield {i}')
                self.add(1, self.pick('finally', 'except ValueError', 'except CancelledError'))
                self.add(2, self.pick('log g', 'sleep 0', f'sleep {self.later()}'))
                self.add(1, 'endtry')
            else:
                self.add(1, f'yield {i}')
        if self.rng.random() < 0.2:
            self.add(1, f'raise {self.kind()}')
        self.add(0, 'end')

    def manager(self):
        self.add(0, 'cm man')
        self.add(0, 'enter')
        self.add(1, self.pick('log in', 'sleep 0', f'sleep {self.later()}', 'raise KeyError'))
        self.add(0, 'exit')
        self.add(1, self.pick('log out', 'sleep 0', f'sleep {self.later()}', 'suppress',
                              'raise TypeError', 'return'))
        self.add(0, 'end')

    def program(self):
        for line in ['var v 0', 'future f1', 'future f2', 'future f3', 'lock l1', 'event e1',
                     'cond c1', f'sem s1 {self.rng.randrange(3)}', 'bsem b1 1', 'barrier ba 2',
                     f'queue q1 {self.rng.randrange(3)}', 'lifo_queue q2 1', 'priority_queue q3 2',
                     'cvar x1 0']:
            self.add(0, line)
        self.add(0, 'coro main')
        for task, body in zip(TASKS, self.rng.sample(COROS[:4], self.rng.randrange(1, 4))):
            self.add(1, f'{self.pick("create_task", "create_task", "create_task_eager")} '
                        f'{task} {body}')
        self.add(1, 'copy_context cx')
        self.add(1, 'agen_new a1 gen')
        self.block(-1, 1, 6, False)
        self.add(0, 'end')
        for index, name in enumerate(COROS):
            self.add(0, f'coro {name}')
            self.block(index, 1, 5 if index < 4 else 2, False)
            self.add(0, 'end')
        self.callback('k1')
        self.callback('k2')
        self.generator()
        self.manager()
        return self.lines


def main():
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    for number in range(count):
        lines = Maker(random.Random(seed * 1000003 + number)).program()
        print(f'=== case s{seed}-{number} 4 random')
        print(*lines, sep='\n')
        print('--- trace')


if __name__ == '__main__':
    main()
