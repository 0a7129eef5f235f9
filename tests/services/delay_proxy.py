#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A TCP proxy that makes the way to a service longer.

usage: delay_proxy.py SECONDS HOST PORT TO_HOST TO_PORT

What comes from either side goes to the other so many seconds later, in order: two
connections that are used at the same time show in the time they take.
"""
import asyncio
import sys

from service import Service, python


async def carry(delay, reader, writer):
    """Until the end of what comes, or of whom it goes to."""
    loop = asyncio.get_running_loop()
    queue = asyncio.Queue(64)

    async def deliver():
        while True:
            when, data = await queue.get()
            await asyncio.sleep(when - loop.time())
            if not data:
                writer.write_eof()
                return
            writer.write(data)
            await writer.drain()

    async def collect():
        data = None
        while data != b'':
            data = await reader.read(65536)
            await queue.put((loop.time() + delay, data))

    await asyncio.gather(deliver(), collect())


async def serve(delay, host, port, to_host, to_port):
    async def connected(reader, writer):
        try:
            to_reader, to_writer = await asyncio.open_connection(to_host, to_port)
        except OSError:
            writer.transport.abort()
            return
        try:
            await asyncio.gather(carry(delay, reader, to_writer), carry(delay, to_reader, writer))
        except OSError:
            to_writer.transport.abort()
            writer.transport.abort()
        finally:
            to_writer.close()
            writer.close()

    server = await asyncio.start_server(connected, host, port, backlog=1024)
    await server.serve_forever()


class DelayProxy(Service):
    """In front of a service, at the same host."""

    name = 'delay_proxy'

    def __init__(self, where, service, delay=0.05):
        super().__init__(where, service.host)
        self.service = service
        self.delay = delay

    def command(self):
        return python('delay_proxy.py', self.delay, self.host, self.port, self.service.host,
                      self.service.port)


def main():
    delay, host, port, to_host, to_port = sys.argv[1:]
    asyncio.run(serve(float(delay), host, int(port), to_host, int(to_port)))


if __name__ == '__main__':
    main()
