/* SPDX-License-Identifier: MIT */
/*
 * tls_bio.c - between SSL and the transport below: bytes of the peer's, and those for it
 *
 * OpenSSL's own BIO in memory would do, but it keeps its memory at the largest it ever was, clears
 * all of it whenever it is emptied, and copies what the transport below lends us. Here SSL reads
 * straight from what was received, and writes into a buffer that all connections of a loop share,
 * which goes down in one piece when the work is done. Only what cannot be passed on now is copied,
 * into blocks that are freed with the last byte: an idle connection has none.
 *
 * Invariants
 *   - What is held was received before what is lent.
 *   - While the shared buffer has bytes of a connection's, nothing else of its waits to go out.
 *
 * Thread: the loop's.
 */
#include "net/tls_internal.h"

#include <aio/memory.h>
#include <openssl/bio.h>
#include <pthread.h>
#include <string.h>

/* --- input ------------------------------------------------------------------------------ */

size_t aio__tls_incoming(const struct aio__tls *self)
{
    return self->held.size + self->lent_size;
}

int aio__tls_hold(struct aio__tls *self, const void *data, size_t size)
{
    return size == 0 ? 0 : aio__outbuf_append(&self->held, data, size);
}

static size_t take_held(struct aio__tls *self, char *data, size_t size)
{
    struct iovec piece;

    (void)aio__outbuf_peek(&self->held, &piece, 1);
    if (size > piece.iov_len)
        size = piece.iov_len;
    memcpy(data, piece.iov_base, size);
    aio__outbuf_drop(&self->held, size);
    return size;
}

static size_t take_lent(struct aio__tls *self, char *data, size_t size)
{
    if (size > self->lent_size)
        size = self->lent_size;
    memcpy(data, self->lent, size);
    self->lent += size;
    self->lent_size -= size;
    return size;
}

static int read_bio(BIO *bio, char *data, size_t size, size_t *ret_size)
{
    struct aio__tls *self = BIO_get_data(bio);
    size_t used = 0;

    BIO_clear_retry_flags(bio);
    if (size > self->allowance)
        size = self->allowance;
    while (used < size && self->held.size > 0)
        used += take_held(self, data + used, size - used);
    if (used < size && self->lent_size > 0)
        used += take_lent(self, data + used, size - used);
    self->allowance -= used;
    *ret_size = used;
    if (used == 0)
        BIO_set_retry_read(bio);
    return used > 0;
}

/* --- output ----------------------------------------------------------------------------- */

size_t aio__tls_outgoing(const struct aio__tls *self)
{
    const struct aio__tls_shared *shared = self->shared;

    return self->out.size + (shared != NULL && shared->writer == self ? shared->used : 0);
}

/* Copy what stands in the shared buffer, for it cannot go out now. 0, or AIO_ENOMEM. */
static int vacate(struct aio__tls *self)
{
    struct aio__tls_shared *shared = self->shared;
    int err;

    if (shared->writer != self || shared->is_sent)
        return 0;
    err = aio__outbuf_append(&self->out, shared->out, shared->used);
    shared->writer = NULL;
    shared->used = 0;
    return err;
}

static int put(struct aio__tls *self, const char *data, size_t size)
{
    struct aio__tls_shared *shared = self->shared;
    int err;

    if (self->out.size == 0 && !shared->is_sent &&
        (shared->writer == NULL || shared->writer == self) &&
        size <= sizeof(shared->out) - shared->used) {
        memcpy(shared->out + shared->used, data, size);
        shared->writer = self;
        shared->used += size;
        return 0;
    }
    err = vacate(self);
    return err < 0 ? err : aio__outbuf_append(&self->out, data, size);
}

static int write_bio(BIO *bio, const char *data, size_t size, size_t *ret_size)
{
    struct aio__tls *self = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (self->shared == NULL || put(self, data, size) < 0)
        return 0;
    if (!self->is_encrypting)
        self->chatter += size;
    *ret_size = size;
    return 1;
}

bool aio__tls_shared_is_full(const struct aio__tls *self)
{
    const struct aio__tls_shared *shared = self->shared;

    return shared != NULL && shared->used + AIO__TLS_RECORD > sizeof(shared->out);
}

/* Hand over what is copied: all that the transport below takes without asking for a pause. */
static void send_copied(struct aio__tls *self)
{
    enum { MANY = 16 };
    struct iovec pieces[MANY];

    while (self->out.size > 0 && !self->lower_full) {
        int count = aio__outbuf_peek(&self->out, pieces, MANY);
        aio_buffer buffers[MANY];
        size_t size = 0;

        for (int i = 0; i < count; i++) {
            buffers[i] = (aio_buffer){.data = pieces[i].iov_base, .size = pieces[i].iov_len};
            size += pieces[i].iov_len;
        }
        (void)aio_transport_writelines(self->lower, buffers, (size_t)count);
        aio__outbuf_drop(&self->out, size);
    }
}

int aio__tls_send(struct aio__tls *self)
{
    struct aio__tls_shared *shared = self->shared;
    int err = 0;

    if (shared == NULL)
        return 0;
    if (self->lower_full) {
        err = vacate(self);
    } else if (shared->writer == self && !shared->is_sent) {
        /* It copies what it cannot send; what it cannot copy is its end. */
        shared->is_sent = true;
        (void)aio_transport_write(self->lower, shared->out, shared->used);
        shared->is_sent = false;
        shared->writer = NULL;
        shared->used = 0;
    }
    send_copied(self);
    if (aio__tls_outgoing(self) == 0)
        self->chatter = 0;
    return err;
}

void aio__tls_forget(struct aio__tls *self)
{
    struct aio__tls_shared *shared = self->shared;

    aio__outbuf_clear(&self->backlog);
    aio__outbuf_clear(&self->held);
    aio__outbuf_clear(&self->out);
    self->lent_size = 0;
    if (shared == NULL || shared->writer != self)
        return;
    shared->writer = NULL;
    shared->used = 0;
}

void aio__tls_part(struct aio__tls *self)
{
    if (self->loop->net == NULL) { /* the loop was closed under us, and took that with it */
        self->shared = NULL;
        self->backlog.spare = NULL;
        self->held.spare = NULL;
        self->out.spare = NULL;
    }
    aio__tls_forget(self);
    self->backlog.spare = NULL;
    self->held.spare = NULL;
    self->out.spare = NULL;
    self->shared = NULL;
}

/* --- what all connections of a loop share ------------------------------------------------ */

int aio__tls_join(struct aio__tls *self)
{
    struct aio__net *net = aio__net_get(self->loop);
    struct aio__tls_shared *shared = net == NULL ? NULL : net->tls;

    if (net == NULL)
        return AIO_ENOMEM;
    if (shared == NULL) {
        shared = aio_malloc(sizeof(*shared));
        if (shared == NULL)
            return AIO_ENOMEM;
        /* Not the buffers: their pages are not to be touched before they are used. */
        shared->writer = NULL;
        shared->used = 0;
        shared->is_sent = false;
        shared->is_lent = false;
        shared->spare = (struct aio__outspare){0};
        net->tls = shared;
    }
    self->shared = shared;
    self->backlog.spare = &shared->spare;
    self->held.spare = &shared->spare;
    self->out.spare = &shared->spare;
    return 0;
}

void aio__tls_unshare(struct aio__tls_shared *shared)
{
    if (shared == NULL)
        return;
    aio__outspare_clear(&shared->spare);
    aio_free(shared);
}

/* --- the BIO ---------------------------------------------------------------------------- */

static long control_bio(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH; /* at once; of anything else it knows nothing */
}

static BIO_METHOD *method; /* for the process, as BIOs refer to it; NULL: no memory */

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "aioc");
    if (method == NULL)
        return;
    (void)BIO_meth_set_read_ex(method, read_bio);
    (void)BIO_meth_set_write_ex(method, write_bio);
    (void)BIO_meth_set_ctrl(method, control_bio);
}

bool aio__tls_set_bio(struct aio__tls *self)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    BIO *bio;

    (void)pthread_once(&once, make_method);
    bio = method == NULL ? NULL : BIO_new(method);
    if (bio == NULL)
        return false;
    BIO_set_data(bio, self);
    BIO_set_init(bio, 1);
    SSL_set_bio(self->ssl, bio, bio);
    return true;
}
