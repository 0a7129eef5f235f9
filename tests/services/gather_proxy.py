#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A TCP proxy that lets nothing through until somebody is connected to each of its services.

usage: gather_proxy.py PORT HOST:PORT...

It listens on PORT at the host of each service. Whoever talks to one after the other waits for
ever: what gets through was connected at the same time.
"""
import asyncio
import sys

from service import Service, python


async def carry(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


async def serve(port, services):
    missing = set(services)
    complete = asyncio.Event()

    async def listen(service):
        host, to_port = service.rsplit(':', 1)

        async def connected(reader, writer):
            missing.discard(service)
            if not missing:
                complete.set()
            await complete.wait()
            to_reader, to_writer = await asyncio.open_connection(host, int(to_port))
            await asyncio.gather(carry(reader, to_writer), carry(to_reader, writer))
            to_writer.close()
            writer.close()

        server = await asyncio.start_server(connected, host, port)
        await server.serve_forever()

    await asyncio.gather(*map(listen, services))


class GatherProxy(Service):
    """In front of services, each at its own host."""

    name = 'gather_proxy'

    def __init__(self, where, *services):
        super().__init__(where)
        self.services = services

    def command(self):
        return python('gather_proxy.py', self.port,
                      *(f'{service.host}:{service.port}' for service in self.services))

    def is_ready(self):
        """Not by connecting to it, which would count."""
        with open('/proc/net/tcp', encoding='ascii') as table:
            rows = [line.split() for line in table]
        listening = {row[1].split(':')[1] for row in rows if row[3] == '0A'}
        return f'{self.port:04X}' in listening


def main():
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2:]))


if __name__ == '__main__':
    main()
