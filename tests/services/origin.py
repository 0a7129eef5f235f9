#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An HTTP/1.1 server with answers of all sorts, each after a delay.

usage: origin.py HOST PORT DELAY SEED [TOGETHER]

With TOGETHER it answers for pages and pictures only when so many have been asked for at the same
time: a client that asks for one after the other waits for ever. What it serves is made on the fly from the seed: nobody can know it by heart.

    ..._catN.jpg        picture(seed, N)
    /python.org         301 to /www.python.org/, without the delay
    /www.python.org/, /www.baidu.com, /www.pythonav.com   page(seed, path), the last one in gbk
    /small, /large      1 KiB and 1 MiB
    /echo               a JSON object: method, path, headers, body (latin-1)
    /status/N           status N
    /redirect/N         N redirects, then /echo; /redirect-loop has no end; /redirect-to?URL
    /set-cookie?n=v     a cookie, and a redirect to /echo
    /again              307 to /echo
    /lines              three lines in chunks that end in their midst, the last without a line end
    /long-line          a line of 100000 bytes
    /deep               JSON: 2000 lists, each in the one before
    /brotli, /zstd      the same words 41 times, compressed
    /gzip, /deflate     page() compressed, in chunks; /bomb: zeros that inflate 1000 times
    /basic              401 unless the user is "user" and the password "p@ss:word"
    /slow?N             N chunks of 1 KiB, a delay between each
    /cut                half of the body that was promised, then the end of the connection
    /cut-chunk          a chunk that was begun
    /garbage            no HTTP at all
    /endless            a body without end
    /headers            headers without end
    /stall              nothing, ever
    /half-stall         the head and half of the body, then nothing, ever
    /no-read            the same as /stall, but the body of the request is not read
    /refuse             403 before the body of the request is read, then the end
    /fold               a header in two lines
    /interim            103 before the answer
    /reset              the connection is reset
    /no-length          a body that ends with the connection
    /counts             a JSON object: connections open, connections accepted, requests
"""
import base64
import gzip
import http.server
import json
import random
import socket
import struct
import sys
import threading
import time
import zlib

from service import Service, python

PAGES = {
    '/www.python.org/': ('Welcome to Python.org', 'utf-8'),
    '/www.baidu.com': ('百度一下，你就知道', 'utf-8'),
    '/www.pythonav.com': ('异步爬虫', 'gbk'),
}


def picture(seed, number):
    """The bytes of a picture: as long as it likes."""
    maker = random.Random(f'{seed} picture {number}')
    return b'\xff\xd8\xff\xe0' + maker.randbytes(maker.randrange(50000, 400000))


def page(seed, path):
    """The text of a page."""
    maker = random.Random(f'{seed} page {path}')
    return f'<html>{PAGES[path][0]}{"协程 循环"[:maker.randrange(1, 6)] * maker.randrange(100, 2000)}</html>'


def data(seed, size):
    return random.Random(f'{seed} data').randbytes(size)


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    delay = 0.0
    seed = 0
    together = None
    wbufsize = -1  # one write for head and body: small answers in one packet

    def log_message(self, *unused):
        pass

    def answer(self, status, body=b'', kind='text/plain', **headers):
        self.send_response(status)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)

    def begin_chunks(self, **headers):
        self.send_response(200)
        self.send_header('Transfer-Encoding', 'chunked')
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.end_headers()

    def chunk(self, body):
        self.wfile.write(b'%x\r\n%s\r\n' % (len(body), body))

    def body(self):
        if self.headers.get('Transfer-Encoding') != 'chunked':
            return self.rfile.read(int(self.headers.get('Content-Length', 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b''.join(parts)

    def echo(self, body):
        said = {'method': self.command, 'path': self.path, 'body': body.decode('latin-1'),
                'headers': {name.lower(): value for name, value in self.headers.items()}}
        self.answer(200, json.dumps(said).encode(), 'application/json')

    def do_any(self):
        path, _, query = self.path.partition('?')
        with Server.lock:
            Server.requests += 1
        body = b'' if path in ('/no-read', '/refuse') else self.body()
        first = path.split('/')[1]
        if path == '/python.org':
            self.answer(301, Location='/www.python.org/')
            return
        time.sleep(self.delay)
        if self.together is not None and (path in PAGES or '_cat' in path):
            self.together.wait()
        if path in PAGES:
            charset = PAGES[path][1]
            self.answer(200, page(self.seed, path).encode(charset), f'text/html; charset={charset}')
        elif path.endswith('.jpg') and '_cat' in path:
            number = path[path.rindex('_cat') + 4:-4]
            self.answer(200, picture(self.seed, number), 'image/jpeg')
        elif first == 'echo':
            self.echo(body)
        elif hasattr(self, 'do_' + first.replace('-', '_')):
            getattr(self, 'do_' + first.replace('-', '_'))(path, query)
        else:
            self.answer(404, b'not here')

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_any

    def do_small(self, *unused):
        self.answer(200, data(self.seed, 1024), 'application/octet-stream')

    def do_large(self, *unused):
        self.answer(200, data(self.seed, 1 << 20), 'application/octet-stream')

    def do_status(self, path, _):
        self.answer(int(path.split('/')[2]), b'as wished')

    def do_redirect(self, path, _):
        left = int(path.split('/')[2])
        self.answer(302, b'further on', Location=f'/redirect/{left - 1}' if left > 1 else '/echo')

    def do_redirect_loop(self, *unused):
        self.answer(302, Location='/redirect-loop')

    def do_redirect_to(self, _, query):
        self.answer(307, Location=query)

    def do_set_cookie(self, _, query):
        self.answer(302, Location='/echo', Set_Cookie=f'{query}; Path=/')

    def do_basic(self, *unused):
        if self.headers.get('Authorization') == 'Basic dXNlcjpwQHNzOndvcmQ=':
            self.answer(200, b'welcome')
        else:
            self.answer(401, b'who?', WWW_Authenticate='Basic realm="tests"')

    def compressed(self, body, encoding):
        self.begin_chunks(Content_Type='text/html; charset=utf-8', Content_Encoding=encoding)
        for i in range(0, len(body), 100):
            self.chunk(body[i:i + 100])
        self.chunk(b'')

    def do_again(self, *unused):
        self.answer(307, Location='/echo')

    def do_lines(self, *unused):
        self.begin_chunks()
        for piece in (b'on', b'e\n\ntw', b'o\r\nthr', b'ee'):
            self.chunk(piece)
        self.chunk(b'')

    def do_long_line(self, *unused):
        self.answer(200, b'short\n' + b'x' * 100000 + b'\n')

    def do_deep(self, *unused):
        self.answer(200, b'[' * 2000 + b']' * 2000, 'application/json')

    def do_gzip(self, *unused):
        self.compressed(gzip.compress(page(self.seed, '/www.baidu.com').encode()), 'gzip')

    def do_deflate(self, *unused):
        self.compressed(zlib.compress(page(self.seed, '/www.baidu.com').encode()), 'deflate')

    # Python has neither: "hello brotli " as brotli -c and zstd -c make it.
    def do_brotli(self, *unused):
        self.compressed(base64.b64decode('oaAQwO9InfrchWuxMjQ5CcJGl2xpb0FgNLBwZvwC'), 'br')

    def do_zstd(self, *unused):
        self.compressed(base64.b64decode('KLUv/WQVAaUAAGhoZWxsbyBicm90bGkgAQAFoJpfyDDg+A=='), 'zstd')

    def do_bomb(self, *unused):
        squeeze = zlib.compressobj(6, zlib.DEFLATED, 31)
        zeros = bytes(1 << 20)
        self.begin_chunks(Content_Type='text/plain', Content_Encoding='gzip')
        for _ in range(128):
            if piece := squeeze.compress(zeros):
                self.chunk(piece)
        self.chunk(squeeze.flush())
        self.chunk(b'')

    def do_slow(self, _, query):
        self.begin_chunks()
        for _ in range(int(query or 3)):
            self.chunk(bytes(1024))
            self.wfile.flush()
            time.sleep(self.delay)
        self.chunk(b'')

    def leave(self):
        self.wfile.flush()
        self.close_connection = True

    def do_cut(self, *unused):
        self.send_response(200)
        self.send_header('Content-Length', '2000')
        self.end_headers()
        self.wfile.write(bytes(1000))
        self.leave()

    def do_cut_chunk(self, *unused):
        self.begin_chunks()
        self.wfile.write(b'400\r\n' + bytes(100))
        self.leave()

    def do_garbage(self, *unused):
        self.wfile.write(b'\x00\x01\x02 this is no answer\r\n\r\n')
        self.leave()

    def do_endless(self, *unused):
        self.begin_chunks()
        while True:  # until nobody listens
            self.chunk(bytes(65536))

    def do_headers(self, *unused):
        self.wfile.write(b'HTTP/1.1 200 OK\r\n')
        while True:
            self.wfile.write(b'X-Header: ' + b'x' * 1000 + b'\r\n')

    def wait_for_the_peer_to_leave(self):
        self.wfile.flush()
        self.connection.recv(1)
        self.leave()

    def do_stall(self, *unused):
        self.wait_for_the_peer_to_leave()

    def do_no_read(self, *unused):
        while True:  # until the peer leaves: then there is an error to read
            time.sleep(0.05)
            self.connection.getpeername()
            if self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                break
            state = self.connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
            if state != 1:  # no more established
                break
        self.close_connection = True

    def do_refuse(self, *unused):
        self.answer(403, b'no such luck', Connection='close')
        self.leave()
        # What is not read when a socket is closed resets the connection, and the answer may be lost.
        self.connection.shutdown(socket.SHUT_WR)
        while self.connection.recv(65536):
            pass

    def do_fold(self, *unused):
        self.wfile.write(b'HTTP/1.1 200 OK\r\nX-Folded: one\r\n two\r\nContent-Length: 0\r\n\r\n')

    def do_interim(self, *unused):
        self.wfile.write(b'HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n')
        self.answer(200, b'late', X_Late='1')

    def do_reset(self, *unused):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.close_connection = True

    def do_no_length(self, *unused):
        self.send_response(200)
        self.send_header('Connection', 'close')
        self.end_headers()
        self.wfile.write(b'until the end')
        self.leave()

    def do_counts(self, *unused):
        said = {'open': Server.open, 'accepted': Server.accepted, 'requests': Server.requests}
        self.answer(200, json.dumps(said).encode(), 'application/json')

    def do_half_stall(self, *unused):
        self.send_response(200)
        self.send_header('Content-Length', '2000')
        self.end_headers()
        self.wfile.write(bytes(1000))
        self.wait_for_the_peer_to_leave()


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True
    accepted = open = requests = 0
    lock = threading.Lock()  # for these

    def get_request(self):
        connection, peer = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with Server.lock:
            Server.accepted += 1
            Server.open += 1
        return connection, peer

    def shutdown_request(self, request):
        with Server.lock:
            Server.open -= 1
        self.close_request(request)  # without a shutdown, which would undo /reset

    def handle_error(self, *unused):
        """A client that leaves is none."""


class Origin(Service):
    """origin.py as a service."""

    name = 'origin'

    def __init__(self, where, delay=0.0, seed=None, host=None, together=None):
        super().__init__(where, host)
        self.delay = delay
        self.together = [] if together is None else [together]
        self.seed = random.randrange(1 << 30) if seed is None else seed

    def command(self):
        return python('origin.py', self.host, self.port, self.delay, self.seed, *self.together)

    @property
    def url(self):
        return f'http://{self.host}:{self.port}'


def main():
    host, port, delay, seed, *together = sys.argv[1:]
    Answers.delay = float(delay)
    Answers.seed = int(seed)
    if together:
        Answers.together = threading.Barrier(int(together[0]))
    Server((host, int(port)), Answers).serve_forever()


if __name__ == '__main__':
    main()
