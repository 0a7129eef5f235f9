#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A ported program writes what its original writes.

usage: port.py PROGRAM ORIGINAL.py

That it is right as well is seen in the parts that can be computed: sums, sorted words.
"""
import pathlib
import subprocess
import sys

KNOWN = {
    'service': ['6', 'apple fig pear', 'error: too late', '42', 'error: no such command: dance',
                'slept', '6 jobs, 1 late'],
    'crawl': ['/flaky     flaky', '/missing   status 404', '/slow      no answer',
              'never more than 3 at once'],
    'heartbeat': ['alpha is up at 0', 'alpha is lost after 4', 'alpha is up at 5',
                  'alpha says hello: what?', 'last 6 bad 1'],
    'bot': ['bot: ann, that is 6', 'bot: ann, that is 42',
            'bot: sorry, ann: the program ended with 3', 'bot: ann, that is 10',
            '*: bot has left'],
}


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          encoding='utf-8', check=False)
    return f'{done.stdout}status {done.returncode}\n'


def main():
    ported, original = run(sys.argv[1]), run(sys.executable, sys.argv[2])
    known = KNOWN[pathlib.Path(sys.argv[2]).stem]
    missing = [line for line in [*known, 'status 0'] if line not in original.splitlines()]
    if ported != original or missing:
        print(f'C:\n{ported}\nPython:\n{original}\nmissing: {missing}')
        sys.exit(1)


if __name__ == '__main__':
    main()
