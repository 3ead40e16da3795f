/* SPDX-License-Identifier: MIT */
#include "policy.h"

#include <string.h>

/* Returns: whether blocks from first on are free, within the heap and aligned. */
static bool fits(const struct policy_view *view, uint32_t first, uint32_t blocks, uint32_t align)
{
    const struct heap_region *region = &view->heap->region;
    if (((uintptr_t)region->arena + first * POLICY_BLOCK_BYTES) % align != 0)
        return false;
    for (uint32_t i = first; i < first + blocks; i++)
        if (i >= region->map_bytes || view->used[i])
            return false;
    return true;
}

/* Returns: how many blocks the hole around a free block has. */
static int hole_blocks(const struct policy_view *view, uint32_t block)
{
    uint32_t first = block;
    uint32_t behind = block;
    while (first > 0 && !view->used[first - 1])
        first--;
    while (behind < view->heap->region.map_bytes && !view->used[behind])
        behind++;
    return (int)(behind - first);
}

/* The lowest place from "from" on. */
static int first_from(const struct policy_view *view, uint32_t from, uint32_t blocks,
                      uint32_t align)
{
    for (uint32_t first = from; first < view->heap->region.map_bytes; first++)
        if (fits(view, first, blocks, align))
            return (int)first;
    return POLICY_NONE;
}

static int first_fit(const struct policy_view *view, uint32_t blocks, uint32_t align)
{
    return first_from(view, 0, blocks, align);
}

/* At or behind the rover; failing that, anywhere. */
static int next_fit(const struct policy_view *view, uint32_t blocks, uint32_t align)
{
    int first = first_from(view, view->rover, blocks, align);
    return first != POLICY_NONE ? first : first_from(view, 0, blocks, align);
}

/* The lowest place in the hole that has the most blocks, each counted as sign (1 or -1). */
static int most_fit(const struct policy_view *view, uint32_t blocks, uint32_t align, int sign)
{
    int most = POLICY_NONE;
    for (uint32_t first = 0; first < view->heap->region.map_bytes; first++)
        if (fits(view, first, blocks, align) &&
            (most == POLICY_NONE ||
             sign * hole_blocks(view, first) > sign * hole_blocks(view, (uint32_t)most)))
            most = (int)first;
    return most;
}

static int best_fit(const struct policy_view *view, uint32_t blocks, uint32_t align)
{
    return most_fit(view, blocks, align, -1);
}

static int worst_fit(const struct policy_view *view, uint32_t blocks, uint32_t align)
{
    return most_fit(view, blocks, align, 1);
}

policy *policy_of(const struct heap_strategy *strategy)
{
    static const struct {
        const char *strategy;
        policy *policy;
    } policies[] = {
        {"bitmap", first_fit},
        {"next-fit", next_fit},
        {"best-fit", best_fit},
        {"worst-fit", worst_fit},
    };
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
        if (strcmp(strategy->name, policies[i].strategy) == 0)
            return policies[i].policy;
    return NULL;
}
