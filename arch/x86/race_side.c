/* SPDX-License-Identifier: MIT */
/*
 * What a side does: takes a block, compares it with what the others have, frees it, and so on.
 * Between calls nobody else runs, so that this needs no lock.
 */
#include "race.h"

#include "heap.h"
#include "spin_lock.h"

/* --- a lock that keeps out processors, but not interrupts ---------------------------------- */

static struct spin_lock unmasked_lock;

static __attribute__((noinline)) void *kmalloc_in_spin_lock(uint32_t size)
{
    spin_lock_acquire(&unmasked_lock);
    void *block = kmalloc(size);
    spin_lock_release(&unmasked_lock);
    return block;
}

static __attribute__((noinline)) int8_t kfree_in_spin_lock(void *block)
{
    spin_lock_acquire(&unmasked_lock);
    int8_t refused = kfree(block);
    spin_lock_release(&unmasked_lock);
    return refused;
}

bool race_lock_is_held_by_another(void)
{
    return unmasked_lock.next_ticket - unmasked_lock.now_serving > 1; /* the asker has one */
}

void race_lock_start(void)
{
    unmasked_lock = (struct spin_lock){0, 0};
}

uintptr_t race_function(bool frees)
{
    if (race.lock_lets_interrupts_in)
        return frees ? (uintptr_t)kfree_in_spin_lock : (uintptr_t)kmalloc_in_spin_lock;
    return frees ? (uintptr_t)kfree : (uintptr_t)kmalloc;
}

/* --- calls --------------------------------------------------------------------------------- */

/* Returns: whether the call came back. */
static bool call(struct race_side *side, bool frees, uintptr_t argument)
{
    side->call = (struct stepped_call){.function = race_function(frees), .argument = argument};
    race_note(RACE_CALLS, side, argument);
    side->is_calling = true;
    side->waited = 0;
    race.steps = 0;
    bool came_back = steppedCall(&side->call);
    side->is_calling = false;
    if (came_back)
        race_note(RACE_RETURNS, side, frees ? (uint8_t)side->call.result : side->call.result);
    return came_back;
}

static bool overlap(const struct race_block *one, const struct race_block *other)
{
    return other->address != NULL && one->address < other->address + other->bytes &&
           other->address < one->address + one->bytes;
}

static void compare_with_others(const struct race_side *side)
{
    for (uint32_t i = 0; i < race.sides; i++) {
        const struct race_block *other = &race.side[i].block;
        if (race.is_over || i == side->number || !overlap(&side->block, other))
            continue;
        race.found = side->block;
        race.other = *other;
        race.other_side = i;
        race_fail(RACE_TWICE, side);
    }
}

static void take(struct race_side *side)
{
    if (!call(side, false, RACE_BLOCK_BYTES))
        return;
    side->block = (struct race_block){
        (uint8_t *)side->call.result, RACE_BLOCK_BYTES, side->operations};
    if (side->block.address == NULL)
        race_fail(RACE_NOTHING, side);
    else
        compare_with_others(side);
}

static void give(struct race_side *side)
{
    side->is_giving = true;
    if (call(side, true, (uintptr_t)side->block.address) && (int8_t)side->call.result != 0)
        race_fail(RACE_REFUSED, side);
}

void race_call(struct race_side *side)
{
    if (side->block.address == NULL)
        take(side);
    else
        give(side);
    side->operations += !race.is_over;
}
