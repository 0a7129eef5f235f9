/* SPDX-License-Identifier: MIT */
/*
 * error.c - the classes of the client's errors, and what libcurl's codes mean to us
 *
 * The names are those of aiohttp, where it has one.
 */
#include "http/client/client.h"

#include <aio/dns.h>
#include <aio/error.h>
#include <errno.h>

static const aio_error_class classes[] = {
    {AIO_HTTP_ECLIENT, 0, "ClientError", NULL},
    {AIO_HTTP_ESTATUS, AIO_HTTP_ECLIENT, "ClientResponseError", NULL},
    {AIO_HTTP_EREDIRECT, AIO_HTTP_ESTATUS, "TooManyRedirects", NULL},
    {AIO_HTTP_EPROTOCOL, AIO_HTTP_ECLIENT, "ServerConnectionError", "the server speaks no HTTP"},
    {AIO_HTTP_EPAYLOAD, AIO_HTTP_ECLIENT, "ClientPayloadError", "the body is cut or broken"},
    {AIO_HTTP_ETOOLARGE, AIO_HTTP_ECLIENT, "ClientTooLargeError", "the response is over the limit"},
    {AIO_HTTP_ECONTENTTYPE, AIO_HTTP_ESTATUS, "ContentTypeError", NULL},
    {AIO_HTTP_EPROXY, AIO_HTTP_ECLIENT, "ClientProxyConnectionError", "the proxy refuses"},
    {0, 0, NULL, NULL},
};

void aio__httpc_register_errors(void)
{
    (void)aio_error_register(classes); /* what is not registered has plainer names */
}

/* Why the system refused, if it was the system. */
static int system_code(const aio_http_response *response, int otherwise)
{
    long number = 0;

    (void)curl_easy_getinfo(response->easy, CURLINFO_OS_ERRNO, &number);
    return number > 0 ? -(int)number : otherwise;
}

/* Why there is no connection. libcurl does not ask why it was given no socket. */
static int connect_code(const aio_http_response *response)
{
    return system_code(response,
                       response->socket_error > 0 ? -response->socket_error : -ECONNREFUSED);
}

/* The connection was lost, or the server broke off, or the proxy said no. */
static int lost_code(const aio_http_response *response)
{
    long of_proxy = 0;

    (void)curl_easy_getinfo(response->easy, CURLINFO_HTTP_CONNECTCODE, &of_proxy);
    if (!response->connected && of_proxy >= 300)
        return AIO_HTTP_EPROXY;
    return response->head_is_done ? AIO_HTTP_EPAYLOAD : system_code(response, -ECONNRESET);
}

int aio__httpc_code_of(CURLcode result, const aio_http_response *response)
{
    switch (result) {
    case CURLE_OK: return 0;
    case CURLE_OUT_OF_MEMORY: return AIO_ENOMEM;
    case CURLE_URL_MALFORMAT: return AIO_EVALUE;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return AIO_EAI_NONAME;
    case CURLE_COULDNT_CONNECT: return connect_code(response);
    case CURLE_OPERATION_TIMEDOUT: return AIO_ETIMEDOUT;
    case CURLE_PEER_FAILED_VERIFICATION: return AIO_ESSLCERT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT: return AIO_ESSL;
    case CURLE_PROXY: return AIO_HTTP_EPROXY;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_RECV_ERROR: return lost_code(response);
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return response->head_is_done ? AIO_HTTP_EPAYLOAD : AIO_HTTP_EPROTOCOL;
    default: return AIO_HTTP_EPROTOCOL;
    }
}

int aio__httpc_transfer_raise(const aio_http_response *response)
{
    int code = response->code;
    const char *why = response->why != NULL             ? response->why
                      : code == -response->socket_error ? aio_strerror(code)
                      : response->error[0] != 0         ? response->error
                                                        : aio_strerror(code);

    if (code == AIO_ENOMEM || code == AIO_ECANCELLED)
        return code;
    if (!response->connected && aio_error_is(code, AIO_EOS) && code != AIO_ETIMEDOUT)
        return aio_raise(code, "Cannot connect to host %s [%s]", response->url.origin, why);
    if (code == -ECONNRESET)
        return aio_raise(code, "Server disconnected: %s", response->url.shown);
    return aio_raise(code, "%s: %s", why, response->url.shown);
}
