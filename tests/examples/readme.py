#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hold README.md to what it prints.

usage: readme.py extract README.md OUT.c
       readme.py check README.md PROGRAM

Its first C block is a whole program, which the build compiles; the text block behind it
is what that program writes.
"""
import pathlib
import re
import subprocess
import sys


def blocks(readme):
    """Gives the program, and its output."""
    text = pathlib.Path(readme).read_text(encoding='utf-8')
    match = re.search(r'^```c\n(.*?)^```\n.*?^```text\n(.*?)^```\n', text, re.S | re.M)
    if match is None:
        sys.exit(f'{readme} has no C block followed by a text block')
    return match.groups()


def extract(readme, out):
    pathlib.Path(out).write_text(blocks(readme)[0], encoding='utf-8')


def check(readme, program):
    want = blocks(readme)[1]
    done = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          encoding='utf-8', check=False)
    if (done.returncode, done.stdout, done.stderr) != (0, want, ''):
        sys.exit(f'README.md promises:\n{want}and the program wrote, status '
                 f'{done.returncode}:\n{done.stdout}{done.stderr}')


if __name__ == '__main__':
    {'extract': extract, 'check': check}[sys.argv[1]](*sys.argv[2:])
