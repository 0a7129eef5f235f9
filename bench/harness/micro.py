# SPDX-License-Identifier: MIT
"""The pieces, one by one: build/bench/micro and build/bench/scale, and what compares with them."""
import contextlib
from functools import partial

from .suite import Row, Suite
from .tools import output, rows

# Where waiting for another thread is what is measured. Everywhere else a figure is processor
# time, which neighbours disturb least.
WALL = {'executor', 'threadsafe', 'threadpool', 'threadpool_50', 'processpool',
        'processpool_50'}
# A measurement of these takes Python many seconds, whatever length is asked for: one is enough.
LONG = {'timers_100k', 'timers_1m', 'cancel_100k'}
SLOW = ['asyncio', 'uvloop']
WARM_UPS = 3
SCALE_LINES = ['created_per_task', 'rss_per_task', 'pte_per_task', 'spawn_ns', 'wake_ns']


def contenders(programs, script):
    """{name: command} of a program that aioc, Python and Go have."""
    found = {'aioc': programs.built(script), 'asyncio': programs.python(f'{script}.py')}
    if programs.has('uvloop'):
        found['uvloop'] = programs.python(f'{script}.py', '--uvloop')
    if go := programs.go(script):
        found['Go'] = go
    return found


def in_turns(label, calls, is_long):
    """The row, or two: what takes Python long it does in the first round alone."""
    slow = {name: call for name, call in calls.items() if is_long and name in SLOW}
    yield Row(label, {name: call for name, call in calls.items() if name not in slow})
    if slow:
        yield Row(label, slow, rounds=1)


class Micro(Suite):
    name = 'micro'
    tables = {'micro': ('Pieces', 'Nanoseconds for one operation: processor time, but of executors'
                        ' and threads the time that passes.')}

    def __init__(self, programs, settings, lines=None):
        super().__init__(programs, settings)
        self.lines = lines or self.known(programs)

    @staticmethod
    def known(programs):
        return output(*programs.built('micro'), '--list').split()

    def measure(self, command, line):
        for name, numbers in rows([*command, line], LAB_MS=str(self.settings.milliseconds),
                                  GOMAXPROCS='1'):
            wall, cpu = numbers[0], numbers[-1]
            if line not in WALL and wall > 0:
                self.shares.append(cpu / wall)
            yield 'micro', name, wall if line in WALL else cpu

    def rows(self):
        found = contenders(self.programs, 'micro')
        found['libuv'] = self.programs.built('baseline_uv')
        found['swapcontext'] = self.programs.built('baseline_swapcontext')
        has = {name: lines(command) for name, command in found.items()}
        for line in self.lines:
            calls = {name: partial(self.measure, command, line)
                     for name, command in found.items() if has[name] is None or line in has[name]}
            yield from in_turns(line, calls, line in LONG)


def lines(command):
    """Those that a program says it has; None if it does not say."""
    return output(*command, '--list').split() or None


class Scale(Suite):
    name = 'scale'
    tables = {'scale': ('Crowds', 'N tasks asleep at once: bytes and nanoseconds for one task.')}

    def measure(self, name, command, size):
        for line, (value, *_) in rows([*command, size], GOMAXPROCS='1'):
            if line in SCALE_LINES:
                yield 'scale', f'{line} {size}', value
            else:
                self.troubles.add(f'{name}, {size:,} tasks: {line} {value:g}')

    @contextlib.contextmanager
    def ready(self):
        """A virtual machine's host finds each page at its first use, which is dearer than all else:
        it has to have found them before the first contender asks for as many."""
        if command := self.programs.built('scale'):
            for _ in range(WARM_UPS):
                list(rows([*command, max(self.settings.sizes)]))
        yield

    def rows(self):
        found = contenders(self.programs, 'scale')
        for size in self.settings.sizes:
            calls = {name: partial(self.measure, name, command, size)
                     for name, command in found.items()}
            yield from in_turns(f'{size} tasks', calls, size >= 1000000)
