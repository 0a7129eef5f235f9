/* SPDX-License-Identifier: MIT */
/*
 * error_group.c - exception groups: made from members, and split by class
 *
 * Splitting asks every leaf, and shares what it need not take apart: a part that
 * falls to one side as a whole is that side, not a copy. Objects do not change, so
 * nobody can tell.
 */
#include "base/error_internal.h"

static aio_exception *group_alloc(const char *message, size_t capacity)
{
    return aio__error_alloc(AIO_EGROUP, capacity, message);
}

/* Takes the member. Only Exceptions in it: an ExceptionGroup; else a BaseExceptionGroup. */
static void group_add(aio_exception *group, aio_exception *member)
{
    if (!aio_error_is(member->code, AIO_EEXCEPTION))
        group->code = AIO_EBASEGROUP;
    group->members[group->member_count++] = member;
}

aio_exception *aio_exception_group_new(const char *message, aio_exception *const *members,
                                       size_t count)
{
    aio_exception *group;

    if (count == 0 || members == NULL)
        return aio__failed(aio_raise(AIO_EVALUE, "an exception group needs members"));
    for (size_t i = 0; i < count; i++) {
        if (members[i] == NULL)
            return aio__failed(AIO_ENOMEM); /* that member's memory was short already */
    }
    group = group_alloc(message == NULL ? "" : message, count);
    if (group == NULL)
        return aio__failed(AIO_ENOMEM);
    for (size_t i = 0; i < count; i++)
        group_add(group, aio_exception_ref(members[i]));
    return group;
}

/* How the leaves of an error fall. */
struct census {
    size_t matching;
    size_t others;
};

/* Recursion: as deep as groups are nested, a few words a level. */
static void count_leaves(const aio_exception *error, int class_code, struct census *census)
{
    if (error->member_count == 0) {
        if (aio_error_is(error->code, class_code))
            census->matching++;
        else
            census->others++;
        return;
    }
    for (size_t i = 0; i < error->member_count; i++)
        count_leaves(error->members[i], class_code, census);
}

/* An empty group that stands where `model` stood, and says what it said. */
static aio_exception *group_like(const aio_exception *model)
{
    aio_exception *group = group_alloc(model->message, model->member_count);

    if (group == NULL)
        return NULL;
    group->file = model->file;
    group->line = model->line;
    group->function = model->function;
    group->cause = aio_exception_ref(model->cause);
    return group;
}

/* The part of a group, which has leaves of both kinds, that matches or that does not. */
static aio_exception *part_of(aio_exception *group, int class_code, bool matching)
{
    aio_exception *part = group_like(group);

    if (part == NULL)
        return NULL;
    for (size_t i = 0; i < group->member_count; i++) {
        aio_exception *member = group->members[i];
        struct census census = {0, 0};

        count_leaves(member, class_code, &census);
        if ((matching ? census.matching : census.others) == 0)
            continue;
        if ((matching ? census.others : census.matching) == 0)
            member = aio_exception_ref(member);
        else
            member = part_of(member, class_code, matching);
        if (member == NULL) {
            aio_exception_unref(part);
            return NULL;
        }
        group_add(part, member);
    }
    return part;
}

int aio_exception_split(aio_exception *error, int class_code, aio_exception **ret_match,
                        aio_exception **ret_rest)
{
    struct census census = {0, 0};
    aio_exception *match = NULL;
    aio_exception *rest = NULL;

    if (error != NULL)
        count_leaves(error, class_code, &census);

    if (census.others == 0) {
        match = ret_match == NULL ? NULL : aio_exception_ref(error);
    } else if (census.matching == 0) {
        rest = ret_rest == NULL ? NULL : aio_exception_ref(error);
    } else {
        if (ret_match != NULL && (match = part_of(error, class_code, true)) == NULL)
            return AIO_ENOMEM;
        if (ret_rest != NULL && (rest = part_of(error, class_code, false)) == NULL) {
            aio_exception_unref(match);
            return AIO_ENOMEM;
        }
    }

    if (ret_match != NULL)
        *ret_match = match;
    if (ret_rest != NULL)
        *ret_rest = rest;
    return 0;
}
