/* SPDX-License-Identifier: MIT */
/*
 * What a side does: takes a block for an empty slot, or frees what is in it, and compares what it gets
 * with what the others have. Between calls nobody else runs, so that this needs no lock.
 */
#include "race.h"

#include "heap.h"
#include "spin_lock.h"

enum { SIZE_USUAL = 100 };

/* --- a lock that keeps out processors, but not interrupts ----------------------------------- */

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

/* --- calls ------------------------------------------------------------------------------------- */

/* Returns: whether the call came back. */
static bool call(struct race_side *side, bool frees, uintptr_t argument)
{
    side->call = (struct stepped_call){.function = race_function(frees), .argument = argument};
    race_note(RACE_CALLS, side, argument);
    side->is_calling = true;
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

static void compare_with_others(const struct race_side *side, const struct race_block *taken)
{
    for (uint32_t i = 0; i < race.sides * RACE_SLOTS; i++) {
        const struct race_block *other = &race.side[i / RACE_SLOTS].blocks[i % RACE_SLOTS];
        if (race.is_over || !overlap(taken, other))
            continue;
        race.found = *taken;
        race.other = *other;
        race.other_side = i / RACE_SLOTS;
        race_fail(RACE_TWICE, side);
    }
}

static void take(struct race_side *side, struct race_block *slot)
{
    struct race_block taken = {.operation = side->operations, .bytes = SIZE_USUAL};
    if (race.mix != NULL)
        taken.bytes = race.mix->draw(&side->random);
    if (!call(side, false, taken.bytes))
        return;
    taken.address = (uint8_t *)side->call.result;
    if (taken.address == NULL)
        race_fail(RACE_NOTHING, side);
    else
        compare_with_others(side, &taken);
    *slot = taken;
}

static void give(struct race_side *side, struct race_block *slot)
{
    side->giving = slot;
    if (call(side, true, (uintptr_t)slot->address) && (int8_t)side->call.result != 0)
        race_fail(RACE_REFUSED, side);
}

void race_call(struct race_side *side)
{
    uint32_t slots = race.mix != NULL ? RACE_SLOTS : 1;
    struct race_block *slot = &side->blocks[random_below(&side->random, slots)];
    if (slot->address == NULL)
        take(side, slot);
    else
        give(side, slot);
    side->operations++;
}
