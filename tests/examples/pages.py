#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hold a page of the documentation to what it says.

usage: pages.py extract PAGE.md OUT.c
       pages.py check PAGE.md PROGRAM INCLUDE_FOLDER

A page's first C block is a whole program, which the build compiles; the text block behind
it is what that program writes. The names of ours on the page stand in a header, and its
links to other files lead to one.
"""
import pathlib
import re
import subprocess
import sys


def blocks(text, page):
    """Gives the program, and its output."""
    match = re.search(r'^```c\n(.*?)^```\n.*?^```text\n(.*?)^```\n', text, re.S | re.M)
    if match is None:
        sys.exit(f'{page} has no C block followed by a text block')
    return match.groups()


def unknown_names(text, include):
    headers = ''.join(path.read_text(encoding='utf-8') for path in include.glob('*.h'))
    known = set(re.findall(r'\w+', headers))
    return [f'names {name}, which no header has'
            for name in sorted(set(re.findall(r'\b(?:aio|AIO)_\w*\w', text)) - known)]


def dead_links(text, page):
    for link in re.findall(r'\]\(([^):]+)\)', text):
        if not (page.parent / link).exists():
            yield f'links to {link}, which is not there'


def wrong_output(want, program):
    done = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          encoding='utf-8', check=False)
    if (done.returncode, done.stdout, done.stderr) != (0, want, ''):
        yield (f'promises:\n{want}but the program wrote, status {done.returncode}:\n'
               f'{done.stdout}{done.stderr}')


def extract(page, out):
    text = pathlib.Path(page).read_text(encoding='utf-8')
    pathlib.Path(out).write_text(blocks(text, page)[0], encoding='utf-8')


def check(page, program, include):
    page = pathlib.Path(page)
    text = page.read_text(encoding='utf-8')
    problems = [*wrong_output(blocks(text, page)[1], program),
                *unknown_names(text, pathlib.Path(include)), *dead_links(text, page)]
    for problem in problems:
        print(f'{page.name} {problem}')
    sys.exit(1 if problems else 0)


if __name__ == '__main__':
    {'extract': extract, 'check': check}[sys.argv[1]](*sys.argv[2:])
