/* SPDX-License-Identifier: MIT */
/*
 * tls.h - TLS over any transport, by OpenSSL
 *
 * A context says who we are and whom we trust; it serves any number of connections. A connection
 * is turned into TLS by aio_loop_start_tls(), or begins with it by a protocol of
 * aio_tls_protocol_new(). Either way the program's protocol sees an ordinary transport.
 *
 * Most programs need neither: the `ssl` of connect.h, server.h and stream.h's options does it.
 *
 * Built without OpenSSL, aio_tls_context_new() gives NULL and AIO_ENOTIMPLEMENTED, and so does every
 * call that is given aio_tls_context_default().
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
typedef struct aio_tls_session aio_tls_session;

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
/**
 * A client's context with the defaults, one for the process: what asyncio makes of ssl=True. Never
 * NULL, so that a shortage of memory cannot make a connection a plain one. It cannot be changed.
 *
 * @return Borrowed, for ever. Thread: any.   asyncio: ssl=True   Since: 0.1
 */
AIO_API aio_tls_context *aio_tls_context_default(void);
/** Take another reference. Thread: any. Since: 0.1 */
AIO_API aio_tls_context *aio_tls_context_ref(aio_tls_context *context);
/** Drop a reference; NULL is allowed. Thread: any. Since: 0.1 */
AIO_API void aio_tls_context_unref(aio_tls_context *context);
AIO_DEFINE_AUTO(aio_tls_context)

/**
 * Load a certificate, with those up to its authority behind it, and its private key; PEM.
 *
 * @param key_file  NULL: in the same file. One that is encrypted needs the password of
 *                  aio_tls_context_set_password(), else it is refused: AIO_ESSL.
 * @return 0, AIO_ESSL, AIO_ENOMEM, AIO_EVALUE, or the system's code for a file that cannot be read.
 * Suspends: no (it reads files).   asyncio: SSLContext.load_cert_chain()   Since: 0.1
 */
AIO_API int aio_tls_context_load_cert_chain(aio_tls_context *context, const char *cert_file,
                                            const char *key_file);

/** Set the password of keys that are loaded from now on; copied, and wiped with the context. NULL:
 *  none. 0, AIO_ENOMEM, AIO_EVALUE.   asyncio: load_cert_chain(password=)   Since: 0.1 */
AIO_API int aio_tls_context_set_password(aio_tls_context *context, const char *password);

/**
 * Trust the authorities of a file, or of a directory with hashed names, instead of the system's.
 *
 * @return As aio_tls_context_load_cert_chain().
 * Suspends: no (it reads files).   asyncio: SSLContext.load_verify_locations()   Since: 0.1
 */
AIO_API int aio_tls_context_load_verify_locations(aio_tls_context *context, const char *ca_file,
                                                  const char *ca_dir);

/**
 * The same from memory: certificates and revocation lists as PEM, or certificates as DER, one after
 * the other. Those before a bad one stay.
 *
 * @param data  Borrowed for the call.
 * @return 0, AIO_ESSL, AIO_ENOMEM, AIO_EVALUE for no bytes.
 * Suspends: no.   asyncio: load_verify_locations(cadata=)        Since: 0.1
 */
AIO_API int aio_tls_context_load_verify_data(aio_tls_context *context, const void *data,
                                             size_t size);

/** What is asked of the peer's certificate. asyncio: ssl.VerifyMode */
typedef enum aio_tls_verify {
    AIO_TLS_VERIFY_NONE,     /**< nothing: a client then talks to anybody */
    AIO_TLS_VERIFY_OPTIONAL, /**< of a server: a client may have none, but no bad one */
    AIO_TLS_VERIFY_REQUIRED  /**< a good one */
} aio_tls_verify;

/** Set it. Without verification host names are not checked either. 0, AIO_EVALUE.
 *  asyncio: SSLContext.verify_mode   Since: 0.1 */
AIO_API int aio_tls_context_set_verify(aio_tls_context *context, aio_tls_verify verify);
/** What is checked beside, as bits. asyncio: ssl.VerifyFlags */
enum {
    AIO_TLS_VERIFY_CRL_CHECK_LEAF = 1,  /**< its authority has not revoked it; needs its list */
    AIO_TLS_VERIFY_CRL_CHECK_CHAIN = 2, /**< nor any of those above it */
    AIO_TLS_VERIFY_X509_STRICT = 4,     /**< no leniency towards malformed certificates */
    AIO_TLS_VERIFY_PARTIAL_CHAIN = 8    /**< any trusted certificate ends a chain */
};
/** Set them; 0 at first. 0, AIO_EVALUE.   asyncio: SSLContext.verify_flags   Since: 0.1 */
AIO_API int aio_tls_context_set_verify_flags(aio_tls_context *context, unsigned flags);
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

/** Refuse what is newer; nothing at first. 0, AIO_EVALUE.
 *  asyncio: SSLContext.maximum_version   Since: 0.1 */
AIO_API int aio_tls_context_set_maximum_version(aio_tls_context *context, aio_tls_version version);

/** Choose the ciphers of TLS 1.2, by a list of OpenSSL's: "ECDHE+AESGCM". Those of TLS 1.3 stay.
 *  0, AIO_ESSL if it selects none, AIO_EVALUE.   asyncio: SSLContext.set_ciphers()   Since: 0.1 */
AIO_API int aio_tls_context_set_ciphers(aio_tls_context *context, const char *ciphers);

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
/** OpenSSL's SSL_CTX, for all that is not here, borrowed; NULL: memory is short. Since: 0.1 */
AIO_API void *aio_tls_context_native(aio_tls_context *context);
/** @} */

/** @name Connections
 *  aio_transport_get_extra_info() of their transports knows, beside what is below:
 *    "sslcontext"   const aio_tls_context *
 *    "ssl_object"   OpenSSL's SSL *
 *    "peercert"     const aio_tls_certificate *; NULL: the peer gave none
 *    "cipher"       const aio_tls_cipher *
 *    "compression"  always NULL: there is none
 *  They cannot write_eof(), and a protocol cannot keep them open after eof_received(). @{ */

/** Part of a name: { "commonName", "example.org" }, { "DNS", "*.example.org" }. */
typedef struct aio_tls_name {
    const char *type;
    const char *value; /**< UTF-8; in alternative names what is not text is escaped */
} aio_tls_name;

/** What a certificate says. asyncio: SSLObject.getpeercert() */
typedef struct aio_tls_certificate {
    const aio_tls_name *subject; /**< whose it is */
    size_t subject_count;
    const aio_tls_name *issuer; /**< who says so */
    size_t issuer_count;
    const aio_tls_name *alt_names; /**< subjectAltName: DNS, IP Address, email, URI */
    size_t alt_name_count;
    const char *serial_number; /**< hexadecimal, upper case */
    long version;              /**< 3 */
    double not_before;         /**< seconds since 1970, as ssl.cert_time_to_seconds() */
    double not_after;
    const void *der; /**< the certificate itself: getpeercert(True) */
    size_t der_size;
    bool is_verified; /**< somebody we trust says so; else anybody may have written it */
} aio_tls_certificate;

/** What encrypts a connection. asyncio: SSLObject.cipher() */
typedef struct aio_tls_cipher {
    const char *name;
    const char *version; /**< "TLSv1.3" */
    int bits;
} aio_tls_cipher;

/** How a connection begins and ends. Zero in any field but size means the default. */
typedef struct aio_tls_options {
    size_t size;                 /**< sizeof(aio_tls_options) */
    const char *server_hostname; /**< whom a client means: a name or an address; "": not compared */
    double handshake_timeout;    /**< seconds; default 60 */
    double shutdown_timeout;     /**< seconds; default 30 */
    /** To be resumed by a client, if the server still knows it: of the same context, and the same
     *  server_hostname. NULL: none. */
    aio_tls_session *session;
} aio_tls_options;

/** The defaults. */
#define AIO_TLS_OPTIONS_INIT AIO_SIZED(aio_tls_options)

/**
 * Turn a connection into TLS and wait for the handshake. The side is the context's.
 *
 * @param loop       Borrowed; NULL: the running loop.
 * @param transport  Borrowed; not to be used from now on, whatever the outcome.
 * @param protocol   The program's; kept by the new transport, until its release. Most often the
 *                   transport's former one. It gets no second connection_made, but connection_lost
 *                   also when the handshake fails.
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
 *   AIO_EVALUE, AIO_ETYPE, AIO_ENOLOOP, AIO_ENOMEM, AIO_ENOTASK, AIO_ENOTIMPLEMENTED   nothing has
 *                      happened
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
/** @} */

/** @name Sessions
 *  A client that keeps the session of a connection can shorten the handshake of the next. @{ */

/**
 * The session of a connection. By TLS 1.3 it is resumable only some time after the handshake: read
 * something first.
 *
 * @return Returned: aio_tls_session_unref() it. NULL: no TLS (AIO_EVALUE), or memory is short.
 * asyncio: SSLObject.session                                     Since: 0.1
 */
AIO_API aio_tls_session *aio_tls_get_session(const aio_transport *transport);
/** Take another reference; NULL is given back. Thread: any. Since: 0.1 */
AIO_API aio_tls_session *aio_tls_session_ref(aio_tls_session *session);
/** Drop a reference; NULL is allowed. Thread: any. Since: 0.1 */
AIO_API void aio_tls_session_unref(aio_tls_session *session);
AIO_DEFINE_AUTO(aio_tls_session)
/** Whether a server might know it again.   asyncio: SSLSession.has_ticket, nearly   Since: 0.1 */
AIO_API bool aio_tls_session_is_resumable(const aio_tls_session *session);
/** Whether this connection resumed one.   asyncio: SSLObject.session_reused   Since: 0.1 */
AIO_API bool aio_tls_session_reused(const aio_transport *transport);
/** @} */

/** @name Of transports of TLS alone
 *  Others: AIO_ENOTIMPLEMENTED, or zeros. @{ */

/** Set the water marks of what is received and not decrypted, in bytes: the transport below pauses
 *  at @p high, and goes on at @p low. As aio_transport_set_write_buffer_limits(), the default being
 *  256 KiB. 0, AIO_EVALUE, AIO_ENOTIMPLEMENTED.
 *  asyncio: _SSLProtocolTransport.set_read_buffer_limits()   Since: 0.1 */
AIO_API int aio_transport_set_read_buffer_limits(aio_transport *transport, size_t high, size_t low);
/** The water marks.   asyncio: _SSLProtocolTransport.get_read_buffer_limits()   Since: 0.1 */
AIO_API void aio_transport_get_read_buffer_limits(const aio_transport *transport, size_t *ret_high,
                                                  size_t *ret_low);
/** Bytes received and not decrypted.
 *  asyncio: _SSLProtocolTransport.get_read_buffer_size()   Since: 0.1 */
AIO_API size_t aio_transport_get_read_buffer_size(const aio_transport *transport);
/** The protocol both sides agreed on; NULL: none, or no TLS. Borrowed from the transport.
 *  asyncio: SSLObject.selected_alpn_protocol()   Since: 0.1 */
AIO_API const char *aio_tls_selected_alpn_protocol(const aio_transport *transport);
/** @} */

AIO_END_DECLS

#endif
