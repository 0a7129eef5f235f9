#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Play random programs (generate.py) in several ways, which have to give the same traces.

usage: agree.py GENERATOR SEED COUNT PLAYER...

Each PLAYER plays them as it is and in debug mode. More than one are other builds: with fibers that
switch in another way, say, or sanitizers.
"""
import os
import subprocess
import sys


def play(player, corpus, **environment):
    run = subprocess.run([player, '--batch'], input=corpus, capture_output=True,
                         env={**os.environ, **environment})
    if run.returncode != 0:
        sys.exit(f'{player} {environment}: {run.returncode}\n{run.stderr.decode()}')
    return run.stdout


def cases(traces):
    """The trace of each case, by its first line."""
    return dict(part.partition(b'\n')[::2] for part in traces.split(b'=== ')[1:])


def main():
    generator, seed, count, *players = sys.argv[1:]
    corpus = subprocess.run([sys.executable, generator, seed, count], check=True,
                            capture_output=True).stdout
    expected = play(players[0], corpus)
    if len(cases(expected)) != int(count):
        sys.exit(f'{len(cases(expected))} traces of {count} programs')
    for player in players:
        for environment in {}, {'AIO_DEBUG': '1'}:
            got = play(player, corpus, **environment)
            if got != expected:
                other = cases(got)
                differing = [name.decode() for name, trace in cases(expected).items()
                             if other.get(name) != trace]
                sys.exit(f'{player} {environment}: other traces of {differing[:5]}')


if __name__ == '__main__':
    main()
