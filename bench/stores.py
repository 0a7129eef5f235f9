#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run build/bench/redis and mysql beside what they stand on, against servers of our own.

usage: stores.py [--rounds N] [--build FOLDER]

The contenders take turns; a ratio is the median over the rounds of aioc's figure divided by the
other's in the same round.
"""
import argparse
import collections
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'tests' / 'services'))
# pylint: disable=wrong-import-position
from mariadb import Mariadb  # noqa: E402
from redis import Redis  # noqa: E402
from service import folder  # noqa: E402

LAB = """
CREATE DATABASE lab;
CREATE TABLE lab.t (id INT PRIMARY KEY, name VARCHAR(32), val VARCHAR(32));
INSERT INTO lab.t SELECT seq, CONCAT('name', seq), CONCAT('val', seq) FROM test.seq_1_to_1000;
"""


def fill(database):
    subprocess.run(['mariadb', '--no-defaults', '-uroot', f'-S{database.socket}', 'test'],
                   input=LAB, check=True, encoding='utf-8')


def measure(rounds, programs, argument):
    figures = collections.defaultdict(lambda: collections.defaultdict(list))
    for _ in range(rounds):
        for name, program in programs.items():
            done = subprocess.run([program, str(argument)], text=True, check=True,
                                  stdout=subprocess.PIPE)
            for line in done.stdout.splitlines():
                what, wall, cpu = line.split()
                figures[what + ' wall'][name].append(float(wall))
                figures[what + ' cpu'][name].append(float(cpu))
    return figures


def report(figures):
    for what, by_name in figures.items():
        ours, *others = by_name
        line = [f'{what:24}'] + [f'{name} {statistics.median(by_name[name]):9.0f} ns'
                                 for name in by_name]
        for other in others:
            ratios = [a / b for a, b in zip(by_name[ours], by_name[other])]
            line.append(f'ratio {statistics.median(ratios):.2f} '
                        f'({min(ratios):.2f} to {max(ratios):.2f})')
        print('  '.join(line))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--build', type=pathlib.Path, default='build')
    arguments = parser.parse_args()
    bench = arguments.build.resolve() / 'bench'
    with folder() as where:
        with Redis(where) as redis:
            report(measure(arguments.rounds, {'aioc': bench / 'redis',
                                              'hiredis': bench / 'baseline_redis_uv'},
                           redis.port))
        with Mariadb(where, password='') as database:
            fill(database)
            report(measure(arguments.rounds, {'aioc': bench / 'mysql',
                                              'blocking': bench / 'baseline_mysql_blocking'},
                           database.socket))


if __name__ == '__main__':
    main()
