#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The ported service writes what its original writes.

usage: port.py PROGRAM ORIGINAL.py

That it is right as well is seen in the parts that can be computed: sums, sorted words.
"""
import subprocess
import sys

KNOWN = ['6', 'apple fig pear', 'error: too late', '42', 'error: no such command: dance', 'slept',
         '6 jobs, 1 late']


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          encoding='utf-8', check=False)
    return f'{done.stdout}status {done.returncode}\n'


def main():
    ported, original = run(sys.argv[1]), run(sys.executable, sys.argv[2])
    missing = [line for line in [*KNOWN, 'status 0'] if line not in original.splitlines()]
    if ported != original or missing:
        print(f'C:\n{ported}\nPython:\n{original}\nmissing: {missing}')
        sys.exit(1)


if __name__ == '__main__':
    main()
