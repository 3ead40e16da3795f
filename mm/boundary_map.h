/* SPDX-License-Identifier: MIT */
/*
 * The boundary map: where blocks begin and end, in one bit for each 8 bytes of arena.
 *
 * Source: Knuth, The Art of Computer Programming 1 (3rd edition, 1997), section 2.5,
 * boundary tags. Departs from it in where the tags are: not in the blocks.
 *
 * Idea. A boundary tag tells how long its block is and whether the neighbours are free.
 * The same can be told with one bit for each *granule*, the 8 bytes that every block is a
 * multiple of: a 1 says that a block begins here. No block is shorter than two granules,
 * so the bit behind a block's first, and its last one, are never needed for that, and
 * tell a hole from a live block. Live blocks are then all their owners'.
 *
 * Layout. Bit g % 32 of word g / 32 is granule g's. Here '.' is a 0, and bits stand in the
 * order of their granules.
 *
 *   live, 2 to 32 granules   1 . . . . . .              as long as to the next 1
 *   live, longer             1 . 1 1 1 1 1 1 1 L...L .  L: its length, in 23 bits
 *   hole of 2                1 1
 *   hole of 3                1 1 1
 *   hole, longer             1 1 . . . . 1              first, second, last
 *
 *   so in     live, 5   | hole, 4 | live, 2 | hole, 2 | live ...
 *             1 . . . . | 1 1 . 1 | 1 .     | 1 1     | 1 .
 *                                ^            ^
 *   the bit before the live block in the middle says that a hole ends there; the second
 *   one behind its end, that one begins.
 *
 * Five ones in a row already say "longer" and nothing else: between blocks at most four
 * stand together, those of a hole of three and the first of the live block behind it.
 * (Holes are never neighbours: the heap sees to that.) There are seven because that fills
 * a byte, which compares in one instruction.
 *
 * A *window*, the 32 bits behind a live block's first, tells how long the block is. Two
 * words of the map and a shift fetch it.
 *
 * Granule 0 belongs to no block, so that the first block has a bit before it. The last two
 * are the fence, a live block that nobody frees, so that the last one has bits behind it.
 *
 * One instruction a bit. An i686 can test, set or clear a bit, by its number, in memory.
 * In C that takes five; a compiler does not use the instruction, since it is no faster,
 * and on most processors somewhat slower. Here it is used, since instructions are what
 * the lab counts.
 */
#ifndef MM_BOUNDARY_MAP_H
#define MM_BOUNDARY_MAP_H

#include "heap_strategy.h"

/*
 * What kmalloc and kfree need most is inlined into them whatever its size, because there
 * the heap's addresses are constants; what they need least stays out of their way.
 */
#define HOT static inline __attribute__((always_inline))
#define COLD static __attribute__((noinline))

enum {
    MAP_GRANULE_BYTES = HEAP_ALIGNMENT_BYTES,
    MAP_WORD_BITS = 32,
    MIN_GRANULES = 2,
    FIRST_GRANULE = 1,   /* of the first block */
    FENCE_GRANULES = 2,  /* at the arena's end */
    SHORT_GRANULES = 32, /* the longest live block whose length is the way to the next 1 */
    LONG_MARK = 0x1FD,   /* a longer one's bits before its length: 1 . 1 1 1 1 1 1 1 */
    LENGTH_SHIFT = 9,
    LENGTH_BITS = 23,
    MAP_WORDS_MAX = 64 * 1024 * 1024 / (MAP_GRANULE_BYTES * MAP_WORD_BITS),
};

_Static_assert(HEAP_BYTES_PER_MAP_BYTE == 8 * MAP_GRANULE_BYTES, "a granule has one bit");
_Static_assert(LONG_MARK >> LENGTH_SHIFT == 0, "the length begins behind the mark");
_Static_assert(LENGTH_SHIFT + LENGTH_BITS == SHORT_GRANULES, "and ends before the last bit");
_Static_assert(64 * 1024 * 1024 / MAP_GRANULE_BYTES <= 1 << LENGTH_BITS, "64 MiB can be told");

/* --- bits --------------------------------------------------------------------------- */

/*
 * As many as there ever are. Tells the compiler what an instruction below may touch: words
 * that the rest of the code knows by other types.
 */
struct __attribute__((may_alias)) bits {
    uint32_t words[MAP_WORDS_MAX];
};

HOT bool bit_get(const void *bits, uint32_t number)
{
    bool set;
    __asm__("btl %2, %1" : "=@ccc"(set) : "m"(*(const struct bits *)bits), "r"(number));
    return set;
}

HOT void bit_set(void *bits, uint32_t number)
{
    __asm__("btsl %1, %0" : "+m"(*(struct bits *)bits) : "r"(number) : "cc");
}

HOT void bit_clear(void *bits, uint32_t number)
{
    __asm__("btrl %1, %0" : "+m"(*(struct bits *)bits) : "r"(number) : "cc");
}

/* Returns: whether the bit was set; it is clear now. */
HOT bool bit_take(void *bits, uint32_t number)
{
    bool set;
    __asm__("btrl %2, %0" : "+m"(*(struct bits *)bits), "=@ccc"(set) : "r"(number));
    return set;
}

/* Counts down. Returns: whether the number, a signed one, is negative now. */
HOT bool count_down(uint32_t *number)
{
    bool negative;
    __asm__("decl %0" : "+m"(*number), "=@ccs"(negative));
    return negative;
}

HOT uint32_t bit_lowest(uint32_t word)
{
    return (uint32_t)__builtin_ctz(word);
}

HOT uint32_t bit_highest(uint32_t word)
{
    uint32_t highest;
    __asm__("bsrl %1, %0" : "=r"(highest) : "r"(word) : "cc");
    return highest;
}

/*
 * Returns: the number, whose origin the compiler forgets here: what it is computed from later
 * is this number, and not what this number was computed from, which would be kept until then.
 */
HOT uint32_t on_its_own(uint32_t number)
{
    __asm__("" : "+r"(number));
    return number;
}

/* --- addresses ---------------------------------------------------------------------- */

/*
 * Returns: by how many bytes an address lies behind base. In C the compiler would load the base,
 * which it knows, into a register first.
 */
HOT uint32_t bytes_behind(const void *base, const void *address)
{
    uint32_t bytes = (uint32_t)(uintptr_t)address;
    __asm__("subl %1, %0" : "+r"(bytes) : "ri"(base) : "cc");
    return bytes;
}

/* The same. Returns: whether the address lies before base, which leaves bytes undefined. */
HOT bool is_before(const void *base, const void *address, uint32_t *bytes)
{
    bool before;
    *bytes = (uint32_t)(uintptr_t)address;
    __asm__("subl %2, %0" : "+r"(*bytes), "=@ccc"(before) : "ri"(base));
    return before;
}

/* --- granules ----------------------------------------------------------------------- */

HOT uint32_t map_granule_of(const struct heap *heap, const void *address)
{
    return bytes_behind(heap->region.arena, address) / MAP_GRANULE_BYTES;
}

HOT void *map_address_of(const struct heap *heap, uint32_t granule)
{
    return heap->region.arena + granule * MAP_GRANULE_BYTES;
}

/* The first granule of the fence: where the last block ends. */
HOT uint32_t map_end(const struct heap *heap)
{
    return heap->region.arena_bytes / MAP_GRANULE_BYTES - FENCE_GRANULES;
}

/* Returns: how many granules a block for size bytes has. Requires: size >= 1. */
HOT uint32_t map_granules_for(uint32_t size)
{
    uint32_t granules = (size - 1) / MAP_GRANULE_BYTES + 1;
    return granules < MIN_GRANULES ? MIN_GRANULES : granules;
}

HOT bool map_get(const struct heap *heap, uint32_t granule)
{
    return bit_get(heap->region.map, granule);
}

HOT void map_set(const struct heap *heap, uint32_t granule)
{
    bit_set(heap->region.map, granule);
}

HOT void map_clear(const struct heap *heap, uint32_t granule)
{
    bit_clear(heap->region.map, granule);
}

HOT bool map_take(const struct heap *heap, uint32_t granule)
{
    return bit_take(heap->region.map, granule);
}

/*
 * The map's word that has this granule's bit, and the next. The one behind the last is
 * the arena's first, granule 0, which is no block's: it may be read, and written back.
 */
HOT uint64_t map_load_two_words(const struct heap *heap, uint32_t granule)
{
    uint64_t words;
    __builtin_memcpy(&words, heap->region.map + granule / MAP_WORD_BITS * 4, sizeof(words));
    return words;
}

HOT void map_store_two_words(const struct heap *heap, uint32_t granule, uint64_t words)
{
    __builtin_memcpy(heap->region.map + granule / MAP_WORD_BITS * 4, &words, sizeof(words));
}

/* Of the 32 granules from this one on, changes the bits that are set in bits. */
HOT void map_flip(const struct heap *heap, uint32_t granule, uint32_t bits)
{
    uint64_t words = map_load_two_words(heap, granule);
    uint32_t behind = 0; /* what the shift below loses; an i686 shifts by the count modulo 32 */
    __asm__("shldl %%cl, %1, %0" : "+r"(behind) : "r"(bits), "c"(granule) : "cc");
    words ^= (uint64_t)behind << MAP_WORD_BITS | bits << granule % MAP_WORD_BITS;
    map_store_two_words(heap, granule, words);
}

/* The bits of 32 granules from this one on. */
HOT uint32_t map_bits_from(const struct heap *heap, uint32_t granule)
{
    return (uint32_t)(map_load_two_words(heap, granule) >> granule % MAP_WORD_BITS);
}

/* --- live blocks -------------------------------------------------------------------- */

/* Requires: a live block begins at granule. */
HOT uint32_t map_window(const struct heap *heap, uint32_t granule)
{
    return map_bits_from(heap, granule + 1);
}

HOT bool window_is_long(uint32_t window)
{
    return (uint8_t)window == LONG_MARK >> 1;
}

/* Requires: the window is a long block's. Returns: its granules less one. */
HOT uint32_t window_long_bin(uint32_t window)
{
    return (window >> (LENGTH_SHIFT - 1)) - 1;
}

/* Requires: the window is not a long block's. Returns: its granules less one. */
HOT uint32_t window_short_bin(uint32_t window)
{
    return bit_lowest(window);
}

HOT uint32_t map_live_granules(const struct heap *heap, uint32_t granule)
{
    uint32_t window = map_window(heap, granule);
    return 1 + (window_is_long(window) ? window_long_bin(window) : window_short_bin(window));
}

/* What a long block has in the map besides its first bit: the rest of its mark, and its length. */
HOT uint32_t map_long_code(uint32_t granules)
{
    return granules << LENGTH_SHIFT | ((uint32_t)LONG_MARK - 1);
}

/*
 * Writes a live block's length down, if it needs it.
 * Requires: the first bit is set, all others are clear.
 */
HOT void map_write_length(const struct heap *heap, uint32_t granule, uint32_t granules)
{
    if (granules > SHORT_GRANULES)
        map_flip(heap, granule, map_long_code(granules));
}

/* The opposite, which changes the same bits. */
HOT void map_erase_length(const struct heap *heap, uint32_t granule, uint32_t granules)
{
    map_write_length(heap, granule, granules);
}

/* Both in one: the live block has another length now. */
HOT void map_change_length(const struct heap *heap, uint32_t granule, uint32_t had, uint32_t has)
{
    uint32_t erased = had > SHORT_GRANULES ? map_long_code(had) : 0;
    uint32_t written = has > SHORT_GRANULES ? map_long_code(has) : 0;
    map_flip(heap, granule, erased ^ written);
}

#endif
