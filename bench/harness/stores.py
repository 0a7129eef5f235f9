# SPDX-License-Identifier: MIT
"""Clients of redis and of MariaDB."""
import contextlib
import subprocess
from functools import partial

from .suite import Row, Suite
from .tools import on_first_core, on_last_core, rows

# pylint: disable=import-error
from mariadb import Mariadb  # noqa: E402
from redis import Redis  # noqa: E402
from service import folder  # noqa: E402

SLEEPS = 'aioc that sleeps'  # at once, AIO_BUSY_POLL_NEVER

TABLE = """
CREATE DATABASE lab;
USE lab;
CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(32), val VARCHAR(64)) CHARACTER SET utf8mb4;
INSERT INTO t SELECT seq, CONCAT('name-', seq), CONCAT('value-', seq) FROM seq_1_to_1000;
"""


class PinnedRedis(Redis):
    def command(self):
        return on_last_core(super().command())


class PinnedMariadb(Mariadb):
    def command(self):
        return on_last_core(super().command())


class Store(Suite):
    """A client, its peers, and the server that all of them ask."""

    program = ''  # of the build
    service = None
    baselines = {}  # name: a program of the build
    script = ('', [])  # of Python, and modules that it needs

    def __init__(self, programs, settings):
        super().__init__(programs, settings)
        self.where = None  # the argument of all clients

    def measure(self, command):
        for name, (wall, *cpu) in rows(on_first_core([*command, self.where])):
            yield self.name, f'{self.name} {name}', wall
            if cpu:
                yield self.name, f'{self.name} {name} cpu', cpu[-1]

    def rows(self):
        ours = self.programs.built(self.name)
        if not ours or self.service.program() is None:
            return
        calls = {'aioc': partial(self.measure, ours),
                 SLEEPS: partial(self.measure, [*ours, '--never-look'])}
        for name, program in self.baselines.items():
            if found := self.programs.built(program):
                calls[name] = partial(self.measure, found)
        script, modules = self.script
        if self.programs.has(*modules):
            calls[modules[0]] = partial(self.measure, self.programs.python(script))
        yield Row(self.name, calls)


class RedisClients(Store):
    name = 'redis'
    tables = {'redis': ('redis clients', 'Nanoseconds for one HSET and HGETALL: time that passes,'
                        ' and the client\'s processor time.')}
    service = PinnedRedis
    baselines = {'hiredis': 'baseline_redis_uv'}
    script = ('redis_uvloop.py', ['aioredis', 'uvloop'])

    @contextlib.contextmanager
    def ready(self):
        with folder() as where, PinnedRedis(where) as redis:
            self.where = redis.port
            yield


class MysqlClients(Store):
    name = 'mysql'
    tables = {'mysql': ('MySQL clients', 'Nanoseconds for one SELECT by a unix socket: time that'
                        ' passes, and the client\'s processor time.')}
    service = PinnedMariadb
    baselines = {'libmariadb': 'baseline_mysql_blocking'}
    script = ('mysql_uvloop.py', ['aiomysql', 'uvloop'])

    @contextlib.contextmanager
    def ready(self):
        with folder() as where, PinnedMariadb(where, password='') as mariadb:
            subprocess.run(['mariadb', '--no-defaults', f'--socket={mariadb.socket}', '-uroot'],
                           input=TABLE, text=True, check=True)
            self.where = mariadb.socket
            yield
