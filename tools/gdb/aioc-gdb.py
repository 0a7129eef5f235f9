# SPDX-License-Identifier: MIT
"""Tasks of a program that uses aioc, in gdb: live or in a core file.

    (gdb) source aioc-gdb.py
    (gdb) info aio-loops            all loops: who drives each, and what it is doing
    (gdb) info aio-tasks            all tasks of all loops
    (gdb) aio-bt 3                  the stack of the third of them
    (gdb) aio-bt worker             of those with that name
    (gdb) aio-bt all

Needs the library's debug information, and nothing of the process: a hung one answers as well.
Nothing is written to it, and no function of it is called.

How it finds them: the library keeps its loops in one list, and each loop its tasks. A suspended
fiber's stack pointer, frame pointer and place lie open in it, whichever way fibers switch; gdb's
own unwinder goes on from there.
"""
import gdb
import gdb.unwinder

REGISTERS = {
    'i386:x86-64': ('rip', 'rsp', 'rbp'),
    'aarch64': ('pc', 'sp', 'x29'),
}


def container_of(node, type_name, *members):
    """The structure that a list's node is in."""
    structure = gdb.lookup_type(type_name)
    offset = 0
    inner = structure
    for member in members:
        field = inner[member]
        offset += field.bitpos // 8
        inner = field.type
    address = int(node) - offset
    return gdb.Value(address).cast(structure.pointer()).dereference()


def each_node(head):
    """The nodes of a circular list, but for its head."""
    start = int(head.address)
    node = head['next']
    while int(node) != start:
        yield node
        node = node['next']


def constant(name):
    return int(gdb.parse_and_eval(name))


# ---- loops and tasks -----------------------------------------------------------------------

def loops():
    """All loops whose memory is still there, in the order of their making."""
    for node in each_node(gdb.parse_and_eval("'registry.c'::all_loops")):
        yield container_of(node, 'struct aio_loop', 'registered')


def tasks_of(loop):
    for node in each_node(loop['tasks']):
        yield container_of(node, 'struct aio__task', 'link')


def all_tasks():
    for loop in loops():
        yield from tasks_of(loop)


def text(pointer, default='?'):
    return pointer.string(errors='replace') if int(pointer) != 0 else default


def name_of(task):
    if int(task['fut']['kind_flags']) & constant('AIO__TASK_NAMED'):
        return text(task['id']['name'])
    return f"Task-{int(task['id']['number'])}"


def is_running(task):
    return int(task['fut']['loop']['current']) == int(task['strand'].address)


def state_of(task):
    waiting = task['waiting']
    if is_running(task):
        return 'running'
    if int(task['strand']['fiber']) == 0:
        return 'not started'
    if int(waiting) == 0 or int(waiting['state']) != constant('AIO__FUTURE_PENDING'):
        return 'ready'
    if waiting['ops']['is_task']:
        return 'awaits ' + name_of(waiting.cast(gdb.lookup_type('struct aio__task').pointer())
                                   .dereference())
    return 'awaits a ' + text(waiting['ops']['name'])


def describe(number, task):
    place = f" of {text(task['file'])}:{int(task['line'])}" if int(task['file']) != 0 else ''
    return (f"{number:>4}  {name_of(task)}: {text(task['coroutine'])}(){place}, "
            f'{state_of(task)}')


def length_of(queue):
    count = 0
    node = queue['head']
    while int(node) != 0:
        count += 1
        node = node['next']
    return count


def threads_by_address():
    """The numbers of gdb's threads by the address of what the library knows of each."""
    found = {}
    selected = gdb.selected_thread()
    frame = gdb.selected_frame()
    for thread in gdb.selected_inferior().threads():
        try:
            thread.switch()
            found[int(gdb.parse_and_eval('&aio__thread_self'))] = thread.num
        except gdb.error:
            continue  # its variables are not to be had
    selected.switch()
    frame.select()
    return found


def doing_of(loop):
    """What a loop is in the middle of."""
    if loop['closed']:
        return 'closed'
    for task in tasks_of(loop):
        if is_running(task):
            return f'runs {name_of(task)}'
    if loop['dispatching']:
        return 'runs a callback'
    if loop['in_poll']:
        return 'polls'
    return 'waits for its host' if loop['set_up'] or not loop['owns_uv'] else 'at rest'


def describe_loop(number, loop, threads):
    driver = 'of its own' if loop['owns_uv'] else f"in the host's uv_loop_t {loop['uv']}"
    thread = threads.get(int(loop['thread']))
    where = f' in thread {thread}' if thread is not None else ''
    return (f"{number:>4}  {loop.address} {driver}: {doing_of(loop)}{where}, "
            f"{int(loop['task_count'])} of {int(loop['tasks_made'])} tasks, "
            f"{length_of(loop['batch']) + length_of(loop['ready'])} ready, "
            f"{int(loop['external'])} jobs elsewhere, {int(loop['iterations'])} iterations")


# ---- stacks --------------------------------------------------------------------------------

class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class FiberUnwinder(gdb.unwinder.Unwinder):
    """Says that the newest frame was called from where a fiber is suspended."""

    def __init__(self):
        super().__init__('aioc fiber')
        self.context = None
        self.enabled = False

    def __call__(self, pending):
        # Without a fiber to be looked at, and for all frames but the newest, gdb knows better.
        if self.context is None or pending.level() != 0:
            return None
        pc, sp, fp = REGISTERS[pending.architecture().name()]
        info = pending.create_unwind_info(
            FrameId(pending.read_register(sp), pending.read_register(pc)))
        kind = gdb.lookup_type('unsigned long')
        for register, member in ((pc, 'place'), (sp, 'stack_pointer'), (fp, 'frame_pointer')):
            info.add_saved_register(register, self.context[member].cast(kind))
        return info


UNWINDER = FiberUnwinder()
gdb.unwinder.register_unwinder(None, UNWINDER, replace=True)


def frames_of(fiber):
    """(function, file, line) of each call on a suspended fiber, the newest first."""
    UNWINDER.context = fiber['context']
    UNWINDER.enabled = True
    gdb.invalidate_cached_frames()
    try:
        frame = gdb.newest_frame().older()
        while frame is not None and frame.is_valid():
            name = frame.name()
            if frame.function() is None and (name or '').endswith('context_entry'):
                break  # where a fiber begins, in assembly
            if frame.pc() == 0:
                break  # and otherwise: it has no caller
            where = frame.find_sal()
            yield (name or f'0x{frame.pc():x}',
                   where.symtab.filename if where.symtab else None, where.line)
            frame = frame.older()
    finally:
        UNWINDER.enabled = False
        UNWINDER.context = None
        gdb.invalidate_cached_frames()


def print_stack(task):
    fiber = task['strand']['fiber']
    if is_running(task):
        print('      it is running: see "bt" in its thread')
        return
    if int(fiber) == 0:
        print('      it has no stack yet')
        return
    for number, (function, file, line) in enumerate(frames_of(fiber.dereference())):
        place = f' at {file}:{line}' if file else ''
        print(f'      #{number:<2} {function} (){place}')


# ---- commands ------------------------------------------------------------------------------

class InfoLoops(gdb.Command):
    """List all loops: info aio-loops"""

    def __init__(self):
        super().__init__('info aio-loops', gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        threads = threads_by_address()
        found = list(loops())
        for number, loop in enumerate(found, 1):
            print(describe_loop(number, loop, threads))
        print(f'{len(found)} loop{"" if len(found) == 1 else "s"}')


class InfoTasks(gdb.Command):
    """List the tasks of all loops: info aio-tasks"""

    def __init__(self):
        super().__init__('info aio-tasks', gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        count = 0
        for count, task in enumerate(all_tasks(), 1):
            print(describe(count, task))
        print(f'{count} task{"" if count == 1 else "s"}')


class TaskBacktrace(gdb.Command):
    """Show the stack of a task: aio-bt NUMBER, aio-bt NAME or aio-bt all

The numbers are those of "info aio-tasks"."""

    def __init__(self):
        super().__init__('aio-bt', gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        wanted = argument.strip()
        if not wanted:
            raise gdb.GdbError('which task? See "info aio-tasks".')
        found = False
        for number, task in enumerate(all_tasks(), 1):
            if wanted in ('all', str(number), name_of(task)):
                found = True
                print(describe(number, task))
                print_stack(task)
        if not found and wanted != 'all':
            raise gdb.GdbError(f'no task "{wanted}"; see "info aio-tasks".')


InfoLoops()
InfoTasks()
TaskBacktrace()
