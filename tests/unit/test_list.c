/* SPDX-License-Identifier: MIT */
/*
 * test_list.c - the intrusive list
 */
#include "base/list.h"
#include "support/unit.h"

struct letter {
    char name;
    struct aio__list node;
};

static void spell(struct aio__list *list, char *ret_word)
{
    AIO__LIST_FOREACH (node, list)
        *ret_word++ = aio__container_of(node, struct letter, node)->name;
    *ret_word = '\0';
}

static void assert_spells(struct aio__list *list, const char *word)
{
    char found[16];

    spell(list, found);
    assert_string_equal(found, word);
}

static void letters_init(struct letter *letters, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        letters[i].name = (char)('a' + i);
        aio__list_init(&letters[i].node);
    }
}

static void list_is_empty_at_first(void **state)
{
    struct aio__list list = AIO__LIST_INIT(list);

    assert_true(aio__list_empty(&list));
    assert_null(aio__list_first(&list));
    assert_spells(&list, "");
}

static void list_keeps_the_order_of_appending(void **state)
{
    struct aio__list list = AIO__LIST_INIT(list);
    struct letter letters[3];

    letters_init(letters, 3);
    for (int i = 0; i < 3; i++)
        aio__list_append(&list, &letters[i].node);
    assert_spells(&list, "abc");
    assert_ptr_equal(aio__list_first(&list), &letters[0].node);
}

static void list_prepends_before_the_first(void **state)
{
    struct aio__list list = AIO__LIST_INIT(list);
    struct letter letters[3];

    letters_init(letters, 3);
    for (int i = 0; i < 3; i++)
        aio__list_prepend(&list, &letters[i].node);
    assert_spells(&list, "cba");
}

static void list_removes_a_node_and_knows_that_it_is_out(void **state)
{
    struct aio__list list = AIO__LIST_INIT(list);
    struct letter letters[3];

    letters_init(letters, 3);
    for (int i = 0; i < 3; i++)
        aio__list_append(&list, &letters[i].node);
    assert_false(aio__list_empty(&letters[1].node));
    aio__list_remove(&letters[1].node);
    assert_true(aio__list_empty(&letters[1].node));
    assert_spells(&list, "ac");

    aio__list_remove(&letters[1].node); /* again: nothing happens */
    assert_spells(&list, "ac");
}

static void list_can_lose_the_node_a_walk_is_at(void **state)
{
    struct aio__list list = AIO__LIST_INIT(list);
    struct letter letters[4];

    letters_init(letters, 4);
    for (int i = 0; i < 4; i++)
        aio__list_append(&list, &letters[i].node);
    AIO__LIST_FOREACH (node, &list) {
        if (aio__container_of(node, struct letter, node)->name != 'c')
            aio__list_remove(node);
    }
    assert_spells(&list, "c");
}

static void list_takes_over_all_nodes_of_another(void **state)
{
    struct aio__list list = AIO__LIST_INIT(list);
    struct aio__list from = AIO__LIST_INIT(from);
    struct letter letters[4];

    letters_init(letters, 4);
    aio__list_append(&list, &letters[0].node);
    for (int i = 1; i < 4; i++)
        aio__list_append(&from, &letters[i].node);
    aio__list_append_all(&list, &from);
    assert_spells(&list, "abcd");
    assert_true(aio__list_empty(&from));

    aio__list_append_all(&list, &from);
    assert_spells(&list, "abcd");
    aio__list_remove(&letters[3].node);
    assert_spells(&list, "abc");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_is_empty_at_first),
        cmocka_unit_test(list_keeps_the_order_of_appending),
        cmocka_unit_test(list_prepends_before_the_first),
        cmocka_unit_test(list_removes_a_node_and_knows_that_it_is_out),
        cmocka_unit_test(list_can_lose_the_node_a_walk_is_at),
        cmocka_unit_test(list_takes_over_all_nodes_of_another),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
