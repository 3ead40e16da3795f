/* SPDX-License-Identifier: MIT */
/* What the shell's commands share. Included by shell*.c alone. */
#ifndef KERNEL_SHELL_COMMANDS_H
#define KERNEL_SHELL_COMMANDS_H

#include "boot_info.h"
#include "heap_view.h"
#include "job.h"
#include "player.h"
#include "random.h"

enum { SHELL_SPEED_FULL = 0, SHELL_SPEED_KEY = -1 }; /* as fast as can be; a key, an operation */

/* A block that a person, or fill, took. */
struct shell_block {
    uint8_t *address; /* NULL: this number is not in use */
    uint32_t bytes;   /* requested */
};

struct shell {
    const struct job *job;
    const struct boot_module *modules;
    uint32_t module_count;
    uint32_t seed; /* of workloads, and of fill and drain */
    struct random random;
    struct shell_block *blocks; /* by number; people count from 1 */
    uint32_t blocks_max;
    uint32_t lowest_unused;     /* no number below it is unused */
    uint8_t *scratch;           /* what a trace's tables may take begins here */
    struct trace trace;         /* operation_count is 0: none is loaded */
    struct player player;
    int32_t speed;              /* operations a second, or one of the two below */
    struct heap_view_counts own; /* of alloc, free and so on; a trace's are in player */
    bool is_over;
};

/*
 * A command. rest: what follows its name, in words.
 * Returns: whether these were in order; if not, how they are to be is said.
 */
typedef bool shell_command(struct shell *shell, struct text rest);

/* shell_blocks.c: calls of the heap. */
shell_command shell_alloc, shell_free, shell_realloc, shell_blocks, shell_fill, shell_drain;

/* shell_look.c: what the heap looks like. */
shell_command shell_map, shell_stats, shell_check, shell_heap, shell_leaks;

/* shell_trace.c: traces, operation by operation. */
shell_command shell_load, shell_step, shell_replay, shell_speed;

/* Makes the heap anew and forgets all blocks, and how far a trace has come. */
void shell_start_anew(struct shell *shell);

/* Shows the heap on the screen as it is now. */
void shell_show(struct shell *shell);

/* After one of many operations: shows the heap now and then, as the speed is. */
void shell_show_sometimes(struct shell *shell);

/* What follows takes and gives numbers as people write them: 200, 0x1f40, 4k. */

/* Takes a number off *rest. Returns: false, and takes nothing, if there is none. */
bool shell_take_number(struct text *rest, uint32_t *number);

/* Returns: whether the next word is an address: it begins with 0x. */
bool shell_is_at_address(struct text rest);

/* Returns: whether nothing is left of a command's words. */
bool shell_is_at_end(struct text rest);

/* Says why a request was refused, as far as the heap's walk shows it. */
void shell_explain_failure(uint32_t bytes);

#endif
