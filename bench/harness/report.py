# SPDX-License-Identifier: MIT
"""The report, as Markdown."""
import datetime
import os
import pathlib
import platform
import re
import statistics

from .figures import FLOORS, OURS, number, ratio, read_targets, spread, verdicts

FLAT = 1.5  # how much more a thing may cost among many than among few

# (table, line, how its labels go on from few to many)
SERIES = [
    ('scale', 'rss_per_task', ['1000', '10000', '100000', '1000000']),
    ('scale', 'spawn_ns', ['1000', '10000', '100000', '1000000']),
    ('scale', 'wake_ns', ['1000', '10000', '100000', '1000000']),
    ('micro', 'timers', ['1k', '10k', '100k', '1m']),
    ('echo_cpu', 'echo_stream', ['1024 x 10', '1024 x 100', '1024 x 1000', '1024 x 10000']),
    ('echo_cpu', 'echo_protocol', ['1024 x 10', '1024 x 100', '1024 x 1000', '1024 x 10000']),
]


def processor():
    for row in pathlib.Path('/proc/cpuinfo').read_text().splitlines():
        if row.startswith('model name'):
            return row.split(':', 1)[1].strip()
    return platform.processor() or platform.machine()


def compiler(build):
    """What meson says that the library was built with."""
    path = build / 'meson-logs' / 'meson-log.txt'
    found = re.search(r'C compiler for the host machine: .*?\((.*?)\)\n',
                      path.read_text() if path.exists() else '')
    return found.group(1) if found else 'an unknown compiler'


def load():
    return os.getloadavg()[0]


def head(programs, settings, share, loads, minutes):
    now = datetime.datetime.now(datetime.timezone.utc)
    yield f'- {now:%Y-%m-%d %H:%M} UTC, {processor()}, {os.cpu_count()} processors, ' \
          f'{platform.system()} {platform.release()}'
    yield f'- built with {compiler(programs.build)}'
    yield '- ' + '; '.join(f'{name} {version}' if not version.startswith(name) else version
                           for name, version in programs.versions())
    yield f'- {settings.rounds} rounds, and more of the lines that these left open, in ' \
          f'{minutes:.0f} minutes; load average {loads[0]:.1f} before and {loads[1]:.1f} after'
    if share is not None:
        yield f'- {100 * share:.0f} % of a processor was ours while it was to be'
        if share < 0.9:
            yield '- **The machine was busy**: take nothing but ratios from this.'


def table(name, labels, targets):
    """One column a contender, ours first; one for targets, if there are any."""
    found = {label: list(verdicts(name, label, by_contender, targets))
             for label, by_contender in labels.items()}
    targets = any(found.values())
    names = list(dict.fromkeys(name for by_contender in labels.values() for name in by_contender))
    others = [name for name in names if name != OURS]
    yield f'| | {" | ".join([OURS, *others])} |' + (' target |' if targets else '')
    yield '| --- ' * (len(others) + (3 if targets else 2)) + '|'
    for label, by_contender in labels.items():
        ours = by_contender.get(OURS)
        cells = [f'`{label}`',
                 number(statistics.median(ours)) + spread(ours) if ours else '']
        for name in others:
            theirs = by_contender.get(name)
            cell = number(statistics.median(theirs)) + spread(theirs) if theirs else ''
            if ours and theirs:
                cell += f' ({ratio(ours, theirs):.2g})'
            cells.append(cell)
        if targets:
            cells.append('; '.join(map(str, found[label])))
        yield '| ' + ' | '.join(cells) + ' |'


def growth(labels, line, ends):
    """{contender: how many times the first of a series the dearest of it costs}."""
    found = {}
    first = labels.get(f'{line} {ends[0]}', labels.get(f'{line}_{ends[0]}', {}))
    for name, values in first.items():
        medians = [statistics.median(values)]
        for end in ends[1:]:
            later = labels.get(f'{line} {end}', labels.get(f'{line}_{end}', {})).get(name)
            if later:
                medians.append(statistics.median(later))
        if len(medians) > 1:
            found[name] = (max(medians) / medians[0], len(medians))
    return found


def flatness(figures):
    """(line, range, {contender: growth}) of each series that was measured."""
    for name, line, ends in SERIES:
        found = growth(figures.table(name), line, ends)
        if OURS in found:
            last = ends[found[OURS][1] - 1]
            yield line, f'{ends[0]} to {last}', {who: times for who, (times, _) in found.items()}


def flatness_table(figures):
    rows = list(flatness(figures))
    if not rows:
        return
    others = list(dict.fromkeys(name for _, _, found in rows for name in found if name != OURS))
    yield ''
    yield '## Among many'
    yield ''
    yield 'How many times what it costs among the fewest a thing costs where it is dearest.'
    yield ''
    yield f'| | | {OURS} | ' + ' | '.join(others) + ' | target |'
    yield '| --- ' * (len(others) + 4) + '|'
    for line, span, found in rows:
        mark = 'met' if found[OURS] <= FLAT else '**missed**'
        cells = [f'{found[name]:.2f}' if name in found else '' for name in [OURS, *others]]
        yield f'| `{line}` | {span} | ' + ' | '.join(cells) + f' | {mark}: ≤ {FLAT} |'


def summary(figures, targets):
    """Which targets are met and which are not."""
    found = [verdict for name, labels in figures.tables.items()
             for label, by_contender in labels.items()
             for verdict in verdicts(name, label, by_contender, targets)]
    flat = list(flatness(figures))
    missed = [f'`{verdict.label}`: {number(verdict.value)}, {verdict.target}'
              + ('' if verdict.is_settled else '; rounds on both sides of it')
              for verdict in found if not verdict.met and verdict.floor is None]
    beyond = [f'`{verdict.label}`: {number(verdict.value)}, {verdict.target}; '
              f'{verdict.floor[1]} {number(verdict.floor[0])}'
              for verdict in found if verdict.floor is not None]
    for line, span, times in flat:
        if times[OURS] <= FLAT:
            continue
        what = f'`{line}`, {span}: {times[OURS]:.2f} times, ≤ {FLAT}'
        grown, who = min(((times[name], name) for name in FLOORS if name in times), default=(0, ''))
        if grown > FLAT:
            beyond.append(f'{what}; {who} {grown:.2f}')
        else:
            missed.append(what)
    count = len(found) + len(flat)
    yield f'{count - len(missed) - len(beyond)} of {count} targets are met.'
    if missed:
        yield ''
        yield 'Missed:'
        yield ''
        yield from (f'- {line}' for line in missed)
    if beyond:
        yield ''
        yield 'Missed, and out of reach of a bare loop around the same system calls too, which ' \
              'did it in this run with the figure at the end:'
        yield ''
        yield from (f'- {line}' for line in beyond)


def write(head_lines, suites, figures, plots):
    targets = read_targets()
    yield '# Benchmarks'
    yield ''
    yield from head_lines
    yield ''
    yield 'A figure is the median of all rounds, ± half of what lies between the quartiles. In ' \
          'brackets: aioc\'s figure divided by the other\'s, the median of the rounds.'
    yield ''
    yield from summary(figures, targets)
    for suite in suites:
        for name, (title, unit) in suite.tables.items():
            if not figures.table(name):
                continue
            yield ''
            yield f'## {title}'
            yield ''
            yield unit
            yield ''
            yield from table(name, figures.table(name), targets)
            for plot, alt in plots.get(name, []):
                yield ''
                yield f'![{alt}]({plot}.svg)'
    troubles = sorted(trouble for suite in suites for trouble in suite.troubles)
    if troubles:
        yield ''
        yield 'What went wrong:'
        yield ''
        yield from (f'- {trouble}' for trouble in troubles)
    yield from flatness_table(figures)
