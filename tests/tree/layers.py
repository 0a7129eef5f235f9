#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check that each folder of src/ includes only what it may know.

usage: layers.py SOURCE_ROOT FOLDER...

The FOLDERs are those of the core, lowest first, as src/meson.build has them. Further
folders of src/ are optional parts: they include public headers and their own alone, and may
be divided into pieces, which know their own headers and those of common/.
"""
import pathlib
import re
import sys

# The design's order. A folder that is not built yet may be missing, never misplaced.
ORDER = ['base', 'fiber', 'loop', 'future', 'task', 'sync', 'executor', 'net', 'stream',
         'process', 'inspect']

# Headers of libraries, and the folders that drive them.
EXTERNAL = {
    'uv.h': {'loop', 'net', 'executor', 'process'},
    'ares.h': {'net'},
    'openssl/': {'net', 'http', 'mysql'},
}

# Headers that the build writes.
GENERATED = {'llhttp_names.h'}

# Pieces of optional parts that stand on others.
PIECES = {
    ('http', 'web'): {'server'},
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def includes(path):
    for match in INCLUDE.finditer(path.read_text()):
        line = path.read_text().count('\n', 0, match.start()) + 1
        yield line, match.group(1) == '"', match.group(2)


def check_external(folder, name):
    for prefix, folders in EXTERNAL.items():
        matches = name.startswith(prefix) if prefix.endswith('/') else name == prefix
        if matches and folder not in folders:
            return f'<{name}> is for {", ".join(sorted(folders))} alone'
    return None


def check_piece(folder, piece, parts, name):
    """An include of "part/piece/file.h"."""
    if parts[0] != folder:
        return f'an optional part includes "{name}"'
    if parts[1] not in {piece, 'common'} and parts[1] not in PIECES.get((folder, piece), ()):
        return f'"{name}" is of another piece'
    return None


def check_own(root, core, folder, piece, name):
    """An include in quotes."""
    parts = name.split('/')
    if name in GENERATED:
        return None
    if folder not in core and len(parts) == 3 and (root / 'src' / name).is_file():
        return check_piece(folder, piece, parts, name)
    if len(parts) != 2 or not (root / 'src' / name).is_file():
        return f'"{name}" is not of the form "folder/file.h" in src/'
    if folder not in core:
        return None if parts[0] == folder else f'an optional part includes "{name}"'
    if parts[0] not in core:
        return f'the core includes "{name}" of an optional part'
    if core.index(parts[0]) > core.index(folder):
        return f'"{name}" is of a folder above'
    if parts[0] != folder and name.endswith('_internal.h') and folder not in friends(root, name):
        return f'"{name}" does not name src/{folder} as one that may include it'
    return None


def friends(root, name):
    """The folders that an internal header's first comment names."""
    comment = re.search(r'/\*.*?\*/(\s*/\*.*?\*/)?', (root / 'src' / name).read_text(), re.S)
    return re.findall(r'src/(\w+)', comment.group(0)) if comment else []


def check_sources(root, core):
    for path in sorted((root / 'src').rglob('*.[chS]')):
        folder, *pieces = path.relative_to(root / 'src').parts[:-1]
        piece = pieces[0] if pieces else None
        for line, quoted, name in includes(path):
            where = f'{path.relative_to(root)}:{line}'
            problem = (check_own(root, core, folder, piece, name) if quoted
                       else check_external(folder, name))
            if problem:
                yield f'{where}: {problem}'


def check_outside(root):
    """Public headers know only each other; examples know only them."""
    for path in sorted((root / 'include').rglob('*.h')):
        for line, quoted, name in includes(path):
            ours = name.startswith('aio/') and (root / 'include' / name).is_file()
            library = '/' in name and not name.startswith('sys/') or name in EXTERNAL
            if quoted or (library and not ours):
                yield f'{path.relative_to(root)}:{line}: a public header includes {name}'
    for path in sorted((root / 'examples').rglob('*.[ch]')):
        for line, quoted, name in includes(path):
            if quoted and (root / 'src' / name).is_file():
                yield f'{path.relative_to(root)}:{line}: an example includes "{name}"'


def main():
    root = pathlib.Path(sys.argv[1])
    core = sys.argv[2:]
    failures = [*check_sources(root, core), *check_outside(root)]
    if core != [folder for folder in ORDER if folder in core]:
        failures.append(f'src/meson.build has the folders in another order: {" ".join(core)}')
    for folder in ORDER:
        if (root / 'src' / folder).is_dir() and folder not in core:
            failures.append(f'src/{folder} is not in the list of src/meson.build')
    for failure in failures:
        print(failure)
    print(f'{len(failures)} failures')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
