#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What bench/mysql.c does, by aiomysql on uvloop.

usage: mysql_uvloop.py SOCKET
"""
import asyncio
import statistics
import sys
import time

import aiomysql
import uvloop

CONNECTIONS, ROUNDS, IDS = 10, 5, 1000
SELECT = 'SELECT id, name, val FROM t WHERE id = %s'


async def select(connection, count):
    async with connection.cursor() as cursor:
        for i in range(count):
            wanted = 1 + i % IDS
            await cursor.execute(SELECT, (wanted,))
            (row,) = await cursor.fetchall()
            assert row[0] == wanted


async def measure(connections, name, count):
    wall, cpu = [], []
    for _ in range(ROUNDS + 1):
        start, start_cpu = time.perf_counter_ns(), time.process_time_ns()
        await asyncio.gather(*(select(one, count // len(connections)) for one in connections))
        wall.append((time.perf_counter_ns() - start) / count)
        cpu.append((time.process_time_ns() - start_cpu) / count)
    print(f'{name} {statistics.median(wall[1:]):.0f} {statistics.median(cpu[1:]):.0f}', flush=True)


async def main():
    connections = [await aiomysql.connect(unix_socket=sys.argv[1], user='root', password='',
                                          db='lab') for _ in range(CONNECTIONS)]
    await measure(connections[:1], 'select_c1', 1000)
    await measure(connections, 'select_c10', 3000)
    for one in connections:
        one.close()


uvloop.install()
asyncio.run(main())
