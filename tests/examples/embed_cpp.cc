/* SPDX-License-Identifier: MIT */
/*
 * embed_cpp.cc - coroutines in C++: loops in several threads, and in a child process
 *
 * What examples/embed/aioc.hh has to keep besides what its program shows.
 */
#include "../../examples/embed/aioc.hh"

#include <memory>
#include <setjmp.h>
#include <stdexcept>
#include <stdlib.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

extern "C" { // cmocka does not say so itself
#include "support/unit.h"
}

namespace
{

enum { THREADS = 3, JOBS = 200 };

/* Counts those that are alive. */
class counted
{
  public:
    explicit counted(int *alive) : alive_(alive)
    {
        ++*alive_;
    }
    counted(const counted &) = delete;
    counted &operator=(const counted &) = delete;
    ~counted()
    {
        --*alive_;
    }

  private:
    int *alive_;
};

/* Of each job's end, the thread it runs in wakes the loop; every second one throws. */
void run_jobs(int *done, int *failed)
{
    std::vector<aioc::task> tasks;

    for (int i = 0; i < JOBS; i++)
        tasks.push_back(aioc::spawn([i, done] {
            aioc::to_thread([] {});
            if (i % 2 != 0)
                throw std::runtime_error("odd");
            ++*done;
        }));
    for (const aioc::task &task : tasks) {
        try {
            task.wait();
        } catch (const aioc::error &e) {
            *failed += e.what() == std::string("odd");
        }
    }
}

void loops_in_several_threads_hear_all_and_keep_exceptions_apart(void **)
{
    int done[THREADS] = {0};
    int failed[THREADS] = {0};
    std::vector<std::thread> threads;

    for (int i = 0; i < THREADS; i++)
        threads.emplace_back([i, &done, &failed] {
            try {
                aioc::run([&] { run_jobs(&done[i], &failed[i]); });
            } catch (const aioc::error &) {
                done[i] = -1;
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(done[i], JOBS / 2);
        assert_int_equal(failed[i], JOBS / 2);
    }
}

void task_that_is_cancelled_calls_its_destructors(void **)
{
    int alive = 0;
    int seen = 0;

    aioc::run([&] {
        aioc::task task = aioc::spawn([&alive] {
            counted local(&alive);

            aioc::sleep(3600);
        });

        aioc::sleep(0);
        seen = alive;
        task.cancel();
        try {
            task.wait();
        } catch (const aioc::error &e) {
            seen += e.code() == AIO_ECANCELLED ? 10 : 0;
        }
    });
    assert_int_equal(seen, 11);
    assert_int_equal(alive, 0);
}

void task_that_is_left_when_the_loop_is_closed_calls_its_destructors(void **)
{
    int alive = 0;

    aioc::run([&] {
        (void)aioc::spawn([&alive] {
            counted local(&alive);

            aioc::sleep(3600);
        });
        aioc::sleep(0);
    });
    assert_int_equal(alive, 0);
}

void run_that_goes_on_in_a_child_process_throws(void **)
{
    pid_t pid = -1;
    int status = -1;

    try {
        aioc::run([&pid] {
            pid = fork();
            aioc::sleep(0.001);
        });
    } catch (const aioc::error &e) {
        _exit(pid == 0 && e.code() == AIO_ERUNTIME ? 0 : 1);
    }
    if (pid == 0)
        _exit(2);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(loops_in_several_threads_hear_all_and_keep_exceptions_apart),
        cmocka_unit_test(task_that_is_cancelled_calls_its_destructors),
        cmocka_unit_test(task_that_is_left_when_the_loop_is_closed_calls_its_destructors),
        cmocka_unit_test(run_that_goes_on_in_a_child_process_throws),
    };

    return RUN_TESTS(tests, nullptr, nullptr);
}
