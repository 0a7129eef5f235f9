#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# demo.sh - a tour of the examples, in about half a minute
#
#     examples/demo.sh [BUILD FOLDER]
#
# Shows what each program demonstrates and what it prints, then takes the checksums of the
# project's own files. Programs of one chapter are started together, so that nobody waits
# for all the pauses one after the other.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
examples=${1:-build}/examples

work=$(mktemp -d)
running=()
failed=0

# shellcheck disable=SC2317  # the trap calls it
clean_up() {
    ((${#running[@]} == 0)) || kill "${running[@]}" 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

bold='' plain=''
if [[ -t 1 ]]; then bold=$'\e[1m' plain=$'\e[0m'; fi

title() {
    printf '\n%s%s%s  %s\n' "$bold" "$1" "$plain" "$2"
}

fail() {
    printf '    FAILED: %s\n' "$*"
    failed=1
}

# Print lines as they come, indented; of many, the first ones.
indent() {
    local line count=0

    while IFS= read -r line; do
        ((++count > 12)) || printf '    %s\n' "$line"
    done
    ((count <= 12)) || printf '    ... and %d more lines\n' $((count - 12))
}

# show NAME PID: follow what a program prints until it has ended.
show() {
    local status=0

    tail -n +1 -s 0.05 --pid="$2" -f "$work/$1" | indent
    wait "$2" || status=$?
    ((status == 0)) || fail "exit status $status"
}

# chapter "NAME  what it demonstrates"...: start all, then show one after the other.
chapter() {
    local line name

    running=()
    for line; do
        name=${line%% *}
        : >"$work/$name" # now, not when the program in the background gets to it
        "$examples/tutorial/$name" >"$work/$name" 2>&1 &
        running+=($!)
    done
    for line; do
        name=${line%% *}
        title "$name" "${line#* }"
        show "$name" "${running[0]}"
        running=("${running[@]:1}")
    done
}

chapter \
    '01_greenlet two functions on stacks of their own switch to each other by hand' \
    '03_yield_from_bounded generators: yield, yield from, send, throw and the return value' \
    '08_event_loop_pseudo a loop of a few lines that runs generators in turns'

title 02_yield_from 'generators that delegate to each other for ever, up to the limit'
status=0
"$examples/tutorial/02_yield_from" >"$work/02_yield_from" 2>"$work/errors" || status=$?
indent <"$work/02_yield_from"
indent <"$work/errors"
((status == 1)) || fail "exit status $status, not 1 for a RecursionError"

chapter \
    '04_asyncio_decorator two coroutines wait 2 s at the same time, on a loop made by hand' \
    '05_async_await the same on the current loop of the thread' \
    '09_event_loop tasks start in the order they were made and end in that of their times' \
    '10_coroutine_object a coroutine object runs nothing until it is awaited' \
    '11_run aio_run() makes a loop, runs a coroutine, and closes the loop'

chapter \
    '12_await1 awaiting a pause, which has no result' \
    '13_await2 a coroutine awaits another by calling it' \
    '14_await3 awaiting one after the other takes 2 + 2 s'

chapter \
    '15_task1 two tasks take 2 s together; making one does not run it' \
    '16_task2 waiting for a list of tasks, and what a finished task says of itself' \
    '17_task3 coroutine objects are made before there is a loop, and outlive it' \
    '18_task3_no_loop mistakes are answered with codes and texts, not with crashes'

chapter \
    '20_future2 a future that another task finishes' \
    "28_async_iterator async for: an iterator of the program's own, and AIO_ESTOP" \
    '29_async_context_manager async with: enter and exit, which may wait too' \
    '30_uvloop_policy the same program in a uv_loop_t of its own'

chapter \
    '21_concurrent_threadpool ten jobs for five threads, and what their futures say' \
    '22_concurrent_processpool the same in five processes' \
    "23_run_in_executor_default a task awaits a blocking function in the loop's default threads" \
    '24_run_in_executor_thread the same in a thread pool of its own' \
    '25_run_in_executor_process and in another process'

title 19_future1 'waits for ever; a second later Ctrl-C cancels it'
status=0
timeout --foreground -s INT 1 "$examples/tutorial/19_future1" >"$work/19_future1" 2>&1 || status=$?
indent <"$work/19_future1"
((status == 124)) || fail "exit status $status, not an interrupt"

title pictures 'three pictures from a server in the same program, which takes 0.5 s for each'
"$examples/network/pictures" >"$work/pictures" 2>&1 || fail "exit status $?"
indent <"$work/pictures"

if [[ -x $examples/checksum/checksum ]]; then
    title checksum "SHA-256 of this project's own files, in threads, four at a time"
    "$examples/checksum/checksum" -j 4 include src examples >"$work/sums" ||
        fail 'files could not be read'
    indent <"$work/sums"
    if sha256sum --check --quiet "$work/sums"; then
        printf '    sha256sum finds the same\n'
    else
        fail 'sha256sum finds something else'
    fi
else
    title checksum 'was not built: OpenSSL (libssl-dev) is not here'
fi

if [[ -x $examples/tutorial/36_fastapi_redis_pool ]]; then
    title 36_fastapi_redis_pool 'a web service over ten connections to redis, under load'
    : >"$work/web" # now, as above
    python3 examples/demo_web.py "$examples/tutorial/36_fastapi_redis_pool" >"$work/web" &
    running=($!)
    show web "$!"
    running=()
else
    title 36_fastapi_redis_pool 'was not built: llhttp, jansson or hiredis are not here'
fi

printf '\n%d s\n' "$SECONDS"
exit "$failed"
