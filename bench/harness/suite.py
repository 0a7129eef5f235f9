# SPDX-License-Identifier: MIT
"""What a group of measurements has in common, and how they take turns."""
import contextlib
import dataclasses
import typing

from .tools import say


@dataclasses.dataclass
class Settings:
    """How long, how often, how much."""

    quick: bool
    rounds: int
    milliseconds: int  # of a measurement of the micro lines
    seconds: float  # that a server has load
    sizes: list  # of the crowds of tasks
    connections: int  # that are held without use

    def but(self, **changes):
        return dataclasses.replace(self, **changes)


@dataclasses.dataclass
class Row:
    """The contenders of one line, which take turns: {name: call}. A call returns
    [(table, label, value)]. From the round `rounds` on it is left out."""

    label: str
    calls: dict
    rounds: typing.Optional[int] = None


class Suite:
    """Measurements that are made together."""

    name = ''
    tables = {}  # table: (its title, what its figures are)

    def __init__(self, programs, settings):
        self.programs = programs
        self.settings = settings
        self.troubles = set()  # in words
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
    rows = list(suite.rows())
    if not rows:
        say(f'{suite.name}: left out, for something that it needs is not here')
        return
    with suite.ready():
        for number in range(1, suite.rounds + 1):
            for row in rows:
                if row.rounds is not None and number > row.rounds:
                    continue
                say(f'{suite.name}: round {number} of {suite.rounds}, {row.label}')
                for contender, call in row.calls.items():
                    for table, label, value in call():
                        figures.add(table, label, contender, value)
