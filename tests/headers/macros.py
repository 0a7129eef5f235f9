#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Use each macro of the public headers, as C and as C++, and compare what it gives.

usage: macros.py INCLUDE_DIR SHARED_LIBRARY

Compiling a header says nothing of its macros: they are expanded where they are used. Here a
program uses them all, in each standard from C++11 to C++20 with warnings as errors. Each
AIO_..._INIT has to make the same struct in C++ as in C, byte for byte; where the compiler
cannot clear the padding between members (clang), it is only compiled.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Wshadow', '-Wundef', '-Wcast-qual',
            '-Wwrite-strings', '-Werror']
LANGUAGES = [
    (['gcc', 'clang', 'clang-14'], 'c', ['c11', 'c17']),
    (['g++', 'clang++', 'clang++-14'], 'c++', ['c++11', 'c++14', 'c++17', 'c++20']),
]

# Of the headers' own, and what a program has no use for.
INSIDE = set('''
    AIO_API AIO_BEGIN_DECLS AIO_END_DECLS AIO_DEFINE_AUTO AIO_MUST_CHECK AIO_PRINTF AIO_SET AIO_SIZED
    AIO_SIZED_WITH AIO_VALUE aio_task_auto_unref aio_coroutine_auto_unref
'''.split())
# In C alone: what stands for them in C++ is said beside them.
C_ONLY = {'AIO_MYSQL_ARGS', 'AIO_WEB_COUNT'}

# Compiled, but not linked: the optional parts may not be here.
USES = r'''
#include <stdio.h>

static int nothing(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return 0;
}

int use(aio_loop *loop)
{
    AIO_AUTO(aio_task) task = aio_create_task(nothing, NULL);
    AIO_AUTO(aio_task) copy = aio_create_task_copy(nothing, "x", 2);
    AIO_AUTO(aio_task) with = aio_create_task_with(nothing, NULL, NULL);
    AIO_AUTO(aio_task) there = aio_loop_create_task(loop, nothing, NULL, NULL);
    AIO_AUTO(aio_coroutine) object = aio_coroutine_new(nothing, NULL, NULL);
    AIO_AUTO(aio_exception) made = aio_exception_new(AIO_EVALUE, "%d", 1);
    aio_taskgroup *group = aio_taskgroup_new();
    aio_runner *runner = aio_runner_new(NULL);
    aio_portal *portal = aio_portal_new(NULL);
    int err = aio_run(nothing, NULL, NULL) + aio_run_with(nothing, NULL, NULL, NULL);

    err += aio_main(nothing, NULL) + aio_runner_run(runner, nothing, NULL, NULL, NULL);
    err += aio_portal_call(portal, nothing, NULL, NULL);
    err += aio_raise_from(made, AIO_EVALUE, "%s", "text");
    aio_concurrent_future_unref(aio_portal_start_task_soon(portal, nothing, NULL, NULL));
    aio_concurrent_future_unref(aio_run_coroutine_threadsafe(nothing, NULL, NULL));
    aio_concurrent_future_unref(aio_run_coroutine_threadsafe_with(nothing, NULL, NULL, NULL));
    aio_asyncgen_unref(aio_asyncgen_new(nothing, NULL, NULL));
    aio_generator_unref(aio_generator_new(nothing, NULL, NULL));
    err += aio_taskgroup_start(group, nothing, NULL);
    aio_future_unref(aio_taskgroup_create_task(group, nothing, NULL));
    aio_future_unref(aio_taskgroup_create_task_with(group, nothing, NULL, NULL));
#ifndef __cplusplus
    err += aio_mysql_execute(NULL, "", AIO_MYSQL_ARGS(aio_mysql_int(7), aio_mysql_null()));
#endif
    return aio_raise(AIO_EVALUE, "%d: %s", err, AIO_SITE(nothing).file);
}
'''

# Linked and run.
VALUES = r'''
#include <stdio.h>
#include <string.h>

struct point {
    const char *name;
    double *at;
    size_t count;
};

static const aio_codec codec = AIO_CODEC_STRUCT(struct point);
static const aio_web_field fields[] = {
    {AIO_WEB_FIELD(struct point, name, AIO_WEB_STRING)},
#ifndef __cplusplus
    {AIO_WEB_FIELD(struct point, at, AIO_WEB_FLOAT), AIO_WEB_COUNT(struct point, count)},
#endif
};
static const aio_web_model model = AIO_WEB_MODEL(struct point, fields);

static void show(const char *name, const void *object, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)object;

    printf("%s", name);
    for (size_t i = 0; i < size; i++)
        printf(" %02x", bytes[i]);
    printf("\n");
}

#if defined(__GNUC__) && !defined(__clang__)
#define CLEAR_PADDING(object) __builtin_clear_padding(object)
#else
#define CLEAR_PADDING(object) memset(object, 0, sizeof(*(object)))
#endif

#define SHOW(name, type)                  \
    {                                     \
        static type constant = name;      \
        type object = name;               \
                                          \
        (void)constant;                   \
        CLEAR_PADDING(&object);           \
        show(#name, &object, sizeof(object)); \
    }

int main(void)
{
    printf("%s %zu %zu %zu\n", fields[0].name, fields[0].offset, model.size, codec.value_size);
    INITS
    CONSTANTS
    return 0;
}
'''


def compilers():
    for names, language, standards in LANGUAGES:
        for compiler in filter(shutil.which, names):
            for standard in standards:
                yield compiler, language, standard


def macros(include):
    """The macros of all headers, but for guards."""
    text = ''.join(path.read_text() for path in include.rglob('*.h'))
    return {name for name in re.findall(r'^# *define (\w+)', text, re.M)
            if not name.endswith('_H')} - INSIDE


def programs(include, names):
    """The text that uses the macros, and that which shows what the structs of some are."""
    inits = sorted(name for name in names if name.endswith('_INIT'))
    constants = sorted(name for name in names - set(inits) - C_ONLY
                       if name.isupper() and f'{name}(' not in USES + VALUES)
    values = VALUES.replace('INITS', '\n    '.join(
        f"SHOW({name}, {name.removesuffix('_INIT').lower()})" for name in inits))
    values = values.replace('CONSTANTS', '\n    '.join(f'(void){name};' for name in constants))
    includes = ''.join(f'#include <aio/{path.name}>\n' for path in sorted(include.glob('aio/*.h')))
    return includes + USES, includes + values, inits


def build(command, text, out, *options):
    """Why the compiler refuses; nothing if it does not."""
    source = out.with_suffix('.src')
    source.write_text(text)
    done = subprocess.run([*command, source, '-x', 'none', *options, '-o', out], text=True,
                          capture_output=True, check=False)
    return done.stderr if done.returncode != 0 else None


def main():
    include, library = (pathlib.Path(path).resolve() for path in sys.argv[1:])
    names = macros(include)
    uses, values, inits = programs(include, names)
    failures = [f'{name} is a macro that no program here uses' for name in sorted(names)
                if not re.search(rf'\b{name}\b', uses + values)]
    expected, runs = None, 0
    for compiler, language, standard in compilers():
        command = [compiler, '-x', language, f'-std={standard}', *WARNINGS, f'-I{include}']
        runs += 1
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder) / 'values'
            why = (build([*command, '-c'], uses, pathlib.Path(folder) / 'uses.o') or
                   build(command, values, program, library, f'-Wl,-rpath,{library.parent}'))
            if why:
                failures.append(f'{compiler} {standard} refuses them:\n{why}')
                continue
            said = subprocess.run([program], text=True, capture_output=True, check=True).stdout
        expected = expected or said.splitlines()
        if 'clang' not in compiler:
            failures += [f'{compiler} {standard} gives\n{line}\ninstead of\n{right}'
                         for line, right in zip(said.splitlines(), expected) if line != right]
    for failure in failures:
        print(failure)
    print(f'{len(names)} macros, {len(inits)} of structs, {runs} compilations, '
          f'{len(failures)} failures')
    return 1 if failures or not inits or not runs else 0


if __name__ == '__main__':
    sys.exit(main())
