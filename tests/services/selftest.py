#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check that the services for tests begin, answer and end; nginx where it is installed."""
import http.client
import os
import socket
import ssl
import subprocess
import sys
import time
import unittest

from control import Control
from delay_proxy import DelayProxy
from mariadb import Mariadb
from nginx import Nginx
from origin import Origin, page, picture
from redis import Redis
from service import Port, folder
from tls import Authority


def get(port, path, context=None, host='localhost'):
    if context is None:
        connection = http.client.HTTPConnection(host, port, timeout=60)
    else:
        connection = http.client.HTTPSConnection(host, port, timeout=60, context=context)
    connection.request('GET', path)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, dict(response.getheaders()), body


class Services(unittest.TestCase):
    def setUp(self):
        where = folder()
        self.where = where.__enter__()
        self.addCleanup(where.__exit__, None, None, None)

    def test_a_port_is_held_by_one(self):
        ports = [Port('127.0.0.1', '127.0.0.2') for _ in range(50)]
        self.assertEqual(len({port.number for port in ports}), 50)
        for port in ports:
            port.close()

    def test_origin_serves_what_its_seed_makes(self):
        with Origin(self.where, seed=5) as origin:
            self.assertEqual(get(origin.port, '/a_cat3.jpg')[2], picture(5, '3'))
            status, headers, body = get(origin.port, '/www.pythonav.com')
            self.assertEqual((status, headers['Content-Type']), (200, 'text/html; charset=gbk'))
            self.assertEqual(body.decode('gbk'), page(5, '/www.pythonav.com'))
            self.assertEqual(get(origin.port, '/python.org')[1]['Location'], '/www.python.org/')
            self.assertEqual(get(origin.port, '/nowhere')[0], 404)
            process = origin.process
        self.assertIsNotNone(process.poll())

    def test_origin_answers_again_after_a_restart(self):
        with Origin(self.where) as origin:
            origin.kill()
            with self.assertRaises(OSError):
                get(origin.port, '/small')
            origin.start()
            self.assertEqual(len(get(origin.port, '/small')[2]), 1024)

    def test_a_service_that_cannot_begin_says_why(self):
        class Broken(Origin):
            def command(self):
                return ['sh', '-c', 'echo no such luck; exit 3']

        with self.assertRaisesRegex(RuntimeError, '(?s)ended with 3.*no such luck'):
            Broken(self.where).__enter__()

    def test_redis_asks_for_its_password(self):
        if Redis.program() is None:
            self.skipTest('there is no redis-server')
        with Redis(self.where, password='secret') as redis, \
                socket.create_connection((redis.host, redis.port)) as connection:
            lines = connection.makefile('rw')
            for command, answer in [('PING', '-NOAUTH'), ('AUTH secret', '+OK'), ('PING', '+PONG')]:
                print(command, end='\r\n', file=lines, flush=True)
                self.assertTrue(lines.readline().startswith(answer))

    def test_mariadb_keeps_its_data_over_a_restart(self):
        if Mariadb.program() is None:
            self.skipTest('there is no mariadbd')

        def query(text):
            return subprocess.run(
                ['mariadb', '--no-defaults', '-uroot', '-psecret', '-hlocalhost', '-N',
                 f'-S{database.socket}', 'test', '-e', text],
                check=True, capture_output=True, encoding='utf-8').stdout

        with Mariadb(self.where, password='secret') as database:
            query("INSERT INTO t_student (name, age) VALUES ('new', 1)")
            database.stop()
            database.start()
            self.assertEqual(query('SELECT name FROM t_student ORDER BY id'),
                             '张三\n李四\n王五-1\nnew\n')

    def test_control_stops_and_starts_by_name(self):
        with Origin(self.where) as origin, Control(self.where, {'web': origin}) as control, \
                socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(control.path))
            lines = connection.makefile('rw')
            for line, answer in [('stop web', 'ok\n'), ('start web', 'ok\n'), ('start it', 'failed')]:
                print(line, file=lines, flush=True)
                self.assertTrue(lines.readline().startswith(answer))
            self.assertEqual(len(get(origin.port, '/small')[2]), 1024)

    def test_delay_proxy_adds_the_delay_each_way(self):
        with Origin(self.where) as origin, DelayProxy(self.where, origin, 0.1) as proxy:
            began = time.monotonic()
            self.assertEqual(len(get(proxy.port, '/large')[2]), 1 << 20)
            self.assertGreaterEqual(time.monotonic() - began, 0.2)

    def test_nginx_speaks_tls_of_the_private_authority(self):
        if Nginx.program() is None:
            self.skipTest('there is no nginx')
        authority = Authority(self.where)
        with Origin(self.where, seed=6) as origin, Nginx(self.where, origin, authority) as nginx:
            context = ssl.create_default_context(cafile=str(authority.ca))
            self.assertEqual(get(nginx.port, '/a_cat1.jpg', context)[2], picture(6, '1'))
            with self.assertRaises(ssl.SSLCertVerificationError):
                get(nginx.port, '/', ssl.create_default_context())

    def test_nothing_outlives_a_test_that_is_killed(self):
        script = ('import os, sys\n'
                  'sys.path.insert(0, sys.argv[1])\n'
                  'from origin import Origin\n'
                  'with Origin(sys.argv[2]) as origin:\n'
                  '    print(origin.process.pid, flush=True)\n'
                  '    os.kill(os.getpid(), 9)\n')
        done = subprocess.run([sys.executable, '-c', script, os.path.dirname(__file__), self.where],
                              stdout=subprocess.PIPE, text=True, check=False)
        until = time.monotonic() + 60
        with self.assertRaises(ProcessLookupError):
            while time.monotonic() < until:
                os.kill(int(done.stdout), 0)
                time.sleep(0.01)


if __name__ == '__main__':
    unittest.main()
