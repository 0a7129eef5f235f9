#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Let unix_peer talk HTTP by unix sockets with curl, nginx and Python's asyncio.

usage: unix.py UNIX_PEER
"""
import asyncio
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

PEER = os.path.abspath(sys.argv.pop(1))
LIMIT = 60  # seconds after which a run counts as hung
NGINX = shutil.which('nginx') or shutil.which('nginx', path='/usr/sbin')


def run(*command, data=b''):
    """What a command says, and how it ends."""
    done = subprocess.run(command, timeout=LIMIT, check=False, input=data,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.returncode, done.stdout, done.stderr.decode()


def curl(path, url, *arguments, data=b''):
    return run('curl', '-sS', '--max-time', str(LIMIT), '--unix-socket', path, url, *arguments,
               data=data)


class Nginx:
    """nginx on a unix socket, as long as the block lasts."""

    def __init__(self, folder, path, location):
        self.folder = folder
        self.path = path
        user = 'user root;' if os.geteuid() == 0 else ''
        (folder / 'nginx.conf').write_text(f"""
daemon off; master_process off; pid {folder}/pid; error_log stderr; {user}
events {{ }}
http {{
    access_log off; client_max_body_size 64m;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
    fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    server {{
        listen unix:{path};
        location / {{ {location} }}
    }}
}}
""")

    def __enter__(self):
        self.child = subprocess.Popen(
            [NGINX, '-p', str(self.folder), '-c', str(self.folder / 'nginx.conf')],
            stderr=subprocess.DEVNULL)
        end = time.monotonic() + LIMIT
        while not is_served(self.path):  # it does not say when it listens
            if self.child.poll() is not None or time.monotonic() > end:
                raise AssertionError('nginx does not listen')
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()


def is_served(path):
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(path) == 0


class Peer:
    """unix_peer serve, as long as the block lasts, or until it is killed."""

    def __init__(self, path, workers=0):
        self.child = subprocess.Popen([PEER, 'serve', path, str(workers)],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.timer = threading.Timer(LIMIT, self.child.kill)
        self.timer.start()
        self.said = ''
        for _ in range(max(workers, 1)):
            self.read_up_to(f'running on unix socket {path} ')

    def read_up_to(self, text):
        while (line := self.child.stderr.readline()):
            self.said += line
            if text in line:
                return
        raise AssertionError(f'the server has ended: {self.said}')

    def kill(self):
        self.child.kill()
        self.end()

    def end(self):
        rest = self.child.communicate()[1]
        self.timer.cancel()
        return rest

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.returncode is not None:
            return
        self.child.send_signal(signal.SIGTERM)
        rest = self.end()
        if self.child.returncode != 0:
            raise AssertionError(f'the server ended with {self.child.returncode}: {rest}')


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='aioc-unix-')
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.path = str(self.folder / 'our.socket')


class OurServer(Case):
    def test_curl_fetches_a_page(self):
        with Peer(self.path):
            self.assertEqual(curl(self.path, 'http://any.test/'), (0, b'hello\n', ''))

    def test_curl_sends_megabytes_and_gets_them_back(self):
        data = os.urandom(3 << 20)
        with Peer(self.path):
            self.assertEqual(curl(self.path, 'http://any.test/echo', '--data-binary', '@-',
                                  data=data), (0, data, ''))

    def test_curl_asks_workers_that_share_the_path(self):
        with Peer(self.path, workers=3):
            urls = ['http://any.test/'] * 30
            code, out, said = curl(self.path, '-Z', *urls)  # says how it gets on, too
            self.assertEqual((code, out), (0, b'hello\n' * 30), said)
        self.assertFalse(os.path.exists(self.path))

    def test_asyncio_is_answered(self):
        async def main():
            reader, writer = await asyncio.open_unix_connection(self.path)
            writer.write(b'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n'
                         b'Connection: close\r\n\r\nabc')
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return answer

        with Peer(self.path):
            answer = asyncio.run(asyncio.wait_for(main(), LIMIT))
            self.assertTrue(answer.startswith(b'HTTP/1.1 200 OK\r\n'), answer)
            self.assertTrue(answer.endswith(b'\r\n\r\nabc'), answer)

    @unittest.skipUnless(NGINX, 'there is no nginx')
    def test_nginx_passes_requests_on_to_it(self):
        front = str(self.folder / 'front.socket')
        data = os.urandom(1 << 20)
        with Peer(self.path), Nginx(self.folder, front, f'proxy_pass http://unix:{self.path}:;'):
            self.assertEqual(curl(front, 'http://any.test/'), (0, b'hello\n', ''))
            self.assertEqual(curl(front, 'http://any.test/echo', '--data-binary', '@-', data=data),
                             (0, data, ''))

    def test_its_file_goes_when_it_ends(self):
        with Peer(self.path):
            self.assertTrue(os.path.exists(self.path))
        self.assertFalse(os.path.exists(self.path))

    def test_a_file_that_a_killed_one_has_left_is_replaced(self):
        for workers in (0, 2):
            with self.subTest(workers=workers):
                with Peer(self.path, workers) as first:
                    first.kill()
                self.assertTrue(os.path.exists(self.path))
                self.assertFalse(is_served(self.path))
                with Peer(self.path, workers):
                    self.assertEqual(curl(self.path, 'http://any.test/'), (0, b'hello\n', ''))
                self.assertFalse(os.path.exists(self.path))

    def test_a_file_that_is_no_socket_is_left_alone(self):
        pathlib.Path(self.path).write_text('precious')
        code, _, said = run(PEER, 'serve', self.path, '0')
        self.assertEqual(code, 1)
        self.assertIn('already in use', said)
        self.assertEqual(pathlib.Path(self.path).read_text(), 'precious')


class OurClient(Case):
    @unittest.skipUnless(NGINX, 'there is no nginx')
    def test_nginx_is_asked_by_a_session(self):
        with Nginx(self.folder, self.path, r'return 200 "$http_host $request_uri\n";'):
            code, out, said = run(PEER, 'fetch', self.path, 'http://one.test/a?b',
                                  'http://two.test:81/')
            self.assertEqual((code, out), (0, b'200 one.test /a?b\n200 two.test:81 /\n'
                                           b'connections 2\n'), said)

    @unittest.skipUnless(NGINX, 'there is no nginx')
    def test_nginx_keeps_the_connection_of_a_session(self):
        with Nginx(self.folder, self.path, r'return 200 "here\n";'):
            code, out, said = run(PEER, 'fetch', self.path, *['http://one.test/'] * 3)
            self.assertEqual((code, out), (0, b'200 here\n' * 3 + b'connections 1\n'), said)

    @unittest.skipUnless(NGINX, 'there is no nginx')
    def test_nginx_is_asked_by_a_stream(self):
        (self.folder / 'much').write_bytes(os.urandom(3 << 20))
        with Nginx(self.folder, self.path, f'root {self.folder};'):
            code, out, said = run(PEER, 'stream', self.path, data=b'GET /much HTTP/1.0\r\n\r\n')
            head, _, body = out.partition(b'\r\n\r\n')
            self.assertEqual(code, 0, said)
            self.assertTrue(head.startswith(b'HTTP/1.1 200 OK\r\n'), head)
            self.assertEqual(body, (self.folder / 'much').read_bytes())

    def test_a_path_that_nobody_serves_is_refused(self):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(self.path)
        for how in (['fetch', self.path, 'http://one.test/'], ['stream', self.path]):
            code, _, said = run(PEER, *how)
            self.assertEqual(code, 1)
            self.assertIn('ConnectionRefusedError', said)

    def test_a_path_that_is_not_there_is_not_found(self):
        for how in (['fetch', self.path, 'http://one.test/'], ['stream', self.path]):
            code, _, said = run(PEER, *how)
            self.assertEqual(code, 1)
            self.assertIn('FileNotFoundError', said)


if __name__ == '__main__':
    unittest.main(verbosity=2)
