/* SPDX-License-Identifier: MIT */
/*
 * test_varmap.c - the maps behind contexts, against a plain array of what they must hold
 */
#include "base/varmap.h"

#include "base/memory.h"
#include "support/allocation.h"
#include "support/unit.h"

#include <aio/error.h>
#include <aio/memory.h>

#define VARIABLES 300

struct fixture {
    aio_contextvar *vars[VARIABLES];
};

/* The same numbers at every run. */
static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Ids far apart and close together: what collides in several digits, too. */
static void make_variables(struct fixture *f)
{
    for (size_t i = 0; i < VARIABLES; i++) {
        f->vars[i] = aio_contextvar_new("v", NULL);
        assert_non_null(f->vars[i]);
        f->vars[i]->id = i < 200 ? i : (uint64_t)i << (5 * (i % 11));
    }
}

static int setup(void **state)
{
    struct fixture *f;

    (void)count_allocations(state);
    f = aio_malloc(sizeof(*f));
    if (f == NULL)
        return -1;
    make_variables(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < VARIABLES; i++)
        aio_contextvar_unref(f->vars[i]);
    aio_free(f);
    return check_allocations(state);
}

/* Put a value, or take one out (0); as a caller in base/context.c does. */
static int change(struct aio__varmap **map, aio_contextvar *var, uintptr_t value)
{
    struct aio__cell *old = NULL;
    struct aio__cell *cell;
    int err;

    if (value == 0) {
        err = aio__varmap_remove(map, var, &old);
    } else {
        cell = aio__cell_new(var, (void *)value);
        if (cell == NULL)
            return AIO_ENOMEM;
        err = aio__varmap_put(map, cell, &old);
        aio__cell_unref(cell);
    }
    aio__cell_unref(old);
    return err;
}

static void assert_holds(const struct aio__varmap *map, const struct fixture *f,
                         const uintptr_t *values)
{
    size_t count = 0;

    for (size_t i = 0; i < VARIABLES; i++) {
        const struct aio__cell *cell = aio__varmap_find(map, f->vars[i]);

        if (values[i] == 0) {
            assert_null(cell);
            continue;
        }
        count++;
        assert_non_null(cell);
        assert_int_equal((uintptr_t)cell->value, values[i]);
    }
    assert_int_equal(aio__varmap_size(map), count);
}

static void map_finds_what_was_put_among_many_and_forgets_what_was_removed(void **state)
{
    struct fixture *f = *state;
    uintptr_t values[VARIABLES] = {0};
    struct aio__varmap *map = NULL;
    uint32_t seed = 1;

    for (uintptr_t step = 1; step <= 4000; step++) {
        size_t i = next_random(&seed) % VARIABLES;
        bool removing = values[i] != 0 && next_random(&seed) % 3 != 0;

        values[i] = removing ? 0 : step;
        assert_int_equal(change(&map, f->vars[i], values[i]), 0);
        if (step % 50 == 0)
            assert_holds(map, f, values);
    }
    for (size_t i = 0; i < VARIABLES; i++)
        if (values[i] != 0)
            assert_int_equal(change(&map, f->vars[i], 0), 0);
    assert_null(map);
}

static void map_that_is_shared_does_not_change_with_the_other(void **state)
{
    struct fixture *f = *state;
    uintptr_t before[VARIABLES] = {0};
    uintptr_t after[VARIABLES] = {0};
    struct aio__varmap *map = NULL;
    struct aio__varmap *snapshot;

    for (size_t i = 0; i < VARIABLES; i += 2) {
        before[i] = after[i] = i + 1;
        assert_int_equal(change(&map, f->vars[i], i + 1), 0);
    }
    snapshot = map;
    aio__varmap_ref(snapshot);
    for (size_t i = 0; i < VARIABLES; i += 3) {
        after[i] = after[i] != 0 ? 0 : 1000 + i;
        assert_int_equal(change(&map, f->vars[i], after[i]), 0);
    }

    assert_holds(snapshot, f, before);
    assert_holds(map, f, after);
    aio__varmap_unref(map);
    assert_holds(snapshot, f, before);
    aio__varmap_unref(snapshot);
}

static void map_gives_each_cell_at_one_index(void **state)
{
    struct fixture *f = *state;
    unsigned seen[VARIABLES] = {0};
    struct aio__varmap *map = NULL;

    for (uintptr_t i = 0; i < VARIABLES; i++)
        assert_int_equal(change(&map, f->vars[i], i + 1), 0);
    for (size_t i = 0; i < VARIABLES; i++)
        seen[(uintptr_t)aio__varmap_at(map, i)->value - 1]++;
    for (size_t i = 0; i < VARIABLES; i++)
        assert_int_equal(seen[i], 1);
    assert_null(aio__varmap_at(map, VARIABLES));
    assert_null(aio__varmap_at(NULL, 0));
    aio__varmap_unref(map);
}

static void map_nobody_else_has_is_changed_where_it_is(void **state)
{
    struct fixture *f = *state;
    struct aio__varmap *map = NULL;
    size_t blocks;

    for (uintptr_t i = 0; i < VARIABLES; i++)
        assert_int_equal(change(&map, f->vars[i], i + 1), 0);

    aio__fail_allocation(2); /* the first is the cell */
    assert_int_equal(change(&map, f->vars[7], 99), 0);
    assert_false(aio__fail_allocation_happened());
    aio__fail_allocation(1);
    blocks = live_allocations();
    assert_int_equal(change(&map, f->vars[7], 0), 0);
    assert_false(aio__fail_allocation_happened());
    assert_int_equal(live_allocations(), blocks - 1);
    aio__varmap_unref(map);
}

/* One change of a map that others share, under any shortage: it is made, or nothing is. */
struct shortage {
    struct fixture *f;
    uintptr_t values[VARIABLES];
    size_t index;
    uintptr_t value;
};

static void change_short_of_memory(void *arg)
{
    struct shortage *s = arg;
    struct aio__varmap *shared = NULL;
    struct aio__varmap *map = NULL;
    uintptr_t before = s->values[s->index];
    bool made = true;
    int err;

    for (size_t i = 0; i < VARIABLES && made; i++)
        made = s->values[i] == 0 || change(&map, s->f->vars[i], s->values[i]) == 0;
    if (made) {
        shared = map;
        aio__varmap_ref(shared);
        err = change(&map, s->f->vars[s->index], s->value);
        assert_true(err == 0 || err == AIO_ENOMEM);
        assert_holds(shared, s->f, s->values);
        s->values[s->index] = err == 0 ? s->value : before;
        assert_holds(map, s->f, s->values);
        s->values[s->index] = before;
    }
    aio__varmap_unref(map);
    aio__varmap_unref(shared);
}

static void map_survives_every_shortage_of_memory(void **state)
{
    struct shortage s = {.f = *state};

    /* Ids 0, 1, 32 (0 again in the next digit) and one that shares several digits with 0. */
    s.values[0] = s.values[1] = s.values[32] = s.values[201] = 5;
    s.index = 32;
    s.value = 6;
    assert_true(with_each_allocation_failing(change_short_of_memory, &s) > 4);
    s.value = 0;
    assert_true(with_each_allocation_failing(change_short_of_memory, &s) > 4);
    s.index = 64;
    s.value = 7;
    assert_true(with_each_allocation_failing(change_short_of_memory, &s) > 4);
    s.index = 202;
    assert_true(with_each_allocation_failing(change_short_of_memory, &s) > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            map_finds_what_was_put_among_many_and_forgets_what_was_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(map_that_is_shared_does_not_change_with_the_other, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(map_gives_each_cell_at_one_index, setup, teardown),
        cmocka_unit_test_setup_teardown(map_nobody_else_has_is_changed_where_it_is, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(map_survives_every_shortage_of_memory, setup, teardown),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
