/* SPDX-License-Identifier: MIT */
#include "player.h"

#include "format.h"
#include "heap.h"

static char message[192];

/* --- patterns --------------------------------------------------------------------- */

static uint32_t pattern_word(uint32_t id, uint32_t index)
{
    return (id + 1) * 2654435761U + index * 2246822519U; /* odd: no two words of a block agree */
}

static uint8_t pattern_byte(uint32_t id, uint32_t offset)
{
    return (uint8_t)(pattern_word(id, offset / 4) >> offset % 4 * 8);
}

static void fill_pattern(uint32_t id, uint8_t *block, uint32_t bytes)
{
    uint32_t offset = 0;
    for (; offset + 4 <= bytes; offset += 4) {
        uint32_t word = pattern_word(id, offset / 4);
        __builtin_memcpy(block + offset, &word, sizeof(word));
    }
    for (; offset < bytes; offset++)
        block[offset] = pattern_byte(id, offset);
}

/* Returns: the offset of the first byte that is not as filled; bytes if all are. */
static uint32_t verify_pattern(uint32_t id, const uint8_t *block, uint32_t bytes)
{
    uint32_t offset = 0;
    for (; offset + 4 <= bytes; offset += 4) {
        uint32_t word;
        __builtin_memcpy(&word, block + offset, sizeof(word));
        if (word != pattern_word(id, offset / 4))
            break;
    }
    while (offset < bytes && block[offset] == pattern_byte(id, offset))
        offset++;
    return offset;
}

static const char *verify_contents(uint32_t id, const uint8_t *block, uint32_t bytes,
                                   const char *when)
{
    uint32_t offset = verify_pattern(id, block, bytes);
    if (offset == bytes)
        return NULL;
    return format_text(message, sizeof(message),
                       "byte %u of the %u-byte block of id %u at %p is 0x%02x %s, not the 0x%02x "
                       "its owner wrote: another block overlaps it, or the heap wrote into it",
                       offset, bytes, id, (const void *)block, block[offset], when,
                       pattern_byte(id, offset));
}

static const char *verify_address(const uint8_t *block, uint32_t bytes)
{
    const struct heap_region *region = &kheap()->region;
    const uint8_t *end = region->arena + region->arena_bytes;
    if ((uintptr_t)block % HEAP_ALIGNMENT_BYTES != 0)
        return format_text(message, sizeof(message), "the block at %p is not aligned to 8 bytes",
                           (const void *)block);
    if (block < region->map || block >= end || bytes > (uint32_t)(end - block))
        return format_text(message, sizeof(message),
                           "the block of %u bytes at %p lies outside the heap's region, %p to %p",
                           bytes, (const void *)block, (const void *)region->map,
                           (const void *)end);
    return NULL;
}

/* --- the operations ------------------------------------------------------------------ */

uintptr_t player_measure(struct player *player, measured_function *function, uintptr_t first,
                         uintptr_t second)
{
    struct measured_call call = {.function = function, .first = first, .second = second};
    machine_measure(&call);
    player->last_cost = call.ticks;
    return call.result;
}

static void note_failure(struct player *player, uint32_t size)
{
    if (player->failures++ > 0)
        return;
    player->first_failure = (struct first_failure){
        .operation = player->next,
        .size = size,
        .requested_bytes = player->requested_bytes,
    };
    heap_measure(kheap_strategy(), kheap(), &player->first_failure.heap);
}

/* Returns: whether the block's allocation failed, so that there is nothing to do. */
static bool is_missing(const struct player_block *block)
{
    return block->address == NULL && block->size != 0;
}

static const char *take_block(struct player *player, const struct trace_operation *operation,
                              uint8_t *address)
{
    const char *wrong = verify_address(address, operation->size);
    if (wrong != NULL)
        return wrong;
    fill_pattern(operation->id, address, operation->size);
    player->blocks[operation->id] =
        (struct player_block){.address = address, .size = operation->size};
    player->requested_bytes += operation->size;
    if (player->portrait != NULL)
        portrait_take(player->portrait, address, operation->size);
    return NULL;
}

/* After the heap took the block back, or moved or resized it. */
static void lose_block(struct player *player, struct player_block *block)
{
    player->requested_bytes -= block->size;
    if (player->portrait != NULL)
        portrait_give(player->portrait, block->address, block->size);
    *block = (struct player_block){0};
}

static const char *play_alloc(struct player *player, const struct trace_operation *operation)
{
    struct player_block *block = &player->blocks[operation->id];
    uint8_t *address =
        (uint8_t *)player_measure(player, (measured_function *)kmalloc, operation->size, 0);
    *block = (struct player_block){.size = operation->size};
    if (address == NULL && operation->size != 0)
        note_failure(player, operation->size);
    if (address == NULL)
        return NULL;
    if (operation->size == 0)
        return "kmalloc(0) returned a block, not NULL";
    return take_block(player, operation, address);
}

static const char *play_free(struct player *player, const struct trace_operation *operation)
{
    struct player_block *block = &player->blocks[operation->id];
    const char *wrong = verify_contents(operation->id, block->address, block->size, "when freed");
    if (wrong != NULL)
        return wrong;
    uintptr_t refused =
        player_measure(player, (measured_function *)kfree, (uintptr_t)block->address, 0);
    if ((int8_t)refused != 0)
        return format_text(message, sizeof(message), "kfree refused the live block at %p",
                           (void *)block->address);
    lose_block(player, block);
    return NULL;
}

/* After a krealloc that returned NULL: the old block is still its owner's. */
static const char *keep_block(struct player *player, const struct trace_operation *operation)
{
    const struct player_block *block = &player->blocks[operation->id];
    note_failure(player, operation->size);
    return verify_contents(operation->id, block->address, block->size, "after a failed krealloc");
}

static const char *play_realloc(struct player *player, const struct trace_operation *operation)
{
    struct player_block *block = &player->blocks[operation->id];
    const struct player_block old = *block;
    const char *wrong = verify_contents(operation->id, old.address, old.size, "before krealloc");
    if (wrong != NULL)
        return wrong;
    uint8_t *address = (uint8_t *)player_measure(player, (measured_function *)krealloc,
                                                 (uintptr_t)old.address, operation->size);
    if (address == NULL && operation->size != 0)
        return keep_block(player, operation);
    lose_block(player, block);
    if (address == NULL)
        return NULL;
    wrong = verify_address(address, operation->size);
    if (wrong != NULL)
        return wrong;
    wrong = verify_contents(operation->id, address,
                            old.size < operation->size ? old.size : operation->size,
                            "after krealloc");
    return wrong != NULL ? wrong : take_block(player, operation, address);
}

static const char *play(struct player *player, const struct trace_operation *operation)
{
    player->last_cost = PLAYER_NO_COST;
    if (operation->kind == TRACE_ALLOC)
        return play_alloc(player, operation);
    if (is_missing(&player->blocks[operation->id])) {
        if (operation->kind == TRACE_FREE)
            player->blocks[operation->id] = (struct player_block){0};
        return NULL;
    }
    if (operation->kind == TRACE_REALLOC)
        return play_realloc(player, operation);
    return play_free(player, operation);
}

static const char *explain(const struct player *player, const char *wrong)
{
    static char explained[320];
    const struct trace_operation *operation = &player->trace->operations[player->next];
    return format_text(explained, sizeof(explained), "operation %u (%c %u %u): %s", player->next,
                       "arf"[operation->kind], operation->id, operation->size, wrong);
}

const char *player_play(struct player *player)
{
    const char *wrong = play(player, &player->trace->operations[player->next]);
    if (wrong != NULL)
        return explain(player, wrong);
    player->next++;
    return NULL;
}
