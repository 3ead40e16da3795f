/* SPDX-License-Identifier: MIT */
/* What an allocator's rounding costs: what it grants, over what was asked for. */
#include <stdio.h>

#include "experiment.h"
#include "live_heap.h"

enum { KIB = 1024 };

const char *experiment_rounding(const struct setup *setup)
{
    struct live_heap live;
    uint64_t requested = 0, granted = 0;
    if (setup->number == 0 || setup->number > setup->size ||
        setup->size > UINT32_MAX / setup->scale)
        return "rounding: number=FIRST is 1 to size=LAST";
    const char *wrong = live_heap_start(&live, setup->strategy, setup->kib * KIB);
    if (wrong != NULL)
        return wrong;
    for (uint32_t size = setup->number; size <= setup->size; size++) {
        void *block = live_heap_alloc(&live, size * setup->scale);
        if (block == NULL)
            return "rounding: the heap is too small for one of these requests";
        requested += (uint64_t)size * setup->scale;
        granted += live.granted_bytes;
        live_heap_free(&live, block);
    }
    printf("result: {\"strategy\":\"%s\",\"heap_kib\":%u,\"first\":%u,\"last\":%u,\"scale\":%u,"
           "\"requested_bytes\":%llu,\"granted_bytes\":%llu}\n",
           setup->strategy->name, setup->kib, setup->number, setup->size, setup->scale,
           (unsigned long long)requested, (unsigned long long)granted);
    live_heap_end(&live);
    return NULL;
}
