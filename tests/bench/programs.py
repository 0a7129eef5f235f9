#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every benchmark program starts, answers as its callers expect, and stops.

usage: programs.py BENCH_FOLDER

With tiny sizes: nothing is measured here. What was not built is left out, and what asks a server
that is not installed.
"""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / 'bench'))
# pylint: disable=wrong-import-position
from harness import stores, tools, web  # noqa: E402

PROGRAMS = tools.Programs(pathlib.Path(sys.argv.pop()).resolve().parent)


# A library without TLS refuses to serve by it.
needs_tls = unittest.skipIf(os.environ.get('WITHOUT_TLS') or not shutil.which('openssl'),
                            'needs OpenSSL, and openssl(1)')


def built(name):
    program = PROGRAMS.built(name)
    if not program:
        raise unittest.SkipTest(f'{name} was not built')
    return program


def run(name, *arguments, **env):
    """{line: its numbers} that a program prints."""
    return dict(tools.rows([*built(name), *arguments], **env))


class Lines(unittest.TestCase):
    """Programs that have lines by name."""

    def each_line(self, name):
        known = tools.output(*built(name), '--list').split()
        self.assertGreater(len(known), 0)
        for line in known:
            if 'pool' in line or line.endswith(('100k', '1m')):
                continue  # many threads and processes, or a million timers: not tiny
            with self.subTest(line):
                found = run(name, line, LAB_MS='1')
                self.assertEqual(list(found), [line])
                self.assertGreater(min(found[line]), 0)

    def test_micro_measures_each_of_its_lines(self):
        self.each_line('micro')

    def test_libuv_measures_each_of_its_lines(self):
        self.each_line('baseline_uv')

    def test_swapcontext_measures_the_switch(self):
        self.assertEqual(list(run('baseline_swapcontext', 'switch', LAB_MS='1')), ['switch'])

    def test_unknown_names_are_ignored(self):
        for name in ['micro', 'baseline_uv', 'baseline_swapcontext']:
            self.assertEqual(run(name, 'no_such_line', LAB_MS='1'), {})


class Crowds(unittest.TestCase):
    def test_scale_tells_memory_and_time_of_a_task(self):
        found = run('scale', '100')
        for line in ['rss_per_task', 'spawn_ns', 'wake_ns']:
            self.assertIn(line, found)
        self.assertNotIn('failed_at', found)

    def test_dump_writes_tasks_down_in_four_ways(self):
        self.assertEqual(list(run('dump', '100')), ['list', 'tree', 'list_stacks', 'tree_stacks'])

    def test_idle_connections_tells_memory_by_stream_and_by_protocol(self):
        self.assertEqual(list(run('idle_connections', '20')), ['stream', 'protocol'])


class Echo(unittest.TestCase):
    """Servers that are asked for different sizes by echo_load, which checks each byte."""

    def asked(self, command, *options):
        for size in ['1', '100000']:
            port = tools.free_port()
            with tools.server(command, str(port)) as process:
                found = run('echo_load', '--pid', process.pid, '--size', size, '--connections', '3',
                            '--seconds', '0.02', *options, port)
            self.assertGreater(found['requests'][0], 0)
            self.assertGreater(found['cpu_ns'][0], 0)

    def test_stream(self):
        self.asked(built('echo_server'))

    def test_protocol(self):
        self.asked([*built('echo_server'), '--mode', 'protocol'])

    def test_buffered(self):
        self.asked([*built('echo_server'), '--mode', 'buffered'])

    def test_socket(self):
        self.asked([*built('echo_server'), '--mode', 'socket'])

    def test_bare_libuv(self):
        self.asked(built('baseline_uv_echo'))

    def test_bare_epoll(self):
        self.asked(built('baseline_epoll'))

    @needs_tls
    def test_over_tls(self):
        for mode in ['stream', 'protocol', 'buffered']:
            self.asked([*built('echo_server'), '--mode', mode, '--tls'], '--tls')

    @needs_tls
    def test_of_python_over_tls(self):
        self.asked([*PROGRAMS.python('echo_uvloop.py'), '--loop', 'asyncio', '--tls'], '--tls')

    @needs_tls
    def test_sockets_have_no_tls(self):
        with subprocess.Popen([*built('echo_server'), '--mode', 'socket', '--tls', '1'],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            written, said = process.communicate()
        self.assertEqual((process.returncode, written), (1, ''))
        self.assertIn('sockets have no TLS', said)

    def test_who_reads_nothing_before_all_is_sent_gets_it_back(self):
        message = bytes(range(256)) * 4096
        for mode in ['stream', 'protocol', 'buffered']:
            with tempfile.TemporaryDirectory() as folder:
                where = f'{folder}/socket'
                with tools.server([*built('echo_server'), '--mode', mode], '--unix', where), \
                        socket.socket(socket.AF_UNIX) as peer:
                    peer.settimeout(60)
                    peer.connect(where)
                    peer.sendall(message)
                    with peer.makefile('rb') as file:
                        back = file.read(len(message))
            self.assertTrue(back == message)

    def test_by_a_unix_socket(self):
        for mode in ['stream', 'protocol', 'buffered', 'socket']:
            with tempfile.TemporaryDirectory() as folder:
                where = ['--unix', f'{folder}/socket']
                with tools.server([*built('echo_server'), '--mode', mode], *where):
                    found = run('echo_load', '--seconds', '0.02', *where)
            self.assertGreater(found['requests'][0], 0)


class Http(unittest.TestCase):
    def answers(self, command):
        port = tools.free_port()
        with tools.server(command, str(port)):
            web.check(port)

    def test_http_server_answers_hello(self):
        self.answers(built('http_server'))

    def test_bare_epoll_answers_hello(self):
        self.answers([*built('baseline_epoll'), '--http'])

    def test_http_server_answers_404_elsewhere(self):
        port = tools.free_port()
        with tools.server(built('http_server'), str(port)):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(f'http://127.0.0.1:{port}/elsewhere')
            caught.exception.close()
            self.assertEqual(caught.exception.code, 404)


class Clients(unittest.TestCase):
    """Programs that ask a server."""

    def asks(self, suite, program, lines):
        command = built(program)
        if next(iter(suite.rows()), None) is None:
            self.skipTest('its server is not installed')
        with suite.ready():
            where = getattr(suite, 'port', None) or suite.where
            found = dict(tools.rows([*command, where]))
        self.assertEqual(list(found), lines)
        for numbers in found.values():
            self.assertEqual(len(numbers), 2)
            self.assertGreater(min(numbers), 0)

    def test_fetch(self):
        self.asks(web.Fetch(PROGRAMS, None), 'fetch', ['small_1000', 'large_50'])

    def test_redis(self):
        self.asks(stores.RedisClients(PROGRAMS, None), 'redis',
                  ['hset_hgetall_c1', 'hset_hgetall_c10', 'pipeline_100'])

    def test_mysql(self):
        self.asks(stores.MysqlClients(PROGRAMS, None), 'mysql', ['select_c1', 'select_c10'])


class Report(unittest.TestCase):
    """The harness itself, with one line."""

    def test_report_has_our_figures_and_those_of_libuv(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [tools.PYTHON, ROOT / 'bench' / 'run.py', '--rounds', '1', '--ms', '1', '--report',
                 folder, '--build', PROGRAMS.build, 'call_soon'],
                check=True, capture_output=True, text=True)
            figures = json.loads((pathlib.Path(folder) / 'figures.json').read_text())
            written = (pathlib.Path(folder) / 'report.md').read_text()
        self.assertEqual(written, done.stdout)
        self.assertIn('| `call_soon` |', written)
        self.assertEqual(len(figures['micro']['call_soon']['aioc']), 1)
        self.assertEqual(len(figures['micro']['call_soon']['libuv']), 1)


unittest.main()
