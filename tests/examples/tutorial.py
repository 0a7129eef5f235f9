#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run a program of the tutorial and check what it prints, when, and how it ends.

usage: tutorial.py NAME PROGRAM

A program may be late, for the machine may be busy, but never early: no line may come
before the sleeps that stand before it have passed. What happens at the same time shows in
the order of the lines.
"""
import os
import re
import signal
import subprocess
import sys
import time

# Seconds that a line, or the end, may be late on a busy machine.
LATE = 30


def at(seconds, *lines):
    """Lines, as regular expressions, of which none may come before so many seconds."""
    return [(seconds, line) for line in lines]


def task(number, file):
    return (rf"<Task finished name='Task-{number}' coro=<func\(\) done, "
            rf"defined at \S*{file}\.c:\d+> result='返回值'>")


def future(state):
    return rf'<Future at 0x[0-9a-f]+ state={state}>'


# Of a process pool the first job is running at once, and the others when their workers have
# begun: after all was submitted, unless the machine is busy with something else just then.
SUBMITTED = {
    '21_concurrent_threadpool': [future('running')] * 5 + [future('pending')] * 5,
    '22_concurrent_processpool': [future('running')] + [future('(running|pending)')] * 9,
}

TOGETHER = at(0, '1', '3') + at(2, '2', '4')
TASKS = at(0, r'main start\.\.\.', r'main end\.\.\.', '1', '1') + at(2, '2', '2')
RESULT = 'IO请求结束，结果为： 返回值'

# Program: its lines, and the earliest time of its end.
EXPECTED = {
    '01_greenlet': (at(0, '1', '3', '2', '4'), 0),
    '03_yield_from_bounded': (at(0, '1', '3', '4', '2', 'a', 'inner got S', 'b',
                                 'inner caught V', 'outer got returned', 'c',
                                 'StopIteration'), 0),
    '04_asyncio_decorator': (TOGETHER, 2),
    '05_async_await': (TOGETHER, 2),
    '08_event_loop_pseudo': (at(0, 'task1 0', 'task2 0', 'task3 0', 'task1 done', 'task2 1',
                                'task3 1', 'task2 done', 'task3 2', 'task3 done',
                                'loop ends'), 0),
    '09_event_loop': (at(0, 'task1 start', 'task2 start', 'task3 start') +
                      at(0.1, 'task3 end') + at(0.2, 'task2 end') + at(0.3, 'task1 end'), 0.3),
    '10_coroutine_object': (at(0, 'CORO_CREATED', 'CORO_CLOSED'), 0),
    '11_run': (at(0, '快来数一数'), 0),
    '12_await1': (at(0, 'hello') + at(2, 'end None'), 2),
    '13_await2': (at(0, '执行协程函数内部代码', 'start') + at(2, 'end', RESULT), 2),
    '14_await3': (at(0, '执行协程函数内部代码', 'start') + at(2, 'end', RESULT, 'start') +
                  at(4, 'end', RESULT), 4),
    '15_task1': (TASKS + at(2, '返回值 返回值'), 2),
    '16_task2': (TASKS + at(2, r'\{' + task(2, '16_task2') + ', ' + task(3, '16_task2') + r'\}',
                            '返回值'), 2),
    '17_task3': (at(0, '1', '1') +
                 at(2, '2', '2', r'\{' + task(2, '17_task3') + ', ' + task(3, '17_task3') + r'\}',
                    '返回值'), 2),
    '18_task3_no_loop': (at(0, 'RuntimeError: no running event loop', 'TypeError: Passing '
                            r'coroutines is forbidden, use tasks explicitly\.'), 0),
    '20_future2': (at(2, '666'), 2),
    '21_concurrent_threadpool': (at(0, *SUBMITTED['21_concurrent_threadpool']) +
                                 at(1, *['[0-4]'] * 5) + at(2, *['[5-9]'] * 5), 2),
    '22_concurrent_processpool': (at(0, *SUBMITTED['22_concurrent_processpool']) +
                                  at(1, *['[0-4]'] * 5) + at(2, *['[5-9]'] * 5), 2),
    '23_run_in_executor_default': (at(2, 'default thread pool OK'), 2),
    '24_run_in_executor_thread': (at(2, 'current thread pool OK'), 2),
    '25_run_in_executor_process': (at(2, 'current process pool OK'), 2),
    '28_async_iterator': (at(0, *map(str, range(1, 100))), 0),
    '29_async_context_manager': (at(1, '666'), 2),
    '30_uvloop_policy': (TASKS + at(2, '返回值 返回值', 'uvloop Loop'), 2),
    '30_uvloop_policy asyncio': (TASKS + at(2, '返回值 返回值', 'asyncio EventLoop'), 2),
}


def start(*command):
    """Start a program as a shell would, which does not leave SIGINT ignored."""
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, encoding='utf-8', bufsize=1,
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))


def check_time(what, seconds, earliest):
    if seconds < earliest:
        return [f'{what} came after {seconds:.3f} s, before the {earliest} s that it has to wait']
    if seconds > earliest + LATE:
        return [f'{what} came after {seconds:.3f} s, late even for a busy machine']
    return []


def check_gaps(lines, came):
    """A pause shows between the lines around it: they do not all come at its end."""
    for i in range(1, min(len(lines), len(came))):
        pause = lines[i][0] - lines[i - 1][0]
        if came[i] - came[i - 1] < pause / 2:
            yield f'lines {i} and {i + 1} came together, where there is a pause of {pause} s'


def check_lines(name, program):
    lines, end = EXPECTED[name]
    began = time.monotonic()
    process = start(program, *name.split()[1:])
    came, printed, problems = [], [], []
    for text in process.stdout:
        came.append(time.monotonic() - began)
        printed.append(text)
    errors = process.stderr.read()
    status = process.wait()
    seconds = time.monotonic() - began

    for (earliest, want), text, when in zip(lines, printed, came):
        if not re.fullmatch(want + '\n', text):
            problems.append(f'wanted {want!r}, got {text!r}')
        problems += check_time(repr(text), when, earliest)
    if len(printed) != len(lines):
        problems.append(f'{len(printed)} lines, wanted {len(lines)}: {"".join(printed)}')
    problems += check_gaps(lines, came)
    if name in SUBMITTED and sorted(printed[10:]) != [f'{i}\n' for i in range(10)]:
        problems.append(f'not each job printed its number once: {"".join(printed[10:])!r}')
    problems += check_time('the end', seconds, end)
    if status != 0:
        problems.append(f'exit status {status}')
    if errors != '':
        problems.append(f'on standard error: {errors}')
    return problems


def proc_status(pid, key):
    with open(f'/proc/{pid}/status', encoding='utf-8') as file:
        for line in file:
            if line.startswith(key + ':'):
                return line.split()[1]
    return ''


def cpu_seconds(pid):
    with open(f'/proc/{pid}/stat', encoding='utf-8') as file:
        fields = file.read().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def wait_until_asleep(process):
    """Wait until the program has taken SIGINT over and sleeps: that is when it awaits."""
    caught = 1 << (signal.SIGINT - 1)
    give_up = time.monotonic() + LATE
    while process.poll() is None and time.monotonic() < give_up:
        if (int(proc_status(process.pid, 'SigCgt'), 16) & caught
                and proc_status(process.pid, 'State') == 'S'):
            return True
        time.sleep(0.005)
    return False


def check_interrupted(program):
    """It waits for ever, without turning round, and dies of SIGINT when that comes."""
    process = start(program)
    problems = []
    if wait_until_asleep(process):
        busy = cpu_seconds(process.pid)
        try:
            process.wait(timeout=0.5)
            problems.append('ended by itself')
        except subprocess.TimeoutExpired:
            busy = cpu_seconds(process.pid) - busy
            if busy > 0.1:
                problems.append(f'used the processor for {busy} s of 0.5 s: a busy wait?')
    else:
        problems.append('does not wait with SIGINT taken over')
    process.send_signal(signal.SIGINT)
    try:
        output, errors = process.communicate(timeout=LATE)
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
        problems.append('was killed, for SIGINT did not end it')
    if process.returncode != -signal.SIGINT:
        problems.append(f'exit status {process.returncode}, wanted death by SIGINT')
    if output != '' or errors != 'KeyboardInterrupt\n':
        problems.append(f'wrote {output!r}, and {errors!r} on standard error')
    return problems


def check_recursion(program):
    """It goes on as far as Python's recursion limit, then fails as Python does."""
    process = start(program)
    output, errors = process.communicate(timeout=LATE)
    problems = []
    if output != '1\n3\n' * 499 + '1\n':
        problems.append(f'{output.count(chr(10))} lines, from {output[:40]!r}')
    if errors != 'RecursionError: maximum recursion depth exceeded\n':
        problems.append(f'on standard error: {errors!r}')
    if process.returncode != 1:
        problems.append(f'exit status {process.returncode}, wanted 1')
    return problems


def main():
    name, program = sys.argv[1:]
    if name == '19_future1':
        problems = check_interrupted(program)
    elif name == '02_yield_from':
        problems = check_recursion(program)
    else:
        problems = [problem for variant in EXPECTED if variant.split()[0] == name
                    for problem in check_lines(variant, program)]
        if name not in EXPECTED:
            problems.append('nothing is known of this program')
    for problem in problems:
        print(f'{name}: {problem}')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
