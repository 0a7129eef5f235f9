/* SPDX-License-Identifier: MIT */
/*
 * lookup.c - names to addresses, and addresses to names
 *
 *     lookup [-s SERVERS] [-t SECONDS] [-y] NAME...
 *
 * All are looked up at once, and printed in their order. -s asks these name servers instead of the
 * configured ones ("192.0.2.1,[2001:db8::1]:5353"), -t is the time that one gets for its first try,
 * -y asks the way the system does (getaddrinfo(3), in threads). Ends with 1 if one was not found.
 */
#include <aio/aio.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct program {
    aio_dns_options options;
    char **names; /* ends with NULL */
    bool failed;
};

/* One lookup. */
struct question {
    const char *name;
    struct addrinfo *list; /* of the answer */
    aio_nameinfo reverse;
    bool is_address;
    int code;
};

/* An address is asked for its name, a name for its addresses. */
static int look_up(void *arg, void **ret_result)
{
    struct question *question = arg;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    int err = aio_loop_getaddrinfo(NULL, question->name, NULL, &hints, &question->list);

    question->is_address = err == 0;
    if (question->is_address) {
        err = aio_loop_getnameinfo(NULL, question->list->ai_addr, NI_NAMEREQD, &question->reverse);
    } else if (err == AIO_EAI_NONAME) {
        hints.ai_flags = 0;
        err = aio_loop_getaddrinfo(NULL, question->name, NULL, &hints, &question->list);
    }
    question->code = err;
    return err == AIO_ECANCELLED ? err : 0;
}

static void print_answer(const struct question *question)
{
    char host[64];

    if (question->code < 0) {
        printf("%s: %s\n", question->name, aio_strerror(question->code));
        return;
    }
    if (question->is_address)
        printf("%s %s\n", question->name, question->reverse.host);
    for (struct addrinfo *item = question->list; !question->is_address && item != NULL;
         item = item->ai_next) {
        (void)getnameinfo(item->ai_addr, item->ai_addrlen, host, sizeof(host), NULL, 0,
                          NI_NUMERICHOST);
        printf("%s %s\n", question->name, host);
    }
}

static int look_all_up(struct question *questions, size_t count)
{
    AIO_AUTO(aio_taskgroup) group = aio_taskgroup_new();
    int err = aio_taskgroup_enter(group);

    if (err < 0)
        return err;
    for (size_t i = 0; i < count && err == 0; i++)
        err = aio_taskgroup_start(group, look_up, &questions[i]);
    return aio_taskgroup_exit(group, err);
}

static int run(void *arg, void **ret_result)
{
    struct program *program = arg;
    struct question *questions;
    size_t count = 0;
    int err = aio_loop_set_dns_options(NULL, &program->options);

    while (program->names[count] != NULL)
        count++;
    questions = calloc(count, sizeof(*questions));
    if (questions == NULL)
        return AIO_ENOMEM;
    for (size_t i = 0; i < count; i++)
        questions[i].name = program->names[i];
    if (err == 0)
        err = look_all_up(questions, count);
    for (size_t i = 0; i < count; i++) {
        if (err == 0)
            print_answer(&questions[i]);
        program->failed |= questions[i].code < 0;
        aio_freeaddrinfo(questions[i].list);
    }
    free(questions);
    return err;
}

static int usage(void)
{
    fprintf(stderr, "usage: lookup [-s SERVERS] [-t SECONDS] [-y] NAME...\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct program program = {.options = AIO_DNS_OPTIONS_INIT};
    int option;
    int status;

    while ((option = getopt(argc, argv, "s:t:y")) != -1) {
        if (option == 's')
            program.options.servers = optarg;
        else if (option == 't')
            program.options.timeout = atof(optarg);
        else if (option == 'y')
            program.options.way = AIO_DNS_SYSTEM;
        else
            return usage();
    }
    program.names = argv + optind;
    if (*program.names == NULL)
        return usage();
    status = aio_main(run, &program);
    return status != EXIT_SUCCESS ? status : program.failed;
}
