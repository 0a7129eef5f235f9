#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check what the built library exports, and what it asks of others.

usage: symbols.py SHARED_LIBRARY STATIC_LIBRARY HEADER...

The library exports what its public HEADERs declare, all of it and nothing else.

The prefix aio_ is shared with POSIX asynchronous I/O, whose functions live in libc: a
library that exports one of their names replaces it for the whole program, and no linker
says so. Hence this list, and the comparison with the libraries of this machine.
"""
import pathlib
import re
import shutil
import subprocess
import sys

VERSION = 'AIOC_0.1'

# <aio.h> of glibc and other systems, and the kernel's; each may have a twin in 64.
RESERVED = set('''
    aio_cancel aio_error aio_fsync aio_init aio_read aio_return aio_suspend aio_write
    lio_listio aio_waitcomplete aio_mlock aio_readv aio_writev aio_read2 aio_write2
    aio_waitn aio_nwait aio_setup aio_destroy aio_submit aio_getevents aio_context_t
    aio_fildes aio_lio_opcode aio_reqprio aio_buf aio_nbytes aio_sigevent aio_offset
    aio_threads aio_num aio_locks aio_usedba aio_debug aio_numusers aio_idle_time
    aio_reserved aio_data aio_key aio_rw_flags aio_flags aio_resfd
'''.split())
RESERVED |= {name + '64' for name in RESERVED}

# The library neither prints, nor ends the program, nor takes over at its start or end.
NOT_OURS_TO_CALL = set('''
    exit _Exit quick_exit atexit at_quick_exit on_exit system
    printf vprintf puts putchar perror __printf_chk __vprintf_chk
'''.split())

# What ends a process that is not the user's: the child that could not become another program.
ONLY_THERE = {'_exit': {'process_spawn.c.o'}}

# ld.so's search path is not ours to know: these names are what it takes.
NEIGHBOURS = ['libc.so.6', 'libpthread.so.0', 'librt.so.1', 'libm.so.6', 'libaio.so.1',
              'liburing.so.2', 'libuv.so.1']


def output(*command):
    return subprocess.run(command, check=True, text=True, capture_output=True).stdout


def nm(path, *options):
    """Yields (symbol, version or '', kind)."""
    for line in output('nm', '--format=posix', *options, str(path)).splitlines():
        fields = line.split()
        if len(fields) >= 2 and not line.endswith(':'):
            name, _, version = fields[0].partition('@')
            yield name, version.lstrip('@'), fields[1]


def find_library(name):
    ldconfig = shutil.which('ldconfig') or '/sbin/ldconfig'
    match = re.search(rf'^\s*{re.escape(name)} .*=> (\S+)$', output(ldconfig, '-p'), re.M)
    return match.group(1) if match else None


def declared(headers):
    """The functions and objects that public headers declare as exported."""
    names = set()
    for header in headers:
        text = re.sub(r'/\*.*?\*/', ' ', header.read_text(), flags=re.S)
        text = re.sub(r'^\s*#(.*\\\n)*.*$', ' ', text, flags=re.M)
        for declaration in re.findall(r'\bAIO_API\b([^;{]*)', text):
            names.add(re.search(r'(\w+)\s*(\(|\[|$)', declaration).group(1))
    return names


def check_exports(library, headers):
    exported = set()
    for name, version, kind in nm(library, '-D', '--defined-only'):
        if name == VERSION and kind == 'A':
            continue
        exported.add(name)
        if not name.startswith('aio_') or name.startswith('aio__'):
            yield f'{name} is exported, and is not of the form aio_name'
        if name in RESERVED:
            yield f'{name} is a name of <aio.h> or of a system'
        if version != VERSION:
            yield f'{name} has the version "{version}" instead of {VERSION}'
    if not exported:
        yield 'nothing is exported'
    for name in sorted(exported - declared(headers)):
        yield f'{name} is exported, but no public header declares it'
    for name in sorted(declared(headers) - exported):
        yield f'{name} is declared in a public header, but not exported'
    for neighbour in NEIGHBOURS:
        path = find_library(neighbour)
        if path is None:
            print(f'{neighbour} is not here: not compared')
            continue
        theirs = {name for name, _, kind in nm(path, '-D', '--defined-only') if kind != 'A'}
        for name in sorted(exported & theirs):
            yield f'{name} is also a symbol of {neighbour}'


def check_imports(library):
    for name, _, _ in nm(library, '-D', '--undefined-only'):
        if name in NOT_OURS_TO_CALL:
            yield f'the library calls {name}()'


def check_library(library):
    dynamic = output('readelf', '-dW', str(library))
    soname = re.match(r'.*\.so', library.name).group(0) + '.0'
    if f'[{soname}]' not in dynamic:
        yield f'the soname is not {soname}'
    if not re.search(r'\(FLAGS(_1)?\).*\bNOW\b', dynamic):
        yield 'calls are bound lazily: linked without -z now'
    # One entry is the compiler's own frame_dummy.
    for section in ['INIT_ARRAYSZ', 'FINI_ARRAYSZ']:
        match = re.search(rf'\({section}\)\s+(\d+) \(bytes\)', dynamic)
        if match and int(match.group(1)) > 8:
            yield f'{section} is {match.group(1)} bytes: a constructor or destructor of ours'


def check_archive(archive):
    for name, _, kind in nm(archive, '--defined-only', '--extern-only'):
        if kind in 'TDBRVWC' and not name.startswith('aio_'):
            yield f'{name} is global in the static library, and has no aio_ in front'
        if name in RESERVED:
            yield f'{name} in the static library is a name of <aio.h> or of a system'


def check_archive_imports(archive):
    member = ''
    for line in output('nm', '--undefined-only', str(archive)).splitlines():
        if line.endswith(':'):
            member = line[:-1]
        name = line.split()[-1] if line else ''
        if member not in ONLY_THERE.get(name, {member}):
            yield f'{member} calls {name}()'


def main():
    library, archive, *headers = map(pathlib.Path, sys.argv[1:])
    failures = [*check_exports(library, headers), *check_imports(library),
                *check_library(library), *check_archive(archive),
                *check_archive_imports(archive)]
    for failure in failures:
        print(failure)
    print(f'{len(failures)} failures')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
