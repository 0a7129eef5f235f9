#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""See what gdb shows of a program's tasks, live and in a core file.

usage: gdb.py GDB SCRIPT PROGRAM

Where the system gives core files to a program of its own, that part is left out.
"""
import pathlib
import re
import resource
import subprocess
import sys
import tempfile

TASKS = [
    r'1  Task-1: async_main\(\) of \S*hung\.c:\d+, running',
    r'2  first: sleeper\(\) of \S*hung\.c:\d+, awaits a Future',
    r'3  Task-3: joiner\(\) of \S*hung\.c:\d+, awaits first',
    r'4  Task-4: sleeper\(\) of \S*hung\.c:\d+, not started',
    r'^4 tasks$',
]
LOOPS = [
    r'1  0x[0-9a-f]+ of its own: at rest, 0 of 0 tasks, 0 ready, 0 jobs elsewhere, 0 iterations',
    r"2  0x[0-9a-f]+ in the host's uv_loop_t 0x[0-9a-f]+\b.*: waits for its host, 0 of 0 tasks, ",
    r'3  0x[0-9a-f]+ of its own: closed, 0 of 0 tasks, ',
    r'4  0x[0-9a-f]+ of its own: runs Task-1 in thread \d+, 4 of 4 tasks, [1-9]\d* ready, '
    r'0 jobs elsewhere, \d+ iterations',
    r'^4 loops$',
]
STACKS = [
    r'#\d+ +aio_await \(\) at \S+\n +#\d+ +wait_for_ever \(\) at \S*hung\.c:\d+\n'
    r' +#\d+ +sleeper \(\) at \S*hung\.c:\d+\n',
    r'#\d+ +aio_await \(\) at \S+\n +#\d+ +joiner \(\) at \S*hung\.c:\d+\n',
    r'it is running',
    r'it has no stack yet',
    r'no task "nobody"',
]


def ask(gdb, script, arguments, before):
    command = [gdb, '-nx', '-batch', '-ex', f'source {script}', *before, '-ex', 'info aio-loops',
               '-ex', 'info aio-tasks', '-ex', 'aio-bt all', '-ex', 'aio-bt nobody', *arguments]
    done = subprocess.run([str(part) for part in command], text=True, capture_output=True,
                          check=False)
    return done.stdout + done.stderr


def check(title, text):
    missing = [pattern for pattern in LOOPS + TASKS + STACKS if not re.search(pattern, text, re.M)]
    # A walk that does not end at the fiber's first frame goes on into nothing.
    if re.search(r'#\d+ +0x', text):
        missing.append('(a stack goes on beyond its beginning)')
    for pattern in missing:
        print(f'{title}: not there: {pattern}')
    if missing:
        print(text)
    return len(missing)


def dump_core(program, folder):
    """The core file of the program; None where it cannot be had."""
    pattern = pathlib.Path('/proc/sys/kernel/core_pattern').read_text().strip()
    if pattern.startswith('|') or '/' in pattern:
        return None
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    subprocess.run([program], cwd=folder, check=False, capture_output=True,
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)))
    cores = list(pathlib.Path(folder).glob('core*'))
    return cores[0] if cores else None


def main():
    gdb, script, program = map(pathlib.Path, sys.argv[1:])
    failures = check('live', ask(gdb, script, [program], ['-ex', 'run']))
    with tempfile.TemporaryDirectory() as folder:
        core = dump_core(program.resolve(), folder)
        if core is None:
            print('core file: none is to be had here')
        else:
            failures += check('core file', ask(gdb, script, [program, core], []))
    print(f'{failures} failures')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
