#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check what every text file of the tree has to have, and must not have.

usage: text.py SOURCE_ROOT

Source files begin with the licence's SPDX line (behind "#!"); C files then say in a
comment what they are, under their own name. No file ends in the middle of a line, has
blanks before a line's end, notes to self, or paths and hosts of somebody's machine.
"""
import pathlib
import re
import subprocess
import sys

LICENCE = 'SPDX-License-Identifier: MIT'
SOURCE = {'.c', '.h', '.S', '.cc', '.hh', '.py', '.go', '.sh', '.map', '.build', '.gdb', '.supp', '.pyx', '.js',
          '.css', '.cmake'}
NO_LICENCE_LINE = {'.md', '.txt', '.json', '.tsv', '.csv', '.html', '.svg', '.rst', '.pem',
                   '.in', '.cfg', '.toml', '.yml', '.yaml', '.dict',
                   '.install', '.symbols', '.docs', '.doc-base', '.examples'}
EXACT = {'.txt', '.tsv', '.csv', '.pem', '.svg'}  # data: blanks may matter

FORBIDDEN = [
    # In pieces, so that this file passes.
    (r'\b(TO' r'DO|FIX' r'ME|XX' r'X|HA' r'CK)\b', 'a note to self'),
    (r'(?<![\w.])/(home|root|Users|work|mnt)/\w', 'a path of one machine'),
    (r'(://|\b[\w-]+\.)[\w-]+\.(internal|intranet|corp|lan|localdomain)\b', 'a host of one network'),
    (r'^(<<<<<<<|>>>>>>>) ', 'a conflict that was not resolved'),
]
UP = re.compile(r'(?<![\w./])((?:\.\./)+)([\w.-]*)')


def tracked(root):
    done = subprocess.run(['git', '-C', str(root), 'ls-files', '-z', '--cached', '--others',
                           '--exclude-standard'], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        names = [name for name in done.stdout.split('\0') if name]
    else:  # a release, unpacked: no git, and no build in the source folder but build*/
        names = [str(p.relative_to(root)) for p in root.rglob('*') if p.is_file()
                 and not p.relative_to(root).parts[0].startswith('build')]
    return sorted(root / name for name in names if (root / name).is_file())


def is_source(path, lines):
    return (path.suffix in SOURCE or path.name == 'meson_options.txt'
            or bool(lines) and lines[0].startswith('#!'))


def check_start(path, lines):
    body = lines[1:] if lines and lines[0].startswith('#!') else lines
    if not body or LICENCE not in body[0]:
        yield 1, f'does not begin with "{LICENCE}"'
    elif path.suffix in {'.c', '.h', '.S', '.cc', '.hh'}:
        top = '\n'.join(body[1:4])
        if not re.search(rf'/\* ?(\n \* )?{re.escape(path.name)} - \w', top):
            yield 2, f'no comment "{path.name} - what it is" behind the licence'


def check_lines(root, path, lines):
    for number, line in enumerate(lines, 1):
        if line != line.rstrip() and path.suffix not in EXACT:
            yield number, 'blanks at the end of the line'
        for pattern, what in FORBIDDEN:
            match = re.search(pattern, line)
            if match:
                yield number, f'{what}: {match.group(0)}'
        for up, below in UP.findall(line):
            target = (path.parent / up).resolve()
            if root not in [target, *target.parents]:
                yield number, f'{up}{below} leads out of the tree'


def check(root, path):
    data = path.read_bytes()
    if b'\0' in data or path.is_relative_to(root / 'tests/fuzz/corpus'):
        return
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        yield 1, f'is not UTF-8: {error}'
        return
    lines = text.split('\n')
    if lines[-1] == '':
        lines.pop()
    elif text:
        yield len(lines), 'no newline at the end'
    if is_source(path, lines):
        yield from check_start(path, lines)
    elif path.suffix not in NO_LICENCE_LINE and path.suffix != '' and path.name[0] != '.':
        yield 1, f'a kind of file ({path.suffix}) this check does not know'
    yield from check_lines(root, path, lines)


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    files = tracked(root)
    failures = [f'{path.relative_to(root)}:{line}: {problem}'
                for path in files for line, problem in check(root, path)]
    for failure in failures:
        print(failure)
    print(f'{len(files)} files, {len(failures)} failures')
    return 1 if failures or not files else 0


if __name__ == '__main__':
    sys.exit(main())
