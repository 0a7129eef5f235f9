#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What bench/fetch.c does, by aiohttp on uvloop.

usage: fetch.py PORT
"""
import asyncio
import statistics
import sys
import time

import aiohttp
import uvloop

TASKS, ROUNDS = 50, 15


async def run(session, path, size, count):
    left = iter(range(count))

    async def fetch():
        for _ in left:
            async with session.get(path) as response:
                body = await response.read()
                assert response.status == 200 and len(body) == size

    await asyncio.gather(*(fetch() for _ in range(TASKS)))


async def measure(session, name, path, size, count):
    wall, cpu = [], []
    await run(session, path, size, count)
    for _ in range(ROUNDS):
        start, start_cpu = time.perf_counter_ns(), time.process_time_ns()
        await run(session, path, size, count)
        wall.append((time.perf_counter_ns() - start) / count)
        cpu.append((time.process_time_ns() - start_cpu) / count)
    print(f'{name} {statistics.median(wall):.0f} {statistics.median(cpu):.0f}')


async def main():
    base = f'http://127.0.0.1:{sys.argv[1]}'
    connector = aiohttp.TCPConnector(limit=TASKS)
    async with aiohttp.ClientSession(base, connector=connector) as session:
        await measure(session, 'small_1000', '/small', 1024, 1000)
        await measure(session, 'large_50', '/large', 1048576, 50)


uvloop.install()
asyncio.run(main())
