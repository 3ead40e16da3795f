/* SPDX-License-Identifier: MIT */
/* What a fresh block holds, and what it costs to have it hold nothing. */
#include "experiment.h"

#include <stddef.h>

#include "console.h"
#include "heap.h"
#include "size_mix.h"

enum { BLOCKS = 512, SECRET = 0xa5 };

static const uint32_t secret_word = 0xa5a5a5a5;

/*
 * Returns: how many of the block's bytes are secret, by whole words: a single byte may look
 * like one by chance, such as part of an address that the heap left there.
 */
static uint32_t secret_bytes(const uint32_t *block, uint32_t bytes)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < bytes / sizeof(*block); i++)
        found += block[i] == secret_word ? sizeof(*block) : 0;
    return found;
}

/* One owner after the other fills a block with its secret; then all of them give it back. */
static void leave_secrets(const struct size_mix *mix, struct random *random)
{
    static void *blocks[BLOCKS];
    for (uint32_t i = 0; i < BLOCKS; i++) {
        uint32_t size = mix->draw(random);
        blocks[i] = kmalloc(size);
        if (blocks[i] != NULL)
            __builtin_memset(blocks[i], SECRET, size);
    }
    for (uint32_t i = 0; i < BLOCKS; i++)
        kfree(blocks[i]);
}

/* New owners read what they got, before they have written anything. */
void experiment_stale(uint32_t seed)
{
    struct random random = random_seeded(seed);
    const struct size_mix *mix = size_mix_named(text_of("kernel"));
    uint32_t bytes = 0, stale_bytes = 0, blocks = 0, stale_blocks = 0;
    kinitHeap();
    leave_secrets(mix, &random);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        uint32_t size = mix->draw(&random);
        const uint32_t *block = kmalloc(size);
        if (block == NULL)
            continue;
        uint32_t found = secret_bytes(block, size);
        bytes += size;
        stale_bytes += found;
        blocks++;
        stale_blocks += found > 0;
    }
    experiment_open_record();
    console_report(",\"bytes\":%u,\"stale_bytes\":%u,\"blocks\":%u,\"stale_blocks\":%u", bytes,
                   stale_bytes, blocks, stale_blocks);
}

void experiment_zeroing(uint32_t seed)
{
    static const uint32_t sizes[] = {16, 64, 256, 1024, 4096};
    enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };
    uint32_t plain[SIZES], zeroed[SIZES];
    (void)seed;
    for (uint32_t i = 0; i < SIZES; i++) {
        uintptr_t block;
        kinitHeap();
        plain[i] = experiment_measure((measured_function *)kmalloc, sizes[i], 0, &block);
        kinitHeap();
        zeroed[i] = experiment_measure((measured_function *)kcalloc, 1, sizes[i], &block);
    }
    experiment_open_record();
    experiment_say_list("sizes", sizes, SIZES);
    experiment_say_list("kmalloc", plain, SIZES);
    experiment_say_list("kcalloc", zeroed, SIZES);
}
