/* SPDX-License-Identifier: MIT */
/*
 * Idea. The kernel keeps frame pointers, but the heap does not: there EBP is one more
 * register, and costs count. So inside the heap, or where EBP makes no sense, the walk
 * first reads the stack word by word from ESP up to a frame record (a saved EBP that
 * points to a stack, and above it a return address), taking for a return address what
 * points behind a CALL. From there on it follows the records. What the reading finds may
 * be a leftover of an earlier call: such lines are marked with '?'.
 */
#include "backtrace.h"

#include <stdbool.h>
#include <stddef.h>

#include "console.h"
#include "format.h"
#include "machine.h"
#include "processor.h"
#include "symbols.h"

extern const uint8_t _text_start[], _text_end[], _heap_text_start[], _heap_text_end[];
extern const uint8_t heapStack[], heapStackTop[];

enum { LINES_MAX = 32, CALL_RELATIVE = 0xe8, CALL_RELATIVE_BYTES = 5, CALL_INDIRECT = 0xff };

struct stack {
    uint32_t start;
    uint32_t end;
};

static bool is_code(uint32_t address)
{
    return address >= (uintptr_t)_text_start && address < (uintptr_t)_text_end;
}

static uint8_t code_byte(uint32_t address)
{
    return *(const uint8_t *)(uintptr_t)address;
}

/* A CALL through a register or memory: FF, then /2 in the middle of the next byte. */
static bool is_indirect_call(uint32_t address)
{
    return code_byte(address) == CALL_INDIRECT && (code_byte(address + 1) >> 3 & 7) == 2;
}

static bool is_return_address(uint32_t address)
{
    if (!is_code(address) || !is_code(address - CALL_RELATIVE_BYTES - 2))
        return false;
    return code_byte(address - CALL_RELATIVE_BYTES) == CALL_RELATIVE ||
           is_indirect_call(address - 2) || is_indirect_call(address - 3) ||
           is_indirect_call(address - 6);
}

static struct stack stack_of(uint32_t address)
{
    const struct stack_span *own = &processor_self()->stack;
    struct stack kernel = {(uintptr_t)own->start, (uintptr_t)own->end};
    struct stack heap = {(uintptr_t)heapStack, (uintptr_t)heapStackTop};
    return address >= heap.start && address < heap.end ? heap : kernel;
}

static bool is_in(struct stack stack, uint32_t address)
{
    return address % 4 == 0 && address >= stack.start && address <= stack.end - 2 * 4;
}

static uint32_t word_at(uint32_t address)
{
    return *(const uint32_t *)(uintptr_t)address;
}

/*
 * Whether address holds a saved EBP that leads further up the same stack, or over to the
 * kernel's, and above it a return address. So every chain ends.
 */
static bool is_frame_record(uint32_t address)
{
    if (!is_in(stack_of(address), address) || !is_return_address(word_at(address + 4)))
        return false;
    uint32_t saved = word_at(address);
    bool changes_stack = stack_of(address).start != stack_of(saved).start;
    bool leads_on = changes_stack ? stack_of(saved).start != (uintptr_t)heapStack
                                  : saved > address;
    return saved == 0 || (leads_on && is_in(stack_of(saved), saved));
}

/* Returns: the symbol that address belongs to; NULL iff it is no code's. */
static const struct symbol *symbol_of(uint32_t address)
{
    const struct symbol *found = NULL;
    for (uint32_t i = 0; i < symbol_count && symbol_table[i].address <= address; i++)
        found = &symbol_table[i];
    return is_code(address) ? found : NULL;
}

const char *machine_name_of(const void *address, char *buffer, uint32_t buffer_bytes)
{
    const struct symbol *symbol = symbol_of((uintptr_t)address);
    if (symbol == NULL)
        return format_text(buffer, buffer_bytes, "%p", address);
    return format_text(buffer, buffer_bytes, "%s+0x%x", symbol->name,
                       (uint32_t)(uintptr_t)address - symbol->address);
}

static void show(uint32_t address, const struct symbol *symbol, const char *mark)
{
    if (symbol == NULL)
        console_print("  0x%08x%s\n", address, mark);
    else
        console_print("  0x%08x %s+0x%x%s\n", address, symbol->name, address - symbol->address,
                      mark);
}

/* A call that does not come back may be its function's last: what it returns to is another's. */
static void show_caller(uint32_t address, const char *mark)
{
    show(address, symbol_of(address - 1), mark);
}

/*
 * Shows what looks like return addresses from esp up to the first frame record.
 * Returns: that record; 0 iff there is none.
 */
static uint32_t scan(uint32_t esp)
{
    struct stack stack = stack_of(esp);
    for (uint32_t at = esp & ~3U; is_in(stack, at); at += 4) {
        if (is_frame_record(at))
            return at;
        if (is_return_address(word_at(at)))
            show_caller(word_at(at), " ?");
    }
    return 0;
}

static bool keeps_frame_pointers(uint32_t eip)
{
    return eip < (uintptr_t)_heap_text_start || eip >= (uintptr_t)_heap_text_end;
}

/* Follows the records; a call that repeats itself, as a runaway recursion's, takes one line. */
static void follow(uint32_t record)
{
    uint32_t lines = 0;
    while (lines < LINES_MAX && record != 0 && is_frame_record(record)) {
        uint32_t caller = word_at(record + 4);
        uint32_t repeats = 0;
        do {
            record = word_at(record);
            repeats++;
        } while (record != 0 && is_frame_record(record) && word_at(record + 4) == caller);
        show_caller(caller, "");
        if (repeats > 1)
            console_print("    (%u times)\n", repeats);
        lines++;
    }
}

void backtrace_show(struct execution_point point)
{
    console_print("called from, innermost first:\n");
    show(point.eip, symbol_of(point.eip), "");
    bool has_record = keeps_frame_pointers(point.eip) && is_frame_record(point.ebp);
    follow(has_record ? point.ebp : scan(point.esp));
}
