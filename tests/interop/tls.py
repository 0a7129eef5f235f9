#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Let tls_peer talk with openssl, curl, nginx and Python's asyncio.

usage: tls.py TLS_PEER
"""
import asyncio
import contextlib
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

PEER = os.path.abspath(sys.argv.pop(1))
LIMIT = 60  # seconds after which a run counts as hung
NGINX = shutil.which('nginx') or shutil.which('nginx', path='/usr/sbin')

CERTIFICATES = r"""
set -e
key() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key; }
key ca
openssl req -x509 -new -key ca.key -subj /CN=authority -days 30 -out ca.pem
leaf() {
    key $1
    openssl req -new -key $1.key -subj /CN=$1.test -out $1.csr
    printf 'subjectAltName=%s\n' "$2" >$1.ext
    openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 \
        -extfile $1.ext -out $1.crt
    cat $1.crt $1.key >$1.pem
}
leaf one DNS:one.test,IP:127.0.0.1
leaf two DNS:two.test
leaf client DNS:client.test
"""

FOLDER = None


def file(name):
    return str(FOLDER / name)


def setUpModule():
    global FOLDER
    folder = tempfile.TemporaryDirectory(prefix='aioc-interop-')
    unittest.addModuleCleanup(folder.cleanup)
    FOLDER = pathlib.Path(folder.name)
    subprocess.run(['bash', '-c', CERTIFICATES], cwd=FOLDER, check=True, capture_output=True)


def free_port():
    """A port that nobody listens at: for servers that cannot choose one themselves."""
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


class Server:
    """tls_peer server, as long as the block lasts."""

    def __init__(self, *arguments):
        self.child = subprocess.Popen([PEER, 'server', '--cert', file('one.pem'), *arguments],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL, text=True)

    def __enter__(self):
        self.timer = threading.Timer(LIMIT, self.child.kill)
        self.timer.start()
        self.port = int(self.child.stdout.readline().split()[1])
        return self

    def line(self):
        """What it says of the next connection."""
        return self.child.stdout.readline()

    def __exit__(self, *_):
        out, _ = self.child.communicate()
        self.timer.cancel()
        if self.child.returncode != 0:
            raise AssertionError(f'the server ended with {self.child.returncode}: {out}')


def client(port, *arguments, ca='ca.pem'):
    trust = ['--ca', file(ca)] if ca else []
    done = subprocess.run([PEER, 'client', '--port', str(port), *trust, *arguments],
                          timeout=LIMIT, check=False, text=True, stdin=subprocess.DEVNULL,
                          capture_output=True)
    return done.returncode, done.stdout + done.stderr


@contextlib.contextmanager
def limited(child):
    """Kill the child if it takes too long: who reads from it then sees the end."""
    timer = threading.Timer(LIMIT, child.kill)
    timer.start()
    try:
        yield child
    finally:
        timer.cancel()


def s_client(port, *arguments, text='hello\n', echoed=True, verified=True):
    """openssl s_client: after the handshake say a line, wait for the same, and hang up."""
    trust = ['-CAfile', file('ca.pem'), '-verify_return_error'] if verified else []
    with subprocess.Popen(['openssl', 's_client', '-connect', f'127.0.0.1:{port}', *trust,
                           *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as child, limited(child):
        out = ''
        said = False
        while (line := child.stdout.readline()):
            out += line
            if echoed and line.endswith(text):  # or in the middle of what it says itself
                break
            if not said and line.startswith('SSL handshake has read'):
                said = True
                with contextlib.suppress(BrokenPipeError):  # it failed, and has left
                    child.stdin.write(text)
                    child.stdin.flush()
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
        child.stdin = None
        rest, _ = child.communicate()
    return child.returncode, out + rest


class OurServer(unittest.TestCase):
    def test_openssl_verifies_it_and_is_echoed(self):
        with Server() as server:
            code, out = s_client(server.port, '-verify_hostname', 'one.test')
            self.assertEqual(code, 0, out)
            self.assertIn('Verify return code: 0 (ok)', out)
            self.assertIn('hello\n', out)
            self.assertIn('version=TLSv1.3', server.line())

    def test_openssl_agrees_on_a_protocol(self):
        with Server('--alpn', 'h2,http/1.1') as server:
            code, out = s_client(server.port, '-alpn', 'http/1.1,other')
            self.assertEqual(code, 0, out)
            self.assertIn('ALPN protocol: http/1.1', out)
            self.assertIn('alpn=http/1.1', server.line())

    def test_openssl_gets_the_certificate_of_whom_it_asks_for(self):
        with Server('--other', 'two.test', '--other-cert', file('two.pem')) as server:
            for name in ('one.test', 'two.test'):
                code, out = s_client(server.port, '-servername', name, '-verify_hostname', name)
                self.assertEqual(code, 0, out)
                self.assertIn(f'subject=CN = {name}', out)

    def test_openssl_shows_its_certificate(self):
        with Server('--ca', file('ca.pem'), '--verify', 'required') as server:
            code, out = s_client(server.port, '-cert', file('client.pem'))
            self.assertEqual(code, 0, out)
            self.assertIn('peer=client.test', server.line())

    def test_openssl_without_a_certificate_is_refused(self):
        with Server('--ca', file('ca.pem'), '--verify', 'required') as server:
            code, out = s_client(server.port)
            self.assertIn('alert certificate required', out)
            self.assertNotIn('hello\n', out)
            self.assertNotEqual(code, 0)

    def test_openssl_resumes_a_session(self):
        for version in ('-tls1_2', '-tls1_3'):
            with self.subTest(version), Server() as server:
                session = file(f'session{version}')
                code, out = s_client(server.port, version, '-sess_out', session)
                self.assertEqual(code, 0, out)
                self.assertIn('reused=0', server.line())
                code, out = s_client(server.port, version, '-sess_in', session)
                self.assertEqual(code, 0, out)
                self.assertIn('Reused, ', out)
                self.assertIn('reused=1', server.line())

    def test_openssl_reconnects_with_its_session(self):
        with Server() as server:
            _, out = s_client(server.port, '-tls1_2', '-reconnect', verified=False)
            self.assertEqual(out.count('Reused, '), 5, out)

    def test_openssl_of_old_is_refused(self):
        with Server() as server:
            code, out = s_client(server.port, '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0')
            self.assertNotEqual(code, 0)
            self.assertIn('alert protocol version', out)

    def test_openssl_cannot_renegotiate(self):
        with Server() as server:
            _, out = s_client(server.port, '-tls1_2', text='R\n', echoed=False)
            self.assertIn('no renegotiation', out)

    def test_curl_fetches_a_page(self):
        with Server('--http', '--alpn', 'http/1.1') as server:
            done = subprocess.run(
                ['curl', '-sS', '--max-time', str(LIMIT), '--cacert', file('ca.pem'),
                 '--resolve', f'one.test:{server.port}:127.0.0.1',
                 f'https://one.test:{server.port}/'], check=False, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (0, 'hello\n'), done.stderr)

    def test_curl_does_not_trust_it_by_itself(self):
        with Server('--http') as server:
            done = subprocess.run(
                ['curl', '-sS', '--max-time', str(LIMIT), f'https://127.0.0.1:{server.port}/'],
                check=False, capture_output=True, text=True)
            self.assertEqual(done.returncode, 60, done.stderr)

    def test_plain_http_is_dropped_and_others_are_served(self):
        with Server('--http') as server:
            done = subprocess.run(
                ['curl', '-sS', '--max-time', str(LIMIT), f'http://127.0.0.1:{server.port}/'],
                check=False, capture_output=True, text=True)
            self.assertNotEqual(done.returncode, 0)
            self.assertNotEqual(done.returncode, 28, 'it was kept waiting')
            done = subprocess.run(
                ['curl', '-sS', '--max-time', str(LIMIT), '--cacert', file('ca.pem'),
                 f'https://127.0.0.1:{server.port}/'], check=False, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (0, 'hello\n'), done.stderr)

    def test_asyncio_is_echoed_megabytes(self):
        async def main(port):
            context = ssl.create_default_context(cafile=file('ca.pem'))
            reader, writer = await asyncio.open_connection('127.0.0.1', port, ssl=context,
                                                           server_hostname='one.test')
            data = os.urandom(3 << 20)

            async def send():
                writer.write(data)
                await writer.drain()

            _, got = await asyncio.gather(send(), reader.readexactly(len(data)))
            writer.close()
            await writer.wait_closed()
            return got == data

        with Server() as server:
            self.assertTrue(asyncio.run(asyncio.wait_for(main(server.port), LIMIT)))

    def test_asyncio_upgrades_to_it(self):
        async def main(port):
            context = ssl.create_default_context(cafile=file('ca.pem'))
            reader, writer = await asyncio.open_connection('127.0.0.1', port)
            writer.write(b'starttls\n')
            self.assertEqual(await reader.readline(), b'go on\n')
            await writer.start_tls(context, server_hostname='one.test')
            writer.write(b'private\n')
            self.assertEqual(await reader.readline(), b'private\n')
            writer.close()
            await writer.wait_closed()

        with Server('--upgrade') as server:
            asyncio.run(asyncio.wait_for(main(server.port), LIMIT))
            self.assertIn('version=TLSv1.3', server.line())

    def test_asyncio_shows_its_certificate_by_a_unix_socket(self):
        async def main(path):
            context = ssl.create_default_context(cafile=file('ca.pem'))
            context.load_cert_chain(file('client.pem'))
            context.set_alpn_protocols(['other', 'h2'])
            reader, writer = await asyncio.open_unix_connection(path, ssl=context,
                                                                server_hostname='one.test')
            agreed = writer.get_extra_info('ssl_object').selected_alpn_protocol()
            writer.write(b'hello\n')
            line = await reader.readline()
            writer.close()
            await writer.wait_closed()
            return agreed, line

        path = file('our.socket')
        with Server('--unix', path, '--ca', file('ca.pem'), '--verify', 'required',
                    '--alpn', 'h2') as server:
            got = asyncio.run(asyncio.wait_for(main(path), LIMIT))
            self.assertEqual(got, ('h2', b'hello\n'))
            self.assertIn('alpn=h2 peer=client.test', server.line())


class OurClient(unittest.TestCase):
    def s_server(self, *arguments):
        port = free_port()
        child = subprocess.Popen(['openssl', 's_server', '-accept', f'127.0.0.1:{port}', '-cert',
                                  file('one.pem'), *arguments], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.stdin.close)
        self.addCleanup(child.wait, LIMIT)
        self.addCleanup(child.kill)
        with limited(child):
            while 'ACCEPT' not in child.stdout.readline():
                self.assertIsNone(child.poll())
        return port, child

    def test_openssl_answers(self):
        port, _ = self.s_server('-rev', '-alpn', 'h2')
        code, out = client(port, '--name', 'one.test', '--alpn', 'h2', '--say', 'desserts')
        self.assertEqual(code, 0, out)
        self.assertIn('version=TLSv1.3 alpn=h2 peer=one.test reused=0', out)
        self.assertIn('answer stressed', out)

    def test_openssl_is_asked_for_by_its_name(self):
        port, _ = self.s_server('-rev', '-servername', 'two.test', '-cert2', file('two.pem'),
                                '-key2', file('two.pem'))
        for name in ('one.test', 'two.test'):
            code, out = client(port, '--name', name)
            self.assertEqual(code, 0, out)
            self.assertIn(f'peer={name}', out)

    def test_openssl_is_refused_under_another_name(self):
        port, _ = self.s_server('-rev')
        code, out = client(port, '--name', 'two.test')
        self.assertEqual(code, 1)
        self.assertIn('SSLCertVerificationError', out)
        self.assertIn('hostname mismatch', out)

    def test_openssl_is_refused_by_those_who_trust_the_system(self):
        port, _ = self.s_server('-rev')
        code, out = client(port, '--name', 'one.test', ca=None)
        self.assertEqual(code, 1)
        self.assertIn('SSLCertVerificationError', out)

    def test_openssl_resumes_a_session(self):
        for version in ('-tls1_2', '-tls1_3'):
            with self.subTest(version):
                port, _ = self.s_server('-rev', version)
                code, out = client(port, '--name', 'one.test', '--again')
                self.assertEqual(code, 0, out)
                self.assertEqual((out.count('reused=0'), out.count('reused=1')), (1, 1), out)

    def test_openssl_sees_our_certificate(self):
        port, _ = self.s_server('-rev', '-CAfile', file('ca.pem'), '-Verify', '1',
                                '-verify_return_error')
        code, out = client(port, '--name', 'one.test', '--cert', file('client.pem'))
        self.assertEqual(code, 0, out)
        code, out = client(port, '--name', 'one.test')
        self.assertEqual(code, 1, out)

    @unittest.skipUnless(NGINX, 'there is no nginx')
    def test_nginx_serves_a_page(self):
        port = free_port()
        folder = tempfile.TemporaryDirectory(prefix='aioc-nginx-')
        self.addCleanup(folder.cleanup)
        conf = pathlib.Path(folder.name) / 'nginx.conf'
        conf.write_text(f"""
daemon off; master_process off; pid {folder.name}/pid; error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder.name}/a; proxy_temp_path {folder.name}/b;
    fastcgi_temp_path {folder.name}/c; uwsgi_temp_path {folder.name}/d; scgi_temp_path {folder.name}/e;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {file('one.crt')}; ssl_certificate_key {file('one.key')};
        return 200 "from nginx\\n";
    }}
}}
""")
        child = subprocess.Popen([NGINX, '-p', folder.name, '-c', str(conf)],
                                 stderr=subprocess.PIPE, text=True)
        self.addCleanup(child.stderr.close)
        self.addCleanup(child.wait, LIMIT)
        self.addCleanup(child.kill)
        for _ in range(LIMIT * 20):  # it does not say when it listens
            with socket.socket() as sock:
                if sock.connect_ex(('127.0.0.1', port)) == 0:
                    break
            self.assertIsNone(child.poll())
            time.sleep(0.05)
        code, out = client(port, '--http', '--again', '--name', 'one.test')
        self.assertEqual(code, 0, out)
        self.assertEqual(out.count('from nginx'), 2)

    def serve(self, handler, run, tls=True):
        """An asyncio server of handler for as long as run(port) takes in a thread."""
        async def main():
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(file('one.pem'))
            server = await asyncio.start_server(lambda r, w: handler(r, w, context), '127.0.0.1', 0,
                                                ssl=context if tls else None)
            port = server.sockets[0].getsockname()[1]
            done = await asyncio.to_thread(run, port)
            server.close()
            return done
        return asyncio.run(asyncio.wait_for(main(), LIMIT))

    def test_asyncio_echoes_megabytes(self):
        async def echo(reader, writer, _):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.close()

        code, out = self.serve(echo, lambda port: client(port, '--name', 'one.test', '--bytes',
                                                         str(3 << 20)))
        self.assertEqual(code, 0, out)
        self.assertIn(f'exchanged {3 << 20}', out)

    def test_asyncio_sees_our_certificate_by_a_unix_socket(self):
        async def main(path):
            async def echo(reader, writer):
                seen.append(writer.get_extra_info('peercert')['subject'])
                writer.write(await reader.readline())
                writer.close()

            seen = []
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=file('ca.pem'))
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_cert_chain(file('one.pem'))
            context.set_alpn_protocols(['h2'])
            server = await asyncio.start_unix_server(echo, path, ssl=context)
            async with server:
                done = await asyncio.to_thread(client, 0, '--unix', path, '--name', 'one.test',
                                               '--cert', file('client.pem'), '--alpn', 'other,h2')
            return done, seen

        (code, out), seen = asyncio.run(asyncio.wait_for(main(file('their.socket')), LIMIT))
        self.assertEqual(code, 0, out)
        self.assertIn('alpn=h2 peer=one.test', out)
        self.assertIn('answer hello\n', out)
        self.assertEqual(seen, [((('commonName', 'client.test'),),)])

    def test_asyncio_is_upgraded_to(self):
        async def upgrade(reader, writer, context):
            self.assertEqual(await reader.readline(), b'starttls\n')
            writer.write(b'go on\n')
            await writer.start_tls(context)
            writer.write(b'private ' + await reader.readline())
            writer.close()

        code, out = self.serve(upgrade, lambda port: client(port, '--name', 'one.test',
                                                            '--upgrade'), tls=False)
        self.assertEqual(code, 0, out)
        self.assertIn('answer private hello\n', out)


if __name__ == '__main__':
    unittest.main(verbosity=2)
