# SPDX-License-Identifier: MIT
"""Programs: which there are, how they are run, and what they cost."""
import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

BENCH = pathlib.Path(__file__).resolve().parent.parent
BASELINE = BENCH / 'baseline'
# The system's own, which is where a distribution's uvloop is found.
PYTHON = '/usr/bin/python3' if os.access('/usr/bin/python3', os.X_OK) else sys.executable

sys.path.insert(0, str(BENCH.parent / 'tests' / 'services'))


def say(text):
    print(text, file=sys.stderr, flush=True)


def output(*command, **options):
    """What a command prints, without its last newline; '' if it fails or is not there."""
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                              check=False, **options)
    except OSError:
        return ''
    return done.stdout.strip() if done.returncode == 0 else ''


def rows(command, **env):
    """[(name, [number, ...])] of the lines that a command prints; it has to succeed."""
    done = subprocess.run([str(part) for part in command], env={**os.environ, **env}, text=True,
                          check=False, stdout=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f'{" ".join(map(str, command))} failed: {done.returncode}')
    fields = [line.split() for line in done.stdout.splitlines()]
    return [(name, [float(number) for number in numbers]) for name, *numbers in fields]


# ---- what there is ---------------------------------------------------------------------

class Programs:
    """Those of one build, and the baselines that this machine has."""

    def __init__(self, build):
        self.build = build
        self.folder = build / 'bench'
        self.modules = {}

    def has(self, *modules):
        """Whether the system's Python can import them all."""
        if modules not in self.modules:
            done = subprocess.run([PYTHON, '-c', f'import {", ".join(modules)}'], check=False,
                                  capture_output=True)
            self.modules[modules] = done.returncode == 0
        return self.modules[modules]

    def built(self, name):
        """[program] of the build; [] if it was not built."""
        path = self.folder / name
        return [path] if path.exists() else []

    def go(self, name):
        """[program] of a Go source, built now; [] if there is no Go."""
        if shutil.which('go') is None:
            return []
        path = self.folder / 'go' / name
        source = BASELINE / f'{name}.go'
        if not path.exists() or path.stat().st_mtime < source.stat().st_mtime:
            path.parent.mkdir(exist_ok=True)
            subprocess.run(['go', 'build', '-o', path, source], check=True,
                           env={**os.environ, 'GO111MODULE': 'off'})
        return [path]

    @staticmethod
    def python(script, *arguments):
        return [PYTHON, BASELINE / script, *arguments]

    def versions(self):
        """(contender, what exactly it is)."""
        commit = output('git', '-C', BENCH, 'describe', '--always', '--dirty')
        yield 'aioc', commit or 'a release'
        yield 'asyncio', output(PYTHON, '--version')
        for module, names in MODULES.items():
            version = output(PYTHON, '-c', f'import {module}; print({module}.__version__)')
            if version:
                yield names, version.split()[-1]
        if shutil.which('go'):
            yield 'Go', output('go', 'version').removeprefix('go version ') + ', one processor'
        for package in ['libuv', 'hiredis', 'libmariadb']:
            version = output('pkg-config', '--modversion', package)
            if version:
                yield package, version
        for name, command in SERVERS.items():
            path = shutil.which(command[0]) or shutil.which(command[0], path='/usr/sbin')
            if path:
                done = subprocess.run([path, *command[1:]], text=True, check=False,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                yield name, re.search(r'\d+\.\d+[\w.]*', done.stdout).group(0)
        yield 'swapcontext', output('getconf', 'GNU_LIBC_VERSION')


MODULES = {name: name for name in
           ['uvloop', 'greenlet', 'aiohttp', 'fastapi', 'uvicorn', 'aioredis', 'aiomysql']}
SERVERS = {'nginx': ['nginx', '-v'], 'redis-server': ['redis-server', '--version'],
           'mariadbd': ['mariadbd', '--version'], 'wrk': ['wrk', '-v']}


# ---- two sides, each on its core -------------------------------------------------------

CORES = sorted(os.sched_getaffinity(0))


def pinned(core, command):
    if len(CORES) < 2 or shutil.which('taskset') is None:
        return [str(part) for part in command]
    return ['taskset', '-c', str(core), *map(str, command)]


def on_first_core(command):
    """Where that runs which is measured."""
    return pinned(CORES[0], command)


def on_last_core(command):
    """Where the other side runs."""
    return pinned(CORES[-1], command)


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def server(command, *where, **env):
    """A server that prints READY, on the first core; its process."""
    with subprocess.Popen(on_first_core([*command, *where]), stdout=subprocess.PIPE, text=True,
                          env={**os.environ, 'GOMAXPROCS': '1', **env}) as process:
        try:
            if process.stdout.readline() != 'READY\n':
                sys.exit(f'{command} does not start')
            yield process
        finally:
            process.kill()


def family(pid):
    """A process and those that it has started."""
    yield pid
    children = pathlib.Path(f'/proc/{pid}/task/{pid}/children').read_text()
    for child in children.split():
        yield from family(int(child))


def cpu_ns(pid):
    """The processor time that a process and its children have had, in nanoseconds."""
    # What clock_getcpuclockid(3) makes of a process.
    return sum(time.clock_gettime_ns((~one << 3) | 2) for one in family(pid))


def resident(pid):
    """Bytes of memory that a process has."""
    pages = int(pathlib.Path(f'/proc/{pid}/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE')
