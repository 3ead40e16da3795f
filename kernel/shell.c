/* SPDX-License-Identifier: MIT */
#include "shell.h"

#include <stddef.h>

#include "console.h"
#include "format.h"
#include "heap.h"
#include "heap_strategy.h"
#include "key.h"
#include "line.h"
#include "machine.h"
#include "memory.h"
#include "misuse.h"
#include "misuse_run.h"
#include "runner.h"
#include "shell_commands.h"

enum { KIB = 1024, BYTES_A_BLOCK = 16, HEX = 16, NAME_BYTES = 16 };

struct command {
    const char *name;
    const char *words; /* that follow it */
    const char *help;
    shell_command *run;
};

static shell_command shell_help, shell_seed, shell_misuse, shell_reset, shell_reboot, shell_poweroff;

static const struct command commands[] = {
    {"alloc", "BYTES [ALIGN]", "kmalloc; says the block's number and address", shell_alloc},
    {"free", "BLOCK", "kfree of a number, or of any address: 0x...", shell_free},
    {"realloc", "BLOCK BYTES", "krealloc of a number", shell_realloc},
    {"blocks", "", "the blocks that alloc and fill took", shell_blocks},
    {"fill", "[BYTES | MIX]", "take blocks until none fits; MIX: kernel, small, ...",
     shell_fill},
    {"drain", "[ORDER]", "free all blocks; forward, backward or random", shell_drain},
    {"map", "", "the whole heap, a character for each piece of it", shell_map},
    {"stats", "", "live, free, the largest hole, why requests failed", shell_stats},
    {"check", "", "are the heap's invariants whole?", shell_check},
    {"heap", "", "which strategy this is, and where its memory lies", shell_heap},
    {"leaks", "", "live blocks by who took them, from redzone on", shell_leaks},
    {"load", "[NAME]", "a trace or a workload to play; alone: which are here", shell_load},
    {"step", "[COUNT]", "play so many operations of it, and say what each did", shell_step},
    {"replay", "[COUNT]", "play so many, or all that are left; a key stops", shell_replay},
    {"speed", "[SPEED]", "of replay: operations a second, or full, or key", shell_speed},
    {"seed", "[NUMBER]", "of workloads, fill and drain", shell_seed},
    {"misuse", "[SIN]", "what callers must not do; alone: what there is", shell_misuse},
    {"reset", "", "make the heap anew", shell_reset},
    {"help", "[COMMAND]", "this list, or one of it", shell_help},
    {"reboot", "", "start the machine again", shell_reboot},
    {"poweroff", "", "switch the machine off", shell_poweroff},
    {NULL, NULL, NULL, NULL},
};

/* --- words ----------------------------------------------------------------------------------- */

static uint32_t digit_value(char character)
{
    if (character >= '0' && character <= '9')
        return (uint32_t)(character - '0');
    char small = (char)(character | ' ');
    return small >= 'a' && small <= 'f' ? (uint32_t)(small - 'a') + 10 : UINT32_MAX;
}

static bool hexadecimal(struct text text, uint32_t *value)
{
    uint32_t number = 0;
    if (text.next == text.end || text.end - text.next > 8)
        return false;
    for (; text.next < text.end; text.next++) {
        uint32_t digit = digit_value(*text.next);
        if (digit >= HEX)
            return false;
        number = number * HEX + digit;
    }
    *value = number;
    return true;
}

static bool starts_with_0x(struct text word)
{
    return word.end - word.next > 2 && word.next[0] == '0' && (word.next[1] | ' ') == 'x';
}

static bool number_of(struct text word, uint32_t *number)
{
    if (starts_with_0x(word))
        return hexadecimal((struct text){word.next + 2, word.end}, number);
    bool in_kib = word.next < word.end && (word.end[-1] | ' ') == 'k';
    if (in_kib)
        word.end--;
    return text_number(word, number) &&
           (!in_kib || !__builtin_mul_overflow(*number, (uint32_t)KIB, number));
}

bool shell_take_number(struct text *rest, uint32_t *number)
{
    struct text after = *rest;
    if (!number_of(text_take_word(&after), number))
        return false;
    *rest = after;
    return true;
}

bool shell_is_at_address(struct text rest)
{
    return starts_with_0x(text_take_word(&rest));
}

bool shell_is_at_end(struct text rest)
{
    struct text word = text_take_word(&rest);
    return word.next == word.end;
}

/* --- what was meant? --------------------------------------------------------------------------- */

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* How many letters must be put in, left out or changed to make one of the other (Levenshtein). */
static uint32_t distance(struct text typed, const char *name)
{
    uint32_t row[NAME_BYTES];
    uint32_t columns = least((uint32_t)(text_of(name).end - name), NAME_BYTES - 1);
    for (uint32_t i = 0; i <= columns; i++)
        row[i] = i;
    for (; typed.next < typed.end; typed.next++) {
        uint32_t diagonal = row[0]++;
        for (uint32_t i = 1; i <= columns; i++) {
            uint32_t changed = diagonal + (*typed.next != name[i - 1]);
            diagonal = row[i];
            row[i] = least(changed, least(row[i - 1], row[i]) + 1);
        }
    }
    return row[columns];
}

static bool begins(const char *name, struct text start)
{
    for (; start.next < start.end; start.next++, name++)
        if (*name != *start.next)
            return false;
    return true;
}

/* Returns: the command that is most like the word; NULL if none is like it. */
static const struct command *meant(struct text word)
{
    enum { LIKE = 3 }; /* so many letters wrong are another word */
    const struct command *best = NULL;
    uint32_t best_distance = LIKE;
    for (const struct command *command = commands; command->name != NULL; command++) {
        uint32_t wrong = begins(command->name, word) ? 0 : distance(word, command->name);
        if (wrong < best_distance && wrong < (uint32_t)(word.end - word.next)) {
            best = command;
            best_distance = wrong;
        }
    }
    return best;
}

static void copy_word(char *copy, uint32_t copy_bytes, struct text word)
{
    uint32_t length = least((uint32_t)(word.end - word.next), copy_bytes - 1);
    __builtin_memcpy(copy, word.next, length);
    copy[length] = '\0';
}

static void say_unknown(struct text word)
{
    char shown[LINE_BYTES];
    copy_word(shown, sizeof(shown), word);
    const struct command *like = meant(word);
    console_print("there is no command '%s'", shown);
    if (like != NULL)
        console_print("; did you mean '%s'?\n", like->name);
    else
        console_print("; 'help' lists them\n");
}

static const struct command *command_named(struct text word)
{
    for (const struct command *command = commands; command->name != NULL; command++)
        if (text_is(word, command->name))
            return command;
    return NULL;
}

/* --- commands of the shell itself ---------------------------------------------------------------- */

/* Returns: how a command is written, valid until the next call. */
static const char *call_of(const struct command *command)
{
    static char call[48];
    return format_text(call, sizeof(call), "%s%s%s", command->name,
                       command->words[0] != '\0' ? " " : "", command->words);
}

static void say_usage(const struct command *command)
{
    console_print("usage: %s: %s\n", call_of(command), command->help);
}

static void say_help(const struct command *command)
{
    console_print("  %-22s %s\n", call_of(command), command->help);
}

static bool shell_help(struct shell *shell, struct text rest)
{
    (void)shell;
    struct text word = text_take_word(&rest);
    if (word.next == word.end) {
        for (const struct command *command = commands; command->name != NULL; command++)
            say_help(command);
        return true;
    }
    const struct command *command = command_named(word);
    if (command == NULL)
        say_unknown(word);
    else
        say_help(command);
    return true;
}

static bool shell_seed(struct shell *shell, struct text rest)
{
    uint32_t seed = shell->seed;
    if (!shell_is_at_end(rest) && (!shell_take_number(&rest, &seed) || seed == 0))
        return false;
    if (!shell_is_at_end(rest))
        return false;
    shell->seed = seed;
    shell->random = random_seeded(seed);
    console_print("the seed is %u\n", seed);
    return true;
}

static bool shell_misuse(struct shell *shell, struct text rest)
{
    struct text word = text_take_word(&rest);
    if (!shell_is_at_end(rest))
        return false;
    if (word.next == word.end) {
        misuse_list();
        return true;
    }
    if (!misuse_knows(word)) {
        console_print("there is no such sin; 'misuse' alone lists them\n");
        return true;
    }
    struct job job = *shell->job;
    copy_word(job.sin, sizeof(job.sin), word);
    run_misuse(&job);
    misuse_listen(NULL);
    console_print("the heap begins anew\n");
    shell_start_anew(shell);
    return true;
}

static bool shell_reset(struct shell *shell, struct text rest)
{
    if (!shell_is_at_end(rest))
        return false;
    shell_start_anew(shell);
    return true;
}

static bool shell_reboot(struct shell *shell, struct text rest)
{
    (void)shell;
    return shell_is_at_end(rest) && (machine_reboot(), true);
}

static bool shell_poweroff(struct shell *shell, struct text rest)
{
    (void)shell;
    return shell_is_at_end(rest) && (machine_power_off(), true);
}

/* --- lines ------------------------------------------------------------------------------------- */

static void echo(char character)
{
    console_print("%c", character);
}

/* Names that begin with the prefix: what they share behind it, or all of them as a list. */
static const char *complete(const char *prefix)
{
    static char rest[NAME_BYTES];
    struct text start = text_of(prefix);
    uint32_t length = (uint32_t)(start.end - start.next), found = 0;
    for (const struct command *command = commands; command->name != NULL; command++)
        if (begins(command->name, start) && found++ == 0)
            format_text(rest, sizeof(rest), "%s ", command->name + length);
    if (found == 1 || length == 0)
        return found == 1 ? rest : "";
    for (const struct command *command = commands; command->name != NULL; command++)
        if (begins(command->name, start))
            console_print("\n  %s", command->name);
    console_print("\n");
    return NULL;
}

static void obey(struct shell *shell, const char *line)
{
    struct text rest = text_of(line);
    struct text word = text_take_word(&rest);
    if (word.next == word.end)
        return;
    const struct command *command = command_named(word);
    if (command == NULL)
        say_unknown(word);
    else if (!command->run(shell, rest))
        say_usage(command);
}

void shell_start_anew(struct shell *shell)
{
    kinitHeap();
    __builtin_memset(shell->blocks, 0, shell->blocks_max * sizeof(*shell->blocks));
    shell->lowest_unused = 0;
    shell->trace.operation_count = 0;
    shell->player = (struct player){.trace = &shell->trace};
    shell->own = (struct heap_view_counts){0};
    heap_view_start_anew();
}

static struct heap_view_counts counts_of(const struct shell *shell)
{
    return (struct heap_view_counts){
        .operations = shell->own.operations + shell->player.next,
        .requested_bytes = shell->own.requested_bytes + shell->player.requested_bytes,
        .failures = shell->own.failures + shell->player.failures,
    };
}

void shell_show(struct shell *shell)
{
    const struct heap_view_counts counts = counts_of(shell);
    heap_view_show(&counts);
}

void shell_show_sometimes(struct shell *shell)
{
    enum { FRAMES_A_SECOND = 25, OPERATIONS_A_FRAME = 100 }; /* the latter at full speed */
    uint32_t every = shell->speed == SHELL_SPEED_FULL ? OPERATIONS_A_FRAME
                     : shell->speed > FRAMES_A_SECOND ? (uint32_t)shell->speed / FRAMES_A_SECOND
                                                      : 1;
    if (counts_of(shell).operations % every == 0)
        shell_show(shell);
}

static bool prepare(struct shell *shell)
{
    shell->blocks_max = kheap()->region.arena_bytes / BYTES_A_BLOCK;
    shell->blocks = scratch_alloc(shell->blocks_max * (uint32_t)sizeof(*shell->blocks));
    shell->scratch = scratch_mark();
    shell->random = random_seeded(shell->seed);
    return shell->blocks != NULL;
}

enum machine_status run_shell(const struct job *job, const struct boot_module *modules,
                              uint32_t module_count)
{
    static struct shell shell;
    static struct line line = {.prompt = "los> ", .echo = echo, .complete = complete};
    shell = (struct shell){
        .job = job, .modules = modules, .module_count = module_count, .seed = job->seed};
    if (!prepare(&shell))
        return run_refused("too little RAM beside the heap for the shell's tables");
    heap_view_open();
    shell_start_anew(&shell);
    console_print("'help' lists the commands\n");
    while (!shell.is_over) {
        enum line_outcome outcome = LINE_GOES_ON;
        shell_show(&shell);
        line_begin(&line);
        while (outcome == LINE_GOES_ON)
            outcome = line_take_key(&line, machine_wait_key());
        if (outcome == LINE_DONE)
            obey(&shell, line.text);
        shell.is_over |= outcome == LINE_INPUT_ENDED;
    }
    return MACHINE_DONE;
}
