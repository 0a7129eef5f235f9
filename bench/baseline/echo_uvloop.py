#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The echo server on uvloop, or on asyncio's own loop.

usage: echo_uvloop.py [--loop uvloop|asyncio] [--mode stream|protocol|buffered|socket] [--tls]
                      PORT | --unix PATH

With --tls openssl(1) makes it a certificate that nobody knows; sockets have no TLS.
"""
import argparse
import asyncio
import socket
import ssl
import subprocess
import tempfile


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


class Buffered(asyncio.BufferedProtocol):
    def connection_made(self, transport):
        self.transport = transport
        self.buffer = bytearray(64 * 1024)

    def get_buffer(self, sizehint):
        return self.buffer

    def buffer_updated(self, nbytes):
        self.transport.write(self.buffer[:nbytes])  # a copy: it may be sent after the next read

    pause_writing = Echo.pause_writing
    resume_writing = Echo.resume_writing


async def serve_client(reader, writer):
    sock = writer.get_extra_info('socket')
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        while data := await reader.read(64 * 1024):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def serve_socket(loop, sock):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        while data := await loop.sock_recv(sock, 64 * 1024):
            await loop.sock_sendall(sock, data)
    except ConnectionError:
        pass
    sock.close()


async def serve_sockets(loop, port):
    server = socket.create_server(('127.0.0.1', port), backlog=4096)
    server.setblocking(False)
    tasks = set()
    print('READY', flush=True)
    while True:
        sock, _ = await loop.sock_accept(server)
        task = loop.create_task(serve_socket(loop, sock))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


def make_context():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj',
                        '/CN=localhost', '-keyout', file.name, '-out', file.name],
                       check=True, stderr=subprocess.DEVNULL)
        context.load_cert_chain(file.name)
    return context


async def serve(options):
    loop = asyncio.get_running_loop()
    if options.mode == 'socket':
        await serve_sockets(loop, options.port)
    where = {'path': options.unix} if options.unix else {'host': '127.0.0.1', 'port': options.port}
    if options.tls:
        where['ssl'] = make_context()
    if options.mode == 'stream':
        start = asyncio.start_unix_server if options.unix else asyncio.start_server
        server = await start(serve_client, backlog=4096, **where)
    else:
        create = loop.create_unix_server if options.unix else loop.create_server
        factory = Echo if options.mode == 'protocol' else Buffered
        server = await create(factory, backlog=4096, **where)
    print('READY', flush=True)
    await server.serve_forever()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--loop', choices=['uvloop', 'asyncio'], default='uvloop')
    parser.add_argument('--mode', choices=['stream', 'protocol', 'buffered', 'socket'], default='stream')
    parser.add_argument('--tls', action='store_true')
    parser.add_argument('--unix')
    parser.add_argument('port', type=int, nargs='?', default=0)
    options = parser.parse_args()
    if options.loop == 'uvloop':
        import uvloop
        uvloop.install()
    try:
        asyncio.run(serve(options))
    except KeyboardInterrupt:
        pass


main()
