/* SPDX-License-Identifier: MIT */
/*
 * aio.h - the core of aioc in one include
 */
#ifndef AIO_AIO_H
#define AIO_AIO_H

#include <aio/as_completed.h>
#include <aio/asyncgen.h>
#include <aio/barrier.h>
#include <aio/codec.h>
#include <aio/common.h>
#include <aio/concurrent.h>
#include <aio/condition.h>
#include <aio/connect.h>
#include <aio/context.h>
#include <aio/datagram.h>
#include <aio/dns.h>
#include <aio/embed.h>
#include <aio/error.h>
#include <aio/event.h>
#include <aio/executor.h>
#include <aio/executor_map.h>
#include <aio/exitstack.h>
#include <aio/future.h>
#include <aio/gather.h>
#include <aio/generator.h>
#include <aio/graph.h>
#include <aio/greenlet.h>
#include <aio/inspect.h>
#include <aio/iterator.h>
#include <aio/lock.h>
#include <aio/log.h>
#include <aio/loop.h>
#include <aio/memory.h>
#include <aio/pipe.h>
#include <aio/pool.h>
#include <aio/portal.h>
#include <aio/process_pool.h>
#include <aio/queue.h>
#include <aio/runner.h>
#include <aio/semaphore.h>
#include <aio/sendfile.h>
#include <aio/server.h>
#include <aio/signal.h>
#include <aio/sock.h>
#include <aio/stack.h>
#include <aio/staggered.h>
#include <aio/stream.h>
#include <aio/subprocess.h>
#include <aio/task.h>
#include <aio/taskgroup.h>
#include <aio/thread_pool.h>
#include <aio/timeout.h>
#include <aio/tls.h>
#include <aio/transport.h>
#include <aio/type.h>
#include <aio/wait.h>
#include <aio/workers.h>

#endif
