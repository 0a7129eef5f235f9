#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The lines of build/bench/micro in Python, on asyncio's own loop or on uvloop.

usage: micro.py [--uvloop] [BENCH...]

Measures as bench/support/bench.c does: LAB_MS milliseconds a benchmark, cut into samples;
prints the name, nanoseconds for one operation, and processor time for one.
"""
import asyncio
import concurrent.futures
import contextvars
import os
import socket
import statistics
import sys
import threading
import time


class Clock:
    """What one run took, without its set-up."""

    def __init__(self):
        self.wall = self.cpu = 0

    def start(self):
        self.cpu_start = time.process_time_ns()
        self.wall_start = time.perf_counter_ns()

    def stop(self):
        self.wall += time.perf_counter_ns() - self.wall_start
        self.cpu += time.process_time_ns() - self.cpu_start


BENCHES = {}


def bench(name, batch=1, waits=False, **arguments):
    def register(function):
        BENCHES[name] = (function, batch, waits, arguments)
        return function
    return register


# --- tasks ---

@bench('switch')
async def switch(clock, count):
    visits = 0

    def go_back():
        nonlocal visits
        while True:
            visits += 1
            yield
    send = go_back().send
    send(None)
    clock.start()
    for _ in range(count):
        send(None)
    clock.stop()
    assert visits == count + 1


@bench('spawn_join')
async def spawn_join(clock, count):
    runs = 0

    async def empty():
        nonlocal runs
        runs += 1
    clock.start()
    for _ in range(count):
        await asyncio.create_task(empty())
    clock.stop()
    assert runs == count


@bench('yield_10k', 10000, size=10000)
@bench('yield_100', 100, size=100)
@bench('yield_1', 1, size=1)
async def give_way(clock, count, size):
    yields = 0
    missing = size

    async def crowd():
        nonlocal yields, missing
        await asyncio.sleep(0)
        for _ in range(count // size):
            await asyncio.sleep(0)
        yields += count // size
        missing -= 1
        if missing == 0:
            clock.stop()
        await asyncio.sleep(0)
    tasks = [asyncio.create_task(crowd()) for _ in range(size)]
    await asyncio.sleep(0)
    clock.start()
    for task in tasks:
        await task
    assert yields == count


@bench('pingpong')
async def pingpong(clock, count):
    loop = asyncio.get_running_loop()
    balls = [None, None]
    strokes = 0

    async def receive(side):
        balls[side] = loop.create_future()
        await balls[side]

    async def partner():
        nonlocal strokes
        for _ in range(count):
            await receive(1)
            strokes += 1
            balls[0].set_result(None)
    task = asyncio.create_task(partner())
    await asyncio.sleep(0)
    clock.start()
    for _ in range(count):
        balls[1].set_result(None)
        await receive(0)
    clock.stop()
    await task
    assert strokes == count


@bench('gather_1000', 1000)
async def gather(clock, count):
    runs = 0

    async def empty():
        nonlocal runs
        runs += 1
    clock.start()
    for _ in range(count // 1000):
        await asyncio.gather(*[asyncio.create_task(empty()) for _ in range(1000)])
    clock.stop()
    assert runs == count


@bench('cancel_100k', 100000)
async def cancel(clock, count):
    cancelled = 0

    async def sleep_long():
        nonlocal cancelled
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled += 1
            raise
    for _ in range(count // 100000):
        tasks = [asyncio.create_task(sleep_long()) for _ in range(100000)]
        await asyncio.sleep(0)
        clock.start()
        for task in tasks:
            task.cancel()
        for task in tasks:
            try:
                await task
            except asyncio.CancelledError:
                pass
        clock.stop()
    assert cancelled == count


# --- synchronisation ---

@bench('queue_64')
async def queue(clock, count):
    items = asyncio.Queue(64)

    async def produce():
        for item in range(count):
            await items.put(item)
    clock.start()
    task = asyncio.create_task(produce())
    received = 0
    for _ in range(count):
        await items.get()
        received += 1
    clock.stop()
    await task
    assert received == count


@bench('lock_100', 100)
async def lock(clock, count):
    mutex = asyncio.Lock()
    turns = 0

    async def take_turns():
        nonlocal turns
        for _ in range(count // 100):
            async with mutex:
                await asyncio.sleep(0)
                turns += 1
    clock.start()
    tasks = [asyncio.create_task(take_turns()) for _ in range(100)]
    for task in tasks:
        await task
    clock.stop()
    assert turns == count


@bench('lock_uncontended')
async def lock_uncontended(clock, count):
    mutex = asyncio.Lock()
    turns = 0
    clock.start()
    for _ in range(count):
        await mutex.acquire()
        turns += 1
        mutex.release()
    clock.stop()
    assert turns == count


@bench('event_wake_1000', 1000)
async def event_wake(clock, count):
    woken = 0

    async def wait(event):
        nonlocal woken
        await event.wait()
        woken += 1
    for _ in range(count // 1000):
        event = asyncio.Event()
        tasks = [asyncio.create_task(wait(event)) for _ in range(1000)]
        await asyncio.sleep(0)
        clock.start()
        event.set()
        for task in tasks:
            await task
        clock.stop()
    assert woken == count


# --- calls, timers and threads ---

@bench('call_soon', 1000)
async def call_soon(clock, count):
    loop = asyncio.get_running_loop()
    calls = 0
    done = None

    def call():
        nonlocal calls
        calls += 1
        if calls % 1000 == 0:
            done.set_result(None)
    clock.start()
    for _ in range(count // 1000):
        done = loop.create_future()
        for _ in range(1000):
            loop.call_soon(call)
        await done
    clock.stop()
    assert calls == count


@bench('timers_1m', 1000000, True, size=1000000)
@bench('timers_100k', 100000, True, size=100000)
@bench('timers_10k', 10000, True, size=10000)
@bench('timers_1k', 1000, True, size=1000)
async def timers(clock, count, size):
    loop = asyncio.get_running_loop()
    fired = 0
    done = None

    def fire():
        nonlocal fired
        fired += 1
        if fired % size == 0:
            done.set_result(None)
    clock.start()
    for _ in range(count // size):
        done = loop.create_future()
        for i in range(size):
            loop.call_later((1 + (i * 2654435761 >> 16) % 10) * 1e-3, fire)
        await done
    clock.stop()
    assert fired == count


@bench('executor')
async def executor(clock, count):
    loop = asyncio.get_running_loop()
    runs = 0

    def job():
        nonlocal runs
        runs += 1
    clock.start()
    for _ in range(count):
        await loop.run_in_executor(None, job)
    clock.stop()
    assert runs == count


def job_answer(n):
    for _ in range(16):
        n = n * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
    return n >> 1


async def run_in_pool(clock, count, pool, tasks):
    loop = asyncio.get_running_loop()

    async def run_jobs(jobs):
        right = 0
        for i in range(jobs):
            right += await loop.run_in_executor(pool, job_answer, i) == job_answer(i)
        return right
    with pool:
        await asyncio.gather(*(run_jobs(1) for _ in range(tasks)))  # starts the workers
        clock.start()
        right = await asyncio.gather(*(run_jobs(count // tasks) for _ in range(tasks)))
        clock.stop()
    assert sum(right) == count


@bench('threadpool', tasks=1)
@bench('threadpool_50', batch=50, tasks=50)
async def threadpool(clock, count, tasks):
    await run_in_pool(clock, count, concurrent.futures.ThreadPoolExecutor(8), tasks)


@bench('processpool', tasks=1)
@bench('processpool_50', batch=50, tasks=50)
async def processpool(clock, count, tasks):
    await run_in_pool(clock, count, concurrent.futures.ProcessPoolExecutor(), tasks)


@bench('threadsafe')
async def threadsafe(clock, count):
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    answered = threading.Semaphore(0)
    calls = 0

    def answer():
        nonlocal calls
        calls += 1
        answered.release()

    def call_from_outside():
        for _ in range(count):
            loop.call_soon_threadsafe(answer)
            answered.acquire()
        loop.call_soon_threadsafe(done.set_result, None)
    thread = threading.Thread(target=call_from_outside)
    clock.start()
    thread.start()
    await done
    clock.stop()
    thread.join()
    assert calls == count


# --- context variables and generators ---

@bench('contextvar_get')
async def contextvar_get(clock, count):
    variable = contextvars.ContextVar('variable')
    variable.set(1)
    total = 0
    clock.start()
    for _ in range(count):
        total += variable.get()
    clock.stop()
    assert total == count


@bench('context_copy')
async def context_copy(clock, count):
    variable = contextvars.ContextVar('variable')
    variable.set(1)
    copies = 0
    clock.start()
    for _ in range(count):
        copies += variable in contextvars.copy_context()
    clock.stop()
    assert copies == count


@bench('generator_next')
async def generator_next(clock, count):
    def forever():
        while True:
            yield 1
    generator = forever()
    total = 0
    clock.start()
    for _ in range(count):
        total += next(generator)
    clock.stop()
    assert total == count


@bench('agen_next')
async def agen_next(clock, count):
    async def forever():
        while True:
            yield 1
    generator = forever()
    total = 0
    clock.start()
    for _ in range(count):
        total += await anext(generator)
    clock.stop()
    await generator.aclose()
    assert total == count


# --- streams ---

@bench('stream_1k')
async def stream_1k(clock, count):
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)

    async def send_back():
        other_reader, other_writer = await asyncio.open_connection(sock=theirs)
        while data := await other_reader.read(1024):
            other_writer.write(data)
            await other_writer.drain()
        other_writer.close()
    task = asyncio.create_task(send_back())
    clock.start()
    for i in range(count):
        message = i.to_bytes(8, 'little').ljust(1024, b'x')
        writer.write(message)
        await writer.drain()
        assert await reader.readexactly(1024) == message
    clock.stop()
    writer.close()
    await task


@bench('readline_64', 512)
async def readline_64(clock, count):
    reader = asyncio.StreamReader()
    lines = (b'x' * 63 + b'\n') * 512
    clock.start()
    for _ in range(count // 512):
        reader.feed_data(lines)
        for _ in range(512):
            assert len(await reader.readline()) == 64
    clock.stop()


try:
    import greenlet
except ImportError:
    pass
else:
    @bench('greenlet_switch')
    async def greenlet_switch(clock, count):
        home = greenlet.getcurrent()
        visits = 0

        def go_back():
            nonlocal visits
            while True:
                visits += 1
                home.switch()
        other = greenlet.greenlet(go_back)
        other.switch()
        clock.start()
        for _ in range(count):
            other.switch()
        clock.stop()
        assert visits == count + 1


# --- samples ---

async def measure(name, wanted_ns):
    function, batch, waits, arguments = BENCHES[name]

    async def run(count):
        clock = Clock()
        await function(clock, count, **arguments)
        return clock
    batches = 1
    while True:
        clock = await run(batches * batch)
        if clock.wall >= wanted_ns / 10:
            break
        batches *= int(min(10, wanted_ns / 10 // (clock.wall + 1) + 1))
    count = batches * batch
    wall, cpu = [], []
    total = 0
    while len(wall) < 100:
        clock = await run(count)
        wall.append(clock.wall / count)
        cpu.append(clock.cpu / count)
        total += clock.wall
        if total >= wanted_ns and (len(wall) >= 3 or clock.wall >= wanted_ns):
            break
    processor = statistics.median(cpu)
    print(name, f'{processor if waits else statistics.median(wall):.2f}', f'{processor:.2f}',
          flush=True)


def main():
    names = sys.argv[1:]
    wanted_ns = int(os.environ.get('LAB_MS') or 300) * 1_000_000
    if '--uvloop' in names:
        import uvloop
        uvloop.install()
        names.remove('--uvloop')
    for name in BENCHES:
        if not names or name in names:
            asyncio.run(measure(name, wanted_ns))


if __name__ == '__main__':
    main()
