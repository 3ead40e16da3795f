/* SPDX-License-Identifier: MIT */
#include "figures.h"

#include "arithmetic.h"

enum { PERMILLE = 1000 };

/* Which operations a set of figures is over. */
enum selection { EVERY_CALL, ONLY_ALLOC, ONLY_FREE };

static bool is_selected(enum selection selection, enum trace_kind kind)
{
    return selection == EVERY_CALL || (selection == ONLY_ALLOC && kind == TRACE_ALLOC) ||
           (selection == ONLY_FREE && kind == TRACE_FREE);
}

static void swap(uint32_t *a, uint32_t *b)
{
    uint32_t kept = *a;
    *a = *b;
    *b = kept;
}

static void sift_down(uint32_t *values, uint32_t root, uint32_t count)
{
    for (uint32_t child = 2 * root + 1; child < count; child = 2 * root + 1) {
        if (child + 1 < count && values[child + 1] > values[child])
            child++;
        if (values[root] >= values[child])
            return;
        swap(&values[root], &values[child]);
        root = child;
    }
}

/* Heapsort (Williams 1964): in place, and never worse than n log n. */
static void sort(uint32_t *values, uint32_t count)
{
    for (uint32_t root = count / 2; root-- > 0;)
        sift_down(values, root, count);
    for (uint32_t end = count; end-- > 1;) {
        swap(&values[0], &values[end]);
        sift_down(values, 0, end);
    }
}

/* Nearest rank: the smallest value that permille of all do not exceed. Requires: count > 0. */
static uint32_t percentile(const uint32_t *sorted, uint32_t count, uint32_t permille)
{
    uint64_t rank = divide_by_small((uint64_t)count * permille + PERMILLE - 1, PERMILLE, NULL);
    return sorted[rank - 1];
}

static void compute(const struct trace *trace, const uint32_t *costs, uint32_t count,
                    enum selection selection, uint32_t *work, struct cost_figures *figures)
{
    *figures = (struct cost_figures){0};
    for (uint32_t i = 0; i < count; i++) {
        if (costs[i] == PLAYER_NO_COST || !is_selected(selection, trace->operations[i].kind))
            continue;
        if (figures->operations == 0 || costs[i] > figures->max) {
            figures->max = costs[i];
            figures->max_operation = i;
        }
        figures->total += costs[i];
        work[figures->operations++] = costs[i];
    }
    if (figures->operations == 0)
        return;
    sort(work, figures->operations);
    figures->p50 = percentile(work, figures->operations, 500);
    figures->p99 = percentile(work, figures->operations, 990);
    figures->p999 = percentile(work, figures->operations, 999);
}

void figures_compute(const struct trace *trace, const uint32_t *costs, uint32_t *work,
                     struct replay *replay)
{
    compute(trace, costs, replay->operations, EVERY_CALL, work, &replay->cost);
    compute(trace, costs, replay->operations, ONLY_ALLOC, work, &replay->malloc);
    compute(trace, costs, replay->operations, ONLY_FREE, work, &replay->free);
}
