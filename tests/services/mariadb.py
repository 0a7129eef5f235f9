#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mariadbd with a database `test`, whose table `t_student` has three rows."""
import os
import pwd
import shutil
import socket
import subprocess

from service import LIMIT, Service

# One statement a line: that is how --init-file reads them.
INIT = """\
CREATE DATABASE IF NOT EXISTS test CHARACTER SET utf8mb4;
CREATE TABLE IF NOT EXISTS test.t_student (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(32), age INT) CHARACTER SET utf8mb4;
INSERT IGNORE INTO test.t_student (id, name, age) VALUES (1, '张三', 18), (2, '李四', 19), (3, '王五-{which}', 20);
CREATE USER IF NOT EXISTS 'root'@'%' IDENTIFIED BY '{password}';
GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;
DROP USER IF EXISTS 'root'@'127.0.0.1', 'root'@'::1';
ALTER USER 'root'@'localhost' IDENTIFIED BY '{password}';
FLUSH PRIVILEGES;
"""


class Mariadb(Service):
    """User root, with the password. With an authority it takes TLS as well as plain connections;
    `which` stands in the third row."""

    name = 'mariadb'

    def __init__(self, where, password='123456', authority=None, which='1', host=None):
        super().__init__(where, host)
        self.password = password
        self.authority = authority
        self.which = which

    @staticmethod
    def program():
        """Its path; None if it is not installed."""
        return shutil.which('mariadbd') or shutil.which('mariadbd', path='/usr/sbin')

    @property
    def socket(self):
        return self.where / 'socket'

    def user(self):
        """It does not run as root."""
        return ['--user=mysql'] if os.geteuid() == 0 else []

    def prepare(self):
        # Each server empties its folder of temporary tables: one that they share is none's.
        (self.where / 'tmp').mkdir()
        if os.geteuid() == 0:
            for path in [self.where, self.where / 'tmp']:
                os.chown(path, pwd.getpwnam('mysql').pw_uid, -1)
        done = subprocess.run(['mariadb-install-db', '--no-defaults', *self.user(),
                               f'--datadir={self.where}/data', f'--tmpdir={self.where}/tmp',
                               '--skip-test-db', '--auth-root-authentication-method=normal'],
                              check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, cwd=self.where, encoding='utf-8')
        if done.returncode != 0:
            raise RuntimeError(f'mariadb-install-db failed:\n{done.stdout}')
        (self.where / 'init.sql').write_text(
            INIT.format(password=self.password, which=self.which), encoding='utf-8')

    def command(self):
        tls = []
        if self.authority is not None:
            cert, key = self.authority.sign(file=f'mariadb-{self.port}')
            tls = [f'--ssl-ca={self.authority.ca}', f'--ssl-cert={cert}', f'--ssl-key={key}']
        return [self.program(), '--no-defaults', *self.user(), f'--datadir={self.where}/data',
                f'--tmpdir={self.where}/tmp', f'--socket={self.socket}',
                f'--pid-file={self.where}/pid', f'--bind-address={self.host}',
                f'--port={self.port}', '--skip-log-bin', '--innodb-buffer-pool-size=16M',
                '--innodb-log-file-size=8M', '--innodb-flush-log-at-trx-commit=0',
                '--performance-schema=OFF', '--skip-name-resolve', f'--init-file={self.where}/init.sql',
                '--character-set-server=utf8mb4', '--max-connections=500', *tls]

    def is_ready(self):
        with socket.create_connection((self.host, self.port), timeout=LIMIT) as connection:
            return len(connection.recv(5)) == 5  # of its greeting
