#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The lines of build/bench/scale in Python, on asyncio's own loop or on uvloop.

usage: scale.py [--uvloop] TASKS
"""
import asyncio
import sys
import time


def memory(file, name):
    """Bytes of this process, of a line "Name:   123 kB" in a file of /proc/self."""
    with open(f'/proc/self/{file}', encoding='ascii') as lines:
        for line in lines:
            if line.startswith(name + ':'):
                return int(line.split()[1]) * 1024
    raise LookupError(name)


async def measure(size):
    loop = asyncio.get_running_loop()
    started = woken = first_woken = 0
    early = False

    async def sleep_with_all():
        nonlocal started, woken, first_woken, early
        started += 1
        await asyncio.sleep(wake_at - loop.time())
        woken += 1
        if woken == 1:
            first_woken = time.process_time_ns()
        early |= started < size
    tasks = [None] * size
    rss = memory('smaps_rollup', 'Anonymous')
    pte = memory('status', 'VmPTE')
    wake_at = loop.time() + 0.3 + 40e-6 * size
    cpu = time.process_time_ns()
    for i in range(size):
        tasks[i] = asyncio.create_task(sleep_with_all())
    cpu = time.process_time_ns() - cpu
    print(f'created_per_task {(memory("smaps_rollup", "Anonymous") - rss) / size:.1f}')
    cpu -= time.process_time_ns()
    await asyncio.sleep(0)
    cpu += time.process_time_ns()
    print(f'rss_per_task {(memory("smaps_rollup", "Anonymous") - rss) / size:.1f}')
    print(f'pte_per_task {(memory("status", "VmPTE") - pte) / size:.1f}')
    print(f'spawn_ns {cpu / size:.1f}')
    for task in tasks:
        await task
    print(f'wake_ns {(time.process_time_ns() - first_woken) / size:.1f}')
    assert woken == size
    if early:
        print('early 1')


def main():
    arguments = sys.argv[1:]
    if '--uvloop' in arguments:
        import uvloop
        uvloop.install()
        arguments.remove('--uvloop')
    if len(arguments) != 1 or not arguments[0].isdecimal() or int(arguments[0]) == 0:
        sys.exit('usage: scale.py [--uvloop] TASKS')
    asyncio.run(measure(int(arguments[0])))


if __name__ == '__main__':
    main()
