# SPDX-License-Identifier: MIT
"""Echo servers, by what programs are written with: streams, protocols, buffers, sockets."""
import socket
import sys
from functools import partial

from .suite import Row, Suite
from .tools import free_port, on_last_core, resident, rows, server

# Where the columns of a table are the same whatever we are written with.
MODES = ['stream', 'protocol', 'buffered', 'socket']


# (bytes, connections) that streams over TLS are asked for.
TLS_LOADS = [(1024, 10), (102400, 10), (1024, 100)]
# What is put to a server's command for a mode; streams over TLS are one of their own.
OPTIONS = {mode: ['--mode', mode] for mode in MODES} | {'tls': ['--mode', 'stream', '--tls']}


def python_echo(programs, loop, mode):
    return programs.python('echo_uvloop.py', '--loop', loop, *OPTIONS[mode])


def contenders(programs, mode):
    """{name: command} of servers; those of libuv, epoll and Go are the same for each mode."""
    found = {'aioc': [*programs.built('echo_server'), *OPTIONS[mode]],
             'asyncio': python_echo(programs, 'asyncio', mode)}
    if programs.has('uvloop'):
        found['uvloop'] = python_echo(programs, 'uvloop', mode)
    return found


def common(programs):
    found = {'libuv': programs.built('baseline_uv_echo'), 'epoll': programs.built('baseline_epoll')}
    if go := programs.go('echo'):
        found['Go'] = go
    return found


class Echo(Suite):
    name = 'echo'
    tables = {
        'echo_cpu': ('Echo servers', 'Nanoseconds of the server\'s processor time for one message:'
                     ' bytes x connections. Each byte is checked.'),
        'echo_rate': ('Echo servers: messages a second',
                      'The server has one core, what asks it another.'),
        'echo_p99': ('Echo servers: latency', 'Microseconds that 99 of 100 messages need at most to'
                     ' come back, with the server at its limit.'),
    }

    def measure(self, command, modes, what):
        size, connections = what
        port = free_port()
        with server(command, str(port)) as process:
            found = dict(rows(on_last_core(
                [*self.programs.built('echo_load'), '--pid', process.pid, '--size', size,
                 '--connections', connections, '--seconds', self.settings.seconds,
                 *(['--tls'] if modes == ['tls'] else []), port])))
        for mode in modes:
            label = f'echo_{mode} {size} x {connections}'
            yield 'echo_cpu', label, found['cpu_ns'][0]
            yield 'echo_rate', label, found['per_second'][0]
            yield 'echo_p99', label, found['p99_us'][0]

    def loads(self):
        """(bytes, connections) and the modes that are asked so."""
        if self.settings.quick:
            return {(1024, 10): MODES, (102400, 10): MODES, (1024, 100): ['stream', 'protocol']}
        both = ['stream', 'protocol']
        return {(64, 1): both, (1024, 1): both, (102400, 1): both,
                (1024, 10): MODES, (10240, 10): MODES, (102400, 10): MODES,
                (64, 100): both, (1024, 100): both, (102400, 100): both,
                (1024, 1000): both, (1024, 10000): both}

    def rows(self):
        for (size, connections), modes in self.loads().items():
            what = (size, connections)
            everybody = connections <= 1000
            for mode in [*modes, *(['tls'] if what in TLS_LOADS else [])]:
                found = contenders(self.programs, mode)
                calls = {name: partial(self.measure, command, [mode], what)
                         for name, command in found.items() if everybody or name == 'aioc'}
                yield Row(f'echo_{mode} {size} x {connections}', calls, group=what)
            yield Row(f'{size} x {connections}, the same for each',
                      {name: partial(self.measure, command, modes, what)
                       for name, command in common(self.programs).items()}, group=what)


class Idle(Suite):
    name = 'idle'
    tables = {'idle': ('Connections without use', 'Bytes of the server\'s memory for one, after'
                       ' one message each; what the kernel has for it is not counted.')}
    rounds = 1

    def measure(self, command, lines):
        """How much a server grows by connections that this process holds."""
        port = free_port()
        held = []
        with server(command, str(port)) as process:
            warm = talk(port)
            before = resident(process.pid)
            held = [talk(port) for _ in range(self.settings.connections)]
            grown = (resident(process.pid) - before) / len(held)
        for one in [warm, *held]:
            one.close()
        for line in lines:
            yield 'idle', line, grown

    def ours(self):
        for name, (value, *_) in rows([*self.programs.built('idle_connections'),
                                       self.settings.connections]):
            yield 'idle', f'idle_{name}', value

    def rows(self):
        calls = {'aioc': self.ours}
        yield Row('idle', calls)
        for mode in ['stream', 'protocol']:
            for loop in ['asyncio', *(['uvloop'] if self.programs.has('uvloop') else [])]:
                yield Row(f'idle_{mode}', {loop: partial(
                    self.measure, python_echo(self.programs, loop, mode), [f'idle_{mode}'])})
        yield Row('idle_protocol', {'libuv': partial(
            self.measure, self.programs.built('baseline_uv_echo'), ['idle_protocol'])})
        if go := self.programs.go('echo'):
            yield Row('idle_stream', {'Go': partial(
                self.measure, [*go, '--buffer', '64'], ['idle_stream'])})


def talk(port):
    """A connection that has sent something and got it back."""
    one = socket.create_connection(('127.0.0.1', port))
    one.sendall(bytes(64))
    left = 64
    while left > 0:
        got = len(one.recv(left))
        if got == 0:
            sys.exit('a server closes connections that nothing happens on')
        left -= got
    return one
