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


def ratio(ours, theirs):
    """Of rounds that both took part in; infinite beside nothing."""
    return statistics.median(a / b if b > 0 else float('inf') for a, b in zip(ours, theirs))


# ---- targets ---------------------------------------------------------------------------

class Verdict:
    """One figure beside one target."""

    def __init__(self, label, value, most, against):
        self.label = label
        self.value = value
        self.met = value <= most
        self.target = f'≤ {most:g}{" of " + against if against else ""}'

    def __str__(self):
        return f'{"met" if self.met else "**missed**"}: {number(self.value)}, {self.target}'


def read_targets():
    """{line or whole label: [(contender or '', most)]} of targets.tsv."""
    targets = collections.defaultdict(list)
    for row in (BENCH / 'targets.tsv').read_text().splitlines()[1:]:
        line, against, most = row.split('\t')
        targets[line].append((against, float(most)))
    return targets


def verdicts(label, by_contender, targets):
    line = label.split()[0]
    asked = targets.get(line, []) + (targets.get(label, []) if label != line else [])
    ours = by_contender.get(OURS)
    if not ours:
        return
    for against, most in asked:
        if against == '':
            yield Verdict(label, statistics.median(ours), most, against)
        elif by_contender.get(against):
            yield Verdict(label, ratio(ours, by_contender[against]), most, against)
