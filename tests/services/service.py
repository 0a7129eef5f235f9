#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Start real services for tests: what all of them have in common.

A service listens on loopback, on a port that no other test has, in a folder of its own,
and is stopped by its process. Each is a context manager:

    with folder() as where, Redis(where) as redis:
        use(redis.host, redis.port)

Should the test be killed, the kernel ends its services.
"""
import contextlib
import ctypes
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time

LIMIT = 60  # seconds that a service may take to begin, or to end, on a busy machine

# Below the ports that the system gives to connections which do not ask for one.
PORTS = range(10240, 32000)
# Who holds a port here has it on every address of loopback, as far as tests go.
TOKENS = '127.213.7.1'

PR_SET_PDEATHSIG = 1


@contextlib.contextmanager
def folder():
    """A folder that services of any user may enter, gone at the end."""
    with tempfile.TemporaryDirectory(prefix='aioc-services-', ignore_cleanup_errors=True) as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)


class Port:
    """A port of loopback that is free on all the given addresses, and ours until closed."""

    def __init__(self, *addresses):
        for number in random.sample(PORTS, 1000):
            self.token = socket.socket()
            try:
                self.token.bind((TOKENS, number))
                for address in addresses:
                    with socket.socket() as probe:
                        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                        probe.bind((address, number))
            except OSError:
                self.token.close()
                continue
            self.number = number
            return
        raise OSError('no free port was found on loopback')

    def close(self):
        self.token.close()


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Service:
    """A server process. Subclasses say what it is called, and how it is started."""

    name = 'service'
    host = '127.0.0.1'

    def __init__(self, where, host=None):
        self.host = host or self.host
        self.where = pathlib.Path(where) / f'{self.name}-{self.host}-{id(self):x}'
        self.process = None
        self.token = None
        self.port = None

    def at(self, port):
        """Take a number that the test holds, for services with the same one at several addresses."""
        self.port = port.number
        return self

    def command(self):
        """The command that serves self.host and self.port, from the folder self.where."""
        raise NotImplementedError

    def prepare(self):
        """Before the first start: files in the folder self.where."""

    def is_ready(self):
        """Whether it answers; asked again until it does."""
        with socket.create_connection((self.host, self.port), timeout=LIMIT):
            return True

    @property
    def log(self):
        return self.where / 'log'

    def start(self):
        """Start it, for the first time or again after stop() or kill(), and wait until it answers."""
        with open(self.log, 'ab') as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd=self.where,
                                            preexec_fn=die_with_parent)
        until = time.monotonic() + LIMIT
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f'{self.name} ended with {self.process.returncode}:\n'
                                   f'{self.log.read_text(errors="replace")}')
            with contextlib.suppress(OSError):
                if self.is_ready():
                    return
            if time.monotonic() > until:
                raise RuntimeError(f'{self.name} does not answer:\n'
                                   f'{self.log.read_text(errors="replace")}')
            time.sleep(0.02)

    def stop(self, number=signal.SIGTERM):
        """Ask it to end, and wait; nothing if it does not run."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def kill(self):
        """End it as a crash does."""
        self.stop(signal.SIGKILL)

    def freeze(self):
        """Let it answer nobody, until thaw(): its connections stay."""
        self.process.send_signal(signal.SIGSTOP)
        # A thread on another processor goes on for a moment, and may answer. The stop is told of
        # when it is that of all.
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def __enter__(self):
        self.where.mkdir(mode=0o755)
        if self.port is None:
            self.token = Port(self.host)
            self.port = self.token.number
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *unused):
        if self.process is not None and self.process.poll() is None:
            self.thaw()
        self.stop()
        if self.token is not None:
            self.token.close()


def python(script, *arguments):
    """The command that runs one of the scripts beside this one."""
    return [sys.executable, str(pathlib.Path(__file__).with_name(script)), *map(str, arguments)]
