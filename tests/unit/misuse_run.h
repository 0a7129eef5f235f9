/* SPDX-License-Identifier: MIT */
/*
 * misuse_run.h - calls functions wrongly, as rows say: a code and a message, no crash
 *
 * For a program that has defined MISUSE_ROWS, the file with its rows, and
 *
 *   open      an aio_loop that runs them
 *   set_up, tear_down, warm_up   before each, after each and before all
 *
 * Every row runs three times: where no loop runs, in a callback and in a task.
 *
 *   CODE     a negative code, and a message with it
 *   NAMED    the code that is given first, whose name says it all
 *   FAILS    NULL instead of an object, and the code for who looks at once
 *   ANSWER   what is given first
 *   TEXT     some text, NUMBER some number, NO_NUMBER none
 *   OBJECT   is no mistake: what is given first drops what came of it
 *   NOTHING  happens
 *   ..._IF   only where there is NO_LOOP or NO_TASK that runs, or A_LOOP that does
 */
#ifndef TESTS_MISUSE_RUN_H
#define TESTS_MISUSE_RUN_H

/* --- what is asserted ------------------------------------------------------------------- */

enum place { ANYWHERE, NO_LOOP, NO_TASK, A_LOOP };

static bool applies(enum place place)
{
    bool in_loop = aio_loop_is_running(open);

    switch (place) {
    case NO_LOOP: return !in_loop;
    case A_LOOP: return in_loop;
    case NO_TASK: return !in_loop || aio_current_task(open) == NULL;
    default: return true;
    }
}

/* What is wrong with an answer; NULL: nothing. Told to the test, which alone may leave by an
 * assertion: not a task. */
static const char *judge_code(int code)
{
    if (code >= 0)
        return "no negative code";
    return aio_error_text(code)[0] == '\0' ? "no message" : NULL;
}

static const char *judge_failure(const void *object)
{
    return object != NULL ? "an object" : judge_code(aio_last_failure());
}

/* A function of each row. */
#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)
#define ROW(body)                                                                                  \
    static const char *JOIN(row_, __LINE__)(void)                                                  \
    {                                                                                              \
        body;                                                                                      \
    }
#define CODE_IF(place, fn, ...) ROW(return applies(place) ? judge_code((fn)(__VA_ARGS__)) : NULL)
#define CODE(fn, ...)           CODE_IF(ANYWHERE, fn, __VA_ARGS__)
#define NAMED(code, fn, ...)    ROW(return (fn)(__VA_ARGS__) == (code) ? NULL : "another code")
#define FAILS_IF(place, fn, ...)                                                                   \
    ROW((void)aio__failed(0); return applies(place) ? judge_failure((fn)(__VA_ARGS__)) : NULL)
#define FAILS(fn, ...)          FAILS_IF(ANYWHERE, fn, __VA_ARGS__)
#define ANSWER(answer, fn, ...) ROW(return (fn)(__VA_ARGS__) == (answer) ? NULL : "another answer")
#define TEXT(fn, ...)           ROW(return (fn)(__VA_ARGS__) != NULL ? NULL : "no text")
#define NUMBER(fn, ...)         ROW(return isnan((fn)(__VA_ARGS__)) ? "no number" : NULL)
#define NO_NUMBER(fn, ...)      ROW(return isnan((fn)(__VA_ARGS__)) ? NULL : "a number")
#define OBJECT(unref, fn, ...)  ROW(unref((fn)(__VA_ARGS__)); return NULL)
#define NOTHING(fn, ...)        ROW((fn)(__VA_ARGS__); return NULL)
#include MISUSE_ROWS
#undef CODE
#undef CODE_IF
#undef NAMED
#undef FAILS
#undef FAILS_IF
#undef ANSWER
#undef TEXT
#undef NUMBER
#undef NO_NUMBER
#undef OBJECT
#undef NOTHING

/* --- where it runs ---------------------------------------------------------------------- */

struct row {
    const char *name;
    const char *(*run)(void);
    const char *verdict;
};

static void assert_right(const struct row *row)
{
    if (row->verdict != NULL)
        fail_msg("%s: %s", row->name, row->verdict);
}

static void without_a_loop(void **state)
{
    struct row *row = *state;

    row->verdict = row->run();
    assert_right(row);
}

static int run_row(void *arg)
{
    struct row *row = arg;

    row->verdict = row->run();
    return 0;
}

static void in_a_callback(void **state)
{
    assert_int_equal(aio_loop_call_soon(open, run_row, *state, NULL), 0);
    aio_loop_stop(open);
    assert_int_equal(aio_loop_run_forever(open), 0);
    assert_right(*state);
}

static int await_row(void *arg, void **ret_result)
{
    (void)ret_result;
    return run_row(arg);
}

static void in_a_task(void **state)
{
    AIO_AUTO(aio_task) task = aio_loop_create_task(open, await_row, *state, NULL);

    assert_int_equal(aio_loop_run_until_complete(open, task, NULL), 0);
    assert_right(*state);
}

int main(void)
{
#define ROW_OF(fn)               {#fn, JOIN(row_, __LINE__), NULL},
#define CODE_IF(place, fn, ...)  ROW_OF(fn)
#define CODE(fn, ...)            ROW_OF(fn)
#define NAMED(code, fn, ...)     ROW_OF(fn)
#define FAILS_IF(place, fn, ...) ROW_OF(fn)
#define FAILS(fn, ...)           ROW_OF(fn)
#define ANSWER(answer, fn, ...)  ROW_OF(fn)
#define TEXT(fn, ...)            ROW_OF(fn)
#define NUMBER(fn, ...)          ROW_OF(fn)
#define NO_NUMBER(fn, ...)       ROW_OF(fn)
#define OBJECT(unref, fn, ...)   ROW_OF(fn)
#define NOTHING(fn, ...)         ROW_OF(fn)
    static struct row rows[] = {
#include MISUSE_ROWS
    };
    static struct CMUnitTest tests[3 * COUNT_OF(rows)];
    void (*const places[])(void **state) = {without_a_loop, in_a_callback, in_a_task};

    for (size_t i = 0; i < COUNT_OF(tests); i++)
        tests[i] =
            (struct CMUnitTest){rows[i / 3].name, places[i % 3], set_up, tear_down, &rows[i / 3]};
    return RUN_TESTS(tests, warm_up, NULL);
}

#endif
