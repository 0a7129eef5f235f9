#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check that every public function of the library is called wrongly by a test.

usage: misuse.py ROWS... -- HEADER...

The ROWS, tests/unit/misuse.h and misuse_io.h, need one for each function of the HEADERs that takes
anything, and one with a closed loop for each that takes a loop.
"""
import pathlib
import re
import sys

# Taking a reference, and dropping it, is no use of a closed loop.
ALSO_CLOSED = {'aio_loop_ref', 'aio_loop_unref', 'aio_set_event_loop'}


def functions(header):
    """Yields (name, parameters) of what a header declares."""
    text = re.sub(r'/\*.*?\*/', '', pathlib.Path(header).read_text(), flags=re.S)
    for name, parameters in re.findall(r'AIO_API[^;{]*?\b(aio_\w+)\(([^;]*)\)[^;]*;', text):
        if parameters.strip() != 'void':
            yield name, parameters


def main():
    rows = {}
    split = sys.argv.index('--')
    text = ''.join(pathlib.Path(path).read_text() for path in sys.argv[1:split])
    for row in re.findall(r'^[A-Z_]+\(.*?\)$', text, re.S | re.M):
        name = re.search(r'\baio_\w+(?=,)', row)
        if name and not row.startswith('OBJECT'):
            rows.setdefault(name.group(), []).append(row)
        elif row.startswith('OBJECT'):
            rows.setdefault(re.findall(r'\baio_\w+', row)[1], []).append(row)
    missing = []
    for header in sys.argv[split + 1:]:
        for name, parameters in functions(header):
            own = rows.get(name, [])
            if not own:
                missing.append(f'{header}: {name}() has no row')
            elif (re.search(r'\baio_loop \*', parameters) and name not in ALSO_CLOSED
                  and not any(re.search(r'\bclosed\b', row) for row in own)):
                missing.append(f'{header}: {name}() has no row with a closed loop')
    print(*missing, sep='\n', end='\n' if missing else '')
    return 1 if missing else 0


if __name__ == '__main__':
    sys.exit(main())
