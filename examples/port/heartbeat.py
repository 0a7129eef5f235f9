#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""watch nodes by the datagrams they send, and say when one is lost and when it is back

A node sends "beat NAME NUMBER" every so often. One that is silent for too long is lost; a beat
that was overtaken by a later one is not counted; what is no beat is complained about.
"""
import asyncio

EVERY = 0.05
PATIENCE = 0.2


class Monitor(asyncio.DatagramProtocol):
    def __init__(self, report):
        self.report = report
        self.nodes = {}
        self.bad = 0

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        match data.decode(errors="replace").split():
            case ["beat", name, number] if number.isdigit():
                self.beat(name, int(number))
                self.transport.sendto(f"ok {number}".encode(), addr)
            case _:
                self.bad += 1
                self.transport.sendto(b"what?", addr)

    def beat(self, name, number):
        node = self.nodes.setdefault(name, {"last": -1, "timer": None, "up": False})
        if number <= node["last"]:
            return
        node["last"] = number
        if node["timer"]:
            node["timer"].cancel()
        loop = asyncio.get_running_loop()
        node["timer"] = loop.call_later(PATIENCE, self.lose, name)
        if not node["up"]:
            node["up"] = True
            self.report.put_nowait(f"{name} is up at {number}")

    def lose(self, name):
        node = self.nodes[name]
        node["up"] = False
        node["timer"] = None
        self.report.put_nowait(f"{name} is lost after {node['last']}")

    def close(self):
        for node in self.nodes.values():
            if node["timer"]:
                node["timer"].cancel()
        self.transport.close()


class Node(asyncio.DatagramProtocol):
    def __init__(self):
        self.replies = asyncio.Queue()

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.replies.put_nowait(data)

    async def ask(self, text):
        """Send, and wait for the reply; once more when there is none."""
        for _ in range(3):
            self.transport.sendto(text.encode())
            try:
                async with asyncio.timeout(1):
                    return (await self.replies.get()).decode()
            except TimeoutError:
                pass
        raise ConnectionError("the monitor does not answer")


async def beats(node, name, numbers):
    for number in numbers:
        await node.ask(f"beat {name} {number}")
        await asyncio.sleep(EVERY)


async def run_node(name, port, silence):
    """Beat five times; then be silent until told; then beat twice."""
    loop = asyncio.get_running_loop()
    transport, node = await loop.create_datagram_endpoint(Node, remote_addr=("127.0.0.1", port))
    try:
        await beats(node, name, range(5))
        await silence.wait()
        await beats(node, name, range(5, 7))
        await node.ask(f"beat {name} 3")  # too late
        print(name, "says hello:", await node.ask("hello"))
    finally:
        transport.close()


async def main():
    report = asyncio.Queue()
    loop = asyncio.get_running_loop()
    transport, monitor = await loop.create_datagram_endpoint(
        lambda: Monitor(report), local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    silence = asyncio.Event()
    node = asyncio.create_task(run_node("alpha", port, silence))
    try:
        async with asyncio.timeout(20):
            for _ in range(2):
                print(await report.get())
            silence.set()
            print(await report.get())
            await node
        print("last", monitor.nodes["alpha"]["last"], "bad", monitor.bad)
    finally:
        monitor.close()


asyncio.run(main())
