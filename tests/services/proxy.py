#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A proxy of HTTP and SOCKS 5 on one port, which knows one user.

usage: proxy.py HOST PORT USER PASSWORD

Every way is counted: /counts of the proxy itself says what went through it.
"""
import asyncio
import base64
import json
import struct
import sys
import urllib.parse

from service import Service, python

COUNTS = {'connect': 0, 'forward': 0, 'socks': 0, 'names': 0, 'refused': 0}


async def carry(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


async def join(reader, writer, host, port, first=b'', answer=b''):
    try:
        to_reader, to_writer = await asyncio.open_connection(host, port)
    except OSError:
        writer.write(b'HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n')
        return
    to_writer.write(first)
    writer.write(answer)
    await asyncio.gather(carry(reader, to_writer), carry(to_reader, writer))
    to_writer.close()


class Proxy(Service):
    """proxy.py as a service."""

    name = 'proxy'

    def __init__(self, where, user='user', password='p@ss:word'):
        super().__init__(where)
        self.user = user
        self.password = password

    def command(self):
        return python('proxy.py', self.host, self.port, self.user, self.password)


async def http(first, reader, writer, user, password):
    head = first + await reader.readuntil(b'\r\n\r\n')
    lines = head.decode('latin-1').split('\r\n')
    method, target, _ = lines[0].split(' ')
    fields = dict(line.lower().split(': ', 1) for line in lines[1:] if ': ' in line)
    if target == '/counts':
        body = json.dumps(COUNTS).encode()
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n'
                     b'Content-Length: %d\r\n\r\n%s' % (len(body), body))
        return
    wanted = 'Basic ' + base64.b64encode(f'{user}:{password}'.encode()).decode()
    if fields.get('proxy-authorization') != wanted.lower():
        COUNTS['refused'] += 1
        writer.write(b'HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n')
    elif method == 'CONNECT':
        COUNTS['connect'] += 1
        host, port = target.rsplit(':', 1)
        await join(reader, writer, host, int(port), answer=b'HTTP/1.1 200 Fine\r\n\r\n')
    else:
        COUNTS['forward'] += 1
        url = urllib.parse.urlsplit(target)
        path = url.path + ('?' + url.query if url.query else '')
        lines = [f'{method} {path} HTTP/1.1', 'Connection: close', 'Via: test'] + [
            line for line in lines[1:] if not line.lower().startswith('proxy-')]
        await join(reader, writer, url.hostname, url.port, first='\r\n'.join(lines).encode())


async def socks(reader, writer, user, password):
    methods = await reader.readexactly((await reader.readexactly(1))[0])
    if 2 not in methods:
        COUNTS['refused'] += 1
        writer.write(b'\x05\xff')
        return
    writer.write(b'\x05\x02')
    await reader.readexactly(1)
    got = [await reader.readexactly((await reader.readexactly(1))[0]) for _ in range(2)]
    if got != [user.encode(), password.encode()]:
        COUNTS['refused'] += 1
        writer.write(b'\x01\x01')
        return
    writer.write(b'\x01\x00')
    kind = (await reader.readexactly(4))[3]
    COUNTS['socks'] += 1
    if kind == 3:
        COUNTS['names'] += 1
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
    elif kind == 1:
        host = '.'.join(map(str, await reader.readexactly(4)))
    else:
        host = ':'.join(f'{part:x}' for part in struct.unpack('>8H', await reader.readexactly(16)))
    port = struct.unpack('>H', await reader.readexactly(2))[0]
    await join(reader, writer, host, port, answer=b'\x05\x00\x00\x01' + bytes(6))


async def serve(host, port, user, password):
    async def connected(reader, writer):
        try:
            first = await reader.readexactly(1)
            if first == b'\x05':
                await socks(reader, writer, user, password)
            else:
                await http(first, reader, writer, user, password)
        except (OSError, EOFError, ValueError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, host, port)
    await server.serve_forever()


def main():
    host, port, user, password = sys.argv[1:]
    asyncio.run(serve(host, int(port), user, password))


if __name__ == '__main__':
    main()
