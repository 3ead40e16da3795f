/* SPDX-License-Identifier: MIT */
/* The shell's commands that play traces. */
#include <stddef.h>

#include "console.h"
#include "format.h"
#include "heap.h"
#include "heap_check.h"
#include "key.h"
#include "machine.h"
#include "memory.h"
#include "shell_commands.h"
#include "workload.h"

enum { OPERATIONS_MAX = 1000000, SPEED_MAX = 100000, MICROSECONDS = 1000000 };

static bool is_loaded(const struct shell *shell)
{
    if (shell->trace.operation_count == 0)
        console_print("no trace is loaded; 'load' alone says which there are\n");
    return shell->trace.operation_count != 0;
}

static void say_traces(const struct shell *shell)
{
    for (uint32_t i = 0; i < shell->module_count; i++)
        console_print("  %u %s\n", i + 1, shell->modules[i].name);
    console_print("%sand workloads by name, such as churn-kernel-50, fill-small, knuth-s1-1000\n",
                  shell->module_count > 0 ? "" : "no traces came with this boot; ");
}

/* A trace is known by its number, and by the name that the boot loader gave it, if it did. */
static const struct boot_module *module_named(const struct shell *shell, struct text word)
{
    uint32_t number;
    if (text_number(word, &number))
        return number >= 1 && number <= shell->module_count ? &shell->modules[number - 1] : NULL;
    for (uint32_t i = 0; i < shell->module_count; i++)
        if (text_is(word, shell->modules[i].name))
            return &shell->modules[i];
    return NULL;
}

static const char *read(struct shell *shell, struct text word)
{
    scratch_release(shell->scratch);
    const struct boot_module *module = module_named(shell, word);
    const char *wrong =
        module != NULL
            ? trace_read((struct text){(const char *)module->start, (const char *)module->end},
                         OPERATIONS_MAX, &shell->trace)
            : workload_make(word, shell->seed, kheap()->region.arena_bytes, OPERATIONS_MAX,
                            &shell->trace);
    if (wrong != NULL)
        return wrong;
    shell->player.blocks =
        scratch_alloc(shell->trace.id_count * (uint32_t)sizeof(*shell->player.blocks));
    return shell->player.blocks != NULL ? NULL : "too little RAM beside the heap for its blocks";
}

bool shell_load(struct shell *shell, struct text rest)
{
    struct text word = text_take_word(&rest);
    if (!shell_is_at_end(rest))
        return false;
    if (word.next == word.end) {
        say_traces(shell);
        return true;
    }
    shell_start_anew(shell);
    const char *wrong = read(shell, word);
    if (wrong != NULL) {
        shell->trace = (struct trace){0};
        console_print("load: %s\n", wrong);
        return true;
    }
    console_print("%u operations, at most %u bytes at once; the heap begins anew\n",
                  shell->trace.operation_count, shell->trace.peak_requested_bytes);
    return true;
}

static uint32_t left(const struct shell *shell)
{
    return shell->trace.operation_count - shell->player.next;
}

static bool is_at_end(const struct shell *shell)
{
    if (left(shell) == 0)
        console_print("the trace is at its end; 'load' begins it again\n");
    return left(shell) == 0;
}

/* Returns: false iff the words are not in order; *count is at most what is left. */
static bool take_count(const struct shell *shell, struct text rest, uint32_t *count)
{
    if (!shell_is_at_end(rest) && (!shell_take_number(&rest, count) || *count == 0))
        return false;
    if (*count > left(shell))
        *count = left(shell);
    return shell_is_at_end(rest);
}

static void say_operation(const struct shell *shell)
{
    static const char *const calls[] = {
        [TRACE_ALLOC] = "kmalloc", [TRACE_REALLOC] = "krealloc", [TRACE_FREE] = "kfree"};
    const struct player *player = &shell->player;
    const struct trace_operation *done = &shell->trace.operations[player->next - 1];
    const struct player_block *block = &player->blocks[done->id];
    char what[24] = "";
    if (done->kind != TRACE_FREE)
        format_text(what, sizeof(what), ", %u bytes", done->size);
    console_print("%u: %s of id %u%s", player->next - 1, calls[done->kind], done->id, what);
    if (done->kind != TRACE_FREE && block->address != NULL)
        console_print(" at %p", (void *)block->address);
    if (player->last_cost != PLAYER_NO_COST && machine_counts())
        console_print(", %u ticks", player->last_cost);
    console_print("\n");
}

/* Returns: whether it can go on. */
static bool play_one(struct shell *shell)
{
    uint32_t failures = shell->player.failures;
    const char *wrong = player_play(&shell->player);
    if (wrong != NULL) {
        console_print("error: %s\n", wrong);
        shell->trace.operation_count = shell->player.next;
        return false;
    }
    return shell->player.failures == failures || !shell->trace.ends_at_failure;
}

bool shell_step(struct shell *shell, struct text rest)
{
    uint32_t count = 1;
    if (!is_loaded(shell))
        return true;
    if (!take_count(shell, rest, &count))
        return false;
    if (is_at_end(shell))
        return true;
    for (bool goes_on = true; count > 0 && goes_on; count--) {
        uint32_t failures = shell->player.failures;
        goes_on = play_one(shell);
        if (shell->player.failures > failures)
            shell_explain_failure(shell->trace.operations[shell->player.next - 1].size);
        else
            say_operation(shell);
        shell_show_sometimes(shell);
    }
    return true;
}

static bool is_end(uint32_t key)
{
    return key == 'q' || key == KEY_CTRL('C') || key == KEY_INPUT_ENDED;
}

/* Waits as the speed asks, after an operation. Returns: whether a key has ended the replay. */
static bool pause(const struct shell *shell)
{
    if (shell->speed == SHELL_SPEED_KEY)
        return is_end(machine_wait_key());
    if (shell->speed != SHELL_SPEED_FULL)
        machine_wait(MICROSECONDS / (uint32_t)shell->speed);
    return machine_poll_key() != KEY_NONE;
}

static bool play_and_show(struct shell *shell)
{
    bool goes_on = play_one(shell);
    shell_show_sometimes(shell);
    return goes_on;
}

bool shell_replay(struct shell *shell, struct text rest)
{
    uint32_t count = UINT32_MAX;
    if (!is_loaded(shell))
        return true;
    if (!take_count(shell, rest, &count))
        return false;
    if (is_at_end(shell))
        return true;
    uint32_t failures = shell->player.failures, first = shell->player.next;
    while (count-- > 0 && play_and_show(shell) && !pause(shell))
        ;
    console_print("operations %u to %u of %u played; %u failures; %u bytes requested\n", first,
                  shell->player.next, shell->trace.operation_count,
                  shell->player.failures - failures, shell->player.requested_bytes);
    return true;
}

static bool take_speed(struct text *rest, int32_t *speed)
{
    uint32_t number;
    if (shell_take_number(rest, &number)) {
        *speed = (int32_t)number;
        return number >= 1 && number <= SPEED_MAX;
    }
    struct text word = text_take_word(rest);
    *speed = text_is(word, "key") ? SHELL_SPEED_KEY : SHELL_SPEED_FULL;
    return text_is(word, "key") || text_is(word, "full");
}

bool shell_speed(struct shell *shell, struct text rest)
{
    int32_t speed = shell->speed;
    if (!shell_is_at_end(rest) && !take_speed(&rest, &speed))
        return false;
    if (!shell_is_at_end(rest))
        return false;
    shell->speed = speed;
    if (speed == SHELL_SPEED_FULL)
        console_print("as fast as can be; any key stops it\n");
    else if (speed == SHELL_SPEED_KEY)
        console_print("an operation for each key; q stops it\n");
    else
        console_print("%u operations a second; any key stops it\n", (uint32_t)speed);
    return true;
}
