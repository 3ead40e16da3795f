/* SPDX-License-Identifier: MIT */
/*
 * The conformance cases: what heap.h promises, tried through heap.h alone. No case
 * knows a strategy; where a promise depends on a trait, the case asks for the trait
 * and skips itself without it.
 *
 * Every case starts from a fresh heap and ends with heap_check(). A case that fails
 * says which call was made, what came back and what was expected. Work is bounded: on
 * heaps larger than SMALL_REGION_BYTES there are fewer blocks, and fewer checks.
 */
#include "heap_tests.h"

#include "../mm/hardening.h"
#include "../mm/heap.h"
#include "../mm/heap_check.h"
#include "../mm/heap_stats.h"
#include "../mm/heap_strategy.h"
#include "format.h"
#include "random.h"
#include "text.h"

enum {
    MESSAGE_BYTES = 320,
    HELD_MAX = 1100,                       /* blocks that a case holds at once */
    SMALL_REGION_BYTES = 2 * 1024 * 1024,
    FILL_BLOCKS = 1024,                    /* of which a small heap has room for at most */
    FILL_BLOCKS_LARGE = 128,
    UNIT_BYTES = 64,
    STRESS_OPERATIONS = 2000,
    STRESS_SLOTS = 256,
    STRESS_CHECK_INTERVAL_LARGE = 64,
    STAMPED_END_BYTES = 4096,
    LEFT_BYTES = 4096,                     /* left to the smallest blocks of a full heap */
};

/* A block that a case holds, and what it wrote there. */
struct held {
    uint8_t *address; /* NULL: this slot is empty */
    uint32_t bytes;
    uint32_t stamp;
};

static struct held held[HELD_MAX];
static char message[MESSAGE_BYTES];
static struct random randomness;

#define SAY(...) format_text(message, sizeof(message), __VA_ARGS__)

/* --- the tools of the cases ---------------------------------------------------- */

static void start(uint32_t seed)
{
    randomness = random_seeded(seed);
    kinitHeap();
}

static bool has_trait(enum heap_trait trait)
{
    return (kheap_strategy()->traits & (uint32_t)trait) != 0;
}

static const char *skip_without_validation(void)
{
    return SAY("SKIP %s cannot tell a live block from another address", kheap_strategy()->name);
}

static const char *skip_never_frees(void)
{
    return SAY("SKIP %s never uses freed memory again", kheap_strategy()->name);
}

static const char *skip_does_not_coalesce(void)
{
    return SAY("SKIP %s does not merge free neighbours at once", kheap_strategy()->name);
}

static uint32_t region_bytes(void)
{
    return kheap()->region.map_bytes + kheap()->region.arena_bytes;
}

static uint8_t *region_start(void)
{
    return kheap()->region.map;
}

static struct heap_stats measure(void)
{
    struct heap_stats stats;
    heap_measure(kheap_strategy(), kheap(), &stats);
    return stats;
}

static const char *broken_after(const char *what)
{
    const char *broken = heap_check(kheap_strategy(), kheap());
    return broken == NULL ? NULL : SAY("after %s the heap is damaged: %s", what, broken);
}

/* What a caller can tell a heap by: which blocks are live, and how much is not. */
struct picture {
    uint32_t live_hash;
    uint32_t free_bytes;
};

static uint32_t hash_word(uint32_t hash, uint32_t word)
{
    const uint32_t fnv_prime = 16777619;
    return (hash ^ word) * fnv_prime;
}

static void add_to_picture(void *context, const struct heap_block *block)
{
    struct picture *picture = context;
    if (block->state == HEAP_BLOCK_LIVE) {
        picture->live_hash = hash_word(picture->live_hash, (uint32_t)(uintptr_t)block->payload);
        picture->live_hash = hash_word(picture->live_hash, block->payload_bytes);
    } else if (block->state != HEAP_BLOCK_META) {
        picture->free_bytes += block->bytes;
    }
}

static struct picture take_picture(void)
{
    const uint32_t fnv_basis = 2166136261;
    struct picture picture = {.live_hash = fnv_basis};
    kheap_strategy()->walk(kheap(), add_to_picture, &picture);
    return picture;
}

static bool heap_changed_since(const struct picture *before)
{
    struct picture now = take_picture();
    return now.live_hash != before->live_hash || now.free_bytes != before->free_bytes;
}

static uint8_t pattern_byte(uint32_t stamp, uint32_t offset)
{
    return (uint8_t)(stamp + offset + (offset >> 8));
}

static void write_pattern(uint8_t *address, uint32_t bytes, uint32_t stamp)
{
    for (uint32_t i = 0; i < bytes; i++)
        address[i] = pattern_byte(stamp, i);
}

/* Returns: the offset of the first byte that is not what was written; bytes if none. */
static uint32_t first_wrong_byte(const uint8_t *address, uint32_t bytes, uint32_t stamp)
{
    uint32_t i = 0;
    while (i < bytes && address[i] == pattern_byte(stamp, i))
        i++;
    return i;
}

static const char *pattern_lost(const struct held *block, uint32_t bytes, const char *after)
{
    uint32_t wrong = first_wrong_byte(block->address, bytes, block->stamp);
    if (wrong == bytes)
        return NULL;
    return SAY("after %s, byte %u of the live block of %u bytes at %p is no longer what its "
               "owner wrote: two blocks share memory, or the heap wrote into a live block",
               after, wrong, block->bytes, (void *)block->address);
}

static bool overlap(const struct held *a, const struct held *b)
{
    return a->address < b->address + b->bytes && b->address < a->address + a->bytes;
}

static const char *misplaced(const struct held *block, uint32_t align)
{
    uint32_t offset = (uint32_t)((uintptr_t)block->address - (uintptr_t)region_start());
    if ((uintptr_t)block->address % align != 0)
        return SAY("a request for %u bytes returned %p, which is not a multiple of %u",
                   block->bytes, (void *)block->address, align);
    if (offset >= region_bytes() || block->bytes > region_bytes() - offset)
        return SAY("a request for %u bytes returned %p, but the heap's memory is %p to %p",
                   block->bytes, (void *)block->address, (void *)region_start(),
                   (void *)(region_start() + region_bytes()));
    return NULL;
}

/* Judges a block just received against the count slots of held, itself excepted. */
static const char *received(const struct held *block, uint32_t align, uint32_t count)
{
    const char *wrong = misplaced(block, align);
    for (uint32_t i = 0; i < count && wrong == NULL; i++)
        if (&held[i] != block && held[i].address != NULL && overlap(block, &held[i]))
            wrong = SAY("a request for %u bytes returned %p, inside the live block of %u bytes "
                        "at %p", block->bytes, (void *)block->address, held[i].bytes,
                        (void *)held[i].address);
    if (wrong == NULL && ksize(block->address) < block->bytes)
        wrong = SAY("ksize(%p) is %u for a block of %u bytes; expected at least that",
                    (void *)block->address, ksize(block->address), block->bytes);
    return wrong;
}

/* Allocates into held[slot] and stamps it. Returns: NULL, or what is wrong. */
static const char *hold(uint32_t slot, uint32_t bytes)
{
    struct held *block = &held[slot];
    *block = (struct held){.address = kmalloc(bytes), .bytes = bytes, .stamp = slot};
    if (block->address == NULL)
        return SAY("kmalloc(%u) returned NULL, though the heap has room", bytes);
    const char *wrong = received(block, HEAP_ALIGNMENT_BYTES, slot);
    if (wrong == NULL)
        write_pattern(block->address, bytes, block->stamp);
    return wrong;
}

/* Frees held[slot] after a look at its contents. Returns: NULL, or what is wrong. */
static const char *let_go(uint32_t slot)
{
    struct held *block = &held[slot];
    const char *wrong = pattern_lost(block, block->bytes, "some calls");
    int8_t result = wrong == NULL ? kfree(block->address) : 0;
    if (result != 0)
        wrong = SAY("kfree(%p), a live block of %u bytes, returned %d; expected 0",
                    (void *)block->address, block->bytes, result);
    block->address = NULL;
    return wrong;
}

/* Returns: the largest size that a fresh heap grants. Leaves a fresh heap. */
static uint32_t largest_of_fresh_heap(void)
{
    uint32_t fits = 0;
    uint32_t too_large = region_bytes() + 1;
    while (too_large - fits > 1) {
        uint32_t size = fits + (too_large - fits) / 2;
        kinitHeap();
        if (kmalloc(size) != NULL)
            fits = size;
        else
            too_large = size;
    }
    kinitHeap();
    return fits;
}

/* --- kmalloc ------------------------------------------------------------------- */

static const char *test_kmalloc_of_zero(uint32_t seed)
{
    start(seed);
    struct picture fresh = take_picture();
    void *block = kmalloc(0);
    if (block != NULL)
        return SAY("kmalloc(0) returned %p; expected NULL", block);
    if (heap_changed_since(&fresh))
        return "kmalloc(0) returned NULL, but took memory; expected an untouched heap";
    return broken_after("kmalloc(0)");
}

static const char *refuses(uint32_t size, const struct picture *before)
{
    void *block = kmalloc(size);
    if (block != NULL)
        return SAY("kmalloc(%u) returned %p, but the heap has only %u bytes; expected NULL", size,
                   block, region_bytes());
    if (heap_changed_since(before))
        return SAY("kmalloc(%u) returned NULL, but changed the heap; expected it untouched", size);
    return NULL;
}

static const char *test_kmalloc_too_large(uint32_t seed)
{
    start(seed);
    const uint32_t sizes[] = {
        0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFF9, 0xFFFFFFF8, 0xFFFFFFF0, 0xFFFFFFC1, 0xFFFFFFC0,
        0xFFFFF001, 0xFFFFF000, 0x80000001, 0x80000000, 0x7FFFFFFF,
        region_bytes() + 64, region_bytes() + 1,
    };
    const char *wrong = hold(0, 100);
    if (wrong == NULL)
        wrong = hold(1, 1000);
    struct picture before = take_picture();
    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && wrong == NULL; i++)
        wrong = refuses(sizes[i], &before);
    for (uint32_t slot = 0; slot < 2 && wrong == NULL; slot++)
        wrong = let_go(slot);
    return wrong != NULL ? wrong : broken_after("requests that cannot fit");
}

static const char *test_blocks_are_apart(uint32_t seed)
{
    enum { BLOCKS = 200, BLOCKS_SMALL = 100, SMALL_BYTES = 128 * 1024 };
    start(seed);
    /* On the smallest heaps, pages of 4 KiB for each size are more than there are. */
    uint32_t blocks = region_bytes() < SMALL_BYTES ? BLOCKS_SMALL : BLOCKS;
    const char *wrong = NULL;
    for (uint32_t slot = 0; slot < blocks && wrong == NULL; slot++)
        wrong = hold(slot, slot < blocks / 2 ? slot + 1 : 1 + random_below(&randomness, 250));
    if (wrong == NULL && measure().live_blocks != blocks)
        wrong = SAY("%u blocks were handed out, but walking the heap shows %u", blocks,
                    measure().live_blocks);
    for (uint32_t slot = 0; slot < blocks && wrong == NULL; slot++)
        wrong = let_go(slot);
    return wrong != NULL ? wrong : broken_after("many allocations and frees");
}

static const char *long_block_between_two(uint32_t bytes)
{
    kinitHeap();
    const char *wrong = hold(0, UNIT_BYTES);
    if (wrong == NULL)
        wrong = hold(1, bytes);
    if (wrong == NULL)
        wrong = hold(2, UNIT_BYTES);
    if (wrong == NULL)
        wrong = let_go(1);
    if (wrong == NULL && !has_trait(HEAP_NEVER_FREES))
        wrong = hold(1, bytes);
    if (wrong == NULL)
        wrong = let_go(2);
    if (wrong == NULL)
        wrong = let_go(0);
    return wrong != NULL ? wrong : broken_after("a long block between two short ones");
}

/* Lengths around 255 units do not fit into a byte, 65,536 bytes not into 16 bits. */
static const char *test_long_blocks(uint32_t seed)
{
    const uint32_t units[] = {254, 255, 256, 257, 300, 511, 512, 513, 1023, 1024, 1025, 1500};
    start(seed);
    uint32_t room = largest_of_fresh_heap() / 2;
    if (room < units[0] * UNIT_BYTES)
        return SAY("SKIP the heap grants no two blocks of %u bytes", units[0] * UNIT_BYTES);
    const char *wrong = NULL;
    for (uint32_t i = 0; i < sizeof(units) / sizeof(units[0]) && wrong == NULL; i++)
        if (units[i] * UNIT_BYTES <= room)
            wrong = long_block_between_two(units[i] * UNIT_BYTES);
    return wrong;
}

/* --- kfree --------------------------------------------------------------------- */

static const char *test_kfree_of_null(uint32_t seed)
{
    start(seed);
    const char *wrong = hold(0, 100);
    struct picture before = take_picture();
    int8_t result = kfree(NULL);
    if (wrong == NULL && result != 0)
        wrong = SAY("kfree(NULL) returned %d; expected 0", result);
    if (wrong == NULL && heap_changed_since(&before))
        wrong = "kfree(NULL) changed the heap; expected it to do nothing";
    return wrong != NULL ? wrong : let_go(0);
}

static const char *kfree_refuses(const uint8_t *address, const char *what)
{
    struct picture before = take_picture();
    int8_t result = kfree((void *)(uintptr_t)address);
    if (result != -1)
        return SAY("kfree(%p), %s, returned %d; expected -1", (const void *)address, what, result);
    if (heap_changed_since(&before))
        return SAY("kfree(%p), %s, returned -1, but changed the heap; expected it untouched",
                   (const void *)address, what);
    return NULL;
}

static const char *test_kfree_outside(uint32_t seed)
{
    start(seed);
    if (!kheap_refuses_wrong_addresses())
        return skip_without_validation();
    uint8_t *first = region_start();
    uint8_t *end = first + region_bytes();
    uint8_t local[UNIT_BYTES];
    const uint8_t *below[] = {first - 1, first - 8, first - UNIT_BYTES, first - 4096,
                              (uint8_t *)(uintptr_t)UNIT_BYTES, (uint8_t *)(uintptr_t)1};
    const uint8_t *above[] = {end, end + 8, end + UNIT_BYTES, end + 4096, local,
                              (uint8_t *)(uintptr_t)0xFFFFFFC0, (uint8_t *)(uintptr_t)0xFFFFFFFF};
    uint8_t *block = kmalloc(100);
    if (block == NULL)
        return "kmalloc(100) returned NULL on a fresh heap";
    const char *wrong = NULL;
    for (int value = 0; value <= 4 && wrong == NULL; value++) {
        /* What the owner writes must not matter, even if it looks like a side array. */
        __builtin_memset(block, value, 100);
        for (uint32_t i = 0; i < sizeof(below) / sizeof(below[0]) && wrong == NULL; i++)
            wrong = kfree_refuses(below[i], "an address below the heap");
        for (uint32_t i = 0; i < sizeof(above) / sizeof(above[0]) && wrong == NULL; i++)
            wrong = kfree_refuses(above[i], "an address outside the heap");
    }
    if (wrong == NULL && kfree(block) != 0)
        wrong = "kfree of the only live block did not return 0";
    return wrong;
}

static const char *test_kfree_not_handed_out(uint32_t seed)
{
    start(seed);
    if (!kheap_refuses_wrong_addresses())
        return skip_without_validation();
    const uint8_t *arena = kheap()->region.arena;
    const uint8_t *end = region_start() + region_bytes();
    const char *wrong = hold(0, 100);
    for (const uint8_t *byte = arena - UNIT_BYTES; byte < arena && wrong == NULL; byte++)
        if (byte != held[0].address)
            wrong = kfree_refuses(byte, "in the side array");
    for (const uint8_t *byte = end - 2 * UNIT_BYTES; byte < end && wrong == NULL; byte++)
        if (byte != held[0].address)
            wrong = kfree_refuses(byte, "near the heap's end, never handed out");
    return wrong != NULL ? wrong : let_go(0);
}

static const char *test_kfree_interior(uint32_t seed)
{
    enum { BYTES = 300 };
    start(seed);
    if (!kheap_refuses_wrong_addresses())
        return skip_without_validation();
    const char *wrong = hold(0, BYTES);
    if (wrong == NULL)
        wrong = hold(1, BYTES);
    for (uint32_t offset = 1; offset < BYTES && wrong == NULL; offset++)
        wrong = kfree_refuses(held[0].address + offset, "an address inside a live block");
    for (uint32_t slot = 0; slot < 2 && wrong == NULL; slot++)
        wrong = let_go(slot);
    return wrong != NULL ? wrong : broken_after("refused frees");
}

static const char *test_kfree_twice(uint32_t seed)
{
    start(seed);
    if (!kheap_refuses_wrong_addresses())
        return skip_without_validation();
    const char *wrong = NULL;
    for (uint32_t slot = 0; slot < 5 && wrong == NULL; slot++)
        wrong = hold(slot, 100 * (slot + 1));
    for (uint32_t slot = 1; slot < 5 && wrong == NULL; slot += 2) {
        const uint8_t *address = held[slot].address;
        wrong = let_go(slot);
        if (wrong == NULL)
            wrong = kfree_refuses(address, "a block that has already been freed");
    }
    for (uint32_t slot = 0; slot < 5 && wrong == NULL; slot += 2)
        wrong = let_go(slot);
    return wrong != NULL ? wrong : broken_after("blocks freed twice");
}

static const char *test_freed_memory_is_used_again(uint32_t seed)
{
    start(seed);
    if (has_trait(HEAP_NEVER_FREES))
        return skip_never_frees();
    uint32_t bytes = region_bytes() / 16;
    const char *wrong = NULL;
    for (uint32_t round = 0; round < 64 && wrong == NULL; round++) {
        held[0] = (struct held){.address = kmalloc(bytes), .bytes = bytes};
        if (held[0].address == NULL)
            return SAY("kmalloc(%u) returned NULL in round %u, though each earlier block of that "
                       "size was freed", bytes, round);
        wrong = received(&held[0], HEAP_ALIGNMENT_BYTES, 0);
        int8_t result = kfree(held[0].address);
        if (wrong == NULL && result != 0)
            wrong = SAY("kfree(%p), a live block of %u bytes, returned %d; expected 0",
                        (void *)held[0].address, bytes, result);
    }
    return wrong != NULL ? wrong : broken_after("64 blocks taken and given back in turn");
}

/* --- exhaustion and merging ------------------------------------------------------ */

static const char *test_whole_heap_as_one_block(uint32_t seed)
{
    start(seed);
    if (!has_trait(HEAP_COALESCES))
        return skip_does_not_coalesce();
    uint32_t bytes = largest_of_fresh_heap();
    if (bytes < region_bytes() / 4)
        return SAY("the largest block a fresh heap of %u bytes grants is %u bytes; expected a "
                   "quarter at least", region_bytes(), bytes);
    for (uint32_t round = 1; round <= 3; round++) {
        held[0] = (struct held){.address = kmalloc(bytes), .bytes = bytes};
        if (held[0].address == NULL)
            return SAY("kmalloc(%u), the largest block of a fresh heap, returned NULL the %s "
                       "time, though all was freed", bytes, round == 2 ? "second" : "third");
        const char *wrong = received(&held[0], HEAP_ALIGNMENT_BYTES, 0);
        if (wrong != NULL)
            return wrong;
        write_pattern(held[0].address, STAMPED_END_BYTES, round);
        write_pattern(held[0].address + bytes - STAMPED_END_BYTES, STAMPED_END_BYTES, round);
        if (kfree(held[0].address) != 0)
            return SAY("kfree(%p), the heap's largest block, did not return 0",
                       (void *)held[0].address);
    }
    return broken_after("the largest block was taken and given back");
}

/* Fills the heap with equal blocks. Returns: NULL, or what is wrong; *count of them. */
static const char *fill_heap(uint32_t *count)
{
    uint32_t at_most = region_bytes() <= SMALL_REGION_BYTES ? FILL_BLOCKS : FILL_BLOCKS_LARGE;
    uint32_t bytes = region_bytes() / at_most;
    *count = 0;
    for (uint32_t slot = 0; slot < HELD_MAX; slot++) {
        struct held *block = &held[slot];
        *block = (struct held){.address = kmalloc(bytes), .bytes = bytes, .stamp = slot};
        if (block->address == NULL)
            return slot == 0 ? SAY("kmalloc(%u) returned NULL on a fresh heap", bytes) : NULL;
        const char *wrong = received(block, HEAP_ALIGNMENT_BYTES, slot);
        if (wrong != NULL)
            return wrong;
        write_pattern(block->address, bytes, slot);
        *count = slot + 1;
    }
    return SAY("the heap of %u bytes granted %u blocks of %u bytes", region_bytes(), HELD_MAX,
               bytes);
}

enum order { FORWARD, BACKWARD, RANDOM };

static void put_in_order(uint32_t count, enum order order)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t other = i;
        if (order == BACKWARD && i < count / 2)
            other = count - 1 - i;
        if (order == RANDOM)
            other = i + random_below(&randomness, count - i);
        struct held swapped = held[i];
        held[i] = held[other];
        held[other] = swapped;
    }
}

static const char *not_as_fresh(const struct heap_stats *fresh, uint32_t largest)
{
    struct heap_stats now = measure();
    if (now.live_blocks != 0)
        return SAY("every block was freed, but walking the heap shows %u live ones",
                   now.live_blocks);
    if (now.cached_blocks == 0 && (now.free_blocks != fresh->free_blocks ||
                                   now.largest_free_bytes != fresh->largest_free_bytes))
        return SAY("every block was freed, but there are %u holes, the largest of %u bytes; the "
                   "fresh heap had %u, the largest of %u bytes", now.free_blocks,
                   now.largest_free_bytes, fresh->free_blocks, fresh->largest_free_bytes);
    if (kmalloc(largest) == NULL)
        return SAY("every block was freed, but kmalloc(%u), the largest block of a fresh heap, "
                   "returned NULL", largest);
    return NULL;
}

static const char *fill_and_free(uint32_t seed, enum order order)
{
    start(seed);
    if (!has_trait(HEAP_COALESCES))
        return skip_does_not_coalesce();
    uint32_t largest = largest_of_fresh_heap();
    struct heap_stats fresh = measure();
    uint32_t count;
    const char *wrong = fill_heap(&count);
    if (wrong == NULL)
        wrong = broken_after("the heap was filled");
    put_in_order(count, order);
    for (uint32_t slot = 0; slot < count && wrong == NULL; slot++) {
        wrong = let_go(slot);
        if (wrong == NULL && slot % 256 == 0)
            wrong = broken_after("some blocks of a full heap were freed");
    }
    if (wrong == NULL)
        wrong = not_as_fresh(&fresh, largest);
    return wrong != NULL ? wrong : broken_after("a full heap was emptied");
}

static const char *test_free_forward(uint32_t seed)
{
    return fill_and_free(seed, FORWARD);
}

static const char *test_free_backward(uint32_t seed)
{
    return fill_and_free(seed, BACKWARD);
}

static const char *test_free_random(uint32_t seed)
{
    return fill_and_free(seed, RANDOM);
}

/* Frees a chain: each of its blocks holds the address of the next, and a magic word. */
struct link {
    struct link *next;
    uint32_t magic;
};

enum { LINK_MAGIC = 0x4C494E4B };

static const char *free_chain(struct link *link)
{
    while (link != NULL) {
        if (link->magic != LINK_MAGIC)
            return SAY("the live block at %p was overwritten", (void *)link);
        struct link *next = link->next;
        int8_t result = kfree(link);
        if (result != 0)
            return SAY("kfree(%p), a live block of a full heap, returned %d; expected 0",
                       (void *)link, result);
        link = next;
    }
    return NULL;
}

/* Takes a block and puts it in front of the chain. Returns: false iff there was none. */
static bool take_link(struct link **chain, uint32_t bytes)
{
    struct link *link = kmalloc(bytes);
    if (link == NULL)
        return false;
    *link = (struct link){.next = *chain, .magic = LINK_MAGIC};
    *chain = link;
    return true;
}

/*
 * Fills the heap: half of the largest block, a quarter, and so on, and then blocks of one
 * unit until there are no more. Halves leave something to every heap; one block of nearly
 * all would be rounded up to all where sizes are powers of two. Returns: the last taken.
 */
static struct link *take_all(uint32_t largest)
{
    struct link *chain = NULL;
    for (uint32_t bytes = largest / 2; bytes >= LEFT_BYTES; bytes /= 2)
        take_link(&chain, bytes);
    while (take_link(&chain, UNIT_BYTES))
        ;
    return chain;
}

/* Takes the block that lies highest out of the chain. Requires: the chain is not empty. */
static struct link *unlink_highest(struct link **chain)
{
    struct link **to_highest = chain;
    for (struct link **to = chain; *to != NULL; to = &(*to)->next)
        if (*to > *to_highest)
            to_highest = to;
    struct link *highest = *to_highest;
    *to_highest = highest->next;
    return highest;
}

static const char *last_block_comes_back(struct link **chain)
{
    struct link *highest = unlink_highest(chain);
    int8_t result = kfree(highest);
    if (result != 0)
        return SAY("kfree(%p), the last block of a full heap, returned %d; expected 0",
                   (void *)highest, result);
    struct link *again = kmalloc(UNIT_BYTES);
    if (again == NULL)
        return SAY("kmalloc(%u) returned NULL, though the last block, %p, had just been freed",
                   UNIT_BYTES, (void *)highest);
    *again = (struct link){.next = *chain, .magic = LINK_MAGIC};
    *chain = again;
    return NULL;
}

static const char *test_last_block(uint32_t seed)
{
    start(seed);
    if (has_trait(HEAP_NEVER_FREES))
        return skip_never_frees();
    struct link *chain = take_all(largest_of_fresh_heap());
    if (chain == NULL)
        return SAY("kmalloc(%u) returned NULL on a fresh heap", UNIT_BYTES);
    const char *wrong = last_block_comes_back(&chain);
    if (wrong == NULL)
        wrong = free_chain(chain);
    return wrong != NULL ? wrong : broken_after("the last block was freed");
}

/* --- kcalloc ---------------------------------------------------------------------- */

static const char *test_kcalloc_zeroes(uint32_t seed)
{
    enum { COUNT = 37, SIZE = 11 };
    start(seed);
    const char *wrong = hold(0, COUNT * SIZE);
    if (wrong == NULL) {
        __builtin_memset(held[0].address, 0xFF, COUNT * SIZE);
        kfree(held[0].address);
        wrong = hold(0, COUNT * SIZE);
    }
    held[1] = (struct held){.address = kcalloc(COUNT, SIZE), .bytes = COUNT * SIZE};
    if (wrong != NULL || held[1].address == NULL)
        return wrong != NULL ? wrong : SAY("kcalloc(%u, %u) returned NULL", COUNT, SIZE);
    wrong = received(&held[1], HEAP_ALIGNMENT_BYTES, 1);
    for (uint32_t i = 0; i < COUNT * SIZE && wrong == NULL; i++)
        if (held[1].address[i] != 0)
            wrong = SAY("kcalloc(%u, %u): byte %u is %u; expected 0", COUNT, SIZE, i,
                        held[1].address[i]);
    return wrong != NULL ? wrong : broken_after("kcalloc");
}

/* The block that is reused must be dirty: the same size, freed just before. */
static const char *test_kcalloc_zeroes_reused(uint32_t seed)
{
    enum { SIZE = 1000 };
    start(seed);
    for (uint32_t round = 0; round < 8; round++) {
        uint8_t *dirty = kmalloc(SIZE);
        if (dirty == NULL)
            return SAY("kmalloc(%u) returned NULL on an almost empty heap", SIZE);
        __builtin_memset(dirty, 0xFF, SIZE);
        kfree(dirty);
        uint8_t *clean = kcalloc(SIZE / 4, 4);
        if (clean == NULL)
            return SAY("kcalloc(%u, 4) returned NULL on an almost empty heap", SIZE / 4);
        for (uint32_t i = 0; i < SIZE; i++)
            if (clean[i] != 0)
                return SAY("kcalloc(%u, 4): byte %u is %u in memory that was used before; "
                           "expected 0", SIZE / 4, i, clean[i]);
    }
    return broken_after("kcalloc");
}

static const char *test_kcalloc_overflow(uint32_t seed)
{
    const uint32_t products[][2] = {
        {0x10000, 0x10000}, {0x80000001, 2}, {2, 0x80000001}, {0x10001, 0xFFFF0001},
        {0xFFFFFFFF, 0xFFFFFFFF}, {0x40000001, 4}, {0xFFFFFFFF, 1}, {0, 5}, {5, 0}, {0, 0},
    };
    start(seed);
    struct picture fresh = take_picture();
    for (uint32_t i = 0; i < sizeof(products) / sizeof(products[0]); i++) {
        void *block = kcalloc(products[i][0], products[i][1]);
        if (block != NULL)
            return SAY("kcalloc(%u, %u) returned %p; expected NULL", products[i][0],
                       products[i][1], block);
        if (heap_changed_since(&fresh))
            return SAY("kcalloc(%u, %u) returned NULL, but changed the heap", products[i][0],
                       products[i][1]);
    }
    return NULL;
}

/* --- krealloc --------------------------------------------------------------------- */

static const char *test_krealloc_of_null(uint32_t seed)
{
    start(seed);
    held[0] = (struct held){.address = krealloc(NULL, 100), .bytes = 100};
    if (held[0].address == NULL)
        return "krealloc(NULL, 100) returned NULL; expected a block, as from kmalloc(100)";
    const char *wrong = received(&held[0], HEAP_ALIGNMENT_BYTES, 0);
    void *nothing = wrong == NULL ? krealloc(NULL, 0) : NULL;
    if (nothing != NULL)
        return SAY("krealloc(NULL, 0) returned %p; expected NULL, as from kmalloc(0)", nothing);
    if (wrong == NULL && kfree(held[0].address) != 0)
        wrong = "kfree of a block from krealloc(NULL, 100) did not return 0";
    return wrong != NULL ? wrong : broken_after("krealloc(NULL, 100)");
}

static const char *test_krealloc_to_zero(uint32_t seed)
{
    start(seed);
    const char *wrong = hold(0, 100);
    if (wrong != NULL)
        return wrong;
    void *nothing = krealloc(held[0].address, 0);
    if (nothing != NULL)
        return SAY("krealloc(%p, 0) returned %p; expected NULL", (void *)held[0].address, nothing);
    if (!has_trait(HEAP_NEVER_FREES) && measure().live_blocks != 0)
        return SAY("krealloc(%p, 0) left the block live; expected it to be freed",
                   (void *)held[0].address);
    return broken_after("krealloc to 0 bytes");
}

/* Resizes held[slot], whose first kept bytes must survive. */
static const char *resize(uint32_t slot, uint32_t bytes, uint32_t count)
{
    struct held *block = &held[slot];
    uint32_t kept = block->bytes < bytes ? block->bytes : bytes;
    uint32_t old_bytes = block->bytes;
    uint8_t *moved = krealloc(block->address, bytes);
    if (moved == NULL)
        return SAY("krealloc(%p, %u) returned NULL, though the heap has room",
                   (void *)block->address, bytes);
    block->address = moved;
    block->bytes = bytes;
    const char *wrong = received(block, HEAP_ALIGNMENT_BYTES, count);
    uint32_t same = wrong == NULL ? first_wrong_byte(moved, kept, block->stamp) : kept;
    if (same != kept)
        wrong = SAY("krealloc from %u to %u bytes, now at %p: byte %u is not what was there "
                    "before", old_bytes, bytes, (void *)moved, same);
    if (wrong == NULL)
        write_pattern(moved, bytes, block->stamp);
    return wrong;
}

/* Where a block moved, its old place must be free again. */
static const char *not_so_many_live(uint32_t blocks)
{
    uint32_t live = measure().live_blocks;
    if (live == blocks || has_trait(HEAP_NEVER_FREES))
        return NULL;
    return SAY("after krealloc there are %u live blocks; expected %u", live, blocks);
}

/* Once with free memory behind the block, once with a neighbour there. */
static const char *resize_through(const uint32_t *sizes, uint32_t count, bool neighbour)
{
    kinitHeap();
    const char *wrong = hold(0, sizes[0]);
    if (wrong == NULL && neighbour)
        wrong = hold(1, 100);
    for (uint32_t i = 1; i < count && wrong == NULL; i++) {
        wrong = resize(0, sizes[i], neighbour ? 2 : 1);
        if (wrong == NULL && neighbour)
            wrong = pattern_lost(&held[1], held[1].bytes, "krealloc of its neighbour");
        if (wrong == NULL)
            wrong = broken_after("krealloc");
        if (wrong == NULL)
            wrong = not_so_many_live(neighbour ? 2 : 1);
    }
    for (uint32_t slot = 0; slot < (neighbour ? 2U : 1U) && wrong == NULL; slot++)
        wrong = let_go(slot);
    return wrong;
}

static const char *test_krealloc_grows(uint32_t seed)
{
    const uint32_t sizes[] = {1, 8, 9, 64, 65, 128, 500, 501, 2000, 8000};
    start(seed);
    const char *wrong = resize_through(sizes, sizeof(sizes) / sizeof(sizes[0]), false);
    return wrong != NULL ? wrong : resize_through(sizes, sizeof(sizes) / sizeof(sizes[0]), true);
}

static const char *test_krealloc_shrinks(uint32_t seed)
{
    const uint32_t sizes[] = {8000, 7999, 4000, 500, 129, 128, 127, 64, 63, 9, 8, 1};
    start(seed);
    const char *wrong = resize_through(sizes, sizeof(sizes) / sizeof(sizes[0]), false);
    return wrong != NULL ? wrong : resize_through(sizes, sizeof(sizes) / sizeof(sizes[0]), true);
}

static const char *test_krealloc_fails(uint32_t seed)
{
    start(seed);
    const uint32_t sizes[] = {0xFFFFFFFF, 0xFFFFFFC1, 0x80000000, region_bytes() + 1};
    const char *wrong = hold(0, 200);
    struct picture before = take_picture();
    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && wrong == NULL; i++) {
        void *moved = krealloc(held[0].address, sizes[i]);
        if (moved != NULL)
            wrong = SAY("krealloc(%p, %u) returned %p, but the heap has only %u bytes; expected "
                        "NULL", (void *)held[0].address, sizes[i], moved, region_bytes());
        else if (heap_changed_since(&before))
            wrong = SAY("krealloc(%p, %u) failed, but changed the heap; expected the old block "
                        "untouched", (void *)held[0].address, sizes[i]);
        else
            wrong = pattern_lost(&held[0], held[0].bytes, "a krealloc that failed");
    }
    return wrong != NULL ? wrong : let_go(0);
}

static const char *krealloc_refuses(const uint8_t *address, const char *what)
{
    struct picture before = take_picture();
    void *moved = krealloc((void *)(uintptr_t)address, 50);
    if (moved != NULL)
        return SAY("krealloc(%p, 50), %s, returned %p; expected NULL", (const void *)address, what,
                   moved);
    if (heap_changed_since(&before))
        return SAY("krealloc(%p, 50), %s, returned NULL, but changed the heap",
                   (const void *)address, what);
    return NULL;
}

static const char *test_krealloc_wrong_address(uint32_t seed)
{
    start(seed);
    if (!kheap_refuses_wrong_addresses())
        return skip_without_validation();
    const char *wrong = hold(0, 300);
    if (wrong == NULL)
        wrong = hold(1, 300);
    const uint8_t *freed = held[1].address;
    if (wrong == NULL)
        wrong = let_go(1);
    if (wrong == NULL)
        wrong = krealloc_refuses(freed, "a freed block");
    if (wrong == NULL)
        wrong = krealloc_refuses(held[0].address + 8, "an address inside a live block");
    if (wrong == NULL)
        wrong = krealloc_refuses(held[0].address + UNIT_BYTES, "an address inside a live block");
    if (wrong == NULL)
        wrong = krealloc_refuses(region_start() - UNIT_BYTES, "an address below the heap");
    if (wrong == NULL)
        wrong = krealloc_refuses(region_start() + region_bytes(), "an address above the heap");
    return wrong != NULL ? wrong : let_go(0);
}

/* --- kmalloc_aligned, ksize, kinitHeap ---------------------------------------------- */

static const char *aligned_block(uint32_t slot, uint32_t bytes, uint32_t align)
{
    held[slot] = (struct held){
        .address = kmalloc_aligned(bytes, align), .bytes = bytes, .stamp = slot};
    if (held[slot].address == NULL)
        return SAY("kmalloc_aligned(%u, %u) returned NULL on an almost empty heap", bytes, align);
    const char *wrong = received(&held[slot], align, slot);
    if (wrong == NULL)
        write_pattern(held[slot].address, bytes, slot);
    return wrong;
}

static const char *test_aligned(uint32_t seed)
{
    const uint32_t align_max = 65536;
    start(seed);
    uint32_t room = kheap()->region.arena_bytes / 4;
    for (uint32_t align = 1; align <= align_max && align <= room; align *= 2) {
        kinitHeap();
        const char *wrong = hold(0, 24);
        if (wrong == NULL)
            wrong = aligned_block(1, 100, align);
        if (wrong == NULL)
            wrong = hold(2, 72);
        if (wrong == NULL)
            wrong = aligned_block(3, 1, align);
        if (wrong == NULL)
            wrong = broken_after("kmalloc_aligned");
        for (uint32_t slot = 0; slot < 4 && wrong == NULL; slot++)
            wrong = let_go(slot);
        if (wrong == NULL)
            wrong = broken_after("aligned blocks were freed");
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

static const char *test_aligned_refuses(uint32_t seed)
{
    start(seed);
    const uint32_t requests[][2] = {
        {100, 0}, {100, 3}, {100, 12}, {100, 48}, {100, 0xFFFFFFFF}, {100, 0x80000001}, {0, 8},
        {0, 64}, {0xFFFFFFFF, 8}, {0xFFFFFFC1, 64}, {0xFFFFFFFF, 65536}, {0xFFFF0001, 65536},
        {region_bytes() + 1, 4096}, {region_bytes() + 1, 0x80000000},
    };
    struct picture fresh = take_picture();
    for (uint32_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        void *block = kmalloc_aligned(requests[i][0], requests[i][1]);
        if (block != NULL)
            return SAY("kmalloc_aligned(%u, %u) returned %p; expected NULL", requests[i][0],
                       requests[i][1], block);
        if (heap_changed_since(&fresh))
            return SAY("kmalloc_aligned(%u, %u) returned NULL, but changed the heap",
                       requests[i][0], requests[i][1]);
    }
    return broken_after("kmalloc_aligned was refused");
}

static const char *test_ksize_covers_request(uint32_t seed)
{
    start(seed);
    for (uint32_t size = 1; size <= 4096; size += size < 200 ? 1 : 97) {
        held[0] = (struct held){.address = kmalloc(size), .bytes = size};
        if (held[0].address == NULL)
            return has_trait(HEAP_NEVER_FREES)
                       ? broken_after("the heap was used up")
                       : SAY("kmalloc(%u) returned NULL on an empty heap", size);
        uint32_t usable = ksize(held[0].address);
        held[0].bytes = usable > size ? usable : size;
        const char *wrong = received(&held[0], HEAP_ALIGNMENT_BYTES, 0);
        if (wrong == NULL)
            write_pattern(held[0].address, usable, size);
        if (wrong == NULL)
            wrong = broken_after("all the bytes that ksize() grants were written");
        if (wrong != NULL)
            return wrong;
        kfree(held[0].address);
    }
    uint32_t none = ksize(NULL);
    return none == 0 ? NULL : SAY("ksize(NULL) is %u; expected 0", none);
}

static const char *ksize_is_zero(const uint8_t *address, const char *what)
{
    uint32_t bytes = ksize(address);
    if (bytes == 0)
        return NULL;
    return SAY("ksize(%p), %s, is %u; expected 0", (const void *)address, what, bytes);
}

static const char *test_ksize_wrong_address(uint32_t seed)
{
    start(seed);
    if (!kheap_refuses_wrong_addresses())
        return skip_without_validation();
    const char *wrong = hold(0, 300);
    const uint8_t *block = held[0].address;
    for (uint32_t offset = 1; offset < 300 && wrong == NULL; offset++)
        wrong = ksize_is_zero(block + offset, "an address inside a live block");
    if (wrong == NULL)
        wrong = ksize_is_zero(region_start() - UNIT_BYTES, "an address below the heap");
    if (wrong == NULL)
        wrong = ksize_is_zero(region_start() + region_bytes(), "an address above the heap");
    if (wrong == NULL)
        wrong = let_go(0);
    return wrong != NULL ? wrong : ksize_is_zero(block, "a freed block");
}

static const char *test_starts_anew(uint32_t seed)
{
    start(seed);
    uint32_t largest = largest_of_fresh_heap();
    struct picture fresh = take_picture();
    uint32_t count;
    const char *wrong = fill_heap(&count);
    if (wrong != NULL)
        return wrong;
    kinitHeap();
    if (heap_changed_since(&fresh))
        return "kinitHeap() on a full heap does not give the heap that it gave at first";
    uint32_t refused = kheap_refuses_wrong_addresses() ? count : 0;
    for (uint32_t slot = 0; slot < refused && wrong == NULL; slot++)
        wrong = kfree_refuses(held[slot].address, "a block from before kinitHeap()");
    if (wrong == NULL && kmalloc(largest) == NULL)
        wrong = SAY("kmalloc(%u), the largest block of a fresh heap, returned NULL after "
                    "kinitHeap()", largest);
    return wrong != NULL ? wrong : broken_after("kinitHeap() on a full heap");
}

/* --- leaks --------------------------------------------------------------------------- */

static __attribute__((noinline)) void *take_as_somebody(uint32_t bytes)
{
    void *block = kmalloc(bytes);
    __asm__ volatile("" : "+r"(block)); /* no jump: kmalloc is to return to here */
    return block;
}

static const char *test_leaks(uint32_t seed)
{
    struct heap_leak leaks[3];
    start(seed);
    void *first = take_as_somebody(10);
    void *others = kmalloc(300);
    take_as_somebody(20);
    kfree(take_as_somebody(40));
    uint32_t callers = heap_leaks(leaks, 3);
    const struct text level = text_of(kheap_hardening());
    if (callers == 0 && (text_is(level, "off") || text_is(level, "check")))
        return "SKIP below the hardening level redzone nobody knows who took a block";
    if (callers != 2)
        return SAY("heap_leaks() knows %u callers; expected 2", callers);
    if (leaks[0].blocks != 2 || leaks[0].bytes != 30 || leaks[0].oldest.block != first)
        return SAY("heap_leaks() lists %u blocks of %u bytes, the oldest at %p; expected 2 of 30,"
                   " at %p", leaks[0].blocks, leaks[0].bytes,
                   (const void *)leaks[0].oldest.block, first);
    if (leaks[1].blocks != 1 || leaks[1].bytes != 300 || leaks[1].oldest.block != others)
        return "heap_leaks() does not list the second caller's one block of 300 bytes";
    if (heap_leaks(leaks, 1) != 1)
        return "heap_leaks() lists more callers than it was asked for";
    return broken_after("three allocations");
}

/* --- what is counted ------------------------------------------------------------------ */

static const char *miscounted(const char *what, uint32_t count, uint32_t expected)
{
    if (count == expected)
        return NULL;
    return SAY("heap_stats() counts %u %s; expected %u", count, what, expected);
}

static const char *misuse_in_each_way(void)
{
    uint8_t *outside = region_start() - UNIT_BYTES;
    const char *wrong = miscounted("misuses after right calls", heap_stats().misuses, 0);
    kfree(outside);
    if (wrong == NULL)
        wrong = miscounted("misuses after a wrong kfree", heap_stats().misuses, 1);
    (void)ksize(outside);
    if (wrong == NULL)
        wrong = miscounted("misuses after a wrong ksize", heap_stats().misuses, 2);
    void *moved = krealloc(outside, 50);
    if (wrong == NULL && moved != NULL)
        wrong = SAY("krealloc(%p, 50), an address below the heap, returned %p; expected NULL",
                    (void *)outside, moved);
    return wrong != NULL ? wrong
                         : miscounted("misuses after a wrong krealloc", heap_stats().misuses, 3);
}

/* Two holes, of which the request is a little less than the sum. Requires: three are held. */
static const char *fail_for_fragments(void)
{
    const uint32_t less = 512; /* than what a block of 2000 bytes leaves */
    const char *wrong = let_go(0);
    struct heap_stats now = measure();
    uint32_t size = now.free_bytes + now.cached_bytes - less;
    if (wrong == NULL && kmalloc(size) != NULL)
        wrong = SAY("kmalloc(%u) returned an address, though a live block lies in between", size);
    if (wrong != NULL)
        return wrong;
    return miscounted("requests that only pieces are free for",
                      heap_stats().failures[HEAP_FAILURE_FRAGMENTED], 1);
}

static const char *test_counts(uint32_t seed)
{
    start(seed);
    if (__builtin_memcmp(kheap_hardening(), "off", 4) == 0)
        return kheap_hardening_bytes() == 0
                   ? SAY("SKIP nothing is counted with hardening off")
                   : SAY("hardening is off, but takes %u bytes", kheap_hardening_bytes());
    const char *wrong = hold(0, 100);
    if (wrong == NULL)
        wrong = hold(1, 200);
    for (uint32_t slot = 0; slot < 2 && wrong == NULL; slot++)
        wrong = ksize(held[slot].address) == 0 ? "ksize() of a live block is 0" : let_go(slot);
    if (wrong == NULL && kmalloc(region_bytes() + 1) != NULL)
        wrong = "kmalloc() of more than the region returned an address; expected NULL";
    for (uint32_t slot = 0; slot < 3 && wrong == NULL; slot++)
        wrong = hold(slot, 2000);
    if (wrong == NULL && kmalloc(region_bytes() - 1000) != NULL)
        wrong = "kmalloc() of more than is free returned an address; expected NULL";
    struct heap_status status = heap_stats();
    if (wrong == NULL)
        wrong = miscounted("live blocks at most", status.peak_live_blocks, 3);
    if (wrong == NULL && status.now.live_blocks < 3)
        wrong = miscounted("live blocks now", status.now.live_blocks, 3);
    if (wrong == NULL)
        wrong = miscounted("requests too large", status.failures[HEAP_FAILURE_TOO_LARGE], 1);
    if (wrong == NULL)
        wrong = miscounted("requests of more than is free",
                           status.failures[HEAP_FAILURE_EXHAUSTED], 1);
    if (wrong == NULL && !has_trait(HEAP_NEVER_FREES))
        wrong = fail_for_fragments();
    if (wrong == NULL && !kheap_refuses_wrong_addresses())
        wrong = "hardening is on, but the heap says that it takes wrong addresses";
    if (wrong == NULL && kheap_hardening_bytes() == 0)
        wrong = "hardening is on, but takes no memory";
    return wrong != NULL ? wrong : misuse_in_each_way();
}

/* --- stress ------------------------------------------------------------------------- */

/* Mostly small, a quarter up to 2 KiB, now and then a sixteenth of the heap. */
static uint32_t random_size(void)
{
    uint32_t large = region_bytes() / 16 < 65536 ? region_bytes() / 16 : 65536;
    switch (random_below(&randomness, 16)) {
    case 0:
        return 1 + random_below(&randomness, large);
    case 1:
    case 2:
    case 3:
        return 1 + random_below(&randomness, 2048);
    default:
        return 1 + random_below(&randomness, 256);
    }
}

static const char *stress_take(struct held *block)
{
    uint32_t align = HEAP_ALIGNMENT_BYTES;
    block->bytes = random_size();
    block->stamp = random_word(&randomness);
    switch (random_below(&randomness, 8)) {
    case 0:
        align <<= random_below(&randomness, 10);
        block->address = kmalloc_aligned(block->bytes, align);
        break;
    case 1:
        block->address = kcalloc(1, block->bytes);
        break;
    default:
        block->address = kmalloc(block->bytes);
    }
    if (block->address == NULL)
        return NULL;
    const char *wrong = received(block, align, STRESS_SLOTS);
    if (wrong == NULL)
        write_pattern(block->address, block->bytes, block->stamp);
    return wrong;
}

static const char *stress_resize(struct held *block)
{
    uint32_t bytes = random_size();
    uint32_t kept = block->bytes < bytes ? block->bytes : bytes;
    uint8_t *moved = krealloc(block->address, bytes);
    if (moved == NULL)
        return pattern_lost(block, block->bytes, "a krealloc that failed");
    block->address = moved;
    block->bytes = bytes;
    const char *wrong = received(block, HEAP_ALIGNMENT_BYTES, STRESS_SLOTS);
    if (wrong == NULL)
        wrong = pattern_lost(block, kept, "krealloc");
    if (wrong == NULL)
        write_pattern(moved, bytes, block->stamp);
    return wrong;
}

static const char *stress_once(void)
{
    uint32_t slot = random_below(&randomness, STRESS_SLOTS);
    if (held[slot].address == NULL)
        return stress_take(&held[slot]);
    if (random_below(&randomness, 4) == 0)
        return stress_resize(&held[slot]);
    return let_go(slot);
}

static const char *test_stress(uint32_t seed)
{
    static char earlier[MESSAGE_BYTES];
    start(seed);
    uint32_t interval = region_bytes() <= SMALL_REGION_BYTES ? 1 : STRESS_CHECK_INTERVAL_LARGE;
    const char *wrong = NULL;
    uint32_t operation = 0;
    for (uint32_t slot = 0; slot < STRESS_SLOTS; slot++)
        held[slot].address = NULL;
    while (operation < STRESS_OPERATIONS && wrong == NULL) {
        wrong = stress_once();
        operation++;
        if (wrong == NULL && operation % interval == 0)
            wrong = broken_after("a random call");
    }
    for (uint32_t slot = 0; slot < STRESS_SLOTS && wrong == NULL; slot++)
        if (held[slot].address != NULL)
            wrong = let_go(slot);
    if (wrong == NULL)
        return broken_after("the last free");
    format_text(earlier, sizeof(earlier), "%s", wrong);
    return SAY("seed %u, call %u: %s", seed, operation, earlier);
}

const struct heap_test heap_tests[] = {
    {"kmalloc_of_zero_bytes_is_null", test_kmalloc_of_zero},
    {"kmalloc_refuses_what_cannot_fit_and_changes_nothing", test_kmalloc_too_large},
    {"blocks_are_aligned_inside_the_heap_and_apart", test_blocks_are_apart},
    {"blocks_longer_than_255_and_1024_units_work", test_long_blocks},
    {"kfree_of_null_does_nothing", test_kfree_of_null},
    {"kfree_refuses_addresses_outside_the_heap", test_kfree_outside},
    {"kfree_refuses_addresses_never_handed_out", test_kfree_not_handed_out},
    {"kfree_refuses_addresses_inside_a_block", test_kfree_interior},
    {"kfree_refuses_a_block_already_freed", test_kfree_twice},
    {"freed_memory_is_used_again", test_freed_memory_is_used_again},
    {"the_largest_block_can_be_had_again_after_freeing", test_whole_heap_as_one_block},
    {"freeing_forward_leaves_one_hole", test_free_forward},
    {"freeing_backward_leaves_one_hole", test_free_backward},
    {"freeing_in_random_order_leaves_one_hole", test_free_random},
    {"the_last_block_can_be_freed_and_had_again", test_last_block},
    {"kcalloc_zeroes_its_block", test_kcalloc_zeroes},
    {"kcalloc_zeroes_memory_used_before", test_kcalloc_zeroes_reused},
    {"kcalloc_refuses_a_product_that_overflows", test_kcalloc_overflow},
    {"krealloc_of_null_is_kmalloc", test_krealloc_of_null},
    {"krealloc_to_zero_bytes_frees", test_krealloc_to_zero},
    {"krealloc_keeps_contents_when_growing", test_krealloc_grows},
    {"krealloc_keeps_contents_when_shrinking", test_krealloc_shrinks},
    {"krealloc_that_fails_leaves_the_block_alone", test_krealloc_fails},
    {"krealloc_refuses_wrong_addresses", test_krealloc_wrong_address},
    {"kmalloc_aligned_gives_multiples_of_the_alignment", test_aligned},
    {"kmalloc_aligned_refuses_what_is_no_power_of_two", test_aligned_refuses},
    {"ksize_covers_the_request", test_ksize_covers_request},
    {"ksize_of_a_wrong_address_is_zero", test_ksize_wrong_address},
    {"kinitHeap_starts_anew", test_starts_anew},
    {"heap_leaks_lists_live_blocks_by_who_took_them", test_leaks},
    {"heap_stats_counts_what_happened", test_counts},
    {"random_calls_keep_contents_and_invariants", test_stress},
};

const uint32_t heap_tests_count = sizeof(heap_tests) / sizeof(heap_tests[0]);
