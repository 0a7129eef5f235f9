/* SPDX-License-Identifier: MIT */
/*
 * tls_context.c - who we are and whom we trust
 *
 * A thin cover of an SSL_CTX with asyncio's defaults. The system's authorities take tens of
 * milliseconds to load: one store is loaded for the process when the first client needs it, and
 * shared by all contexts that have none of their own.
 *
 * OpenSSL's queue of errors belongs to the thread. It is emptied before each call whose failure is
 * looked at.
 */
#include "base/error.h"
#include "base/list.h"
#include "net/tls_internal.h"

#include <aio/memory.h>
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

struct aio_tls_context {
    _Atomic(size_t) refs;
    SSL_CTX *native; /* of the default one: NULL until it is needed */
    aio_tls_side side;
    aio_tls_verify verify;
    bool check_hostname;
    _Atomic(bool) has_store; /* authorities of its own, or the system's by now */
    bool shares_store;       /* the system's */
    unsigned char *alpn;     /* as on the wire; owned */
    unsigned alpn_size;
    aio_tls_sni_fn choose;
    void *choose_arg;
    char *password; /* of keys; owned; may be NULL */
};

/* For what is made when the first connection needs it, in whatever thread. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* What ssl=True means. */
static aio_tls_context shared = {
    .refs = 1,
    .side = AIO_TLS_CLIENT,
    .verify = AIO_TLS_VERIFY_REQUIRED,
    .check_hostname = true,
};

/* --- errors ---------------------------------------------------------------------------- */

int aio__tls_raise(const SSL *ssl)
{
    unsigned long first = ERR_peek_error(); /* of a file: why the system refused */
    unsigned long error = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(error);
    int why = ERR_GET_REASON(error);
    long verdict = ssl == NULL ? X509_V_OK : SSL_get_verify_result(ssl);

    ERR_clear_error();
    if (ERR_SYSTEM_ERROR(first) && ERR_GET_REASON(first) != 0)
        return aio_raise(-ERR_GET_REASON(first), "%s", aio_strerror(-ERR_GET_REASON(first)));
    if (why == ERR_R_MALLOC_FAILURE)
        return AIO_ENOMEM;
    if (why == SSL_R_CERTIFICATE_VERIFY_FAILED && ERR_GET_LIB(error) == ERR_LIB_SSL)
        return aio_raise(AIO_ESSLCERT, "certificate verify failed: %s",
                         X509_verify_cert_error_string(verdict));
    return aio_raise(AIO_ESSL, "%s", reason == NULL ? "unknown error" : reason);
}

/* Every change begins with this. */
static int need_context(const aio_tls_context *context)
{
    if (context == NULL)
        return aio_raise(AIO_EVALUE, "a TLS context is needed, not NULL");
    if (context == &shared)
        return aio_raise(AIO_EVALUE, "the default context is everybody's, and cannot be changed");
    return 0;
}

/* --- life ------------------------------------------------------------------------------ */

static int choose_protocol(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_size,
                           const unsigned char *offered, unsigned offered_size, void *arg)
{
    const aio_tls_context *context = arg;
    unsigned char *name = NULL;

    (void)ssl;
    if (SSL_select_next_proto(&name, ret_size, context->alpn, context->alpn_size, offered,
                              offered_size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK; /* as Python: go on without */
    *ret_name = name;
    return SSL_TLSEXT_ERR_OK;
}

static int choose_context(SSL *ssl, int *alert, void *arg)
{
    aio_tls_context *context = arg;
    aio_tls_context **chosen = SSL_get_app_data(ssl);
    aio_tls_context *other;

    if (context->choose == NULL)
        return SSL_TLSEXT_ERR_OK;
    other = context->choose(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name), context,
                            context->choose_arg);
    if (other == NULL) {
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    if (other != context && SSL_set_SSL_CTX(ssl, other->native) == NULL) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    aio_tls_context_unref(*chosen);
    *chosen = aio_tls_context_ref(other);
    return SSL_TLSEXT_ERR_OK;
}

/* OpenSSL's own would ask at the terminal. */
static int give_password(char *buffer, int size, int writing, void *arg)
{
    const aio_tls_context *context = arg;
    size_t length = context->password == NULL ? 0 : strlen(context->password);

    (void)writing;
    if (context->password == NULL || length > (size_t)size)
        return -1;
    memcpy(buffer, context->password, length);
    return (int)length;
}

static bool set_up(aio_tls_context *context)
{
    static const unsigned char id[] = "aioc";
    SSL_CTX *native =
        SSL_CTX_new(context->side == AIO_TLS_CLIENT ? TLS_client_method() : TLS_server_method());

    context->native = native;
    if (native == NULL || SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_session_id_context(native, id, sizeof(id) - 1) != 1)
        return false;
    /* An end without close_notify is an end, as for Python. */
    SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                    SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(native, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_default_passwd_cb(native, give_password);
    SSL_CTX_set_default_passwd_cb_userdata(native, context);
    if (context->side == AIO_TLS_SERVER) {
        SSL_CTX_set_tlsext_servername_callback(native, choose_context);
        SSL_CTX_set_tlsext_servername_arg(native, context);
    }
    return true;
}

aio_tls_context *aio_tls_context_new(aio_tls_side side)
{
    aio_tls_context *context;

    if (side != AIO_TLS_CLIENT && side != AIO_TLS_SERVER)
        return aio__failed(aio_raise(AIO_EVALUE, "a TLS context is a client's or a server's"));
    context = aio_calloc(1, sizeof(*context));
    if (context == NULL)
        return NULL;
    atomic_init(&context->refs, 1);
    atomic_init(&context->has_store, false);
    context->side = side;
    context->check_hostname = side == AIO_TLS_CLIENT;
    context->verify = side == AIO_TLS_CLIENT ? AIO_TLS_VERIFY_REQUIRED : AIO_TLS_VERIFY_NONE;
    ERR_clear_error();
    if (set_up(context))
        return context;
    ERR_clear_error();
    aio_tls_context_unref(context);
    return NULL;
}

aio_tls_context *aio_tls_context_default(void)
{
    return &shared;
}

/* The default context is set up when it is first used, and again if there was no memory. */
static bool is_set_up(aio_tls_context *context)
{
    bool so;

    if (context != &shared)
        return true;
    (void)pthread_mutex_lock(&lock);
    so = context->native != NULL || set_up(context);
    if (!so) {
        SSL_CTX_free(context->native);
        context->native = NULL;
        ERR_clear_error();
    }
    (void)pthread_mutex_unlock(&lock);
    return so;
}

aio_tls_side aio__tls_side(const aio_tls_context *context)
{
    return context->side;
}

int aio__tls_check(const aio_tls_context *context, aio_tls_side side)
{
    if (context->side == side)
        return 0;
    if (context == &shared)
        return aio_raise(AIO_ETYPE, "ssl argument must be an SSLContext or None");
    return aio_raise(AIO_EVALUE, side == AIO_TLS_CLIENT
                                     ? "Cannot create a client socket with a server's context"
                                     : "Cannot create a server socket with a client's context");
}

aio_tls_context *aio_tls_context_ref(aio_tls_context *context)
{
    if (context != NULL)
        atomic_fetch_add_explicit(&context->refs, 1, memory_order_relaxed);
    return context;
}

static void forget_password(aio_tls_context *context)
{
    if (context->password != NULL)
        OPENSSL_cleanse(context->password, strlen(context->password));
    aio_free(context->password);
    context->password = NULL;
}

void aio_tls_context_unref(aio_tls_context *context)
{
    if (context == NULL || atomic_fetch_sub_explicit(&context->refs, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(context->native);
    forget_password(context);
    aio_free(context->alpn);
    aio_free(context);
}

void *aio_tls_context_native(aio_tls_context *context)
{
    return context == NULL || !is_set_up(context) ? NULL : context->native;
}

int aio_tls_context_set_password(aio_tls_context *context, const char *password)
{
    char *copy = NULL;
    int err = need_context(context);

    if (err == 0 && password != NULL) {
        copy = aio_strdup(password);
        err = copy == NULL ? AIO_ENOMEM : 0;
    }
    if (err < 0)
        return err;
    forget_password(context);
    context->password = copy;
    return 0;
}

/* --- certificates ---------------------------------------------------------------------- */

int aio_tls_context_load_cert_chain(aio_tls_context *context, const char *cert_file,
                                    const char *key_file)
{
    int err = need_context(context);

    if (err < 0)
        return err;
    if (cert_file == NULL)
        return aio_raise(AIO_EVALUE, "a file of certificates is needed, not NULL");
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(context->native, cert_file) != 1 ||
        SSL_CTX_use_PrivateKey_file(context->native, key_file == NULL ? cert_file : key_file,
                                    SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context->native) != 1)
        return aio__tls_raise(NULL);
    return 0;
}

static X509_STORE *system_store; /* under the lock; NULL: not loaded yet */

/* The system's authorities, or NULL. */
static X509_STORE *load_system_store(void)
{
    if (system_store == NULL) {
        system_store = X509_STORE_new();
        if (system_store != NULL)
            (void)X509_STORE_set_default_paths(system_store); /* without any, nobody is trusted */
        ERR_clear_error();
    }
    return system_store;
}

static int use_system_store(aio_tls_context *context)
{
    int err = 0;

    if (atomic_load(&context->has_store))
        return 0;
    (void)pthread_mutex_lock(&lock);
    if (load_system_store() == NULL) {
        err = AIO_ENOMEM;
    } else if (!atomic_load(&context->has_store)) {
        SSL_CTX_set1_cert_store(context->native, system_store);
        context->shares_store = true;
        atomic_store(&context->has_store, true);
    }
    (void)pthread_mutex_unlock(&lock);
    return err;
}

/* Authorities are not to be added to the store that all share. */
static int own_store(aio_tls_context *context)
{
    X509_STORE *store;

    if (!context->shares_store)
        return 0;
    store = X509_STORE_new();
    if (store == NULL)
        return AIO_ENOMEM;
    SSL_CTX_set_cert_store(context->native, store);
    context->shares_store = false;
    return 0;
}

int aio_tls_context_load_verify_locations(aio_tls_context *context, const char *ca_file,
                                          const char *ca_dir)
{
    int err = need_context(context);

    if (err < 0)
        return err;
    if (ca_file == NULL && ca_dir == NULL)
        return aio_raise(AIO_EVALUE, "a file or a directory of authorities is needed");
    err = own_store(context);
    if (err < 0)
        return err;
    ERR_clear_error();
    if (SSL_CTX_load_verify_locations(context->native, ca_file, ca_dir) != 1)
        return aio__tls_raise(NULL);
    atomic_store(&context->has_store, true);
    return 0;
}

/* One certificate or list of revoked ones: 0, a raised code, or AIO_EEOF when there are no more. */
static int add_pem(X509_STORE *store, BIO *bio)
{
    STACK_OF(X509_INFO) *found = PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL);
    int count = found == NULL ? 0 : sk_X509_INFO_num(found);
    int added = 0;
    int so = 1;

    for (int i = 0; i < count && so == 1; i++) {
        const X509_INFO *info = sk_X509_INFO_value(found, i);

        if (info->x509 != NULL)
            so = X509_STORE_add_cert(store, info->x509);
        if (so == 1 && info->crl != NULL)
            so = X509_STORE_add_crl(store, info->crl);
        added += info->x509 != NULL || info->crl != NULL;
    }
    sk_X509_INFO_pop_free(found, X509_INFO_free);
    if (found == NULL || so != 1)
        return aio__tls_raise(NULL);
    return added > 0
               ? 0
               : aio_raise(AIO_ESSL, "not enough data: cadata does not contain a certificate");
}

static int add_der(X509_STORE *store, const unsigned char *data, size_t size)
{
    const unsigned char *next = data;
    int so = 1;

    while (next < data + size && so == 1) {
        X509 *one = d2i_X509(NULL, &next, data + size - next);

        if (one == NULL)
            break;
        so = X509_STORE_add_cert(store, one);
        X509_free(one);
    }
    return next == data + size && so == 1 ? 0 : aio__tls_raise(NULL);
}

int aio_tls_context_load_verify_data(aio_tls_context *context, const void *data, size_t size)
{
    X509_STORE *store;
    BIO *bio;
    int err = need_context(context);

    if (err < 0)
        return err;
    if (data == NULL || size == 0 || size > INT_MAX)
        return aio_raise(AIO_EVALUE, "data of authorities is needed");
    err = own_store(context);
    if (err < 0)
        return err;
    ERR_clear_error();
    store = SSL_CTX_get_cert_store(context->native);
    if (*(const unsigned char *)data == 0x30) { /* a SEQUENCE, which no text begins with */
        err = add_der(store, data, size);
    } else {
        bio = BIO_new_mem_buf(data, (int)size);
        if (bio == NULL)
            return AIO_ENOMEM;
        err = add_pem(store, bio);
        (void)BIO_free(bio);
    }
    ERR_clear_error();
    if (err == 0)
        atomic_store(&context->has_store, true);
    return err;
}

/* --- settings -------------------------------------------------------------------------- */

int aio_tls_context_set_verify(aio_tls_context *context, aio_tls_verify verify)
{
    int err = need_context(context);

    if (err < 0)
        return err;
    if ((unsigned)verify > AIO_TLS_VERIFY_REQUIRED)
        return aio_raise(AIO_EVALUE, "no such verification: %d", (int)verify);
    context->verify = verify;
    return 0;
}

int aio_tls_context_set_verify_flags(aio_tls_context *context, unsigned flags)
{
    static const struct {
        unsigned flag;
        unsigned long native;
    } all[] = {
        {AIO_TLS_VERIFY_CRL_CHECK_LEAF, X509_V_FLAG_CRL_CHECK},
        {AIO_TLS_VERIFY_CRL_CHECK_CHAIN, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL},
        {AIO_TLS_VERIFY_X509_STRICT, X509_V_FLAG_X509_STRICT},
        {AIO_TLS_VERIFY_PARTIAL_CHAIN, X509_V_FLAG_PARTIAL_CHAIN},
    };
    X509_VERIFY_PARAM *param;
    unsigned long native = 0;
    int err = need_context(context);

    if (err < 0)
        return err;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (flags & all[i].flag)
            native |= all[i].native;
        flags &= ~all[i].flag;
    }
    if (flags != 0)
        return aio_raise(AIO_EVALUE, "no such flags: %#x", flags);
    param = SSL_CTX_get0_param(context->native);
    (void)X509_VERIFY_PARAM_clear_flags(param, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL |
                                                   X509_V_FLAG_X509_STRICT |
                                                   X509_V_FLAG_PARTIAL_CHAIN);
    (void)X509_VERIFY_PARAM_set_flags(param, native);
    return 0;
}

void aio_tls_context_set_check_hostname(aio_tls_context *context, bool check)
{
    if (context != NULL && context != &shared)
        context->check_hostname = check;
}

int aio_tls_context_set_alpn_protocols(aio_tls_context *context, const char *const *protocols,
                                       size_t count)
{
    unsigned char *wire;
    size_t size = 0;
    int err = need_context(context);

    if (err < 0)
        return err;
    if (protocols == NULL && count > 0)
        return aio_raise(AIO_EVALUE, "there are no %zu ALPN protocols at NULL", count);
    for (size_t i = 0; i < count; i++) {
        size_t length = protocols[i] == NULL ? 0 : strlen(protocols[i]);

        if (length == 0 || length > UCHAR_MAX)
            return aio_raise(AIO_EVALUE, "ALPN protocols must be 1 to 255 bytes long");
        size += 1 + length;
    }
    wire = aio_malloc(size + 1);
    if (wire == NULL)
        return AIO_ENOMEM;
    aio_free(context->alpn);
    context->alpn = wire;
    context->alpn_size = (unsigned)size;
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(protocols[i]);

        *wire++ = (unsigned char)length;
        memcpy(wire, protocols[i], length);
        wire += length;
    }
    if (context->side == AIO_TLS_SERVER)
        SSL_CTX_set_alpn_select_cb(context->native, choose_protocol, context);
    else if (SSL_CTX_set_alpn_protos(context->native, context->alpn, context->alpn_size) != 0)
        return AIO_ENOMEM;
    return 0;
}

/* OpenSSL's number for a version, or a raised code. */
static int version_number(const aio_tls_context *context, aio_tls_version version)
{
    int err = need_context(context);

    if (err < 0)
        return err;
    if (version != AIO_TLS_1_2 && version != AIO_TLS_1_3)
        return aio_raise(AIO_EVALUE, "no such version of TLS: %d", (int)version);
    return version == AIO_TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

int aio_tls_context_set_minimum_version(aio_tls_context *context, aio_tls_version version)
{
    int number = version_number(context, version);

    if (number < 0)
        return number;
    (void)SSL_CTX_set_min_proto_version(context->native, number);
    return 0;
}

int aio_tls_context_set_maximum_version(aio_tls_context *context, aio_tls_version version)
{
    int number = version_number(context, version);

    if (number < 0)
        return number;
    (void)SSL_CTX_set_max_proto_version(context->native, number);
    return 0;
}

int aio_tls_context_set_ciphers(aio_tls_context *context, const char *ciphers)
{
    int err = need_context(context);

    if (err < 0)
        return err;
    if (ciphers == NULL)
        return aio_raise(AIO_EVALUE, "a list of ciphers is needed, not NULL");
    ERR_clear_error();
    if (SSL_CTX_set_cipher_list(context->native, ciphers) == 1)
        return 0;
    ERR_clear_error();
    return aio_raise(AIO_ESSL, "No cipher can be selected.");
}

void aio_tls_context_set_sni_callback(aio_tls_context *context, aio_tls_sni_fn fn, void *arg)
{
    if (context == NULL || context == &shared)
        return;
    context->choose = fn;
    context->choose_arg = arg;
}

/* --- a connection ---------------------------------------------------------------------- */

static bool is_address(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* Whom we ask for, and whose certificate it has to be. */
static bool set_hostname(const aio_tls_context *context, SSL *ssl, const char *host)
{
    bool numeric = is_address(host);

    if (!numeric && SSL_set_tlsext_host_name(ssl, aio_constant(host)) != 1)
        return false;
    if (!context->check_hostname || context->verify == AIO_TLS_VERIFY_NONE)
        return true;
    if (numeric)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1;
}

static int verify_mode(const aio_tls_context *context)
{
    switch (context->verify) {
    case AIO_TLS_VERIFY_NONE: return SSL_VERIFY_NONE;
    case AIO_TLS_VERIFY_OPTIONAL: return SSL_VERIFY_PEER;
    default: return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    }
}

int aio__tls_new_ssl(aio_tls_context *context, const char *server_hostname,
                     aio_tls_context **chosen, SSL **ret_ssl)
{
    bool is_client = context->side == AIO_TLS_CLIENT;
    SSL *ssl;
    int err = 0;

    if (is_client && context->check_hostname && context->verify != AIO_TLS_VERIFY_NONE &&
        server_hostname == NULL)
        return aio_raise(AIO_EVALUE, "check_hostname requires server_hostname");
    if (!is_client && server_hostname != NULL)
        return aio_raise(AIO_EVALUE, "server_hostname can only be specified in client mode");
    if (!is_set_up(context))
        return AIO_ENOMEM;
    if (context->verify != AIO_TLS_VERIFY_NONE)
        err = use_system_store(context);
    if (err < 0)
        return err;
    ERR_clear_error();
    ssl = SSL_new(context->native);
    if (ssl == NULL)
        return AIO_ENOMEM;
    SSL_set_verify(ssl, verify_mode(context), NULL);
    if (server_hostname != NULL && *server_hostname != '\0' &&
        !set_hostname(context, ssl, server_hostname)) {
        err = aio__tls_raise(NULL);
        SSL_free(ssl);
        return err;
    }
    SSL_set_app_data(ssl, chosen);
    if (is_client)
        SSL_set_connect_state(ssl);
    else
        SSL_set_accept_state(ssl);
    *ret_ssl = ssl;
    return 0;
}
