#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Let the programs of examples/network talk to each other, and to Python's asyncio.

usage: network.py FOLDER
"""
import asyncio
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

FOLDER = pathlib.Path(sys.argv.pop(1)).resolve()
LIMIT = 60  # seconds after which a run counts as hung


NGINX = """
daemon off; master_process off; pid {folder}/pid;
events {{ }}
http {{ access_log off; client_body_temp_path {folder}/1; proxy_temp_path {folder}/2;
        fastcgi_temp_path {folder}/3; uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
        server {{ listen 127.0.0.1:{port}; root {folder}; }} }}
"""


def run(name, *arguments):
    return subprocess.run([FOLDER / name, *map(str, arguments)], timeout=LIMIT, check=False,
                          text=True, stdin=subprocess.DEVNULL, capture_output=True)


class Server:
    """A program that says where it listens; stopped at the end."""

    def __init__(self, test, name, *arguments):
        self.process = subprocess.Popen([FOLDER / name, *map(str, arguments)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        test.addCleanup(self.stop)
        line = self.process.stdout.readline()
        test.assertIn('listening on', line)
        found = re.search(r'port (\d+)', line)
        self.port = int(found[1]) if found else None

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.communicate(timeout=LIMIT)
        return self.process.returncode

    def connect(self):
        sock = socket.create_connection(('127.0.0.1', self.port), timeout=LIMIT)
        return sock


def read_all(sock):
    data = b''
    while chunk := sock.recv(65536):
        data += chunk
    return data


class Echo(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='aioc-network-')
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_client_gets_its_lines_back(self):
        server = Server(self, 'echo_server', '127.0.0.1', 0)
        done = run('echo_client', 'localhost', server.port, 'one', 'two')
        self.assertEqual((done.returncode, done.stdout), (0, 'one\ntwo\n'), done.stderr)

    def test_client_gets_its_lines_back_by_a_unix_socket(self):
        path = self.folder / 'socket'
        Server(self, 'echo_server', '-u', path)
        done = run('echo_client', '-u', path, 'one', 'two')
        self.assertEqual((done.returncode, done.stdout), (0, 'one\ntwo\n'), done.stderr)

    @unittest.skipUnless(shutil.which('openssl'), 'needs openssl')
    def test_client_gets_its_lines_back_by_tls_from_whom_it_trusts(self):
        key, certificate, both = (self.folder / name for name in ('key', 'cert', 'both'))
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key,
                        '-out', certificate, '-days', '2', '-subj', '/CN=localhost', '-addext',
                        'subjectAltName=DNS:localhost'], check=True, capture_output=True)
        both.write_text(key.read_text() + certificate.read_text())
        try:
            server = Server(self, 'echo_server', '-t', both, '127.0.0.1', 0)
        except AssertionError:
            self.skipTest('built without OpenSSL')
        done = run('echo_client', '-t', certificate, 'localhost', server.port, 'secret')
        self.assertEqual((done.returncode, done.stdout), (0, 'secret\n'), done.stderr)
        done = run('echo_client', '-t', certificate, '127.0.0.1', server.port, 'secret')
        self.assertEqual((done.returncode, done.stdout), (1, ''))
        self.assertIn('SSLCertVerificationError', done.stderr)

    def test_client_says_that_nobody_is_there(self):
        with socket.socket() as sock:
            sock.bind(('127.0.0.1', 0))
            done = run('echo_client', '127.0.0.1', sock.getsockname()[1], 'one')
        self.assertEqual(done.returncode, 1)
        self.assertIn('ConnectionRefusedError', done.stderr)

    def test_wrong_use_is_told(self):
        for name, *arguments in (['echo_server'], ['echo_client', 'host'], ['chat'], ['lookup'],
                                 ['forward', '1', '2'], ['workers'], ['pictures', '-2'],
                                 ['number', 'file']):
            done = run(name, *arguments)
            self.assertEqual(done.returncode, 2, name)
            self.assertIn('usage', done.stderr)


class Number(unittest.TestCase):
    """A filter of ours, started by Python's asyncio."""

    async def start(self, **options):
        return await asyncio.create_subprocess_exec(
            FOLDER / 'number', stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            **options)

    def run_for(self, coroutine):
        return asyncio.run(asyncio.wait_for(coroutine, LIMIT))

    def test_many_megabytes_are_numbered_as_cat_does(self):
        data = b''.join(b'line %x\n' % (i * i) for i in range(500000)) + b'the last has no end'

        async def main():
            child = await self.start()
            out, _ = await child.communicate(data)
            self.assertEqual(await child.wait(), 0)
            return out

        want = subprocess.run(['cat', '-n'], input=data, check=True, capture_output=True).stdout
        self.assertTrue(self.run_for(main()) == want)

    def test_each_line_is_answered(self):
        async def main():
            child = await self.start()
            for i in range(1, 101):
                child.stdin.write(b'hello\n')
                self.assertEqual(await child.stdout.readline(), b'%6d\thello\n' % i)
            child.stdin.close()
            self.assertEqual(await child.stdout.read(), b'')
            self.assertEqual(await child.wait(), 0)

        self.run_for(main())

    def test_a_slow_reader_stops_who_writes(self):
        line = b'x' * 999 + b'\n'
        count = 32 << 10

        async def main():
            child = await self.start(limit=1024)
            held = asyncio.ensure_future(self.write(child.stdin, line, count))
            for i in range(100):  # much less than it has
                self.assertEqual(await child.stdout.readline(), b'%6d\t%s' % (i + 1, line))
            self.assertFalse(held.done())
            status = pathlib.Path(f'/proc/{child.pid}/status').read_text()
            peak = int(re.search(r'VmHWM:\s+(\d+) kB', status)[1])
            rest = 0
            while data := await child.stdout.read(1 << 16):
                rest += len(data)
            self.assertEqual(rest, (count - 100) * (7 + len(line)))
            await held
            self.assertEqual(await child.wait(), 0)
            return peak

        self.assertLess(self.run_for(main()), 16 << 10)

    async def write(self, writer, line, count):
        for _ in range(count):
            writer.write(line)
            await writer.drain()
        writer.close()

    def test_a_reader_that_leaves_ends_it(self):
        async def main():
            child = await self.start(stderr=asyncio.subprocess.PIPE)
            child.stdin.write(b'hello\n')
            await child.stdout.readline()
            child._transport.get_pipe_transport(1).close()
            try:
                while True:
                    child.stdin.write(b'hello\n')
                    await child.stdin.drain()
            except (BrokenPipeError, ConnectionResetError):
                pass
            said = await child.stderr.read()
            self.assertNotEqual(await child.wait(), 0)
            return said

        self.assertIn(b'Error', self.run_for(main()))

    def test_a_file_is_refused(self):
        with tempfile.TemporaryFile() as file:
            done = subprocess.run([FOLDER / 'number'], stdin=file, check=False, timeout=LIMIT,
                                  capture_output=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b'ValueError', done.stderr)


class Chat(unittest.TestCase):
    def join(self, server, name):
        sock = server.connect()
        self.addCleanup(sock.close)
        sock.sendall(name + b'\n')
        return sock, sock.makefile('rb')

    def test_lines_go_to_all_the_others(self):
        server = Server(self, 'chat', '127.0.0.1', 0)
        ann, ann_hears = self.join(server, b'ann')
        ann.sendall(b'alone\n')
        bob, bob_hears = self.join(server, b'bob')
        self.assertEqual(ann_hears.readline(), b'bob: is here\n')
        ann.sendall(b'hello\n')
        self.assertEqual(bob_hears.readline(), b'ann: hello\n')
        bob.sendall(b'goodbye\n')
        self.assertEqual(ann_hears.readline(), b'bob: goodbye\n')
        bob.close()
        bob_hears.close()
        self.assertEqual(ann_hears.readline(), b'bob: has gone\n')

    def test_slow_reader_is_thrown_out_and_the_others_go_on(self):
        server = Server(self, 'chat', '-q', 3, '127.0.0.1', 0)
        ann, ann_hears = self.join(server, b'ann')
        self.join(server, b'slow')  # and never reads
        self.assertEqual(ann_hears.readline(), b'slow: is here\n')
        line = b'x' * 60000 + b'\n'
        ann.settimeout(LIMIT)
        for _ in range(1000):
            ann.sendall(line)
            ann.setblocking(False)
            try:
                heard = ann.recv(100)
            except BlockingIOError:
                heard = b''
            ann.settimeout(LIMIT)
            if heard:
                break
        self.assertEqual(heard, b'slow: has gone\n')


class Forward(unittest.TestCase):
    def test_bytes_and_ends_go_both_ways(self):
        with socket.create_server(('127.0.0.1', 0)) as far:
            server = Server(self, 'forward', 0, '127.0.0.1', far.getsockname()[1])
            near = server.connect()
            peer, _ = far.accept()
            with near, peer:
                near.sendall(b'question')
                near.shutdown(socket.SHUT_WR)
                self.assertEqual(read_all(peer), b'question')
                peer.sendall(b'answer' * 100000)
                peer.shutdown(socket.SHUT_WR)
                self.assertEqual(read_all(near), b'answer' * 100000)

    def test_connection_to_nobody_is_closed(self):
        with socket.socket() as sock:
            sock.bind(('127.0.0.1', 0))
            server = Server(self, 'forward', 0, '127.0.0.1', sock.getsockname()[1])
            with server.connect() as near:
                self.assertEqual(read_all(near), b'')

    def test_echo_by_a_forwarded_port(self):
        echo = Server(self, 'echo_server', '127.0.0.1', 0)
        server = Server(self, 'forward', 0, 'localhost', echo.port)
        done = run('echo_client', '127.0.0.1', server.port, 'through')
        self.assertEqual(done.stdout, 'through\n', done.stderr)


    @unittest.skipUnless(shutil.which('nginx') and shutil.which('curl'), 'needs nginx and curl')
    def test_curl_talks_to_nginx_by_a_forwarded_port(self):
        with tempfile.TemporaryDirectory(prefix='aioc-network-') as name:
            folder = pathlib.Path(name)
            content = bytes(range(256)) * 16384
            (folder / 'file').write_bytes(content)
            with socket.socket() as sock:
                sock.bind(('127.0.0.1', 0))
                port = sock.getsockname()[1]
            (folder / 'conf').write_text(NGINX.format(folder=folder, port=port))
            with subprocess.Popen(['nginx', '-p', folder, '-c', folder / 'conf', '-e', 'stderr'],
                                  stderr=subprocess.DEVNULL) as nginx:
                try:
                    server = Server(self, 'forward', 0, '127.0.0.1', port)
                    url = f'http://127.0.0.1:{server.port}/file'
                    done = subprocess.run(
                        ['curl', '-sS', '--retry', '20', '--retry-all-errors', '--retry-delay',
                         '1', '-H', 'Connection: close', url], timeout=LIMIT, check=True,
                        capture_output=True)
                    self.assertEqual(done.stdout, content)
                finally:
                    nginx.terminate()


class Lookup(unittest.TestCase):
    def test_localhost_is_found_in_both_ways(self):
        for arguments in ([], ['-y']):
            done = run('lookup', *arguments, 'localhost', '127.0.0.1')
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertRegex(done.stdout, r'(?m)^localhost (127\.0\.0\.1|::1)$')
            self.assertRegex(done.stdout, r'(?m)^127\.0\.0\.1 \S+$')

    def test_what_is_not_found_is_told(self):
        with socket.socket(type=socket.SOCK_DGRAM) as silent:
            silent.bind(('127.0.0.1', 0))
            where = f'127.0.0.1:{silent.getsockname()[1]}'
            done = run('lookup', '-s', where, '-t', '0.05', 'nobody.invalid', 'localhost')
        self.assertEqual(done.returncode, 1)
        self.assertIn('nobody.invalid: ', done.stdout)
        self.assertIn('localhost ', done.stdout)


class Workers(unittest.TestCase):
    def ask(self, server):
        with server.connect() as sock:
            sock.sendall(b'who\n')
            sock.shutdown(socket.SHUT_WR)
            return read_all(sock)

    def test_several_answer_at_one_port_and_stop_together(self):
        for number, status in ((signal.SIGTERM, 0), (signal.SIGINT, -signal.SIGINT)):
            server = Server(self, 'workers', '-n', 2, 0)
            answers = {self.ask(server) for _ in range(100)}
            self.assertEqual(answers, {b'worker 0\n', b'worker 1\n'})
            self.assertEqual(server.stop(number), status)


class Pictures(unittest.TestCase):
    def test_three_take_the_time_of_one(self):
        done = run('pictures')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count('100000 bytes'), 3)
        took = float(re.search(r'3 pictures, .*: done in (\S+) s', done.stdout)[1])
        self.assertLess(took, 1.5)  # one after the other would be no less


if __name__ == '__main__':
    unittest.main()
