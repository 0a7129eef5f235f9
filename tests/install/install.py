#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Use the library as its users do: installed, through pkg-config or CMake, and as a subproject.

usage: install.py prefix|cmake|subproject SOURCE_ROOT

Each builds the library anew, without optimisation, in a folder that is removed at the
end. The outside program then has to compile without warnings, link, and run.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

MESON = shutil.which('meson')
PROGRAM = pathlib.Path(__file__).with_name('outside.c')
WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Werror']


def run(*command, **options):
    """Gives what the command prints on standard output."""
    done = subprocess.run([str(part) for part in command], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    if done.returncode != 0:
        print(f'$ {" ".join(map(str, command))}\n{done.stdout}{done.stderr}')
        sys.exit(1)
    return done.stdout


def build_and_run(command, environment, program):
    run(*command, '-o', program)
    printed = run(program, env=environment)
    if 'ValueError: no such image: 12' not in printed:
        sys.exit(f'{program.name} printed: {printed}')
    print(f'{program.name}: ok')


def install(root, work):
    """Gives the prefix."""
    home = work / 'prefix'
    run(MESON, 'setup', work / 'build', root, f'--prefix={home}', '--libdir=lib',
        '--buildtype=plain', '-Dtests=false', '-Dbenchmarks=false', '-Dexamples=false')
    run(MESON, 'install', '-C', work / 'build')
    return home


def flags_of(library, environment):
    """What pkg-config says for the shared library, and for the whole of the static one: of ours
    alone, since not every system has the libraries below as archives."""
    shared = run('pkg-config', '--cflags', '--libs', library, env=environment).split()
    static = [re.sub('^-l(aioc.*)', r'-Wl,--whole-archive,-l:lib\1.a,--no-whole-archive', flag)
              for flag in shared]
    for ours in {library, 'aioc'}:
        below = run('pkg-config', '--print-requires-private', ours, env=environment)
        below = [line.split()[0] for line in below.splitlines()]
        static += run('pkg-config', '--libs', *below, env=environment).split()
    return shared, [*static, '-pthread', '-lm']


def prefix(root, work):
    home = install(root, work)
    environment = dict(os.environ, PKG_CONFIG_PATH=str(home / 'lib/pkgconfig'))
    loaded = dict(os.environ, LD_LIBRARY_PATH=str(home / 'lib'))
    flags, static = flags_of('aioc', environment)
    for compiler, options in [('cc', ['-std=c11']), ('c++', ['-xc++', '-std=c++17'])]:
        if shutil.which(compiler) is None:
            print(f'{compiler} is not here: not tried')
            continue
        command = [compiler, *options, *WARNINGS, PROGRAM]
        build_and_run([*command, *flags], loaded, work / f'shared-{compiler}')
        build_and_run([*command, *static], os.environ, work / f'static-{compiler}')
    for part in sorted(path.stem for path in (home / 'lib/pkgconfig').glob('aioc-*.pc')):
        flags, static = flags_of(part, environment)
        build_and_run(['cc', *WARNINGS, PROGRAM, '-Wl,--no-as-needed', *flags], loaded,
                      work / f'shared-{part}')
        build_and_run(['cc', *WARNINGS, PROGRAM, *static], os.environ, work / f'static-{part}')

    run('pkg-config', '--exact-version=0.1.0', 'aioc', env=environment)
    installed = {p.name for p in (home / 'include/aio').iterdir()}
    present = {p.name for p in (root / 'include/aio').glob('*.h')}
    if installed != present:
        sys.exit(f'installed headers differ: {sorted(installed ^ present)}')


def cmake(root, work):
    """From where it was installed, and from where that was moved to."""
    if shutil.which('cmake') is None:
        print('cmake is not here: not tried')
        sys.exit(77)
    home = install(root, work).rename(work / 'moved')
    project = work / 'project'
    shutil.copytree(PROGRAM.parent / 'cmake', project)
    shutil.copy(PROGRAM, project)
    run('cmake', '-S', project, '-B', work / 'out', f'-DCMAKE_PREFIX_PATH={home}')
    run('cmake', '--build', work / 'out')
    printed = run(work / 'out' / 'outside')
    if 'ValueError: no such image: 12' not in printed:
        sys.exit(f'outside printed: {printed}')
    for wrong in ['-DWANTED=9', '-DPART=nosuch']:
        done = subprocess.run(['cmake', '-S', project, '-B', work / f'wrong{wrong[-1]}',
                               f'-DCMAKE_PREFIX_PATH={home}', wrong], check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if done.returncode == 0:
            sys.exit(f'find_package() finds what is not there: {wrong}')
    print('cmake: ok')


def subproject(root, work):
    outside = work / 'outside'
    shutil.copytree(PROGRAM.parent / 'subproject', outside)
    shutil.copy(PROGRAM, outside)
    (outside / 'subprojects').mkdir()
    (outside / 'subprojects/aioc').symlink_to(root)
    for kind in ['shared', 'static']:
        run(MESON, 'setup', work / kind, outside, '--buildtype=plain',
            f'-Ddefault_library={kind}')
        run(MESON, 'compile', '-C', work / kind)
        run(MESON, 'test', '-C', work / kind)
        print(f'subproject, {kind}: ok')


def main():
    root = pathlib.Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory(prefix='aioc-install-') as work:
        {'prefix': prefix, 'cmake': cmake, 'subproject': subproject}[sys.argv[1]](
            root, pathlib.Path(work))
    return 0


if __name__ == '__main__':
    sys.exit(main())
