/* SPDX-License-Identifier: MIT */
/* The shell's commands that show the heap. */
#include <stddef.h>

#include "console.h"
#include "hardening.h"
#include "heap.h"
#include "heap_check.h"
#include "heap_grid.h"
#include "heap_stats.h"
#include "locking.h"
#include "misuse.h"
#include "shell_commands.h"

enum { MAP_COLUMNS = 64, MAP_ROWS = 16, MAP_CELLS = MAP_COLUMNS * MAP_ROWS };

static const char looks[GRID_CELLS] = {
    [GRID_HOLE] = '.', [GRID_LIVE_FEW] = ':', [GRID_LIVE_MANY] = '+', [GRID_LIVE] = '#',
    [GRID_CACHED] = 'c', [GRID_META] = 'm'};

static uint32_t region_bytes(void)
{
    return kheap()->region.map_bytes + kheap()->region.arena_bytes;
}

bool shell_map(struct shell *shell, struct text rest)
{
    (void)shell;
    static uint8_t cells[MAP_CELLS];
    if (!shell_is_at_end(rest))
        return false;
    heap_grid(kheap_strategy(), kheap(), cells, MAP_CELLS);
    for (uint32_t row = 0; row < MAP_ROWS; row++) {
        console_print("%p ", (void *)(kheap()->region.map + region_bytes() / MAP_ROWS * row));
        for (uint32_t column = 0; column < MAP_COLUMNS; column++)
            console_print("%c", looks[cells[row * MAP_COLUMNS + column]]);
        console_print("\n");
    }
    console_print("%u bytes each: # live, + mostly, : partly; . hole; c kept whole; "
                  "m the heap's\n",
                  region_bytes() / MAP_CELLS);
    return true;
}

static void say_failures(const struct heap_status *status)
{
    console_print("failed    %u too large, %u exhausted, %u fragmented, %u on purpose; "
                  "misuses %u\n",
                  status->failures[HEAP_FAILURE_TOO_LARGE],
                  status->failures[HEAP_FAILURE_EXHAUSTED],
                  status->failures[HEAP_FAILURE_FRAGMENTED],
                  status->failures[HEAP_FAILURE_ON_PURPOSE], status->misuses);
}

bool shell_stats(struct shell *shell, struct text rest)
{
    (void)shell;
    if (!shell_is_at_end(rest))
        return false;
    struct heap_status status = heap_stats();
    const struct heap_stats *now = &status.now;
    console_print("live      %u blocks, %u bytes granted\n", now->live_blocks, now->live_bytes);
    console_print("free      %u holes, %u bytes, the largest %u\n", now->free_blocks,
                  now->free_bytes, now->largest_free_bytes);
    console_print("kept      %u blocks, %u bytes, freed but whole\n", now->cached_blocks,
                  now->cached_bytes);
    console_print("its own   %u bytes; used up to %u of %u\n", now->meta_bytes,
                  now->highest_used_bytes, region_bytes());
    if (text_is(text_of(kheap_hardening()), "off"))
        console_print("failed    not counted with hardening off\n");
    else
        say_failures(&status);
    return true;
}

bool shell_check(struct shell *shell, struct text rest)
{
    (void)shell;
    if (!shell_is_at_end(rest))
        return false;
    const char *broken = heap_check(kheap_strategy(), kheap());
    console_print("%s\n", broken == NULL ? "the heap is whole" : broken);
    return true;
}

bool shell_heap(struct shell *shell, struct text rest)
{
    (void)shell;
    if (!shell_is_at_end(rest))
        return false;
    const struct heap_strategy *strategy = kheap_strategy();
    const struct heap_region *region = &kheap()->region;
    console_print("%s, after %s\n", strategy->name, strategy->source);
    console_print("side array  %u bytes at %p\n", region->map_bytes, (void *)region->map);
    console_print("heap        %u bytes at %p\n", region->arena_bytes, (void *)region->arena);
    console_print("state       %u bytes; hardening %s; locking %s\n", strategy->control_bytes,
                  kheap_hardening(), kheap_locking());
    return true;
}

bool shell_leaks(struct shell *shell, struct text rest)
{
    (void)shell;
    if (!shell_is_at_end(rest))
        return false;
    const char *level = kheap_hardening();
    if (text_is(text_of(level), "off") || text_is(text_of(level), "check"))
        console_print("who took a block is known from hardening redzone on; this is %s\n", level);
    else if (heap_stats().now.live_blocks == 0)
        console_print("no block is live\n");
    else
        misuse_print_leaks();
    return true;
}
