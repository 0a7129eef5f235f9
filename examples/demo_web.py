#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the tutorial's web service for a few seconds under a load that can be seen.

usage: demo_web.py PROGRAM [SECONDS]        env: TUTORIAL_REDIS, else a redis-server of its own

Fifty clients ask /red, which waits a second and then asks redis over ten connections; eight ask /
as fast as they are answered. A line a second tells how many answers each got.
"""
import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile

RED_CLIENTS = 50
ROOT_CLIENTS = 8


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


@contextlib.asynccontextmanager
async def redis():
    """Its URL; None if there is none to be had."""
    if os.environ.get('TUTORIAL_REDIS') or not shutil.which('redis-server'):
        yield os.environ.get('TUTORIAL_REDIS')
        return
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        server = await asyncio.create_subprocess_exec(
            'redis-server', '--port', str(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder,
            stdout=asyncio.subprocess.DEVNULL)
        try:
            yield f'redis://127.0.0.1:{port}'
        finally:
            server.terminate()
            await server.wait()


async def until_ready(service):
    while line := await service.stderr.readline():
        if b'running on' in line:
            return int(line.split()[4].rpartition(b':')[2])
    sys.exit('the service did not start')


async def ask(port, path, counts, bad):
    """Ask again and again, on one connection."""
    reader, writer = await asyncio.open_connection('127.0.0.1', port)
    try:
        while True:
            writer.write(f'GET {path} HTTP/1.1\r\nHost: demo\r\n\r\n'.encode())
            head = await reader.readuntil(b'\r\n\r\n')
            length = int(head.lower().partition(b'content-length: ')[2].partition(b'\r')[0])
            body = await reader.readexactly(length)
            counts[path] += 1
            if not head.startswith(b'HTTP/1.1 200 ') or not body.startswith(b'{'):
                bad.append(head + body)
    finally:
        writer.close()


async def load(port, seconds):
    counts, bad = {'/': 0, '/red': 0}, []
    clients = [asyncio.create_task(ask(port, path, counts, bad))
               for path, count in {'/': ROOT_CLIENTS, '/red': RED_CLIENTS}.items()
               for _ in range(count)]
    for second in range(1, seconds + 1):
        before = dict(counts)
        await asyncio.sleep(1)
        print(f'second {second}: {counts["/"] - before["/"]:6} answers to /, '
              f'{counts["/red"] - before["/red"]:4} to /red', flush=True)
    for client in clients:
        client.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    failures = sum(not client.cancelled() for client in clients) + len(bad)
    print(f'{counts["/"] + counts["/red"]} answers, {failures} failures')
    return failures


async def main():
    program = sys.argv[1]
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    async with redis() as url:
        if url is None:
            print('there is no redis-server here')
            return 0
        service = await asyncio.create_subprocess_exec(
            program, env={**os.environ, 'TUTORIAL_REDIS': url, 'TUTORIAL_APP_PORT': '-1'},
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE)
        try:
            failures = await load(await until_ready(service), seconds)
        finally:
            service.send_signal(signal.SIGINT)
            await service.communicate()
        return 1 if failures or service.returncode else 0


if __name__ == '__main__':
    sys.exit(asyncio.run(main()))
