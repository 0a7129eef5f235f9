#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hold a page of the documentation to what it says.

usage: pages.py count PAGE.md
       pages.py extract PAGE.md NUMBER OUT.c
       pages.py check PAGE.md SOURCE_ROOT PROGRAM...
       pages.py others SOURCE_ROOT MESON_BUILD

A C block with a main() is a whole program, which the build compiles. The text block behind it is
what the program writes; a Python block between the program of before and this one is what it was
ported from, and writes the same. A C block without a main() is a piece of one of the page's
programs, or of a file of examples/, and so is a block of C++. The names of ours on the page stand
in a header, and its links to other files lead to one.

The other pages, which MESON_BUILD does not list, have no programs; the rest is true of them too.
"""
import pathlib
import re
import subprocess
import sys

BLOCK = re.compile(r'^```(\w+)\n(.*?)^```$', re.S | re.M)


class Program:
    def __init__(self, source, python):
        self.source, self.python, self.output = source, python, None


def is_program(source):
    return re.search(r'^int main\(', source, re.M) is not None


def parse(text):
    """Gives the programs of a page, and its pieces of programs."""
    programs, pieces, python = [], [], None
    before = None
    for kind, block in BLOCK.findall(text):
        if kind == 'python':
            python = block
        elif kind == 'c' and is_program(block):
            programs.append(Program(block, python))
            python = None
        elif kind in ('c', 'cpp'):
            pieces.append(block)
        elif kind == 'text' and before == 'program':
            programs[-1].output = block
        before = 'program' if kind == 'c' and is_program(block) else kind
    return programs, pieces


def lines(source):
    return [' '.join(line.split()) for line in source.splitlines() if line.strip()]


def stray_pieces(pieces, programs, root):
    """A piece is found line by line, however far it is indented."""
    whole = [program.source for program in programs]
    whole += [path.read_text(encoding='utf-8') for pattern in ('*.[ch]', '*.cc', '*.hh')
              for path in (root / 'examples').rglob(pattern)]
    texts = ['\n'.join(['', *lines(source), '']) for source in whole]
    for piece in pieces:
        wanted = '\n'.join(['', *lines(piece), ''])
        if not any(wanted in text for text in texts):
            yield f'has a piece that is in no program of it, nor in examples/:\n{piece}'


def unknown_names(text, root):
    headers = ''.join(path.read_text(encoding='utf-8')
                      for path in (root / 'include/aio').glob('*.h'))
    known = set(re.findall(r'\w+', headers)) | {'AIO_DEBUG'}
    return [f'names {name}, which no header has'
            for name in sorted(set(re.findall(r'\b(?:aio|AIO)_\w*[^\W_]', text)) - known)]


def dead_links(text, page):
    for link in re.findall(r'\]\(([^):\s]+)\)', re.sub(r'^```.*?^```$', '', text, flags=re.S | re.M)):
        if not (page.parent / link.partition('#')[0]).exists():
            yield f'links to {link}, which is not there'


def wrong_output(want, *command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          encoding='utf-8', check=False)
    if (done.returncode, done.stdout, done.stderr) != (0, want, ''):
        yield (f'promises:\n{want}but {command[0]} wrote, status {done.returncode}:\n'
               f'{done.stdout}{done.stderr}')


def extract(page, number, out):
    programs, _ = parse(pathlib.Path(page).read_text(encoding='utf-8'))
    pathlib.Path(out).write_text(programs[int(number)].source, encoding='utf-8')


def count(page):
    print(len(parse(pathlib.Path(page).read_text(encoding='utf-8'))[0]))


def check(page, root, *built):
    page, root = pathlib.Path(page), pathlib.Path(root)
    text = page.read_text(encoding='utf-8')
    programs, pieces = parse(text)
    problems = [*stray_pieces(pieces, programs, root), *unknown_names(text, root),
                *dead_links(text, page)]
    if len(built) != len(programs):
        problems.append(f'has {len(programs)} programs, of which {len(built)} were built')
    for program, path in zip(programs, built):
        if program.output is None:
            problems.append(f'does not say what this writes:\n{program.source}')
            continue
        problems += wrong_output(program.output, path)
        if program.python is not None:
            problems += wrong_output(program.output, sys.executable, '-c', program.python)
    for problem in problems:
        print(f'{page.name} {problem}')
    sys.exit(1 if problems else 0)


def others(root, listed):
    root, listed = pathlib.Path(root), pathlib.Path(listed).read_text(encoding='utf-8')
    pages = [page for page in [*root.glob('*.md'), *(root / 'docs').rglob('*.md')]
             if f"'{page.relative_to(root)}'" not in listed]
    problems = []
    for page in sorted(pages):
        text = page.read_text(encoding='utf-8')
        programs, pieces = parse(text)
        found = [*stray_pieces(pieces, [], root), *unknown_names(text, root),
                 *dead_links(text, page)]
        if programs:
            found.append('has programs that nobody builds')
        problems += [f'{page.relative_to(root)} {problem}' for problem in found]
    print(*problems, f'{len(pages)} pages, {len(problems)} problems', sep='\n')
    sys.exit(1 if problems or not pages else 0)


if __name__ == '__main__':
    {'extract': extract, 'check': check, 'count': count, 'others': others}[sys.argv[1]](*sys.argv[2:])
