#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the benchmarks beside their baselines and report as Markdown, with plots.

usage: run.py [--quick] [--rounds N] [--ms N] [--seconds S] [--minutes M] [--sizes N,N]
              [--connections N] [--report FOLDER] [--build FOLDER] [WHAT...]

WHAT is a suite (micro scale echo idle http fetch redis mysql) or a line of build/bench/micro;
none: all suites. The report is printed, and written to FOLDER with its plots and all figures.

Contenders take turns, line by line and round by round, so that what else the machine does hits
all alike. Lines whose rounds fall on both sides of a target get more of them while the minutes
last. A server runs on one core and what asks it on another. What of the baselines is not installed
is left out, and so are the suites whose server is not.
"""
import argparse
import json
import pathlib
import statistics
import sys
import time

from harness import plots, report
from harness.echo import Echo, Idle
from harness.figures import Figures
from harness.micro import Micro, Scale
from harness.stores import MysqlClients, RedisClients
from harness.suite import Settings, run, settle
from harness.tools import Programs
from harness.web import Fetch, Http

SUITES = [Micro, Scale, Echo, Idle, Http, Fetch, RedisClients, MysqlClients]

FULL = Settings(quick=False, rounds=3, milliseconds=150, seconds=0.4, minutes=14,
                sizes=[1000, 10000, 100000, 1000000], connections=10000)
QUICK = Settings(quick=True, rounds=1, milliseconds=30, seconds=0.25, minutes=0,
                 sizes=[1000, 10000], connections=1000)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true', help='one round, short, small sizes')
    parser.add_argument('--rounds', type=int, help='default 3; quick 1')
    parser.add_argument('--ms', type=int, dest='milliseconds',
                        help='length of a measurement of micro; default 150; quick 30')
    parser.add_argument('--seconds', type=float,
                        help='that a server has load; default 0.4; quick 0.25')
    parser.add_argument('--minutes', type=float,
                        help='that all may take where more rounds tell more; default 14; quick 0')
    parser.add_argument('--sizes', type=lambda text: [int(size) for size in text.split(',')],
                        help='of scale; default 1000,10000,100000,1000000')
    parser.add_argument('--connections', type=int, help='that are held without use; default 10000')
    parser.add_argument('--report', type=pathlib.Path, help='default BUILD/bench-report')
    parser.add_argument('--build', type=pathlib.Path, default='build', help='default build')
    parser.add_argument('what', nargs='*', metavar='WHAT')
    return parser.parse_intermixed_args()


def settings_of(arguments):
    given = {name: value for name, value in vars(arguments).items()
             if name in ['rounds', 'milliseconds', 'seconds', 'minutes', 'sizes', 'connections']
             and value is not None}
    return (QUICK if arguments.quick else FULL).but(**given)


def choose(programs, settings, what):
    """The suites that are wanted."""
    known = Micro.known(programs)
    names = [suite.name for suite in SUITES]
    unknown = set(what) - {*known, *names}
    if unknown:
        sys.exit(f'not known: {", ".join(sorted(unknown))}\n'
                 f'suites: {" ".join(names)}\nlines: {" ".join(known)}')
    if not what:
        what = names
    lines = [line for line in known if line in what]
    for suite in SUITES:
        if suite is Micro and lines and 'micro' not in what:
            yield Micro(programs, settings, lines)
        elif suite.name in what:
            yield suite(programs, settings)


def main():
    arguments = parse_arguments()
    programs = Programs(arguments.build.resolve())
    settings = settings_of(arguments)
    suites = list(choose(programs, settings, arguments.what))
    figures = Figures()
    begun = time.monotonic()
    load_before = report.load()
    for suite in suites:
        run(suite, figures)
    settle(suites, figures, begun + 60 * settings.minutes)
    minutes = (time.monotonic() - begun) / 60

    folder = arguments.report or programs.build / 'bench-report'
    folder.mkdir(parents=True, exist_ok=True)
    shares = [share for suite in suites for share in suite.shares]
    head = report.head(programs, settings, statistics.median(shares) if shares else None,
                       (load_before, report.load()), minutes)
    text = '\n'.join(report.write(head, suites, figures, plots.draw(figures, folder))) + '\n'
    (folder / 'report.md').write_text(text)
    (folder / 'figures.json').write_text(json.dumps(figures.tables, indent=1) + '\n')
    print(text, end='')


if __name__ == '__main__':
    main()
