# SPDX-License-Identifier: MIT
"""What was measured, and what is asked of it.

A figure is kept under its table, its label ("echo_stream 1024 x 10"; the first word is the line)
and its contender, one for each round. A ratio is the median over the rounds of aioc's figure
divided by the other's in the same round.
"""
import collections
import statistics

from .tools import BENCH

OURS = 'aioc'


class Figures:
    def __init__(self):
        self.tables = {}  # table: {label: {contender: [figure of each round]}}

    def add(self, table, label, contender, value):
        labels = self.tables.setdefault(table, {})
        labels.setdefault(label, collections.defaultdict(list))[contender].append(value)

    def table(self, name):
        return self.tables.get(name, {})


def number(value):
    return f'{value:,.0f}' if value >= 1000 else f'{value:.3g}'


def spread(values):
    """Half of what lies between the quartiles, in per cent of the median."""
    if len(values) < 3:
        return ''
    low, middle, high = statistics.quantiles(values, n=4)
    return f' ±{50 * (high - low) / middle:.0f}%' if middle > 0 else ''


def ratios(ours, theirs):
    """Of rounds that both took part in; infinite beside nothing."""
    return [a / b if b > 0 else float('inf') for a, b in zip(ours, theirs)]


def ratio(ours, theirs):
    return statistics.median(ratios(ours, theirs))


# ---- targets ---------------------------------------------------------------------------

# The least that a server can do: what these do not reach beside another, the machine does not give.
FLOORS = ['epoll', 'epoll, no parser', 'libuv']


class Verdict:
    """Figures, one a round, beside one target."""

    def __init__(self, label, values, most, against):
        self.label = label
        self.value = statistics.median(values)
        self.rounds = len(values)
        self.against = against
        self.met = self.value <= most
        self.target = f'≤ {most:g}{" of " + against if against else ""}'
        self.is_settled = self.rounds < 2 or not (
            min(middle(values)) <= most < max(middle(values)))
        self.floor = None  # (contender, its ratio) if that misses the target too

    def __str__(self):
        return f'{"met" if self.met else "**missed**"}: {number(self.value)}, {self.target}'


def middle(values):
    """The figures without the outer ones, a quarter at each end."""
    outer = len(values) // 4
    return sorted(values)[outer:len(values) - outer]


def read_targets():
    """{line or whole label: [(contender or '', most)]} of targets.tsv."""
    targets = collections.defaultdict(list)
    for row in (BENCH / 'targets.tsv').read_text().splitlines()[1:]:
        line, against, most = row.split('\t')
        targets[line].append((against, float(most)))
    return targets


def verdicts(table, label, by_contender, targets):
    """Of one row; targets are about costs: rates and latencies depend on both sides."""
    if table.endswith(('_rate', '_p99')):
        return
    line = label.split()[0]
    asked = targets.get(line, []) + (targets.get(label, []) if label != line else [])
    ours = by_contender.get(OURS)
    if not ours:
        return
    for against, most in asked:
        if against == '':
            yield Verdict(label, ours, most, against)
        elif theirs := by_contender.get(against):
            verdict = Verdict(label, ratios(ours, theirs), most, against)
            least = [(ratio(floor, theirs), name) for name in FLOORS if name != against
                     if (floor := by_contender.get(name))]
            if least and not verdict.met and min(least)[0] > most:
                verdict.floor = min(least)
            yield verdict
