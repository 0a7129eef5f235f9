#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hold the porting table to what it says.

usage: porting.py SOURCE_ROOT SHARED_LIBRARY

docs/porting/api.tsv has a row for each name of asyncio, and of what goes with it. A row that
is needed ("must", "should") names what stands for it in C, the headers that declare that, and
the tests that pin what it does:

    aio_lock_new            a function, type, macro or constant
    aio_task_options.name   a member of a struct
    unit/test_lock.c:NAME   a test in the table of tests/unit/test_lock.c, which uses one of them
    parity:OP               the programs of tests/parity that have the operation OP, whose traces
                            CPython gave

A row that cannot be had in C ("na") says why.
"""
import csv
import pathlib
import re
import subprocess
import sys

COLUMNS = ['area', 'python', 'need', 'c', 'header', 'test', 'differences']
ROWS = {'must': 341, 'should': 150, 'na': 39}
OPEN = 0


def without_comments(text):
    return re.sub(r'/\*.*?\*/', ' ', text, flags=re.S)


def read(path):
    return path.read_text(encoding='utf-8')


class Headers:
    def __init__(self, root, exported):
        self.exported = exported
        self.texts = {f'aio/{path.name}': without_comments(read(path))
                      for path in (root / 'include' / 'aio').glob('*.h')}

    def body(self, header, struct):
        match = re.search(rf'\bstruct {struct}\s*\{{(.*?)^\}}', self.texts[header], re.S | re.M)
        return match.group(1) if match else ''

    def has(self, header, name):
        """Whether the header declares the name; not by mentioning it somewhere."""
        struct, _, member = name.partition('.')
        if member:
            return re.search(rf'\b{member}(\)\([^;]*)?\s*[;,]', self.body(header, struct))
        kinds = [rf'^AIO_API\b[^;{{}}]*?\b{name}\(', rf'\btypedef\b[^;{{}}]*\b{name};',
                 rf'\}} {name};', rf'\b(struct|enum) {name}\s*\{{', rf'^# *define {name}\b',
                 rf'^ *{name}(?= *(=|,|$))']
        return any(re.search(kind, self.texts[header], re.S | re.M) for kind in kinds)

    def is_function(self, name):
        return any(re.search(rf'^AIO_API\b[^;{{}}]*?\b{name}\(', text, re.S | re.M)
                   for text in self.texts.values())

    def check(self, row):
        names, headers = row['c'].split(), row['header'].split()
        unknown = [header for header in headers if header not in self.texts]
        if unknown:
            yield f'names {" ".join(unknown)}, which is no public header'
            return
        for name in names:
            if not any(self.has(header, name) for header in headers):
                yield f'{" ".join(headers) or "no header"} does not declare {name}'
            elif self.is_function(name) and name not in self.exported:
                yield f'{name} is not exported'
        for header in headers:
            if not any(self.has(header, name) for name in names):
                yield f'{header} declares none of its names'


class Tests:
    def __init__(self, root):
        self.root = root / 'tests'
        self.registered = set(re.findall(r"'(\w+)'", read(self.root / 'meson.build')))
        self.files = {}
        self.support = ''.join(read(path) for path in (self.root / 'support').glob('*.c'))
        self.player = ''.join(read(path) for path in (self.root / 'parity').glob('*.c'))
        self.ops = set()
        for corpus in (self.root / 'parity').glob('*.txt'):
            for case in re.findall(r'^=== case.*?^--- trace', read(corpus), re.S | re.M):
                self.ops |= set(re.findall(r'^\s*(\w+)', case, re.M))

    def load(self, name):
        """The text of a test program, and the tests in its tables."""
        if name not in self.files:
            path = self.root / name
            text = read(path) if path.is_file() else ''
            tables = re.findall(r'CMUnitTest \w+\[\] = \{\n(.*?)^ *\};', text, re.S | re.M)
            tests = set(re.findall(r'\b[A-Za-z]\w*\(\s*(\w+)', ''.join(tables)))
            self.files[name] = text, tests
        return self.files[name]

    def check(self, row):
        names = row['c'].split()
        for test in row['test'].split():
            where, _, name = test.partition(':')
            if where == 'parity':
                text, known = self.player, self.ops
            else:
                text, known = self.load(where)
                if pathlib.Path(where).stem.removeprefix('test_') not in self.registered:
                    yield f'tests/meson.build does not build {where}'
            if name not in known:
                yield f'{where} has no test {name}'
            elif not any(self.uses(text, name) for name in names):
                yield f'{where} uses none of {row["c"]}'

    def uses(self, text, name):
        # Protocols of several tests are filled in by what they share.
        _, dot, member = name.rpartition('.')
        return re.search(rf'\b{member}\b', text + self.support if dot else text)


def check_row(row, headers, tests):
    if row['need'] == 'na':
        if row['c'] or row['header'] or row['test'] or not row['differences']:
            yield 'has no place in C, and has to say why, and no more'
        return
    yield from headers.check(row)
    yield from tests.check(row)
    said = set(re.findall(r'\b(?:aio|AIO)_[\w.]*\w', row['differences']))
    for name in said:
        if not any(headers.has(header, name) for header in headers.texts) and name != 'AIO_DEBUG':
            yield f'speaks of {name}, which no header has'


def exported_by(library):
    done = subprocess.run(['nm', '-D', '--defined-only', '--format=posix', library],
                          check=True, text=True, stdout=subprocess.PIPE)
    return {line.split()[0].partition('@')[0] for line in done.stdout.splitlines()}


def main():
    root = pathlib.Path(sys.argv[1])
    with open(root / 'docs/porting/api.tsv', encoding='utf-8', newline='') as table:
        reader = csv.DictReader(table, delimiter='\t', quoting=csv.QUOTE_NONE)
        rows = list(reader)
    headers, tests = Headers(root, exported_by(sys.argv[2])), Tests(root)
    failures = []
    if reader.fieldnames != COLUMNS:
        failures.append(f'the columns are {reader.fieldnames}')
    names = [row['python'] for row in rows]
    failures += [f'{name} has two rows' for name in sorted(set(names)) if names.count(name) > 1]
    for need, count in ROWS.items():
        mine = [row for row in rows if row['need'] == need]
        undone = [row['python'] for row in mine
                  if need != 'na' and not (row['c'] and row['test'])]
        print(f'{need}: {len(mine) - len(undone)} of {count}')
        if len(mine) != count:
            failures.append(f'{len(mine)} rows are "{need}", of {count}')
        failures += [f'{name}: has no name in C, or no test' for name in undone]
    for row in rows:
        failures += [f'{row["python"]}: {problem}' for problem in check_row(row, headers, tests)]
    for failure in failures:
        print(failure)
    print(f'{len(failures)} failures')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
