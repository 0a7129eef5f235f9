# SPDX-License-Identifier: MIT
"""HTTP services under load, and clients that fetch."""
import contextlib
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from functools import partial

from .suite import Row, Suite
from .tools import cpu_ns, free_port, on_first_core, on_last_core, rows, server

# pylint: disable=import-error
from nginx import Nginx  # noqa: E402
from service import folder  # noqa: E402

BODY = b'{"message":"Hello, World!"}'
CONNECTIONS = 50

NGINX_CONF = """
daemon off;
worker_processes 1;
pid {where}/pid;
error_log {where}/log;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {where}/body; proxy_temp_path {where}/proxy;
    fastcgi_temp_path {where}/fastcgi; uwsgi_temp_path {where}/uwsgi; scgi_temp_path {where}/scgi;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    open_file_cache max=10;
    server {{
        listen {host}:{port};
        root {where};
        default_type application/octet-stream;
        location = / {{ default_type application/json; return 200 '{{"message":"Hello, World!"}}'; }}
    }}
}}
"""


class Files(Nginx):
    """nginx that serves two files, and a reply that it has in its configuration."""

    def __init__(self, where, pin):
        super().__init__(where, origin=None)
        self.pin = pin

    def prepare(self):
        (self.where / 'small').write_bytes(os.urandom(1024))
        (self.where / 'large').write_bytes(os.urandom(1 << 20))
        user = 'user root;' if self.where.owner() == 'root' else ''
        (self.where / 'conf').write_text(NGINX_CONF.format(where=self.where, host=self.host,
                                                           port=self.port, user=user))

    def command(self):
        return self.pin(super().command())


# ---- services --------------------------------------------------------------------------

def wrk(port, seconds):
    """Requests made, and requests a second."""
    command = on_last_core(['wrk', '-t1', f'-c{CONNECTIONS}', f'-d{max(1, round(seconds))}s',
                            f'http://127.0.0.1:{port}/'])
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if 'Non-2xx' in text or 'Socket errors' in text:
        sys.exit(text)
    return (int(re.search(r'(\d+) requests in', text).group(1)),
            float(re.search(r'Requests/sec:\s+([\d.]+)', text).group(1)))


def check(port):
    """The one reply that all are to give."""
    with urllib.request.urlopen(f'http://127.0.0.1:{port}/') as reply:
        kind = reply.headers['content-type'].partition(';')[0]
        if reply.status != 200 or kind != 'application/json' or reply.read() != BODY:
            sys.exit('an HTTP service answers something else')


@contextlib.contextmanager
def nginx(_command, port):
    """In the manner of server(), but it says itself where it is."""
    with folder() as where:
        files = Files(where, on_first_core)
        files.port = int(port)
        with files:
            yield files.process


class Http(Suite):
    name = 'http'
    tables = {
        'http_cpu': ('HTTP services', 'Nanoseconds of the server\'s processor time for one'
                     f' `GET /`, {CONNECTIONS} connections that stay open.'),
        'http_rate': ('HTTP services: requests a second',
                      'The server has one core, what asks it another.'),
    }

    def measure(self, start, command):
        port = free_port()
        with start(command, str(port)) as process:
            check(port)
            wrk(port, 1)  # to warm up
            before = cpu_ns(process.pid)
            requests, rate = wrk(port, 2 * self.settings.seconds)
            spent = cpu_ns(process.pid) - before
        yield 'http_cpu', 'http_server', spent / requests
        yield 'http_rate', 'http_server', rate

    def rows(self):
        ours = self.programs.built('http_server')
        if not ours or shutil.which('wrk') is None:
            return
        calls = {'aioc': partial(self.measure, server, ours)}
        if go := self.programs.go('http_server'):
            calls['Go'] = partial(self.measure, server, go)
        if self.programs.has('fastapi', 'uvicorn', 'uvloop', 'httptools'):
            calls['FastAPI'] = partial(self.measure, server,
                                       self.programs.python('http_server.py'))
            calls['uvicorn'] = partial(self.measure, server,
                                       self.programs.python('http_server.py', '--bare'))
        if Nginx.program():
            calls['nginx'] = partial(self.measure, nginx, [])
        calls['epoll, no parser'] = partial(
            self.measure, server, [*self.programs.built('baseline_epoll'), '--http'])
        yield Row('http_server', calls)


# ---- clients ---------------------------------------------------------------------------

class Fetch(Suite):
    name = 'fetch'
    tables = {'fetch': ('HTTP clients', 'Nanoseconds for one object from nginx, over 50'
                        ' connections: time that passes, and the client\'s processor time.')}

    def __init__(self, programs, settings):
        super().__init__(programs, settings)
        self.port = None

    @contextlib.contextmanager
    def ready(self):
        with folder() as where, Files(where, on_last_core) as files:
            self.port = files.port
            yield

    def measure(self, command):
        for name, (wall, cpu) in rows(on_first_core([*command, self.port]), GOMAXPROCS='1'):
            yield 'fetch', name, wall
            yield 'fetch', f'{name}_cpu', cpu

    def rows(self):
        ours = self.programs.built('fetch')
        if not ours or Nginx.program() is None:
            return
        calls = {'aioc': partial(self.measure, ours)}
        if go := self.programs.go('fetch'):
            calls['Go'] = partial(self.measure, go)
        if self.programs.has('aiohttp', 'uvloop'):
            calls['aiohttp'] = partial(self.measure, self.programs.python('fetch.py'))
        yield Row('fetch', calls)
