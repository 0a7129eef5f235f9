#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write a header that renames llhttp's functions to aio__llhttp...

usage: llhttp_names.py HEADER SOURCE...
"""
import pathlib
import re
import sys

FUNCTION = re.compile(r'^(?:static )?(?:const )?\w+[ *]+(llhttp_\w+)\(', re.M)


def main():
    header, *sources = map(pathlib.Path, sys.argv[1:])
    names = {name for source in sources for name in FUNCTION.findall(source.read_text())}
    lines = ['#pragma GCC system_header']
    lines += [f'#define {name} aio__{name}' for name in sorted(names)]
    header.write_text('\n'.join(lines) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
