/* SPDX-License-Identifier: MIT */
/*
 * child.h - the end of a child that a test has forked
 */
#ifndef TESTS_CHILD_H
#define TESTS_CHILD_H

/*
 * End this process, a child made by fork() and not by the library, with a status. Not by _exit(),
 * where the parent has threads: valgrind looks for leaks then, and what a thread alone knew that
 * the child does not have would be one.
 */
_Noreturn void end_child(int status);

#endif
