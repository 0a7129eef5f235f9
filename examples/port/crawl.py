#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fetch a small web's pages, few at a time, no faster than allowed, and again when it fails

The web is a server of its own, which refuses a page twice before it gives it, is silent about
another, and has a link to nowhere.
"""
import asyncio
import re

PAGES = {
    "/": "start /a /b /flaky",
    "/a": "a /b /c",
    "/b": "b / /missing",
    "/c": "c /slow",
    "/flaky": "flaky /d",
    "/d": "d",
}


class Site:
    """Answers GET PATH by a status and a page."""

    def __init__(self):
        self.refusals = {"/flaky": 2}
        self.running = 0
        self.most = 0

    async def serve(self, reader, writer):
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            line = await reader.readline()
            path = line.split()[1].decode()
            while (await reader.readline()).strip():
                pass
            if path == "/slow":
                await reader.read()  # until the client gives up
            status, body = self.answer(path)
            writer.write(f"HTTP/1.0 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
            await writer.drain()
        finally:
            self.running -= 1
            writer.close()

    def answer(self, path):
        if self.refusals.get(path, 0) > 0:
            self.refusals[path] -= 1
            return 503, "busy"
        if path not in PAGES:
            return 404, ""
        return 200, PAGES[path]


class Pace:
    """Lets one through each so many seconds."""

    def __init__(self, interval):
        self.interval = interval
        self.next = 0.0

    async def wait(self):
        loop = asyncio.get_running_loop()
        now = loop.time()
        start = max(now, self.next)
        self.next = start + self.interval
        await asyncio.sleep(start - now)


class HttpError(Exception):
    def __init__(self, status):
        super().__init__(f"status {status}")
        self.status = status


async def fetch(port, path):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head.split()[1])
        if status != 200:
            raise HttpError(status)
        size = int(re.search(rb"Content-Length: (\d+)", head)[1])
        return (await reader.readexactly(size)).decode()
    finally:
        writer.close()
        await writer.wait_closed()


class Crawler:
    def __init__(self, port, limit=3):
        self.port = port
        self.slots = asyncio.Semaphore(limit)
        self.pace = Pace(0.005)
        self.seen = {}

    async def get(self, path):
        """A page; three times, and longer apart each time, while the server is busy."""
        pause = 0.01
        for attempt in range(3):
            try:
                async with self.slots:
                    await self.pace.wait()
                    async with asyncio.timeout(0.5):
                        return await fetch(self.port, path)
            except HttpError as error:
                if error.status != 503 or attempt == 2:
                    raise
            await asyncio.sleep(pause)
            pause *= 2

    async def visit(self, path, group):
        try:
            page = await self.get(path)
        except HttpError as error:
            self.seen[path] = str(error)
        except TimeoutError:
            self.seen[path] = "no answer"
        else:
            title, *links = page.split()
            self.seen[path] = title
            self.follow(links, group)

    def follow(self, links, group):
        for link in links:
            if link not in self.seen:
                self.seen[link] = None
                group.create_task(self.visit(link, group))


async def main():
    site = Site()
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0)
    crawler = Crawler(server.sockets[0].getsockname()[1])
    async with asyncio.TaskGroup() as group:
        crawler.follow(["/"], group)
    server.close()
    for path, what in sorted(crawler.seen.items()):
        print(f"{path:10} {what}")
    print("never more than", 3 if site.most <= 3 else site.most, "at once")


asyncio.run(main())
