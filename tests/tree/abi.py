#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""See that no symbol is lost which a release had, and that each new one is promised.

usage: abi.py SYMBOLS_FILE SHARED_LIBRARY
       abi.py --update VERSION SYMBOLS_FILE SHARED_LIBRARY

The file is Debian's: its packages are checked by the same list. A program linked with a release
runs with all later ones of the same soname, so a line in the file stays for ever. --update adds
the symbols that are new, with the VERSION they come with: the package of a program that uses one
depends on it.
"""
import pathlib
import re
import subprocess
import sys


def exported(library):
    done = subprocess.run(['nm', '-D', '--defined-only', '--format=posix', library], check=True,
                          text=True, stdout=subprocess.PIPE)
    names = [line.split()[0].replace('@@', '@') for line in done.stdout.splitlines()]
    return {name if '@' in name else f'{name}@{name}' for name in names}  # a version names itself


def soname(library):
    done = subprocess.run(['readelf', '-dW', library], check=True, text=True,
                          stdout=subprocess.PIPE)
    return re.search(r'\(SONAME\).*\[(.*)\]', done.stdout).group(1)


def read(path):
    """Gives the soname, and the version that each symbol came with."""
    first, *lines = pathlib.Path(path).read_text(encoding='utf-8').splitlines()
    return first.split()[0], dict(line.split() for line in lines if line.startswith(' '))


def update(version, path, library):
    path = pathlib.Path(path)
    symbols = read(path)[1] if path.exists() else {}
    for symbol in exported(library):
        symbols.setdefault(symbol, version)
    lines = [f'{soname(library)} {path.stem} #MINVER#',
             '* Build-Depends-Package: libaioc-dev',
             *(f' {symbol} {since}' for symbol, since in sorted(symbols.items()))]
    path.write_text('\n'.join([*lines, '']), encoding='utf-8')


def main():
    if sys.argv[1] == '--update':
        update(*sys.argv[2:])
        return 0
    name, symbols = read(sys.argv[1])
    present = exported(sys.argv[2])
    failures = [f'{symbol} is lost' for symbol in sorted(set(symbols) - present)]
    failures += [f'{symbol} is not in {sys.argv[1]}: see --update'
                 for symbol in sorted(present - set(symbols))]
    if name != soname(sys.argv[2]):
        failures.append(f'the soname is {soname(sys.argv[2])}, not {name}: that is another library')
    for failure in failures:
        print(failure)
    print(f'{len(symbols)} symbols, {len(failures)} failures')
    return 1 if failures or not symbols else 0


if __name__ == '__main__':
    sys.exit(main())
