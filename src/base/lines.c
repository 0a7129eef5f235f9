/* SPDX-License-Identifier: MIT */
/*
 * lines.c - source lines, from libdw
 *
 * libdw reads the debug information of the process's modules with memory of its own, and uses more
 * stack than a fiber has: each call runs in a thread that ends with it.
 */
#include "base/lines.h"

#include <string.h>

#ifdef AIO__LINES

#include <dlfcn.h>
#include <elfutils/libdwfl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#define FUNCTIONS(each)                                                                            \
    each(dwfl_begin) each(dwfl_end) each(dwfl_linux_proc_report) each(dwfl_report_end)             \
        each(dwfl_linux_proc_find_elf) each(dwfl_standard_find_debuginfo) each(dwfl_addrmodule)    \
            each(dwfl_module_getsrc) each(dwfl_lineinfo)

#define DECLARE(name) static __typeof__(&(name)) call_##name;
FUNCTIONS(DECLARE)

/* ISO C has no cast from an object's address to a function's. */
static bool load(void *library, const char *name, void *ret_function)
{
    void *symbol = dlsym(library, name);

    memcpy(ret_function, &symbol, sizeof(symbol));
    return symbol != NULL;
}

static pthread_once_t load_once = PTHREAD_ONCE_INIT;
static bool loaded;
static char *no_path; /* to separate debug information: libdw's own */
static Dwfl_Callbacks callbacks;

static void load_library(void)
{
    void *library = dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL);

    loaded = library != NULL;
#define LOAD(name) loaded = loaded && load(library, #name, &call_##name);
    FUNCTIONS(LOAD)
    if (library != NULL && !loaded)
        (void)dlclose(library);
    callbacks.find_elf = call_dwfl_linux_proc_find_elf;
    callbacks.find_debuginfo = call_dwfl_standard_find_debuginfo;
    callbacks.debuginfo_path = &no_path;
}

/* Run a function in a thread of its own, in which no signal of the program's is handled. */
static void call_apart(void *(*fn)(void *), void *arg)
{
    pthread_t thread;
    sigset_t all;
    sigset_t before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, NULL, fn, arg) == 0)
        (void)pthread_join(thread, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void *open_session(void *arg)
{
    Dwfl **session = arg;

    (void)pthread_once(&load_once, load_library);
    if (!loaded)
        return NULL;
    *session = call_dwfl_begin(&callbacks);
    if (*session != NULL) {
        (void)call_dwfl_linux_proc_report(*session, getpid());
        (void)call_dwfl_report_end(*session, NULL, NULL);
    }
    return NULL;
}

struct aio__lines *aio__lines_open(void)
{
    Dwfl *session = NULL;

    call_apart(open_session, &session);
    return (struct aio__lines *)session;
}

static void *close_session(void *arg)
{
    call_dwfl_end(arg);
    return NULL;
}

void aio__lines_close(struct aio__lines *lines)
{
    if (lines != NULL)
        call_apart(close_session, lines);
}

struct question {
    Dwfl *session;
    Dwarf_Addr address;
    struct aio__line *line;
};

static void *answer(void *arg)
{
    const struct question *question = arg;
    struct aio__line *line = question->line;
    Dwfl_Module *module = call_dwfl_addrmodule(question->session, question->address);
    Dwfl_Line *found = module == NULL ? NULL : call_dwfl_module_getsrc(module, question->address);
    const char *file = NULL;

    if (found != NULL)
        file = call_dwfl_lineinfo(found, NULL, &line->number, NULL, NULL, NULL);
    if (file != NULL)
        (void)strncpy(line->file, file, sizeof(line->file) - 1);
    return NULL;
}

void aio__line_find(struct aio__lines *lines, const void *address, struct aio__line *ret_line)
{
    struct question question = {(Dwfl *)lines, (uintptr_t)address, ret_line};

    memset(ret_line, 0, sizeof(*ret_line));
    if (lines != NULL)
        call_apart(answer, &question);
}

#else

struct aio__lines *aio__lines_open(void)
{
    return NULL;
}

void aio__lines_close(struct aio__lines *lines)
{
    (void)lines;
}

void aio__line_find(struct aio__lines *lines, const void *address, struct aio__line *ret_line)
{
    (void)lines;
    (void)address;
    memset(ret_line, 0, sizeof(*ret_line));
}

#endif
