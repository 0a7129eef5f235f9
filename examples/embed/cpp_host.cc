/* SPDX-License-Identifier: MIT */
/*
 * cpp_host.cc - coroutines in C++, with destructors and exceptions
 *
 * The lines of standard input are answered as by the other programs here; and "fail TEXT" throws.
 */
#include "aioc.hh"

#include <algorithm>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace
{

void answer(const std::string &line)
{
    if (line.rfind("fail ", 0) == 0)
        throw std::invalid_argument(line.substr(5));
    if (line.rfind("wait ", 0) == 0) {
        aioc::sleep(std::stod(line.substr(5)));
        std::cout << "waited " + line.substr(5) + "\n";
        return;
    }
    /* Shared with the thread: whoever is last frees it. */
    auto word = std::make_shared<std::string>(line);

    aioc::to_thread([word] { std::reverse(word->begin(), word->end()); });
    std::cout << line + " -> " + *word + "\n";
}

void report_turns()
{
    aio_loop_statistics statistics = AIO_LOOP_STATISTICS_INIT;

    aioc::check(aio_loop_get_statistics(nullptr, &statistics));
    std::cerr << statistics.iterations << " turns\n";
}

void answer_all(const std::vector<std::string> &lines)
{
    std::vector<aioc::task> tasks;

    for (const std::string &line : lines)
        tasks.push_back(aioc::spawn([line] { answer(line); }));
    for (const aioc::task &task : tasks) {
        try {
            task.wait();
        } catch (const aioc::error &e) {
            if (e.code() == AIO_ECANCELLED)
                throw; /* it is we who are to stop */
            std::cout << std::string("failed: ") + e.what() + "\n";
        }
    }
}

} // namespace

int main()
{
    std::vector<std::string> lines;

    for (std::string line; std::getline(std::cin, line);)
        lines.push_back(line);
    try {
        aioc::run([&lines] {
            answer_all(lines);
            report_turns();
        });
    } catch (const aioc::error &e) {
        std::cerr << "cpp_host: " << e.what() << "\n";
        return 1;
    }
    return 0;
}
