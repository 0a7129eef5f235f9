#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nginx with TLS and HTTP/2, which compresses what it gets from an origin."""
import shutil
import socket
import ssl

from service import LIMIT, Service

CONF = """
daemon off;
worker_processes 1;
pid {where}/pid;
error_log {where}/log;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_max_body_size 64m;
    client_body_temp_path {where}/body;
    proxy_temp_path {where}/proxy;
    fastcgi_temp_path {where}/fastcgi;
    uwsgi_temp_path {where}/uwsgi;
    scgi_temp_path {where}/scgi;
    gzip on;
    gzip_proxied any;
    gzip_min_length 200;
    gzip_types text/plain application/json;
    server {{
        listen {host}:{port} {tls};
        {certificates}
        location / {{
            proxy_pass {origin};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_redirect off;
            proxy_request_buffering off;
            proxy_buffering off;
        }}
    }}
}}
"""


class Nginx(Service):
    """In front of an origin. With an authority it speaks TLS; with ask_client it also wants a
    certificate of the same authority from the client."""

    name = 'nginx'

    def __init__(self, where, origin, authority=None, http2=True, ask_client=False, names=None,
                 host=None):
        super().__init__(where, host)
        self.origin = origin
        self.authority = authority
        self.http2 = http2
        self.ask_client = ask_client
        self.names = names or 'DNS:localhost,IP:127.0.0.1,IP:127.0.0.2'

    @staticmethod
    def program():
        """Its path; None if it is not installed."""
        return shutil.which('nginx') or shutil.which('nginx', path='/usr/sbin')

    def prepare(self):
        certificates = ''
        if self.authority is not None:
            cert, key = self.authority.sign(alternatives=self.names, file=f'nginx-{self.port}')
            certificates = f'ssl_certificate {cert}; ssl_certificate_key {key};'
            if self.ask_client:
                certificates += f'ssl_client_certificate {self.authority.ca}; ssl_verify_client on;'
        tls = [] if self.authority is None else ['ssl']
        tls += ['http2'] if self.http2 else []
        user = 'user root;' if self.where.owner() == 'root' else ''
        (self.where / 'conf').write_text(CONF.format(
            where=self.where, host=self.host, port=self.port, user=user, tls=' '.join(tls),
            certificates=certificates, origin=self.origin.url))

    def command(self):
        return [self.program(), '-c', str(self.where / 'conf'), '-e', str(self.log)]

    def is_ready(self):
        with socket.create_connection((self.host, self.port), timeout=LIMIT) as plain:
            if self.authority is None:
                return True
            context = ssl.create_default_context(cafile=str(self.authority.ca))
            context.check_hostname = False
            with context.wrap_socket(plain):
                return True

    @property
    def url(self):
        scheme = 'http' if self.authority is None else 'https'
        return f'{scheme}://localhost:{self.port}'
