#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Use the example todo as its clients would, over a real MariaDB and redis.

usage: todo.py PROGRAM        env: SERVICE_MARIADB_PORT, _PASSWORD, SERVICE_REDIS
"""
import concurrent.futures
import json
import os
import sys

from web_service import Service


def send(service, method, path, value):
    status, _, body = service.ask(method, path, json.dumps(value),
                                  {'content-type': 'application/json'})
    return status, body


def get(service, path):
    status, _, body = service.ask('GET', path)
    return status, body


def check_one(service):
    status, made = send(service, 'POST', '/todos', {'title': '买牛奶 "now"'})
    assert status == 201 and made['done'] is False and made['title'] == '买牛奶 "now"', made
    path = f'/todos/{made["id"]}'
    for _ in range(2):  # from MySQL, then from redis
        assert get(service, path) == (200, made)
    changed = {**made, 'title': "it's done; DROP TABLE todo", 'done': True}
    assert send(service, 'PUT', path, changed) == (200, changed)
    assert get(service, path) == (200, changed)
    assert get(service, '/todos')[1] == []
    assert get(service, '/todos?all=true') == (200, [changed])
    assert service.ask('DELETE', path)[::2] == (204, '')
    missing = (404, {'detail': 'Todo not found'})
    assert get(service, path) == missing
    assert send(service, 'PUT', path, changed) == missing
    assert service.ask('DELETE', path)[::2] == missing


def check_mistakes(service):
    status, body = send(service, 'POST', '/todos', {'title': '', 'done': 'perhaps'})
    assert status == 422, body
    assert [error['loc'] for error in body['detail']] == [['body', 'title'], ['body', 'done']], body
    status, body = get(service, '/todos?limit=0')
    assert status == 422 and body['detail'][0]['loc'] == ['query', 'limit'], body
    status, body = get(service, '/todos/one')
    assert status == 422 and body['detail'][0]['loc'] == ['path', 'id'], body
    assert service.ask('PATCH', '/todos')[0] == 405


def check_many(service):
    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        made = list(pool.map(lambda n: send(service, 'POST', '/todos', {'title': f'todo {n}'}),
                             range(60)))
    assert all(status == 201 for status, _ in made), made
    status, listed = get(service, '/todos')
    assert status == 200 and {t['title'] for t in listed} == {f'todo {n}' for n in range(60)}
    assert len(get(service, '/todos?limit=7')[1]) == 7


def main():
    env = {**os.environ, 'TODO_MYSQL_PORT': os.environ['SERVICE_MARIADB_PORT'],
           'TODO_MYSQL_PASSWORD': os.environ['SERVICE_MARIADB_PASSWORD'],
           'TODO_REDIS': os.environ['SERVICE_REDIS']}
    with Service(sys.argv[1], '-1', env=env) as service:
        check_one(service)
        check_mistakes(service)
        check_many(service)
        _, err = service.stop()
    assert 'Traceback' not in err and 'Error' not in err, err

    # Without redis it goes on.
    with Service(sys.argv[1], '-1', env={**env, 'TODO_REDIS': 'redis://127.0.0.1:1'}) as service:
        status, made = send(service, 'POST', '/todos', {'title': 'x'})
        assert status == 201 and get(service, f'/todos/{made["id"]}') == (200, made)
        service.stop()
    return 0


if __name__ == '__main__':
    sys.exit(main())
