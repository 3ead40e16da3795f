/* SPDX-License-Identifier: MIT */
/* The shell's commands that call the heap. */
#include <stddef.h>

#include "console.h"
#include "heap.h"
#include "heap_check.h"
#include "shell_commands.h"
#include "size_mix.h"

enum { BLOCKS_SHOWN = 32 };

enum order { FORWARD, BACKWARD, AT_RANDOM };

/* Returns: a number not in use; blocks_max if there is none. */
static uint32_t unused_number(struct shell *shell)
{
    while (shell->lowest_unused < shell->blocks_max &&
           shell->blocks[shell->lowest_unused].address != NULL)
        shell->lowest_unused++;
    return shell->lowest_unused;
}

void shell_explain_failure(uint32_t bytes)
{
    struct heap_stats stats;
    heap_measure(kheap_strategy(), kheap(), &stats);
    console_print("NULL: needs %u; %u free in %u holes, largest %u\n", bytes, stats.free_bytes,
                  stats.free_blocks, stats.largest_free_bytes);
}

static void say_block(const struct shell *shell, uint32_t number)
{
    const struct shell_block *block = &shell->blocks[number];
    console_print("%u: %u bytes at %p, %u usable\n", number + 1, block->bytes,
                  (void *)block->address, ksize(block->address));
}

/* Returns: whether there is a block to own; that, or that there is none, is counted. */
static bool own(struct shell *shell, uint32_t number, uint8_t *address, uint32_t bytes)
{
    shell->own.operations++;
    shell->own.failures += address == NULL && bytes != 0;
    if (address == NULL)
        return false;
    shell->own.requested_bytes += bytes;
    shell->blocks[number] = (struct shell_block){address, bytes};
    return true;
}

static void take(struct shell *shell, uint32_t number, uint8_t *address, uint32_t bytes)
{
    if (own(shell, number, address, bytes))
        say_block(shell, number);
    else if (bytes != 0)
        shell_explain_failure(bytes);
    else
        console_print("NULL\n");
}

bool shell_alloc(struct shell *shell, struct text rest)
{
    uint32_t bytes, align = 0;
    if (!shell_take_number(&rest, &bytes))
        return false;
    bool is_aligned = shell_take_number(&rest, &align);
    if (!shell_is_at_end(rest))
        return false;
    uint32_t number = unused_number(shell);
    if (number == shell->blocks_max)
        console_print("alloc: all %u numbers are in use; free some\n", shell->blocks_max);
    else
        take(shell, number, is_aligned ? kmalloc_aligned(bytes, align) : kmalloc(bytes), bytes);
    return true;
}

static void forget(struct shell *shell, uint32_t number)
{
    shell->own.requested_bytes -= shell->blocks[number].bytes;
    shell->blocks[number] = (struct shell_block){0};
    if (number < shell->lowest_unused)
        shell->lowest_unused = number;
}

/* What a person calls a block: its number, or an address. */
struct named {
    bool is_unknown; /* a number that no block has; that was said, nothing below is valid */
    uint8_t *address;
    uint32_t number; /* from 0; blocks_max: an address that alloc did not give */
};

static bool has_number(const struct shell *shell, uint32_t number)
{
    return number >= 1 && number <= shell->blocks_max && shell->blocks[number - 1].address != NULL;
}

/* Returns: the number of the block at address, from 0; blocks_max if alloc did not give it. */
static uint32_t number_at(const struct shell *shell, const uint8_t *address)
{
    uint32_t number = 0;
    while (number < shell->blocks_max &&
           (address == NULL || shell->blocks[number].address != address))
        number++;
    return number;
}

/* Whoever wants to free NULL, or what is no block, writes it as an address: 0x0. */
static bool take_name(const struct shell *shell, struct text *rest, struct named *named)
{
    bool is_address = shell_is_at_address(*rest);
    uint32_t value;
    if (!shell_take_number(rest, &value))
        return false;
    named->address = (uint8_t *)(uintptr_t)value;
    named->is_unknown = !is_address && !has_number(shell, value);
    if (named->is_unknown)
        console_print("there is no block %u; 'blocks' lists them\n", value);
    else if (!is_address)
        named->address = shell->blocks[value - 1].address;
    named->number = is_address ? number_at(shell, named->address) : value - 1;
    return true;
}

bool shell_free(struct shell *shell, struct text rest)
{
    struct named named;
    if (!take_name(shell, &rest, &named) || !shell_is_at_end(rest))
        return false;
    if (named.is_unknown)
        return true;
    int8_t result = kfree(named.address);
    shell->own.operations++;
    console_print(result == 0 ? "0: freed\n" : "-1: refused\n");
    if (result == 0 && named.number < shell->blocks_max)
        forget(shell, named.number);
    return true;
}

bool shell_realloc(struct shell *shell, struct text rest)
{
    struct named named;
    uint32_t bytes;
    if (!take_name(shell, &rest, &named) || !shell_take_number(&rest, &bytes) ||
        !shell_is_at_end(rest))
        return false;
    if (named.is_unknown)
        return true;
    if (named.number == shell->blocks_max) {
        console_print("realloc: %p is not a block of 'alloc'\n", (void *)named.address);
        return true;
    }
    uint8_t *moved = krealloc(named.address, bytes);
    if (moved != NULL || bytes == 0)
        forget(shell, named.number);
    take(shell, named.number, moved, bytes);
    return true;
}

bool shell_blocks(struct shell *shell, struct text rest)
{
    uint32_t live = 0;
    if (!shell_is_at_end(rest))
        return false;
    for (uint32_t i = 0; i < shell->blocks_max; i++)
        if (shell->blocks[i].address != NULL && live++ < BLOCKS_SHOWN)
            say_block(shell, i);
    if (live > BLOCKS_SHOWN)
        console_print("and %u more\n", live - BLOCKS_SHOWN);
    if (live == 0)
        console_print("none; 'alloc' and 'fill' take some\n");
    return true;
}

/* --- many at once ------------------------------------------------------------------------------ */

static void fill(struct shell *shell, const struct size_mix *mix, uint32_t bytes)
{
    uint32_t count = 0, sum = 0, number;
    for (; (number = unused_number(shell)) < shell->blocks_max; count++) {
        uint32_t size = mix != NULL ? mix->draw(&shell->random) : bytes;
        if (!own(shell, number, kmalloc(size), size)) {
            console_print("%u blocks of %u bytes in all; then ", count, sum);
            shell_explain_failure(size);
            return;
        }
        sum += size;
        shell_show_sometimes(shell);
    }
    console_print("%u blocks of %u bytes in all; then no number is left, of %u\n", count, sum,
                  shell->blocks_max);
}

bool shell_fill(struct shell *shell, struct text rest)
{
    uint32_t bytes = 0;
    const struct size_mix *mix = NULL;
    if (!shell_take_number(&rest, &bytes)) {
        struct text word = text_take_word(&rest);
        mix = size_mix_named(word.next == word.end ? text_of("kernel") : word);
    }
    if ((bytes == 0) == (mix == NULL) || !shell_is_at_end(rest))
        return false;
    fill(shell, mix, bytes);
    return true;
}

/* Returns: how many of the blocks kfree took. */
static uint32_t free_one(struct shell *shell, uint32_t number)
{
    uint8_t *address = shell->blocks[number].address;
    if (address == NULL)
        return 0;
    forget(shell, number);
    bool is_freed = kfree(address) == 0;
    shell->own.operations++;
    shell_show_sometimes(shell);
    return is_freed;
}

/* Fisher and Yates: what has not been freed yet stands at the front; blocks change numbers. */
static uint32_t free_at_random(struct shell *shell)
{
    uint32_t freed = 0;
    for (uint32_t left = shell->blocks_max; left > 0; left--) {
        uint32_t chosen = random_below(&shell->random, left);
        struct shell_block last = shell->blocks[left - 1];
        shell->blocks[left - 1] = shell->blocks[chosen];
        shell->blocks[chosen] = last;
        freed += free_one(shell, left - 1);
    }
    shell->lowest_unused = 0;
    return freed;
}

static uint32_t free_in_order(struct shell *shell, enum order order)
{
    uint32_t freed = 0;
    for (uint32_t i = 0; i < shell->blocks_max; i++)
        freed += free_one(shell, order == FORWARD ? i : shell->blocks_max - 1 - i);
    return freed;
}

static uint32_t free_of_trace(struct shell *shell)
{
    uint32_t freed = 0;
    for (uint32_t id = 0; id < shell->trace.id_count && shell->player.blocks != NULL; id++) {
        if (shell->player.blocks[id].address == NULL)
            continue;
        freed += kfree(shell->player.blocks[id].address) == 0;
        shell->own.operations++;
        shell_show_sometimes(shell);
    }
    shell->own.operations += shell->player.next;
    shell->own.failures += shell->player.failures;
    shell->trace = (struct trace){0};
    shell->player = (struct player){.trace = &shell->trace};
    return freed;
}

static bool take_order(struct text *rest, enum order *order)
{
    static const char *const names[] = {
        [FORWARD] = "forward", [BACKWARD] = "backward", [AT_RANDOM] = "random"};
    struct text word = text_take_word(rest);
    for (*order = FORWARD; *order <= AT_RANDOM; *order = (enum order)(*order + 1))
        if (text_is(word, names[*order]))
            return true;
    *order = FORWARD;
    return word.next == word.end;
}

bool shell_drain(struct shell *shell, struct text rest)
{
    enum order order;
    if (!take_order(&rest, &order) || !shell_is_at_end(rest))
        return false;
    uint32_t freed = order == AT_RANDOM ? free_at_random(shell) : free_in_order(shell, order);
    console_print("%u blocks freed\n", freed + free_of_trace(shell));
    return true;
}
