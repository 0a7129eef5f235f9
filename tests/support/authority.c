/* SPDX-License-Identifier: MIT */
/*
 * authority.c - certificates for tests, by an authority of their own
 */
#include "support/authority.h"

#include "support/unit.h"

#include <stdio.h>

static char directory[] = "/tmp/aioc-tls-XXXXXX";

static const char script[] =
    "set -e; cd '%s'; exec >/dev/null 2>&1\n"
    "key() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key; }\n"
    "key ca; openssl req -x509 -new -key ca.key -subj /CN=authority -days 30 -out ca.pem\n"
    "leaf() { key $1; openssl req -new -key $1.key -subj \"/C=XX/O=Tests/CN=$1.test\" -out $1.csr\n"
    "  printf 'subjectAltName=%%s\\n' \"$2\" >$1.ext\n"
    "  openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -set_serial $3 -days 30 \\\n"
    "    -extfile $1.ext -out $1.crt; cat $1.crt $1.key >$1.pem; }\n"
    "leaf one DNS:one.test,IP:127.0.0.1,IP:::1,email:a@one.test,URI:http://one.test/ 0x1A2B\n"
    "leaf two DNS:two.test 2; leaf client DNS:client.test 3; leaf revoked DNS:one.test 4\n"
    "openssl ec -in one.key -aes256 -passout 'pass:open sesame' -out locked.key\n"
    "cat one.crt locked.key >locked.pem\n"
    "printf '%%s\\n' '[ca]' 'default_ca=a' '[a]' 'database=index' 'default_md=sha256' \\\n"
    "  'default_crl_days=30' >ca.cnf; : >index\n"
    "openssl ca -config ca.cnf -keyfile ca.key -cert ca.pem -revoke revoked.crt\n"
    "openssl ca -config ca.cnf -keyfile ca.key -cert ca.pem -gencrl -out crl.pem\n";

int authority_make(void **state)
{
    char text[4096];

    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    (void)snprintf(text, sizeof(text), script, directory);
    return system(text);
}

int authority_drop(void **state)
{
    char text[128];

    (void)state;
    (void)snprintf(text, sizeof(text), "rm -r '%s'", directory);
    return system(text);
}

const char *authority_file(const char *name)
{
    static char path[64];

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

aio_tls_context *authority_client(void)
{
    aio_tls_context *context = aio_tls_context_new(AIO_TLS_CLIENT);

    if (context != NULL)
        assert_int_equal(
            aio_tls_context_load_verify_locations(context, authority_file("ca.pem"), NULL), 0);
    return context;
}

aio_tls_context *authority_server(const char *certificate)
{
    aio_tls_context *context = aio_tls_context_new(AIO_TLS_SERVER);

    if (context != NULL)
        assert_int_equal(
            aio_tls_context_load_cert_chain(context, authority_file(certificate), NULL), 0);
    return context;
}
