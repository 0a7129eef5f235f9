#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What bench/redis.c does, by aioredis on uvloop.

usage: redis_uvloop.py PORT
"""
import asyncio
import statistics
import sys
import time

import aioredis
import uvloop

CONNECTIONS, BATCH, ROUNDS = 10, 100, 5
REPLY = [b'key1', b'1', b'key2', b'2']


async def ask_one_by_one(redis, count):
    for _ in range(count):
        await redis.execute('HSET', 'car', 'key1', '1', 'key2', '2')
        assert await redis.execute('HGETALL', 'car') == REPLY


async def ask_together(redis, count):
    for _ in range(count // BATCH):
        asked = []
        for _ in range(BATCH):
            redis.execute('HSET', 'car', 'key1', '1', 'key2', '2')
            asked.append(redis.execute('HGETALL', 'car'))
        for reply in await asyncio.gather(*asked):
            assert reply == REPLY


async def measure(connections, name, ask, count):
    wall, cpu = [], []
    for _ in range(ROUNDS + 1):
        start, start_cpu = time.perf_counter_ns(), time.process_time_ns()
        await asyncio.gather(*(ask(one, count // len(connections)) for one in connections))
        wall.append((time.perf_counter_ns() - start) / count)
        cpu.append((time.process_time_ns() - start_cpu) / count)
    print(f'{name} {statistics.median(wall[1:]):.0f} {statistics.median(cpu[1:]):.0f}', flush=True)


async def main():
    address = ('127.0.0.1', int(sys.argv[1]))
    connections = [await aioredis.create_connection(address) for _ in range(CONNECTIONS)]
    await measure(connections[:1], 'hset_hgetall_c1', ask_one_by_one, 1000)
    await measure(connections, 'hset_hgetall_c10', ask_one_by_one, 3000)
    await measure(connections[:1], 'pipeline_100', ask_together, 5000)


uvloop.install()
asyncio.run(main())
