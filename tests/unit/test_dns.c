/* SPDX-License-Identifier: MIT */
/*
 * test_dns.c - names to addresses and back, asked of a name server of our own
 */
#include "support/dnsserver.h"
#include "support/fixture.h"

#include <aio/aio.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A lookup in a task, and what it gave: "192.0.2.1:80/tcp ...". */
struct lookup {
    const char *host;
    const char *service;
    struct addrinfo hints;
    int err;
    char canonical_name[64];
    size_t count;
    char text[8192];
};

static void describe(struct lookup *l, const struct addrinfo *list)
{
    static const char *const types[] = {
        [SOCK_STREAM] = "tcp", [SOCK_DGRAM] = "udp", [SOCK_RAW] = "raw"};
    size_t used = 0;

    for (; list != NULL; list = list->ai_next) {
        char host[64];
        char port[16];

        (void)getnameinfo(list->ai_addr, list->ai_addrlen, host, sizeof(host), port, sizeof(port),
                          NI_NUMERICHOST | NI_NUMERICSERV);
        used += (size_t)snprintf(l->text + used, sizeof(l->text) - used, "%s%s:%s/%s",
                                 used == 0 ? "" : " ", host, port, types[list->ai_socktype]);
        if (list->ai_canonname != NULL)
            (void)snprintf(l->canonical_name, sizeof(l->canonical_name), "%s", list->ai_canonname);
        l->count++;
    }
}

static int look_up(void *arg, void **ret_result)
{
    struct lookup *l = arg;
    struct addrinfo *list = NULL;

    (void)ret_result;
    l->err = aio_loop_getaddrinfo(NULL, l->host, l->service, &l->hints, &list);
    describe(l, list);
    aio_freeaddrinfo(list);
    return l->err == AIO_ECANCELLED ? l->err : 0;
}

static aio_task *start(struct fixture *f, aio_coro_fn fn, void *arg)
{
    aio_task *task = aio_loop_create_task(f->loop, fn, arg, NULL);

    assert_non_null(task);
    f->tasks[f->task_count++] = task;
    return task;
}

/* --- what needs no server -------------------------------------------------------------- */

static void a_numeric_address_is_answered_at_once_outside_any_task(void **state)
{
    struct fixture *f = *state;
    struct lookup l = {0};
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;

    assert_int_equal(aio_loop_getaddrinfo(f->loop, "192.0.2.7", "443", &hints, &list), 0);
    describe(&l, list);
    aio_freeaddrinfo(list);
    assert_string_equal(l.text, "192.0.2.7:443/tcp");
    assert_int_equal(aio_loop_getaddrinfo(f->loop, "::1", NULL, NULL, &list), 0);
    describe(&l, list);
    aio_freeaddrinfo(list);
    assert_string_equal(l.text, "::1:0/tcp ::1:0/udp ::1:0/raw");
}

static void no_host_is_this_one(void **state)
{
    struct fixture *f = *state;
    struct lookup l = {0};
    struct addrinfo hints = {
        .ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;

    assert_int_equal(aio_loop_getaddrinfo(f->loop, NULL, "80", &hints, &list), 0);
    describe(&l, list);
    aio_freeaddrinfo(list);
    assert_string_equal(l.text, "0.0.0.0:80/tcp");
    hints.ai_flags = 0;
    assert_int_equal(aio_loop_getaddrinfo(f->loop, NULL, "80", &hints, &list), 0);
    describe(&l, list);
    aio_freeaddrinfo(list);
    assert_string_equal(l.text, "127.0.0.1:80/tcp");
}

static void wrong_calls_are_refused(void **state)
{
    struct fixture *f = *state;
    struct sockaddr local = {.sa_family = AF_UNIX};
    struct addrinfo *list = NULL;
    aio_nameinfo name;

    assert_int_equal(aio_loop_getaddrinfo(f->loop, "::1", NULL, NULL, NULL), AIO_EVALUE);
    assert_int_equal(aio_loop_getaddrinfo(f->loop, NULL, NULL, NULL, &list), AIO_EAI_NONAME);
    assert_int_equal(aio_loop_getaddrinfo(f->loop, "one.test", NULL, NULL, &list), AIO_ENOTASK);
    assert_int_equal(aio_loop_getnameinfo(f->loop, NULL, 0, &name), AIO_EVALUE);
    assert_int_equal(aio_loop_getnameinfo(f->loop, &local, 0, &name), AIO_EAI_FAMILY);
    assert_null(list);
    fx_settle(f);
}

static void a_closed_loop_resolves_nothing(void **state)
{
    struct fixture *f = *state;
    struct addrinfo *list = NULL;

    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_int_equal(aio_loop_getaddrinfo(f->loop, "::1", NULL, NULL, &list), AIO_ECLOSED);
    assert_int_equal(aio_loop_set_dns_options(f->loop, NULL), AIO_ECLOSED);
}

static void options_out_of_bounds_are_refused(void **state)
{
    struct fixture *f = *state;
    aio_dns_options options = AIO_DNS_OPTIONS_INIT;

    options.timeout = -1;
    assert_int_equal(aio_loop_set_dns_options(f->loop, &options), AIO_EVALUE);
    options.timeout = 0;
    options.tries = 1000;
    assert_int_equal(aio_loop_set_dns_options(f->loop, &options), AIO_EVALUE);
    options.tries = 0;
    options.way = (aio_dns_way)7;
    assert_int_equal(aio_loop_set_dns_options(f->loop, &options), AIO_EVALUE);
    options = (aio_dns_options)AIO_DNS_OPTIONS_INIT;
    options.size = 1;
    assert_int_equal(aio_loop_set_dns_options(f->loop, &options), AIO_EVALUE);
    assert_int_equal(aio_loop_set_dns_options(f->loop, NULL), 0);
}

/* --- the system's way ------------------------------------------------------------------ */

static void the_system_knows_localhost(void **state)
{
    struct fixture *f = *state;
    aio_dns_options options = AIO_DNS_OPTIONS_INIT;
    struct lookup l = {.host = "localhost",
                       .service = "80",
                       .hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}};

    options.way = AIO_DNS_SYSTEM;
    assert_int_equal(aio_loop_set_dns_options(f->loop, &options), 0);
    start(f, look_up, &l);
    fx_settle(f);
    assert_int_equal(l.err, 0);
    assert_memory_equal(l.text, "127.0.0.1:80/tcp", strlen("127.0.0.1:80/tcp"));
}

/* A reverse lookup in a task. */
struct reverse {
    const char *address;
    int flags;
    int err;
    aio_nameinfo name;
};

static int look_back(void *arg, void **ret_result)
{
    struct reverse *r = arg;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};

    (void)ret_result;
    (void)inet_pton(AF_INET, r->address, &address.sin_addr);
    r->err = aio_loop_getnameinfo(NULL, (struct sockaddr *)&address, r->flags, &r->name);
    return 0;
}

static void the_system_names_a_numeric_address(void **state)
{
    struct fixture *f = *state;
    struct reverse r = {.address = "192.0.2.9", .flags = NI_NUMERICHOST};
    struct reverse numbers = {.address = "192.0.2.9", .flags = NI_NUMERICHOST | NI_NUMERICSERV};

    start(f, look_back, &r);
    start(f, look_back, &numbers);
    fx_settle(f);
    assert_int_equal(r.err, 0);
    assert_string_equal(r.name.host, "192.0.2.9");
    assert_string_equal(r.name.service, "http");
    assert_int_equal(numbers.err, 0);
    assert_string_equal(numbers.name.service, "80");
}

/* The pool's threads have stacks of their own, c-ares and the files run on the thread's. */
static void lookups_fit_on_the_smallest_stack(void **state)
{
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;
    aio_dns_options system = AIO_DNS_OPTIONS_INIT;
    struct lookup name = {.host = "localhost", .service = "http"};
    struct lookup number = {.host = "fe80::1%lo", .service = "80"};
    struct lookup none = {.service = "80"};
    aio_loop *loop;

    (void)state;
    options.stack_size = 16 * 1024;
    system.way = AIO_DNS_SYSTEM;
    loop = aio_loop_new(&options);
    assert_non_null(loop);
    assert_int_equal(aio_loop_set_dns_options(loop, &system), 0);
    for (struct lookup *const *l = (struct lookup *const[]){&name, &number, &none, NULL}; *l; l++) {
        AIO_AUTO(aio_task) task = aio_loop_create_task(loop, look_up, *l, NULL);

        assert_int_equal(aio_loop_run_until_complete(loop, task, NULL), 0);
        assert_int_equal((*l)->err, 0);
        assert_true((*l)->count > 0);
    }
    assert_int_equal(aio_loop_close(loop), 0);
    aio_loop_unref(loop);
}

#ifdef AIO__CARES

/* --- asked of our server --------------------------------------------------------------- */

static aio_dns_options our_options(const struct dns_server *server)
{
    aio_dns_options options = AIO_DNS_OPTIONS_INIT;

    options.way = AIO_DNS_CARES;
    options.servers = dns_server_address(server);
    options.domains = "";
    return options;
}

static int setup_server(void **state)
{
    struct fixture *f;
    struct dns_server *server = dns_server_start();
    aio_dns_options options;

    if (server == NULL || fx_setup(state) < 0)
        return -1;
    f = *state;
    f->subject = server;
    options = our_options(server);
    return aio_loop_set_dns_options(f->loop, &options);
}

static int teardown_server(void **state)
{
    struct fixture *f = *state;
    struct dns_server *server = f->subject;
    int err = fx_teardown(state);

    dns_server_stop(server);
    return err;
}

/* Look a host up for TCP, and wait for the answer. */
static struct lookup *ask(struct fixture *f, const char *host)
{
    static struct lookup l;

    memset(&l, 0, sizeof(l));
    l.host = host;
    l.service = "80";
    l.hints.ai_socktype = SOCK_STREAM;
    start(f, look_up, &l);
    fx_settle(f);
    return &l;
}

static void assert_gives(struct fixture *f, const char *host, const char *expected)
{
    struct lookup *l = ask(f, host);

    assert_int_equal(l->err, 0);
    assert_string_equal(l->text, expected);
}

static void a_name_has_its_addresses_of_both_families(void **state)
{
    struct lookup *l = ask(*state, "both.test");

    assert_int_equal(l->err, 0);
    assert_int_equal(l->count, 2);
    assert_non_null(strstr(l->text, "192.0.2.1:80/tcp"));
    assert_non_null(strstr(l->text, "2001:db8::1:80/tcp"));
}

static void a_family_can_be_asked_for_alone(void **state)
{
    struct fixture *f = *state;
    struct lookup six = {.host = "both.test",
                         .hints = {.ai_family = AF_INET6, .ai_socktype = SOCK_DGRAM}};
    struct lookup none = {.host = "one.test", .hints = {.ai_family = AF_INET6}};

    start(f, look_up, &six);
    start(f, look_up, &none);
    fx_settle(f);
    assert_int_equal(six.err, 0);
    assert_string_equal(six.text, "2001:db8::1:0/udp");
    assert_int_equal(none.err, AIO_EAI_NODATA);
}

static void every_type_of_socket_is_listed_unless_one_is_asked_for(void **state)
{
    struct fixture *f = *state;
    struct lookup all = {.host = "one.test", .service = "53"};
    struct lookup named = {.host = "one.test", .service = "domain"};
    struct lookup unknown = {.host = "one.test", .service = "no-such-service"};
    struct lookup large = {.host = "one.test", .service = "65536"};
    struct lookup by_protocol = {.host = "one.test", .hints = {.ai_protocol = IPPROTO_UDP}};

    start(f, look_up, &all);
    start(f, look_up, &named);
    start(f, look_up, &unknown);
    start(f, look_up, &large);
    start(f, look_up, &by_protocol);
    fx_settle(f);
    assert_string_equal(all.text, "192.0.2.1:53/tcp 192.0.2.1:53/udp 192.0.2.1:53/raw");
    assert_string_equal(named.text, "192.0.2.1:53/tcp 192.0.2.1:53/udp");
    assert_int_equal(unknown.err, AIO_EAI_SERVICE);
    assert_int_equal(large.err, AIO_EAI_SERVICE);
    assert_string_equal(by_protocol.text, "192.0.2.1:0/udp");
}

static void the_canonical_name_is_the_end_of_the_aliases(void **state)
{
    struct fixture *f = *state;
    struct lookup alias = {.host = "alias.test",
                           .hints = {.ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM}};
    struct lookup plain = {.host = "one.test",
                           .hints = {.ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM}};

    start(f, look_up, &alias);
    start(f, look_up, &plain);
    fx_settle(f);
    assert_string_equal(alias.text, "192.0.2.1:0/tcp");
    assert_string_equal(alias.canonical_name, "one.test");
    assert_string_equal(plain.canonical_name, "one.test");
}

static void a_name_that_does_not_exist_is_a_gaierror(void **state)
{
    struct lookup *l = ask(*state, "nowhere.test");

    assert_int_equal(l->err, AIO_EAI_NONAME);
    assert_string_equal(aio_error_name(l->err), "gaierror");
    assert_string_equal(aio_strerror(l->err), "Name or service not known");
}

static void a_truncated_answer_is_asked_for_again_by_tcp(void **state)
{
    struct lookup *l = ask(*state, "big.test");

    assert_int_equal(l->err, 0);
    assert_int_equal(l->count, DNS_SERVER_BIG);
    assert_non_null(strstr(l->text, "192.0.2.60:80/tcp"));
}

static void a_server_that_fails_means_try_again(void **state)
{
    assert_int_equal(ask(*state, "fail.test")->err, AIO_EAI_AGAIN);
}

static void a_silent_server_is_asked_as_often_as_said(void **state)
{
    struct fixture *f = *state;
    aio_dns_options options = our_options(f->subject);
    struct lookup l = {.host = "silent.test", .hints = {.ai_family = AF_INET}};

    options.timeout = 0.01;
    options.tries = 3;
    assert_int_equal(aio_loop_set_dns_options(f->loop, &options), 0);
    start(f, look_up, &l);
    fx_settle(f);
    assert_int_equal(l.err, AIO_EAI_AGAIN);
    assert_int_equal(dns_server_questions(f->subject), 3);
}

static void a_server_that_is_gone_is_passed_over(void **state)
{
    struct fixture *f = *state;
    struct dns_server *gone = dns_server_start();
    aio_dns_options options = our_options(f->subject);
    /* One question: of two that are sent at once, c-ares loses the error that the second finds. */
    struct lookup l = {.host = "one.test",
                       .hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}};
    char both[64];

    assert_non_null(gone);
    (void)snprintf(both, sizeof(both), "%s,%s", dns_server_address(gone),
                   dns_server_address(f->subject));
    options.servers = both;
    dns_server_stop(gone);
    assert_int_equal(aio_loop_set_dns_options(f->loop, &options), 0);
    start(f, look_up, &l);
    fx_settle(f);
    assert_int_equal(l.err, 0);
    assert_string_equal(l.text, "192.0.2.1:0/tcp");
}

static void without_any_server_left_lookups_fail(void **state)
{
    struct fixture *f = *state;
    struct dns_server *gone = dns_server_start();
    aio_dns_options options;
    char address[32];

    assert_non_null(gone);
    (void)snprintf(address, sizeof(address), "%s", dns_server_address(gone));
    options = our_options(gone);
    options.servers = address;
    dns_server_stop(gone);
    assert_int_equal(aio_loop_set_dns_options(f->loop, &options), 0);
    assert_int_equal(ask(f, "one.test")->err, AIO_EAI_AGAIN);
}

static void servers_that_are_none_are_refused_and_change_nothing(void **state)
{
    struct fixture *f = *state;
    aio_dns_options options = our_options(f->subject);

    options.servers = "not an address";
    assert_int_equal(aio_loop_set_dns_options(f->loop, &options), AIO_EVALUE);
    assert_gives(f, "one.test", "192.0.2.1:80/tcp");
}

static void a_short_name_is_searched_in_the_domains(void **state)
{
    struct fixture *f = *state;
    aio_dns_options options = our_options(f->subject);

    options.domains = "none.test,b.test,a.test";
    assert_int_equal(aio_loop_set_dns_options(f->loop, &options), 0);
    assert_gives(f, "short", "192.0.2.12:80/tcp");
    assert_int_equal(ask(f, "short.")->err, AIO_EAI_NONAME);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void a_changed_configuration_is_read_again(void **state)
{
    struct fixture *f = *state;
    aio_dns_options options = our_options(f->subject);
    char path[] = "/tmp/aioc-resolv-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    close(fd);
    write_file(path, "search a.test\n");
    options.domains = NULL;
    options.resolv_conf = path;
    assert_int_equal(aio_loop_set_dns_options(f->loop, &options), 0);
    assert_gives(f, "short", "192.0.2.11:80/tcp");
    write_file(path, "# changed\nsearch b.test\n");
    assert_gives(f, "short", "192.0.2.12:80/tcp");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(ask(f, "short")->err, AIO_EAI_NONAME);
}

static void the_hosts_file_comes_before_any_server(void **state)
{
    struct fixture *f = *state;
    struct lookup l = {.host = "localhost",
                       .service = "80",
                       .hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}};

    start(f, look_up, &l);
    fx_settle(f);
    assert_memory_equal(l.text, "127.0.0.1:80/tcp", strlen("127.0.0.1:80/tcp"));
    assert_int_equal(dns_server_questions(f->subject), 0);
}

static void one_slow_answer_holds_up_no_other_lookup(void **state)
{
    struct fixture *f = *state;
    struct lookup first = {.host = "first.test", .hints = {.ai_socktype = SOCK_STREAM}};
    struct lookup second = {.host = "second.test", .hints = {.ai_socktype = SOCK_STREAM}};

    start(f, look_up, &first); /* answered once the other was asked for */
    start(f, look_up, &second);
    fx_settle(f);
    assert_string_equal(first.text, "192.0.2.21:0/tcp");
    assert_string_equal(second.text, "192.0.2.22:0/tcp");
}

static void a_cancelled_lookup_leaves_and_its_answer_comes_for_nobody(void **state)
{
    struct fixture *f = *state;
    struct lookup l = {.host = "first.test"};
    aio_task *task = start(f, look_up, &l);

    while (dns_server_questions(f->subject) == 0)
        fx_step(f);
    assert_true(aio_task_cancel(task, NULL));
    while (!aio_future_done(task))
        fx_step(f);
    assert_true(aio_future_cancelled(task));
    assert_int_equal(l.err, AIO_ECANCELLED);
    assert_int_equal(l.count, 0);
    assert_gives(f, "second.test", "192.0.2.22:80/tcp"); /* lets the first be answered */
}

static void a_lookup_cancelled_before_it_began_asks_nobody(void **state)
{
    struct fixture *f = *state;
    struct lookup l = {.host = "one.test"};
    aio_task *task = start(f, look_up, &l);

    fx_step(f); /* it waits, the question is queued */
    assert_true(aio_task_cancel(task, NULL));
    fx_settle(f);
    assert_int_equal(l.err, AIO_ECANCELLED);
}

static void new_options_leave_what_was_asked_before_alone(void **state)
{
    struct fixture *f = *state;
    struct lookup first = {.host = "first.test", .hints = {.ai_socktype = SOCK_STREAM}};
    aio_dns_options options = our_options(f->subject);
    aio_task *task = start(f, look_up, &first);

    while (dns_server_questions(f->subject) == 0)
        fx_step(f);
    options.tries = 1;
    assert_int_equal(aio_loop_set_dns_options(f->loop, &options), 0);
    assert_false(aio_future_done(task));
    assert_gives(f, "second.test", "192.0.2.22:80/tcp");
    assert_int_equal(first.err, 0);
    assert_string_equal(first.text, "192.0.2.21:0/tcp");
}

static void a_loop_can_be_closed_under_a_lookup(void **state)
{
    struct fixture *f = *state;
    struct lookup asked = {.host = "silent.test"};
    struct lookup queued = {.host = "silent.test"};

    start(f, look_up, &asked);
    while (dns_server_questions(f->subject) == 0)
        fx_step(f);
    start(f, look_up, &queued);
    fx_step(f);
    aio_loop_set_exception_handler(f->loop, NULL, NULL); /* of tasks destroyed while pending */
    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_int_equal(asked.err, AIO_EGENERATOREXIT);
    assert_int_equal(queued.err, AIO_EGENERATOREXIT);
}

static void an_address_has_its_name(void **state)
{
    struct fixture *f = *state;
    struct reverse named = {.address = "192.0.2.1"};
    struct reverse numbered = {.address = "192.0.2.2", .flags = NI_NUMERICSERV};
    struct reverse required = {.address = "192.0.2.2", .flags = NI_NAMEREQD};

    start(f, look_back, &named);
    start(f, look_back, &numbered);
    start(f, look_back, &required);
    fx_settle(f);
    assert_int_equal(named.err, 0);
    assert_string_equal(named.name.host, "one.test");
    assert_string_equal(named.name.service, "http");
    assert_int_equal(numbered.err, 0);
    assert_string_equal(numbered.name.host, "192.0.2.2");
    assert_string_equal(numbered.name.service, "80");
    assert_int_equal(required.err, AIO_EAI_NONAME);
}

/* --- shortage of memory ---------------------------------------------------------------- */

static struct dns_server *shared_server;

static void resolve_short_of_memory(void *arg)
{
    struct lookup l = {.host = "alias.test", .hints = {.ai_flags = AI_CANONNAME}};
    struct reverse r = {.address = "192.0.2.1"};
    aio_dns_options options = our_options(shared_server);
    struct fixture f;
    aio_task *task = NULL;
    aio_task *back = NULL;

    (void)arg;
    options.domains = "a.test,b.test";
    l.err = AIO_ENOMEM;
    r.err = AIO_ENOMEM;
    if (!fx_open(&f))
        return;
    if (aio_loop_set_dns_options(f.loop, &options) == 0) {
        task = aio_loop_create_task(f.loop, look_up, &l, NULL);
        back = aio_loop_create_task(f.loop, look_back, &r, NULL);
        fx_settle(&f);
    }
    assert_true(l.err == AIO_ENOMEM || (l.err == 0 && l.count == 3));
    assert_true(r.err == AIO_ENOMEM || (r.err == 0 && strcmp(r.name.host, "one.test") == 0));
    aio_future_unref(task);
    aio_future_unref(back);
    fx_close(&f);
}

static void lookups_survive_every_shortage_of_memory(void **state)
{
    (void)state;
    shared_server = dns_server_start();
    assert_non_null(shared_server);
    assert_true(with_each_allocation_failing(resolve_short_of_memory, NULL) > 10);
    dns_server_stop(shared_server);
}

#endif

int main(void)
{
#define TEST(function)   cmocka_unit_test_setup_teardown(function, fx_setup, fx_teardown)
#define SERVED(function) cmocka_unit_test_setup_teardown(function, setup_server, teardown_server)
    const struct CMUnitTest tests[] = {
        TEST(a_numeric_address_is_answered_at_once_outside_any_task),
        TEST(no_host_is_this_one),
        TEST(wrong_calls_are_refused),
        TEST(a_closed_loop_resolves_nothing),
        TEST(options_out_of_bounds_are_refused),
        TEST(the_system_knows_localhost),
        TEST(the_system_names_a_numeric_address),
        cmocka_unit_test_setup_teardown(lookups_fit_on_the_smallest_stack, count_allocations,
                                        check_allocations),
#ifdef AIO__CARES
        SERVED(a_name_has_its_addresses_of_both_families),
        SERVED(a_family_can_be_asked_for_alone),
        SERVED(every_type_of_socket_is_listed_unless_one_is_asked_for),
        SERVED(the_canonical_name_is_the_end_of_the_aliases),
        SERVED(a_name_that_does_not_exist_is_a_gaierror),
        SERVED(a_truncated_answer_is_asked_for_again_by_tcp),
        SERVED(a_server_that_fails_means_try_again),
        SERVED(a_silent_server_is_asked_as_often_as_said),
        SERVED(a_server_that_is_gone_is_passed_over),
        SERVED(without_any_server_left_lookups_fail),
        SERVED(servers_that_are_none_are_refused_and_change_nothing),
        SERVED(a_short_name_is_searched_in_the_domains),
        SERVED(a_changed_configuration_is_read_again),
        SERVED(the_hosts_file_comes_before_any_server),
        SERVED(one_slow_answer_holds_up_no_other_lookup),
        SERVED(a_cancelled_lookup_leaves_and_its_answer_comes_for_nobody),
        SERVED(a_lookup_cancelled_before_it_began_asks_nobody),
        SERVED(new_options_leave_what_was_asked_before_alone),
        SERVED(a_loop_can_be_closed_under_a_lookup),
        SERVED(an_address_has_its_name),
        cmocka_unit_test_setup_teardown(lookups_survive_every_shortage_of_memory, count_allocations,
                                        check_allocations),
#endif
    };

    return RUN_TESTS(tests, NULL, NULL);
}
