/* SPDX-License-Identifier: MIT */
/*
 * One question to three maps of the same blocks: which is the first free one? All blocks are
 * used but the last. A byte a block, looked at one by one, is what the naive heap does; the
 * same bytes four at a time; and a bit a block, 32 at a time.
 */
#include "experiment.h"

#include "console.h"
#include "heap.h"
#include "heap_strategy.h"

enum { WORD_BITS = 32, TRIES = 8 };

struct map {
    const uint8_t *bytes;
    uint32_t blocks;
};

/* All three: returns the number of the first block that is 0, or the number of blocks. */

static uint32_t scan_bytes(const struct map *map)
{
    uint32_t block = 0;
    while (block < map->blocks && map->bytes[block] != 0)
        block++;
    return block;
}

static bool has_zero_byte(uint32_t word)
{
    return ((word - 0x01010101U) & ~word & 0x80808080U) != 0;
}

static uint32_t scan_words(const struct map *map)
{
    const uint32_t *words = (const uint32_t *)map->bytes;
    uint32_t block = 0;
    while (block < map->blocks && !has_zero_byte(words[block / sizeof(*words)]))
        block += sizeof(*words);
    while (block < map->blocks && map->bytes[block] != 0)
        block++;
    return block;
}

static uint32_t scan_bits(const struct map *map)
{
    const uint32_t *words = (const uint32_t *)map->bytes;
    uint32_t block = 0;
    while (block < map->blocks && words[block / WORD_BITS] == UINT32_MAX)
        block += WORD_BITS;
    return block < map->blocks ? block + (uint32_t)__builtin_ctz(~words[block / WORD_BITS])
                               : block;
}

/* The least of a few: the first brings code and map into the processor's caches. */
static uint32_t ticks_of(uint32_t (*scan)(const struct map *map), const struct map *map,
                         uintptr_t *found)
{
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < TRIES; i++) {
        uint32_t ticks =
            experiment_measure((measured_function *)scan, (uintptr_t)map, 0, found);
        least = ticks < least ? ticks : least;
    }
    return least;
}

/* The heap's own memory is the map's: no heap is needed while maps are scanned. */
void experiment_map_scan(uint32_t seed)
{
    uint8_t *memory = kheap()->region.arena;
    uint32_t blocks = kheap()->region.map_bytes;
    const struct map map = {memory, blocks};
    uintptr_t found_byte, found_word, found_bit;
    (void)seed;
    __builtin_memset(memory, 1, blocks);
    memory[blocks - 1] = 0;
    uint32_t byte_ticks = ticks_of(scan_bytes, &map, &found_byte);
    uint32_t word_ticks = ticks_of(scan_words, &map, &found_word);
    __builtin_memset(memory, 0xff, blocks / 8);
    memory[blocks / 8 - 1] = 0x7f;
    uint32_t bit_ticks = ticks_of(scan_bits, &map, &found_bit);
    kinitHeap();
    experiment_open_record();
    console_report(",\"blocks\":%u,\"byte\":%u,\"word\":%u,\"bit\":%u,\"found\":[%u,%u,%u]",
                   blocks, byte_ticks, word_ticks, bit_ticks, (uint32_t)found_byte,
                   (uint32_t)found_word, (uint32_t)found_bit);
}
