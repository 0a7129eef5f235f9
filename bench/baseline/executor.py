#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The benchmark bench/executor.c in Python: jobs in eight threads, from fifty tasks.

usage: executor.py [JOBS]

Prints "jobs_pool", nanoseconds for one job, and processor time for one.
"""
import asyncio
import concurrent.futures
import sys
import time

TASKS, THREADS = 50, 8
MASK = (1 << 64) - 1


def answer(n):
    for _ in range(16):
        n = n * 6364136223846793005 + 1442695040888963407 & MASK
    return n >> 1


async def run_jobs(pool, jobs):
    loop = asyncio.get_running_loop()
    right = 0
    for i in range(jobs):
        right += await loop.run_in_executor(pool, answer, i) == answer(i)
    return right


async def main(jobs):
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        right = await asyncio.gather(*(run_jobs(pool, jobs // TASKS) for _ in range(TASKS)))
        wall, cpu = time.perf_counter_ns() - wall, time.process_time_ns() - cpu
    if sum(right) != jobs:
        sys.exit('some results are wrong')
    print(f'jobs_pool {wall / jobs:.2f} {cpu / jobs:.2f}')


if __name__ == '__main__':
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100000))
