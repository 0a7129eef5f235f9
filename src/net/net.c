/* SPDX-License-Identifier: MIT */
/*
 * net.c - the net side of a loop: what all connections share, and their end with the loop
 */
#include "base/log.h"
#include "net/net_internal.h"

#include <aio/memory.h>

static void end_net(struct aio__close_hook *hook, aio_loop *loop)
{
    struct aio__net *net = aio__container_of(hook, struct aio__net, hook);
    struct aio__list *link;

    while ((link = aio__list_first(&net->open)) != NULL) {
        struct aio__net_object *object = aio__container_of(link, struct aio__net_object, link);

        aio__list_remove(link);
        if (loop->debug)
            aio__log(AIO_LOG_WARNING, "unclosed transport or server %p", (void *)object);
        object->end(object);
    }
    loop->net = NULL;
    aio__tls_unshare(net->tls);
    aio_free(net->recv_buffer);
    aio_free(net);
}

struct aio__net *aio__net_get(aio_loop *loop)
{
    struct aio__net *net = loop->net;

    if (net != NULL)
        return net;
    net = aio_calloc(1, sizeof(*net));
    if (net == NULL)
        return NULL;
    net->recv_buffer = aio_malloc(AIO__RECV_SIZE);
    if (net->recv_buffer == NULL) {
        aio_free(net);
        return NULL;
    }
    aio__list_init(&net->open);
    net->hook.fn = end_net;
    aio__list_append(&loop->close_hooks, &net->hook.link);
    loop->net = net;
    return net;
}

void aio__net_report(aio_loop *loop, const char *message, aio_exception *error)
{
    if (!aio_error_is(aio_exception_code(error), AIO_EOS))
        aio__loop_report(loop, message, error, NULL);
    else if (loop->debug)
        aio__log(AIO_LOG_DEBUG, "%s: %s", message, aio_strerror(aio_exception_code(error)));
}
