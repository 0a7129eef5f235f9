#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compile each public header by itself, as C and as C++, and beside the system's <aio.h>.

usage: compile_headers.py INCLUDE_DIR HEADER...

Each HEADER, a file in INCLUDE_DIR, has to compile as the only include of a strictly conforming
program, so that no order of includes matters; as C11 and later, and as C++; and with
<aio.h> before and behind it, with large files too, where that one defines macros. Every
header in INCLUDE_DIR must be among them: one that is not listed is not installed.
"""
import itertools
import os
import pathlib
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Wshadow', '-Wundef', '-Wcast-qual',
            '-Wwrite-strings', '-Werror']
C_WARNINGS = ['-Wstrict-prototypes', '-Wold-style-definition', '-Wc++-compat']
# (compilers, language, standards, warnings)
LANGUAGES = [
    (['gcc', 'clang'], 'c', ['c11', 'c17', 'gnu11'], WARNINGS + C_WARNINGS),
    (['g++', 'clang++'], 'c++', ['c++11', 'c++17', 'gnu++20'], WARNINGS),
]
BESIDE = {
    'alone': '#include <{header}>\n',
    'twice': '#include <{header}>\n#include <{header}>\n',
    'behind <aio.h>': '#include <aio.h>\n#include <{header}>\n',
    'before <aio.h>': '#include <{header}>\n#include <aio.h>\n',
    'behind <aio.h> for large files':
        '#define _FILE_OFFSET_BITS 64\n#include <aio.h>\n#include <{header}>\n',
}


def compile_one(compiler, language, standard, flags, include, name, text):
    command = [compiler, '-x', language, f'-std={standard}', *flags, f'-I{include}',
               '-fsyntax-only', '-']
    # A program of its own, or -Wpedantic finds an empty translation unit.
    text += 'extern int unused_beside_the_header;\n'
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    if done.returncode == 0:
        return None
    return f'{name}\n  {" ".join(command)}\n{done.stderr}'


def jobs(include, headers):
    for compilers, language, standards, flags in LANGUAGES:
        found = [c for c in compilers if shutil.which(c)]
        if not found:
            print(f'no compiler for {language}: not tried')
        for compiler, standard, header in itertools.product(found, standards, headers):
            for how, text in BESIDE.items():
                # <aio.h> itself needs more than strict C: beside it in the GNU dialects.
                if 'aio.h' in how and not standard.startswith('gnu'):
                    continue
                yield (compiler, language, standard, flags, include,
                       f'<{header}> {how}, {compiler} {standard}', text.format(header=header))


def main():
    include = pathlib.Path(sys.argv[1]).resolve()
    headers = sorted(str(pathlib.Path(h).resolve().relative_to(include)) for h in sys.argv[2:])
    present = sorted(str(p.relative_to(include)) for p in include.rglob('*.h'))
    failures = [f'<{h}> is in the tree but not among the installed headers'
                for h in present if h not in headers]

    work = list(jobs(include, headers))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        failures += filter(None, pool.map(lambda job: compile_one(*job), work))
    for failure in failures:
        print(failure)
    print(f'{len(headers)} headers, {len(work)} compilations, {len(failures)} failures')
    return 1 if failures or not work else 0


if __name__ == '__main__':
    sys.exit(main())
