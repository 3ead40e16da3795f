/* SPDX-License-Identifier: MIT */
/* Everything that a caller's next call can depend on, to be put back, and to be compared. */
#ifndef TESTS_EXHAUSTIVE_SNAPSHOT_H
#define TESTS_EXHAUSTIVE_SNAPSHOT_H

#include "caller.h"

struct snapshot {
    uint8_t *memory; /* the region, and behind it the control block */
    uint32_t rover;
    struct oracle_state state;
};

/* Makes room for snapshots of a heap of that size. For snapshot_delete(). */
struct snapshot *snapshot_new(const struct caller *caller);
void snapshot_delete(struct snapshot *snapshot);

void snapshot_take(struct snapshot *snapshot, const struct caller *caller);
void snapshot_put_back(const struct snapshot *snapshot, struct caller *caller);

/* Returns: whether region and control block are, byte for byte, what they were. */
bool snapshot_equals_memory(const struct snapshot *snapshot, const struct caller *caller);

/* Returns: a hash over the memory, the rover, and the live blocks' places. */
uint64_t snapshot_hash(const struct caller *caller);

#endif
