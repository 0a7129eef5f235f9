/* SPDX-License-Identifier: MIT */
/*
 * tls.h - TLS over any transport, by OpenSSL
 *
 * A context says who we are and whom we trust; it serves any number of connections. A connection
 * is turned into TLS by aio_loop_start_tls(), or begins with it by a protocol of
 * aio_tls_protocol_new(). Either way the program's protocol sees an ordinary transport.
 *
 * Built without OpenSSL, aio_tls_context_new() gives NULL and AIO_ENOTIMPLEMENTED, and nothing else
 * can be reached.
 *
 * Thread: the loop's. A context is set up in one thread; afterwards connections of several loops
 * may share it.
 */
#ifndef AIO_TLS_H
#define AIO_TLS_H

#include <aio/transport.h>

AIO_BEGIN_DECLS

/** @name Contexts @{ */

typedef struct aio_tls_context aio_tls_context;

/** Which end of a connection. */
typedef enum aio_tls_side {
    AIO_TLS_CLIENT, /**< verifies the peer's certificate and host name at first */
    AIO_TLS_SERVER  /**< asks for no certificate at first */
} aio_tls_side;

/**
 * Make a context: TLS 1.2 and up, no renegotiation, no compression. A client that was told of no
 * authorities trusts the system's, which are loaded once for the process.
 *
 * @return Returned: aio_tls_context_unref() it. NULL when memory is short.
 * Suspends: no.   asyncio: ssl.create_default_context()          Since: 0.1
 */
AIO_API aio_tls_context *aio_tls_context_new(aio_tls_side side);
/** Take another reference. Thread: any. Since: 0.1 */
AIO_API aio_tls_context *aio_tls_context_ref(aio_tls_context *context);
/** Drop a reference; NULL is allowed. Thread: any. Since: 0.1 */
AIO_API void aio_tls_context_unref(aio_tls_context *context);
AIO_DEFINE_AUTO(aio_tls_context)

/**
 * Load a certificate, with those up to its authority behind it, and its private key; PEM.
 *
 * @param key_file  NULL: in the same file. A key with a passphrase is refused.
 * @return 0, AIO_ESSL, AIO_ENOMEM, AIO_EVALUE, or the system's code for a file that cannot be read.
 * Suspends: no (it reads files).   asyncio: SSLContext.load_cert_chain()   Since: 0.1
 */
AIO_API int aio_tls_context_load_cert_chain(aio_tls_context *context, const char *cert_file,
                                            const char *key_file);

/**
 * Trust the authorities of a file, or of a directory with hashed names, instead of the system's.
 *
 * @return As aio_tls_context_load_cert_chain().
 * Suspends: no (it reads files).   asyncio: SSLContext.load_verify_locations()   Since: 0.1
 */
AIO_API int aio_tls_context_load_verify_locations(aio_tls_context *context, const char *ca_file,
                                                  const char *ca_dir);

/** What is asked of the peer's certificate. asyncio: ssl.VerifyMode */
typedef enum aio_tls_verify {
    AIO_TLS_VERIFY_NONE,     /**< nothing: a client then talks to anybody */
    AIO_TLS_VERIFY_OPTIONAL, /**< of a server: a client may have none, but no bad one */
    AIO_TLS_VERIFY_REQUIRED  /**< a good one */
} aio_tls_verify;

/** Set it. Without verification host names are not checked either. 0, AIO_EVALUE.
 *  asyncio: SSLContext.verify_mode   Since: 0.1 */
AIO_API int aio_tls_context_set_verify(aio_tls_context *context, aio_tls_verify verify);
/** Whether a client compares the server's certificate with the host name; true at first.
 *  asyncio: SSLContext.check_hostname   Since: 0.1 */
AIO_API void aio_tls_context_set_check_hostname(aio_tls_context *context, bool check);

/**
 * Offer protocols, or choose among those offered, the first being preferred: "h2", "http/1.1".
 * A server and a client with none in common go on without.
 *
 * @return 0, AIO_ENOMEM, AIO_EVALUE for a name that is empty or longer than 255 bytes.
 * asyncio: SSLContext.set_alpn_protocols()                       Since: 0.1
 */
AIO_API int aio_tls_context_set_alpn_protocols(aio_tls_context *context,
                                               const char *const *protocols, size_t count);

/** Versions of the protocol. asyncio: ssl.TLSVersion */
typedef enum aio_tls_version { AIO_TLS_1_2, AIO_TLS_1_3 } aio_tls_version;

/** Refuse what is older; TLS 1.2 at first. 0, AIO_EVALUE.
 *  asyncio: SSLContext.minimum_version   Since: 0.1 */
AIO_API int aio_tls_context_set_minimum_version(aio_tls_context *context, aio_tls_version version);

/**
 * Chooses by the name that a client asks for. Runs outside any task, and must not suspend.
 *
 * @param name  Borrowed; NULL: the client gave none.
 * @return The context to go on with, borrowed; NULL refuses the connection.
 */
typedef aio_tls_context *(*aio_tls_sni_fn)(const char *name, aio_tls_context *context, void *arg);

/** Set it for a server; NULL: none. asyncio: SSLContext.sni_callback   Since: 0.1 */
AIO_API void aio_tls_context_set_sni_callback(aio_tls_context *context, aio_tls_sni_fn fn,
                                              void *arg);
/** The SSL_CTX, for all that is not here, borrowed. Since: 0.1 */
AIO_API void *aio_tls_context_native(aio_tls_context *context);
/** @} */

/** @name Connections
 *  aio_transport_get_extra_info() of their transports knows, beside what is below:
 *    "sslcontext"   const aio_tls_context *
 *    "ssl_object"   OpenSSL's SSL *
 *    "peercert"     OpenSSL's X509 *; NULL: the peer gave none
 *    "cipher"       const aio_tls_cipher *
 *    "compression"  always NULL
 *  They cannot write_eof(), and a protocol cannot keep them open after eof_received(). @{ */

/** What encrypts a connection. asyncio: SSLObject.cipher() */
typedef struct aio_tls_cipher {
    const char *name;
    const char *version; /**< "TLSv1.3" */
    int bits;
} aio_tls_cipher;

/** How a connection begins and ends. Zero in any field but size means the default. */
typedef struct aio_tls_options {
    size_t size;                 /**< sizeof(aio_tls_options) */
    const char *server_hostname; /**< whom a client means: a name or an address */
    double handshake_timeout;    /**< seconds; default 60 */
    double shutdown_timeout;     /**< seconds; default 30 */
} aio_tls_options;

/** The defaults. */
#define AIO_TLS_OPTIONS_INIT                                                                       \
    {                                                                                              \
        .size = sizeof(aio_tls_options)                                                            \
    }

/**
 * Turn a connection into TLS and wait for the handshake. The side is the context's.
 *
 * @param loop       Borrowed; NULL: the running loop.
 * @param transport  Borrowed; not to be used from now on, whatever the outcome.
 * @param protocol   The program's; kept by the new transport, until its release. Most often the
 *                   transport's former one. It gets no second connection_made.
 * @param context    Kept.
 * @param options    Copied. A client that checks host names needs server_hostname.
 * @param[out] ret_transport  Returned: aio_transport_unref() it. Written on success only.
 * @return 0, or a negative code; but for the last line the transport is closed then, and the
 *         protocol released:
 *   AIO_ESSLCERT       the peer's certificate is not to be trusted, or another's
 *   AIO_ESSL           the handshake failed otherwise
 *   -ECONNABORTED      it took longer than the timeout
 *   -ECONNRESET        the peer left
 *   AIO_ECANCELLED     the task was cancelled
 *   AIO_EVALUE, AIO_ETYPE, AIO_ENOLOOP, AIO_ENOMEM, AIO_ENOTASK   nothing has happened
 *
 * Suspends: yes.   Cancellation point: yes.
 * asyncio: loop.start_tls()                                      Since: 0.1
 */
AIO_API int aio_loop_start_tls(aio_loop *loop, aio_transport *transport, aio_protocol *protocol,
                               aio_tls_context *context, const aio_tls_options *options,
                               aio_transport **ret_transport) AIO_MUST_CHECK;

/**
 * Make a protocol that speaks TLS on the transport it is given and shows the program's protocol
 * what is inside: for the factory of a connection or server. The program's connection_made comes
 * after the handshake; if that fails, its release only.
 *
 * @param protocol  Kept until its release.
 * @param context   Kept.
 * @param options   Copied.
 * @return To be given to one transport. NULL on failure: AIO_EVALUE, AIO_ENOMEM, AIO_ENOLOOP,
 *         @p protocol then being the caller's still.
 * Suspends: no.   asyncio: asyncio.sslproto.SSLProtocol          Since: 0.1
 */
AIO_API aio_protocol *aio_tls_protocol_new(aio_loop *loop, aio_protocol *protocol,
                                           aio_tls_context *context,
                                           const aio_tls_options *options);

/** The protocol both sides agreed on; NULL: none, or no TLS. Borrowed from the transport.
 *  asyncio: SSLObject.selected_alpn_protocol()   Since: 0.1 */
AIO_API const char *aio_tls_selected_alpn_protocol(const aio_transport *transport);
/** @} */

AIO_END_DECLS

#endif
