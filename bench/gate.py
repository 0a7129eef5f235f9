#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compare what operations cost with what they cost before, in instructions.

usage: gate.py [--update] [--build FOLDER]

The folder, build-gate by default, is one configured with -Dc_args=-DNVALGRIND: else the
library sees valgrind and takes each object from malloc(), for its sake. Each line of gate.tsv
is run twice under callgrind, with different numbers of operations; the difference is what
they cost, without what starting and ending the program takes. The loop has a virtual clock,
so that neither the machine nor its load changes the count: 1 instruction more is 1
instruction more.

Another compiler does change it. gate.tsv says which one its figures are of; with another
nothing is compared, and the figures are just shown.

A line fails if it costs more than gate.tsv says by more than its tolerance (per cent), or
less by more than that: then the file is to be updated, so that what was won is kept.
"""
import argparse
import concurrent.futures
import os
import pathlib
import platform
import re
import subprocess
import sys

TABLE = pathlib.Path(__file__).resolve().with_name('gate.tsv')


def instructions(program, line, count):
    command = ['valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null',
               str(program), '--count', str(count), line]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r'^==\d+== Collected : (\d+)', done.stderr, re.M)
    if done.returncode != 0 or not found:
        sys.exit(f'{" ".join(command)} failed:\n{done.stdout}{done.stderr}')
    return int(found.group(1))


def cost(program, line, count):
    return (instructions(program, line, 3 * count) - instructions(program, line, count)) / (
        2 * count)


def toolchain(build):
    """The compiler, the processor's kind and the C library: what a count depends on."""
    log = (build / 'meson-logs' / 'meson-log.txt').read_text()
    found = re.search(r'C compiler for the host machine: .*?\((\w+) (\d+)', log)
    name = f'{found.group(1)}-{found.group(2)}' if found else 'unknown'
    return ' '.join([name, platform.machine(), *platform.libc_ver()])


def read_table():
    """The toolchain, and (line, count, instructions, tolerance) of each row."""
    first, _, *rows = TABLE.read_text().splitlines()
    return first.split('\t')[1], [(line, int(count), float(cost), float(tolerance))
                                  for line, count, cost, tolerance in
                                  (row.split('\t') for row in rows)]


def write_table(tools, rows):
    lines = [f'toolchain\t{tools}', 'line\tcount\tinstructions\ttolerance']
    lines += [f'{line}\t{count}\t{now:.1f}\t{tolerance:g}' for line, count, now, tolerance in rows]
    TABLE.write_text('\n'.join(lines) + '\n')


def judge(before, now, tolerance):
    change = 100 * (now - before) / before
    if change > tolerance:
        return change, 'FAILED: dearer'
    if change < -tolerance:
        return change, 'FAILED: cheaper; keep that with --update'
    return change, 'ok'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--update', action='store_true', help='write gate.tsv anew')
    parser.add_argument('--build', type=pathlib.Path, default='build-gate',
                        help='default build-gate')
    arguments = parser.parse_args()
    program = arguments.build / 'bench' / 'micro'
    before, rows = read_table()
    tools = toolchain(arguments.build)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        costs = list(pool.map(lambda row: cost(program, row[0], row[1]), rows))
    if arguments.update:
        write_table(tools, [(line, count, now, tolerance)
                            for (line, count, _, tolerance), now in zip(rows, costs)])
    failures = 0
    for (line, _, old, tolerance), now in zip(rows, costs):
        change, verdict = judge(old, now, tolerance)
        if arguments.update or tools != before:
            verdict = ''
        failures += verdict.startswith('FAILED')
        print(f'{line:18} {now:10.1f} instructions, {old:10.1f} before: {change:+6.1f} % {verdict}')
    if tools != before and not arguments.update:
        print(f'not compared: gate.tsv is of "{before}", this is "{tools}"')
        return 0
    print(f'{len(rows)} lines, {failures} failures')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
