#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run a program of the tutorial that needs services, and check what it does with them.

usage: tutorial_services.py SERVICES_FOLDER NAME PROGRAM [SERVER]

Pictures, pages and rows are others in each run: a program can only have them from the services.
That things happen at the same time is shown without a clock: the service answers nobody until
all have asked. SERVER is program 36, for its client.
"""
import contextlib
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, sys.argv[1])
# pylint: disable=wrong-import-position
from gather_proxy import GatherProxy  # noqa: E402
from mariadb import Mariadb  # noqa: E402
from nginx import Nginx  # noqa: E402
from origin import Origin, page, picture  # noqa: E402
from redis import Redis  # noqa: E402
from service import Port, folder  # noqa: E402
from tls import Authority  # noqa: E402

LIMIT = 120  # seconds after which a program counts as hung
SKIPPED = 77
IMAGES = ['/weitu/24G58PICk6YyAJqMN7IaU_cat1.jpg', '/weitu/64p58PICdzfqApIy7Fn2t_cat2.jpg',
          '/photo/5561_cat3.jpg']
PAGES = {'/python.org': '/www.python.org/', '/www.baidu.com': '/www.baidu.com',
         '/www.pythonav.com': '/www.pythonav.com'}
PASSWORD = '123456'
CAR = "{'key1': '1', 'key2': '2', 'key3': '3'}"


class Failure(Exception):
    """What a program did wrong."""


def need(program):
    if program is None:
        print('a program that is to serve is not installed')
        sys.exit(SKIPPED)


def want(true, message):
    if not true:
        raise Failure(message)


def environment(**more):
    """Of a program: our services, and nobody's proxies."""
    kept = {name: value for name, value in os.environ.items()
            if not name.lower().endswith('_proxy') and not name.startswith('TUTORIAL_')}
    return dict(kept, PYTHONUNBUFFERED='1', **{name: str(value) for name, value in more.items()})


def run(program, where, status=0, **variables):
    """Run it to its end: what it wrote, as lines, and on standard error."""
    done = subprocess.run([program], cwd=where, env=environment(**variables), timeout=LIMIT,
                          stdin=subprocess.DEVNULL, capture_output=True, encoding='utf-8',
                          check=False)
    want(done.returncode == status, f'status {done.returncode}, on standard error: {done.stderr}')
    return done.stdout.splitlines(), done.stderr


def want_lines(got, wanted):
    want(got == wanted, f'wrote {got}, wanted {wanted}')


def want_chains(got, *chains):
    """The lines of each chain in order, the chains mixed in any way."""
    left = [list(chain) for chain in chains]
    if len(got) != sum(map(len, left)):
        raise Failure(f'wrote {got}, wanted {chains} mixed')

    def fits(i):
        if i == len(got):
            return True
        for chain in left:
            if chain and chain[0] == got[i]:
                chain.pop(0)
                if fits(i + 1):
                    return True
                chain.insert(0, got[i])
        return False

    want(fits(0), f'wrote {got}, wanted {chains} mixed')


# ---- downloads -------------------------------------------------------------------------


@contextlib.contextmanager
def web(where, **options):
    """nginx with TLS in front of an origin: the origin, and the variables that name them."""
    need(Nginx.program())
    authority = Authority(where)
    with Origin(where, **options) as origin, Nginx(where, origin, authority) as nginx:
        yield origin, {'TUTORIAL_HTTPS': nginx.url, 'TUTORIAL_CA': authority.ca,
                       'REQUESTS_CA_BUNDLE': authority.ca}


def want_files(where, origin, names):
    for number, name in enumerate(names, 1):
        want((where / name).read_bytes() == picture(origin.seed, str(number)), f'{name} differs')
    found = {str(path.relative_to(where)) for path in where.rglob('*') if path.is_file()}
    want(found == set(names), f'left {found}, wanted {names}')


def check_06(program, where, work):
    with web(where, delay=0.2) as (origin, variables):
        began = time.monotonic()
        lines, _ = run(program, work, **variables)
        want(time.monotonic() - began >= 0.6, 'three answers, each after 0.2 s, came sooner')
        base = variables['TUTORIAL_HTTPS']
        want_lines(lines, [line for path in IMAGES
                           for line in (f'开始下载: {base}{path}', '下载完成')])
        want_files(work, origin, ['cat1.jpg', 'cat2.jpg', 'cat3.jpg'])
    with web(where / 'second') as (_, variables):
        variables['REQUESTS_CA_BUNDLE'] = os.devnull  # nobody is trusted
        _, errors = run(program, work, status=1, **variables)
        want(errors != '', 'says nothing of a certificate that cannot be trusted')


def check_07(program, where, work):
    with web(where, together=3) as (origin, variables):
        for _ in range(2):  # with and without a folder that is there
            lines, _ = run(program, work, **variables)
            base = variables['TUTORIAL_HTTPS']
            want_lines(lines, [f'发送请求： {base}{path}' for path in IMAGES])
            want_files(work, origin, ['images/cat1.jpg', 'images/cat2.jpg', 'images/cat3.jpg'])


def check_26(program, where, work):
    with web(where, together=3) as (origin, variables):
        lines, _ = run(program, work, **variables)
        base = variables['TUTORIAL_HTTPS']
        want_lines(lines, [f'开始下载第{number}张图片，url:{base}{path}'
                           for number, path in enumerate(IMAGES, 1)] + ['下载完成！'] * 3)
        want_files(work, origin, ['cat1.jpg', 'cat2.jpg', 'cat3.jpg'])


def check_38(program, where, work):
    with web(where, together=3) as (origin, variables):
        lines, _ = run(program, work, **variables)
        base = variables['TUTORIAL_HTTPS']
        want_lines(lines[:3], [f'发送请求： {base}{path}' for path in PAGES])
        answers = [(f'第{number}个url: {base}{path} 得到结果:',
                    str(len(page(origin.seed, PAGES[path]))))
                   for number, path in enumerate(PAGES, 1)]
        got = list(zip(lines[3::2], lines[4::2]))
        want(len(lines) == 9 and sorted(got) == sorted(answers),
             f'wrote {lines[3:]}, wanted {answers} in any order')


# ---- redis and MariaDB ---------------------------------------------------------------------


@contextlib.contextmanager
def two_redis(where):
    """One open, and one with a password at another address; the variables that name them."""
    need(Redis.program())
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(contextlib.closing(Port('127.0.0.1', '127.0.0.2')))
        first = stack.enter_context(Redis(where).at(port))
        second = stack.enter_context(Redis(where, PASSWORD, host='127.0.0.2').at(port))
        yield first, second


def address(service, port=None):
    return f'redis://{service.host}:{port or service.port}'


def check_31(program, where, work):
    with two_redis(where) as (_, second):
        url = address(second)
        lines, _ = run(program, work, TUTORIAL_REDIS_PW=url)
        want_lines(lines, [f'开始执行 {url}', CAR, f'结束 {url}'])
        second.stop()
        _, errors = run(program, work, status=1, TUTORIAL_REDIS_PW=url)
        want(PASSWORD not in errors, 'the password is in a message')


def check_32(program, where, work):
    with two_redis(where) as both, GatherProxy(where, *both) as proxy:
        urls = [address(service, proxy.port) for service in both]
        lines, _ = run(program, work, TUTORIAL_REDIS=urls[0], TUTORIAL_REDIS_PW=urls[1])
        want(sorted(lines[:2]) == sorted(f'开始执行 {url}' for url in urls),
             f'does not begin both: {lines}')
        want_chains(lines[2:], *([CAR, f'结束 {url}'] for url in urls))


def check_33(program, where, work):
    with two_redis(where) as both:
        urls = [address(service) for service in both]
        lines, errors = run(program, work, TUTORIAL_REDIS=urls[0], TUTORIAL_REDIS_PW=urls[1])
        want_lines(lines, [f'开始执行 {url}' for url in urls] + [CAR, f'结束 {urls[0]}'])
        want('Task exception was never retrieved' in errors and 'NOAUTH' in errors,
             f'on standard error: {errors}')


@contextlib.contextmanager
def two_mariadb(where):
    """At two addresses, with other rows in each: the services."""
    need(Mariadb.program())
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(contextlib.closing(Port('127.0.0.1', '127.0.0.2')))
        yield [stack.enter_context(Mariadb(where, PASSWORD, host=host,
                                           which=f'{random.randrange(1 << 30)}').at(port))
               for host in ('127.0.0.1', '127.0.0.2')]


def rows(service):
    return f"((1, '张三', 18), (2, '李四', 19), (3, '王五-{service.which}', 20))"


def check_34(program, where, work):
    with two_mariadb(where) as (first, _):
        lines, _ = run(program, work, TUTORIAL_MYSQL_PORT=first.port)
        want_lines(lines, [rows(first)])
        first.stop()
        _, errors = run(program, work, status=1, TUTORIAL_MYSQL_PORT=first.port)
        want(PASSWORD not in errors, 'the password is in a message')


def check_35(program, where, work):
    with two_mariadb(where) as (first, second), GatherProxy(where, first, second) as proxy:
        lines, _ = run(program, work, TUTORIAL_MYSQL_PORT=proxy.port,
                       TUTORIAL_MYSQL_HOST2=second.host)
        want_chains(lines, [rows(first), '结束 localhost'], [rows(second), f'结束 {second.host}'])


# ---- the server and its client -------------------------------------------------------------


def listens(process, port):
    """Wait until the server takes connections."""
    until = time.monotonic() + LIMIT
    while time.monotonic() < until:
        want(process.poll() is None, f'the server ended with {process.returncode}')
        with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', port)):
            return
        time.sleep(0.02)
    raise Failure('the server does not listen')


def check_client(lines, errors):
    want_lines([line for line in lines if not line.startswith('50 /red')],
               ['200 application/json {"message":"hello world!"}',
                '200 application/json {"key1":"1","key2":"2","key3":"3"}',
                'one /red: 1.0 s', '50 /: ok=50', '404 application/json {"detail":"Not Found"}',
                '405 application/json {"detail":"Method Not Allowed"}'])
    took = float(re.search(r'50 /red took ([\d.]+) s', errors).group(1))
    want(1 <= took < 25, f'50 requests of a second each took {took} s: 50 if one after the other')
    want(f'50 /red: ok=50, under 2 s: {took < 2}' in lines, f'wrote {lines}')


def check_server(output, errors):
    lines = output.splitlines()
    for line, count in {'请求来了': 51, CAR: 51}.items():
        want(lines.count(line) == count, f'{lines.count(line)} lines {line}, wanted {count}')
    for request, count in {'"GET / HTTP/1.1" 200 OK': 51, '"GET /red HTTP/1.1" 200 OK': 51,
                           '"GET /nosuch HTTP/1.1" 404 Not Found': 1,
                           '"POST /red HTTP/1.1" 405 Method Not Allowed': 1}.items():
        found = len(re.findall(r'^INFO: +127\.0\.0\.1:\d+ - ' + re.escape(request) + '$', output,
                               re.M))
        want(found == count, f'{found} lines in the log with {request}, wanted {count}')
    want('Uvicorn running on http://127.0.0.1:' in errors, f'on standard error: {errors}')


def check_37(program, where, work, server):
    need(Redis.program())
    with Redis(where) as redis, contextlib.closing(Port('127.0.0.1')) as port:
        variables = environment(TUTORIAL_REDIS=address(redis), TUTORIAL_APP_PORT=port.number)
        with subprocess.Popen([server], cwd=work, env=variables, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              encoding='utf-8') as process:
            try:
                listens(process, port.number)
                check_client(*run(program, work, TUTORIAL_APP_PORT=port.number))
                process.send_signal(signal.SIGINT)
                output, errors = process.communicate(timeout=LIMIT)
            finally:
                process.kill()
        want(process.returncode == 0, f'the server ended with {process.returncode}: {errors}')
        check_server(output, errors)


CHECKS = {'06': check_06, '07': check_07, '26': check_26, '27': check_26, '31': check_31,
          '32': check_32, '33': check_33, '34': check_34, '35': check_35, '37': check_37,
          '38': check_38}


def main():
    name, program, *server = sys.argv[2:]
    with folder() as where:
        work = pathlib.Path(where) / 'work'
        work.mkdir()
        (where / 'second').mkdir(mode=0o755)
        try:
            CHECKS[name[:2]](os.path.abspath(program), where, work,
                             *map(os.path.abspath, server))
        except Failure as failure:
            print(f'{name}: {failure}')
            sys.exit(1)


if __name__ == '__main__':
    main()
