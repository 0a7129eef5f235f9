/* SPDX-License-Identifier: MIT */
/*
 * trust.c - whom a session trusts: certificates of authorities, loaded once
 *
 * The system's bundle takes tens of milliseconds to read, and libcurl reads it for each session.
 * So a thread reads it: the system's once for the process, others once for the session; every
 * connection then shares the store. That needs libcurl to use the same OpenSSL. Where it does not,
 * it reads the files itself.
 */
#include "http/client/client.h"

#include <aio/error.h>
#include <aio/executor.h>
#include <aio/memory.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>

/* What the thread is to load; in one block that goes with the job. */
struct job {
    bool has_file;
    bool has_dir;
    char texts[]; /* the file's name, the directory's */
};

static X509_STORE *system_store;

static void load_system_store(void)
{
    X509_STORE *store = X509_STORE_new();

    if (store != NULL)
        (void)X509_STORE_set_default_paths(store); /* without any, nobody is trusted */
    ERR_clear_error();
    system_store = store;
}

static void free_store(void *store)
{
    X509_STORE_free(store);
}

static const aio_type store_type = {.destroy = free_store};

static int load_stores(const struct job *job, void **ret_result)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const char *file = job->has_file ? job->texts : NULL;
    const char *dir = job->has_dir ? job->texts + strlen(job->texts) + 1 : NULL;
    X509_STORE *store;
    int done;

    if (file == NULL && dir == NULL) {
        (void)pthread_once(&once, load_system_store);
        if (system_store == NULL || X509_STORE_up_ref(system_store) != 1)
            return AIO_ENOMEM;
        *ret_result = system_store;
        return 0;
    }
    store = X509_STORE_new();
    if (store == NULL)
        return AIO_ENOMEM;
    done = file == NULL || X509_STORE_load_file(store, file) == 1;
    done = done && (dir == NULL || X509_STORE_load_path(store, dir) == 1);
    ERR_clear_error();
    if (!done) {
        X509_STORE_free(store);
        return aio_raise(AIO_ESSL, "cannot load authorities from %s", file != NULL ? file : dir);
    }
    *ret_result = store;
    return 0;
}

/* In a thread, which may never use OpenSSL again: what that keeps for each thread goes. */
static int load(void *arg, void **ret_result)
{
    int err = load_stores(arg, ret_result);

    OPENSSL_thread_stop();
    return err;
}

static int load_in_thread(aio_http_session *session)
{
    const char *file = session->options.ca_file;
    const char *dir = session->options.ca_dir;
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    struct job *job;
    char *end;
    int err;

    options.arg_size =
        sizeof(*job) + (file == NULL ? 0 : strlen(file)) + (dir == NULL ? 0 : strlen(dir)) + 2;
    options.result_type = &store_type;
    job = aio_calloc(1, options.arg_size);
    if (job == NULL)
        return AIO_ENOMEM;
    job->has_file = file != NULL;
    job->has_dir = dir != NULL;
    end = stpcpy(job->texts, file == NULL ? "" : file) + 1;
    (void)strcpy(end, dir == NULL ? "" : dir);
    err = aio_to_thread_with(load, job, &options, &session->store);
    aio_free(job);
    return err;
}

int aio__httpc_trust(aio_http_session *session)
{
    int err = 0;

    if (session->trust_is_known)
        return 0;
    if (!aio__httpc_curl_has_openssl()) {
        session->trust_is_known = true;
        return 0;
    }
    err = aio_lock_acquire(session->trust_lock);
    if (err < 0)
        return err;
    if (!session->trust_is_known) {
        err = load_in_thread(session);
        session->trust_is_known = err == 0;
    }
    (void)aio_lock_release(session->trust_lock);
    if (session->closed)
        aio__httpc_trust_free(session);
    return err;
}

void aio__httpc_trust_free(aio_http_session *session)
{
    X509_STORE_free(session->store);
    session->store = NULL;
}

/* libcurl's: a context for a connection. */
static CURLcode on_context(CURL *easy, void *context, void *arg)
{
    const aio_http_session *session = arg;

    (void)easy;
    if (session->store != NULL)
        SSL_CTX_set1_cert_store(context, session->store);
    return CURLE_OK;
}

int aio__httpc_trust_use(aio_http_session *session, CURL *easy)
{
    const aio_http_session_options *options = &session->options;
    bool is_ours = aio__httpc_curl_has_openssl();
    CURLcode result = CURLE_OK;

    if (is_ours || options->ca_file != NULL || options->ca_dir != NULL) {
        result = curl_easy_setopt(easy, CURLOPT_CAINFO, is_ours ? NULL : options->ca_file);
        if (result == CURLE_OK)
            result = curl_easy_setopt(easy, CURLOPT_CAPATH, is_ours ? NULL : options->ca_dir);
    }
    if (result == CURLE_OK && is_ours)
        result = curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context);
    if (result == CURLE_OK && is_ours)
        result = curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, session);
    return result == CURLE_OK ? 0 : AIO_ENOMEM;
}
