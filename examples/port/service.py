#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A job service: lines over TCP go through a queue to workers, which may start a subprocess.

It serves three clients of its own, is told to stop by a signal, and says what it did. service.c is
the same in C, function by function, and writes the same.
"""
import asyncio
import os
import signal
from functools import partial

WORKERS = 2


class Service:
    def __init__(self):
        self.jobs = asyncio.Queue(maxsize=2)
        self.stop = asyncio.Event()
        self.done = 0
        self.late = 0


async def sort_words(words):
    process = await asyncio.create_subprocess_exec(
        "sort", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate("\n".join(words).encode())
    if process.returncode != 0:
        raise RuntimeError(f"sort ended with {process.returncode}")
    return " ".join(out.decode().split())


async def carry_out(line):
    command, *words = line.split()
    if command == "add":
        return str(sum(int(word) for word in words))
    if command == "sort":
        return await sort_words(words)
    if command == "sleep":
        await asyncio.sleep(float(words[0]))
        return "slept"
    raise ValueError(f"no such command: {command}")


async def worker(service):
    while True:
        line, reply = await service.jobs.get()
        limit = None
        if line.startswith("within "):
            _, limit, line = line.split(maxsplit=2)
        try:
            async with asyncio.timeout(limit and float(limit)):
                answer = await carry_out(line)
        except TimeoutError:
            service.late += 1
            answer = "error: too late"
        except (ValueError, RuntimeError) as error:
            answer = f"error: {error}"
        if not reply.done():
            reply.set_result(answer)
        service.done += 1
        service.jobs.task_done()


async def serve(service, reader, writer):
    try:
        while line := await reader.readline():
            reply = asyncio.get_running_loop().create_future()
            await service.jobs.put((line.decode(), reply))
            writer.write(f"{await reply}\n".encode())
            await writer.drain()
    finally:
        writer.close()


async def client(port, lines):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    replies = []
    for line in lines:
        writer.write(f"{line}\n".encode())
        await writer.drain()
        replies.append((await reader.readline()).decode())
    writer.close()
    await writer.wait_closed()
    return "".join(replies)


async def stop_workers(workers):
    for task in workers:
        task.cancel()
    await asyncio.gather(*workers, return_exceptions=True)


async def main():
    service = Service()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, service.stop.set)
    workers = [asyncio.create_task(worker(service)) for _ in range(WORKERS)]

    server = await asyncio.start_server(partial(serve, service), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    results = await asyncio.gather(
        client(port, ["add 1 2 3", "sort pear apple fig"]),
        client(port, ["within 0.05 sleep 60", "add 40 2"]),
        client(port, ["dance", "sleep 0.01"]))
    for number, replies in enumerate(results):
        print(f"client {number}:\n{replies}", end="")

    os.kill(os.getpid(), signal.SIGTERM)
    await service.stop.wait()
    print("stopping")
    server.close()
    await server.wait_closed()
    await service.jobs.join()
    await stop_workers(workers)
    loop.remove_signal_handler(signal.SIGTERM)
    print(f"{service.done} jobs, {service.late} late")


if __name__ == "__main__":
    asyncio.run(main())
