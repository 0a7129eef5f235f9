/* SPDX-License-Identifier: MIT */
/*
 * aioc.hh - what a C++ program puts around the C functions: owners, and exceptions
 *
 * Codes become exceptions where C++ calls C, and exceptions become codes where C calls C++: none
 * crosses a C frame, or leaves the stack of its task. One rule is left to the program: a catch block
 * does not suspend, since C++ keeps what is being caught by thread and not by stack.
 */
#ifndef EXAMPLES_EMBED_AIOC_HH
#define EXAMPLES_EMBED_AIOC_HH

#include <aio/aio.h>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <utility>

namespace aioc
{

/* A code that a call has just returned, with the object that travels with it. */
class error : public std::exception
{
  public:
    explicit error(int code) : object_(aio_error_catch(code), aio_exception_unref)
    {
    }

    int code() const noexcept
    {
        return aio_exception_code(object_.get());
    }

    const char *what() const noexcept override
    {
        const char *message = aio_exception_message(object_.get());

        return message != nullptr ? message : aio_strerror(code());
    }

    /* Let it travel on in C. */
    int raise() const noexcept
    {
        return aio_raise_exception(object_.get());
    }

  private:
    std::shared_ptr<aio_exception> object_;
};

inline void check(int code)
{
    if (code < 0)
        throw error(code);
}

/* What C calls, for any function object: the one place where exceptions become codes. */
template <class F> int call(void *arg, void **) noexcept
{
    try {
        (*static_cast<F *>(arg))();
        return 0;
    } catch (const error &e) {
        return e.raise();
    } catch (const std::bad_alloc &) {
        return AIO_ENOMEM;
    } catch (const std::exception &e) {
        return aio_raise(AIO_ERUNTIME, "%s", e.what());
    } catch (...) {
        return aio_raise(AIO_ERUNTIME, "an exception of a type of its own");
    }
}

template <class F> void destroy(void *function) noexcept
{
    delete static_cast<F *>(function);
}

/* A reference to a task, which goes with it. */
class task
{
  public:
    explicit task(aio_task *taken) : task_(taken, aio_future_unref)
    {
    }

    void wait() const
    {
        check(aio_await(task_.get(), nullptr));
    }

    void cancel() const noexcept
    {
        (void)aio_task_cancel(task_.get(), nullptr);
    }

  private:
    std::unique_ptr<aio_task, void (*)(aio_task *)> task_;
};

/* Begin a task, which owns the function. */
template <class F> task spawn(F function)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;

    options.arg_destroy = destroy<F>; // also if there will be no task
    return task(aio_create_task_at(aio_site_make("lambda", __FILE__, __LINE__), call<F>,
                                   new F(std::move(function)), &options));
}

/* Run a function in a thread; it outlives a caller that is cancelled. */
template <class F> void to_thread(F function)
{
    aio_job_options options = AIO_JOB_OPTIONS_INIT;

    options.arg_destroy = destroy<F>;
    check(aio_to_thread_with(call<F>, new F(std::move(function)), &options, nullptr));
}

inline void sleep(double seconds)
{
    check(aio_sleep(seconds));
}

/* Run a function as the main coroutine of a loop. */
template <class F> void run(F function)
{
    check(aio_run_at(aio_site_make("main", __FILE__, __LINE__), call<F>, &function, nullptr));
}

} // namespace aioc

#endif
