# SPDX-License-Identifier: MIT
"""What a group of measurements has in common, and how they take turns."""
import contextlib
import dataclasses
import time
import typing

from .figures import OURS, read_targets, verdicts
from .tools import say

MOST_ROUNDS = 15  # of a line; where so many do not tell, more will not


@dataclasses.dataclass
class Settings:
    """How long, how often, how much."""

    quick: bool
    rounds: int
    milliseconds: int  # of a measurement of the micro lines
    seconds: float  # that a server has load
    minutes: float  # that all may take, if some lines are worth it
    sizes: list  # of the crowds of tasks
    connections: int  # that are held without use

    def but(self, **changes):
        return dataclasses.replace(self, **changes)


@dataclasses.dataclass
class Row:
    """The contenders of one line, which take turns: {name: call}. A call returns
    [(table, label, value)]. From the round `rounds` on it is left out. Rows of one group have
    labels in common: another round of one is another of all."""

    label: str
    calls: dict
    rounds: typing.Optional[int] = None
    group: typing.Optional[tuple] = None
    found: set = dataclasses.field(default_factory=set)  # (table, label) that it gave

    def measure(self, figures, contenders=None):
        for contender, call in self.calls.items():
            if contenders is None or contender in contenders:
                for table, label, value in call():
                    figures.add(table, label, contender, value)
                    self.found.add((table, label))


class Suite:
    """Measurements that are made together."""

    name = ''
    tables = {}  # table: (its title, what its figures are)

    def __init__(self, programs, settings):
        self.programs = programs
        self.settings = settings
        self.troubles = set()  # in words
        self.measured = []  # the rows
        self.shares = []  # of a processor that was ours, each time that it was to be

    def rows(self):
        """A Row for each line."""
        raise NotImplementedError

    @contextlib.contextmanager
    def ready(self):
        """Around all rounds: services that they need."""
        yield

    @property
    def rounds(self):
        return self.settings.rounds


def run(suite, figures):
    """All contenders of a line, then the next line, then the next round: what else the machine
    does hits all alike."""
    suite.measured = list(suite.rows())
    if not suite.measured:
        say(f'{suite.name}: left out, for something that it needs is not here')
        return
    begun = time.monotonic()
    with suite.ready():
        for number in range(1, suite.rounds + 1):
            for row in suite.measured:
                if row.rounds is not None and number > row.rounds:
                    continue
                say(f'{suite.name}: round {number} of {suite.rounds}, {row.label}')
                row.measure(figures)
    say(f'{suite.name}: {time.monotonic() - begun:.0f} s')


# ---- more rounds, where the first ones do not tell -------------------------------------

def open_questions(suite, figures, targets):
    """{group: contenders} of the lines whose rounds are on both sides of a target: which way the
    median falls is chance there."""
    groups = {}
    for row in suite.measured:
        for table, label in row.found:
            by_contender = figures.table(table)[label]
            asked = [verdict.against or OURS
                     for verdict in verdicts(table, label, by_contender, targets)
                     if not verdict.is_settled and verdict.rounds < MOST_ROUNDS]
            if asked:
                groups.setdefault(row.group or row.label, set()).update([OURS, *asked])
    return groups


def settle(suites, figures, until):
    """Measure the open questions again and again, until the time is out or all are settled."""
    targets = read_targets()
    number = 0
    while time.monotonic() < until:
        number += 1
        again = {suite: open_questions(suite, figures, targets)
                 for suite in suites if suite.rounds > 1}
        if not any(again.values()):
            return
        for suite, groups in again.items():
            if groups:
                ask_again(suite, figures, groups, until, number)


def ask_again(suite, figures, groups, until, number):
    with suite.ready():
        for row in suite.measured:
            contenders = groups.get(row.group or row.label)
            if contenders and row.rounds is None and time.monotonic() < until:
                say(f'{suite.name}: extra round {number}, {row.label}')
                row.measure(figures, contenders)
