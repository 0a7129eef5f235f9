#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the benchmarks beside their baselines and report as Markdown.

usage: run.py [--quick] [--rounds N] [--ms N] [--sizes N,N] [--json FILE] [--build FOLDER] [LINE...]

A LINE is one of build/bench/micro, or "scale"; none: all.

Contenders take turns, line by line and round by round, so that what else the machine does
hits all alike. A ratio is the median over the rounds of aioc's figure divided by the
other's in the same round. Figures are processor time for one operation, which neighbours
disturb least, except where waiting for another thread is what is measured.
"""
import argparse
import collections
import datetime
import json
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
WALL = {'executor', 'threadsafe', 'threadpool', 'threadpool_50', 'processpool',
        'processpool_50'}
SCALE_LINES = ['created_per_task', 'rss_per_task', 'pte_per_task', 'spawn_ns', 'wake_ns']


def output(*command, **options):
    """What a command prints, without its last newline; '' if it fails or is not there."""
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                              check=False, **options)
    except OSError:
        return ''
    return done.stdout.strip() if done.returncode == 0 else ''


# ---- contenders ------------------------------------------------------------------------

class Contender:
    """A program for the micro lines, one for the scale lines, or both."""

    def __init__(self, name, version, micro=None, scale=None, env=None):
        self.name = name
        self.version = version
        self.micro = micro
        self.scale = scale
        self.env = {**os.environ, **(env or {})}

    def run(self, command, milliseconds):
        """Yields (line, wall, processor) of each line printed."""
        env = {**self.env, 'LAB_MS': str(milliseconds)}
        done = subprocess.run([str(part) for part in command], env=env, text=True, check=False,
                              stdout=subprocess.PIPE)
        if done.returncode != 0:
            sys.exit(f'{self.name}: {" ".join(map(str, command))} failed: {done.returncode}')
        for line in done.stdout.splitlines():
            fields = line.split()
            yield fields[0], float(fields[1]), float(fields[-1])


def python_contenders():
    # The system's own, which is where a distribution's uvloop is found.
    python = '/usr/bin/python3' if os.access('/usr/bin/python3', os.X_OK) else sys.executable
    version = output(python, '--version')
    micro = [python, HERE / 'baseline/micro.py']
    scale = [python, HERE / 'baseline/scale.py']
    yield Contender('asyncio', version, micro, scale)
    uvloop = output(python, '-c', 'import uvloop; print(uvloop.__version__)')
    if uvloop:
        yield Contender('uvloop', f'uvloop {uvloop}, {version}', [*micro, '--uvloop'],
                        [*scale, '--uvloop'])


def go_contender(build):
    """Goroutines on one thread, as a loop has one."""
    if shutil.which('go') is None:
        return
    folder = build / 'bench' / 'go'
    folder.mkdir(exist_ok=True)
    env = {'GOMAXPROCS': os.environ.get('GOMAXPROCS', '1'), 'GO111MODULE': 'off'}
    for name in ['micro', 'scale']:
        subprocess.run(['go', 'build', '-o', folder / name, HERE / 'baseline' / f'{name}.go'],
                       env={**os.environ, **env}, check=True)
    version = output('go', 'version').removeprefix('go version ')
    yield Contender('Go', f'{version}, GOMAXPROCS={env["GOMAXPROCS"]}', [folder / 'micro'],
                    [folder / 'scale'], env)


def contenders(build):
    bench = build / 'bench'
    commit = output('git', '-C', HERE, 'describe', '--always', '--dirty')
    found = [Contender('aioc', commit or 'a release', [bench / 'micro'], [bench / 'scale'])]
    found += python_contenders()
    found += go_contender(build)
    found.append(Contender('libuv', 'libuv ' + output('pkg-config', '--modversion', 'libuv'),
                           [bench / 'baseline_uv']))
    libc = platform.libc_ver()
    found.append(Contender('swapcontext', ' '.join(libc), [bench / 'baseline_swapcontext']))
    return found


# ---- rounds ----------------------------------------------------------------------------

def say(text):
    print(text, file=sys.stderr, flush=True)


def run_micro(found, lines, rounds, milliseconds):
    """{line: {contender: [figure of each round]}}, and how much of a processor we had."""
    figures = {line: collections.defaultdict(list) for line in lines}
    shares = []
    for number in range(1, rounds + 1):
        say(f'micro: round {number} of {rounds}')
        for line in lines:
            for contender in found:
                if contender.micro is None:
                    continue
                for _, wall, cpu in contender.run([*contender.micro, line], milliseconds):
                    figures[line][contender.name].append(wall if line in WALL else cpu)
                    if line not in WALL and wall > 0:
                        shares.append(cpu / wall)
    return figures, statistics.median(shares) if shares else 1


def run_scale(found, sizes, rounds):
    """{(size, line): {contender: [figure of each round]}}, and what went wrong."""
    figures = collections.defaultdict(lambda: collections.defaultdict(list))
    troubles = set()
    for size in sizes:
        for number in range(1, rounds + 1):
            say(f'scale: {size:,} tasks, round {number} of {rounds}')
            for contender in found:
                if contender.scale is None:
                    continue
                for line, value, _ in contender.run([*contender.scale, size], 0):
                    if line in SCALE_LINES:
                        figures[size, line][contender.name].append(value)
                    else:
                        troubles.add(f'{contender.name}, {size:,} tasks: {line} {value:g}')
    return figures, sorted(troubles)


# ---- the report ------------------------------------------------------------------------

def read_targets():
    targets = collections.defaultdict(list)
    for row in (HERE / 'targets.tsv').read_text().splitlines()[1:]:
        line, against, most = row.split('\t')
        targets[line].append((against, float(most)))
    return targets


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


def judge(line, figures, targets):
    words = []
    for against, most in targets.get(line, []):
        if against == '':
            value = statistics.median(figures['aioc'])
        elif against in figures:
            value = ratio(figures['aioc'], figures[against])
        else:
            continue
        mark = 'met' if value <= most else '**missed**'
        words.append(f'{mark}: ≤ {most:g}{" of " + against if against else ""}')
    return '; '.join(words)


def table(title, rows, found, targets):
    """rows: (label, line, figures)."""
    names = [c.name for c in found if any(c.name in figures for _, _, figures in rows)]
    others = [name for name in names if name != 'aioc']
    yield f'| {title} | aioc | ' + ' | '.join(others) + ' | target |'
    yield '| --- ' * (len(others) + 3) + '|'
    for label, line, figures in rows:
        cells = [f'`{label}`', '', *[''] * len(others), judge(line, figures, targets)]
        ours = figures.get('aioc')
        if ours:
            cells[1] = number(statistics.median(ours)) + spread(ours)
        for i, name in enumerate(others):
            if name in figures:
                cells[2 + i] = number(statistics.median(figures[name])) + spread(figures[name])
                if ours:
                    cells[2 + i] += f' ({ratio(ours, figures[name]):.2g})'
        yield '| ' + ' | '.join(cells) + ' |'


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


def header(build, found, arguments, share):
    now = datetime.datetime.now(datetime.timezone.utc)
    yield '# Benchmarks'
    yield ''
    yield f'- {now:%Y-%m-%d %H:%M} UTC, {processor()}, {os.cpu_count()} processors, ' \
          f'{platform.system()} {platform.release()}'
    yield f'- built with {compiler(build)}'
    for contender in found:
        yield f'- {contender.name}: {contender.version}'
    yield f'- {arguments.rounds} rounds of {arguments.ms} ms; ' \
          f'{100 * share:.0f} % of a processor was ours'
    if share < 0.9:
        yield '- **The machine was busy**: take nothing but ratios from this.'


def report(build, found, arguments, micro, scale, troubles, share):
    targets = read_targets()
    yield from header(build, found, arguments, share)
    rows = [(line, line, figures) for line, figures in micro.items() if figures]
    if rows:
        yield ''
        yield 'Nanoseconds for one operation; in brackets: aioc\'s divided by it.'
        yield ''
        yield from table('micro', rows, found, targets)
    rows = [(f'{line} {size}', line, figures) for (size, line), figures in scale.items()]
    if rows:
        yield ''
        yield 'N tasks asleep at once: bytes and nanoseconds for one task.'
        yield ''
        yield from table('scale', rows, found, targets)
    for trouble in troubles:
        yield f'- {trouble}'


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true', help='few rounds, short ones, small sizes')
    parser.add_argument('--rounds', type=int, help='default 5; quick 2')
    parser.add_argument('--ms', type=int, help='length of a measurement; default 200; quick 30')
    parser.add_argument('--sizes', help='of scale; default 1000,10000,100000,1000000')
    parser.add_argument('--json', help='write all figures to this file')
    parser.add_argument('--build', type=pathlib.Path, default='build', help='default build')
    parser.add_argument('lines', nargs='*', metavar='LINE')
    arguments = parser.parse_intermixed_args()
    quick = arguments.quick
    arguments.rounds = arguments.rounds or (2 if quick else 5)
    arguments.ms = arguments.ms or (30 if quick else 200)
    sizes = arguments.sizes or ('1000,10000' if quick else '1000,10000,100000,1000000')
    arguments.sizes = [int(size) for size in sizes.split(',')]
    return arguments


def main():
    arguments = parse_arguments()
    build = arguments.build.resolve()
    found = contenders(build)
    known = output(*found[0].micro, '--list').split()
    wanted = arguments.lines or [*known, 'scale']
    unknown = set(wanted) - {*known, 'scale'}
    if unknown:
        sys.exit(f'no such line: {", ".join(sorted(unknown))}\n'
                 f'there are: {" ".join(known)} scale')
    micro, share, scale, troubles = {}, 1, {}, []
    lines = [line for line in known if line in wanted]
    if lines:
        micro, share = run_micro(found, lines, arguments.rounds, arguments.ms)
    if 'scale' in wanted:
        scale, troubles = run_scale(found, arguments.sizes, min(arguments.rounds, 3))
    print('\n'.join(report(build, found, arguments, micro, scale, troubles, share)))
    if arguments.json:
        figures = {'micro': micro, 'scale': {f'{line} {size}': values
                                             for (size, line), values in scale.items()}}
        pathlib.Path(arguments.json).write_text(json.dumps(figures, indent=1) + '\n')


if __name__ == '__main__':
    main()
