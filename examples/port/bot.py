#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""a bot in a chat room, which lets a program count

A room relays lines to everybody. The bot answers "!sum 1 2 3" by way of awk, which it keeps
running; "!crash" makes awk end, and it is started again; "!bye" ends the bot.
"""
import asyncio

AWK = ('{ if ($1 == "crash") exit 3; s = 0; for (i = 1; i <= NF; i++) s += $i; '
       'print s; fflush() }')


class Room:
    def __init__(self):
        self.members = {}

    async def serve(self, reader, writer):
        name = (await reader.readline()).decode().strip()
        if not name or name in self.members:
            writer.write(b"* no\n")
            writer.close()
            return
        self.members[name] = writer
        self.say("*", f"{name} is here")
        try:
            async for line in reader:
                self.say(name, line.decode().strip())
        finally:
            del self.members[name]
            self.say("*", f"{name} has left")
            writer.close()

    def say(self, name, text):
        for writer in self.members.values():
            writer.write(f"{name}: {text}\n".encode())


class Calculator:
    def __init__(self):
        self.process = None

    async def sum(self, numbers):
        if self.process is None:
            self.process = await asyncio.create_subprocess_exec(
                "awk", AWK, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
        self.process.stdin.write(numbers.encode() + b"\n")
        line = await asyncio.wait_for(self.process.stdout.readline(), 5)
        if not line:
            code = await self.process.wait()
            self.process = None
            raise RuntimeError(f"the program ended with {code}")
        return line.decode().strip()

    async def close(self):
        if self.process is not None:
            self.process.stdin.close()
            await self.process.wait()


async def bot(port):
    calculator = Calculator()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"bot\n")
    try:
        async for line in reader:
            who, _, text = line.decode().strip().partition(": ")
            command, _, rest = text.partition(" ")
            try:
                if command == "!sum":
                    answer = f"{who}, that is {await calculator.sum(rest)}"
                elif command == "!crash":
                    answer = await calculator.sum("crash")
                elif command == "!bye":
                    break
                else:
                    continue
            except (RuntimeError, TimeoutError) as error:
                answer = f"sorry, {who}: {error}"
            writer.write(f"{answer}\n".encode())
            await writer.drain()
    finally:
        writer.close()
        await calculator.close()


async def human(port, lines):
    """Say each line, and print what comes until the bot has answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"ann\n")
    for line in [None, *lines]:
        if line:
            writer.write(f"{line}\n".encode())
        while True:
            heard = (await reader.readline()).decode().strip()
            print(heard)
            if heard.startswith("bot: ") or heard in ("*: bot has left", "*: ann is here"):
                break
    writer.close()
    await writer.wait_closed()


async def main():
    room = Room()
    server = await asyncio.start_server(room.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    helper = asyncio.create_task(bot(port))
    while "bot" not in room.members:
        await asyncio.sleep(0.01)
    async with asyncio.timeout(20):
        await human(port, ["!sum 1 2 3", "what?\n!sum 40 2", "!crash", "!sum 5 5", "!bye"])
        await helper
    server.close()


asyncio.run(main())
