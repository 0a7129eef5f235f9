/* SPDX-License-Identifier: MIT */
/*
 * tls_certificate.c - what a certificate says, for programs that do not speak OpenSSL
 *
 * Made when somebody asks, in one piece of memory that grows: while it does, texts are known by
 * their place, and pointers are made of them last.
 */
#include "net/tls_internal.h"

#include <aio/memory.h>
#include <arpa/inet.h>
#include <assert.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* A part of a name while its texts may still move. */
struct pair {
    size_t type;
    size_t value;
};

struct builder {
    struct pair *pairs;
    size_t pair_count;
    size_t pair_room;
    char *text;
    size_t text_size;
    size_t text_room;
    bool failed; /* memory is short */
};

static void *grown(void *old, size_t needed, size_t *room, size_t size)
{
    size_t more = *room == 0 ? 64 : 2 * *room;
    void *memory;

    while (more < needed)
        more *= 2;
    memory = aio_realloc(old, more * size);
    if (memory != NULL)
        *room = more;
    return memory;
}

/* Keep a text: its place. What is no text is escaped as in C, so that a 0 cannot cut a name. */
static size_t keep(struct builder *b, const char *text, size_t size)
{
    size_t place = b->text_size;

    if (b->text_room < place + 4 * size + 1) {
        char *memory = grown(b->text, place + 4 * size + 1, &b->text_room, 1);

        if (memory == NULL) {
            b->failed = true;
            return 0;
        }
        b->text = memory;
    }
    assert(b->text != NULL);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c < 0x20 || c == 0x7f)
            b->text_size += (size_t)sprintf(b->text + b->text_size, "\\x%02x", c);
        else
            b->text[b->text_size++] = (char)c;
    }
    b->text[b->text_size++] = '\0';
    return place;
}

static void add(struct builder *b, const char *type, const char *value, size_t size)
{
    struct pair pair = {keep(b, type, strlen(type)), keep(b, value, size)};

    if (b->pair_count == b->pair_room) {
        struct pair *memory = grown(b->pairs, b->pair_count + 1, &b->pair_room, sizeof(pair));

        if (memory == NULL) {
            b->failed = true;
            return;
        }
        b->pairs = memory;
    }
    b->pairs[b->pair_count++] = pair;
}

/* --- names ------------------------------------------------------------------------------ */

static void add_entry(struct builder *b, const X509_NAME_ENTRY *entry)
{
    const ASN1_OBJECT *object = X509_NAME_ENTRY_get_object(entry);
    int nid = OBJ_obj2nid(object);
    unsigned char *utf8 = NULL;
    char dotted[80];
    int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));

    (void)OBJ_obj2txt(dotted, sizeof(dotted), object, 1);
    if (size >= 0)
        add(b, nid == NID_undef ? dotted : OBJ_nid2ln(nid), (const char *)utf8, (size_t)size);
    OPENSSL_free(utf8);
}

static size_t add_name(struct builder *b, const X509_NAME *name)
{
    size_t before = b->pair_count;

    for (int i = 0; i < X509_NAME_entry_count(name); i++)
        add_entry(b, X509_NAME_get_entry(name, i));
    return b->pair_count - before;
}

static void add_text(struct builder *b, const char *type, const ASN1_STRING *text)
{
    add(b, type, (const char *)ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
}

static void add_address(struct builder *b, const ASN1_STRING *address)
{
    char text[INET6_ADDRSTRLEN];
    int size = ASN1_STRING_length(address);

    if ((size == 4 || size == 16) && inet_ntop(size == 4 ? AF_INET : AF_INET6,
                                               ASN1_STRING_get0_data(address), text, sizeof(text)))
        add(b, "IP Address", text, strlen(text));
    else
        add(b, "IP Address", "<invalid>", strlen("<invalid>"));
}

static size_t add_alt_names(struct builder *b, const X509 *native)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(native, NID_subject_alt_name, NULL, NULL);
    size_t before = b->pair_count;

    for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        switch (name->type) {
        case GEN_DNS: add_text(b, "DNS", name->d.dNSName); break;
        case GEN_EMAIL: add_text(b, "email", name->d.rfc822Name); break;
        case GEN_URI: add_text(b, "URI", name->d.uniformResourceIdentifier); break;
        case GEN_IPADD: add_address(b, name->d.iPAddress); break;
        default: break; /* kinds that nobody compares with: they are in the DER */
        }
    }
    GENERAL_NAMES_free(names);
    return b->pair_count - before;
}

/* --- the rest --------------------------------------------------------------------------- */

static size_t add_serial(struct builder *b, const X509 *native)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(native), NULL);
    char *text = number == NULL ? NULL : BN_bn2hex(number);
    size_t place = 0;

    if (text == NULL)
        b->failed = true;
    else
        place = keep(b, text, strlen(text));
    OPENSSL_free(text);
    BN_free(number);
    return place;
}

static double seconds_of(const ASN1_TIME *time)
{
    struct tm parts;

    return ASN1_TIME_to_tm(time, &parts) == 1 ? (double)timegm(&parts) : 0;
}

/* --- the whole -------------------------------------------------------------------------- */

/* One allocation, and what it points to in it: the pairs, the DER, the texts. */
struct whole {
    aio_tls_certificate certificate; /* first */
    aio_tls_name names[];
};

static struct whole *assemble(const struct builder *b, const X509 *native, int der_size)
{
    size_t names_size = b->pair_count * sizeof(aio_tls_name);
    struct whole *whole =
        aio_calloc(1, sizeof(*whole) + names_size + (size_t)der_size + b->text_size);
    unsigned char *der;
    char *text;

    if (whole == NULL)
        return NULL;
    der = (unsigned char *)whole->names + names_size;
    text = (char *)der + der_size;
    memcpy(text, b->text, b->text_size);
    for (size_t i = 0; i < b->pair_count; i++)
        whole->names[i] =
            (aio_tls_name){.type = text + b->pairs[i].type, .value = text + b->pairs[i].value};
    whole->certificate.der = der;
    whole->certificate.der_size = (size_t)i2d_X509(native, &der);
    whole->certificate.serial_number = text;
    return whole;
}

static aio_tls_certificate *describe(struct builder *b, const X509 *native)
{
    aio_tls_certificate *certificate;
    struct whole *whole;
    int der_size = i2d_X509(native, NULL);
    size_t serial = add_serial(b, native); /* the first text */
    size_t subject_count = add_name(b, X509_get_subject_name(native));
    size_t issuer_count = add_name(b, X509_get_issuer_name(native));
    size_t alt_name_count = add_alt_names(b, native);

    if (b->failed || der_size < 0)
        return NULL;
    whole = assemble(b, native, der_size);
    if (whole == NULL)
        return NULL;
    certificate = &whole->certificate;
    certificate->serial_number += serial;
    certificate->subject = whole->names;
    certificate->subject_count = subject_count;
    certificate->issuer = certificate->subject + subject_count;
    certificate->issuer_count = issuer_count;
    certificate->alt_names = certificate->issuer + issuer_count;
    certificate->alt_name_count = alt_name_count;
    certificate->version = X509_get_version(native) + 1;
    certificate->not_before = seconds_of(X509_get0_notBefore(native));
    certificate->not_after = seconds_of(X509_get0_notAfter(native));
    return certificate;
}

aio_tls_certificate *aio__tls_certificate_of(const SSL *ssl)
{
    const X509 *native = SSL_get0_peer_certificate(ssl);
    struct builder b = {0};
    aio_tls_certificate *certificate;

    if (native == NULL)
        return NULL;
    certificate = describe(&b, native);
    if (certificate != NULL)
        certificate->is_verified =
            SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE && SSL_get_verify_result(ssl) == X509_V_OK;
    ERR_clear_error();
    aio_free(b.pairs);
    aio_free(b.text);
    return certificate;
}

void aio__tls_certificate_free(aio_tls_certificate *certificate)
{
    aio_free(certificate);
}
