/* SPDX-License-Identifier: MIT */
#include "memory.h"

#include "format.h"

enum { SCRATCH_ALIGNMENT_BYTES = 16, LOW_MEMORY_END = 0x100000, KIB = 1024 };

struct span {
    uint64_t start;
    uint64_t end;
};

static uint8_t *scratch_next;
static uint8_t *scratch_end;

static char message[160];

void scratch_init(uint8_t *start, uint8_t *end)
{
    uintptr_t aligned = ((uintptr_t)start + SCRATCH_ALIGNMENT_BYTES - 1) &
                        ~(uintptr_t)(SCRATCH_ALIGNMENT_BYTES - 1);
    bool is_inside = aligned >= (uintptr_t)start && aligned < (uintptr_t)end; /* it may wrap */
    scratch_next = is_inside ? (uint8_t *)aligned : end;
    scratch_end = end;
}

bool scratch_holds(const uint8_t *start, const uint8_t *end)
{
    return scratch_next == start && scratch_end == end;
}

void *scratch_alloc(uint32_t bytes)
{
    uint32_t left = (uint32_t)(scratch_end - scratch_next);
    uint32_t rounded = (bytes + SCRATCH_ALIGNMENT_BYTES - 1) & ~(SCRATCH_ALIGNMENT_BYTES - 1U);
    if (rounded < bytes || rounded > left)
        return NULL;
    void *taken = scratch_next;
    scratch_next += rounded;
    __builtin_memset(taken, 0, rounded);
    return taken;
}

uint8_t *scratch_mark(void)
{
    return scratch_next;
}

void scratch_release(uint8_t *mark)
{
    scratch_next = mark;
}

static bool overlaps(struct span a, struct span b)
{
    return a.start < b.end && b.start < a.end;
}

static struct span span_of(const uint8_t *start, const uint8_t *end)
{
    return (struct span){(uintptr_t)start, (uintptr_t)end};
}

/* Of a range that goes on round the end of all memory nothing is usable. */
static struct span span_of_range(const struct memory_range *range)
{
    uint64_t end;
    if (__builtin_add_overflow(range->start, range->bytes, &end))
        end = range->usable ? range->start : UINT64_MAX;
    return (struct span){range->start, end};
}

/* What is said to be usable and not usable, by maps whose ranges overlap, is not. */
static uint64_t first_unusable(const struct boot_info *info, struct span usable)
{
    for (uint32_t i = 0; i < info->memory_range_count; i++) {
        struct span range = span_of_range(&info->memory_ranges[i]);
        if (!info->memory_ranges[i].usable && overlaps(range, usable))
            usable.end = range.start > usable.start ? range.start : usable.start;
    }
    return usable.end;
}

/* Returns: how far from start on memory is usable without a gap; start if it is not. */
static uint64_t usable_until(const struct boot_info *info, uint64_t start)
{
    uint64_t reached = start;
    for (uint32_t i = 0; i < info->memory_range_count; i++) {
        struct span range = span_of_range(&info->memory_ranges[i]);
        if (info->memory_ranges[i].usable && range.start <= reached && range.end > reached) {
            reached = range.end;
            i = UINT32_MAX; /* a range seen before may go on from here: look again */
        }
    }
    return first_unusable(info, (struct span){start, reached});
}

bool memory_is_usable(const struct boot_info *info, uint32_t start, uint32_t end)
{
    return usable_until(info, start) >= end;
}

static const char *verify_kernel(const struct boot_info *info, struct span kernel)
{
    uint64_t reached = usable_until(info, kernel.start);
    if (reached < kernel.end)
        return format_text(message, sizeof(message),
                           "too little RAM: the kernel and its heap need 0x%08x to 0x%08x, "
                           "usable memory ends at 0x%08x",
                           (uint32_t)kernel.start, (uint32_t)kernel.end, (uint32_t)reached);
    for (uint32_t i = 0; i < info->module_count; i++)
        if (overlaps(span_of(info->modules[i].start, info->modules[i].end), kernel))
            return format_text(message, sizeof(message),
                               "boot module %u (%s) overlaps the kernel or its heap", i + 1,
                               info->modules[i].name);
    return NULL;
}

/* What is left of piece without used: the larger of the two sides. */
static struct span larger_side(struct span piece, struct span used)
{
    if (!overlaps(piece, used))
        return piece;
    struct span below = {piece.start, used.start > piece.start ? used.start : piece.start};
    struct span above = {used.end < piece.end ? used.end : piece.end, piece.end};
    return above.end - above.start >= below.end - below.start ? above : below;
}

static struct span scratch_in(const struct boot_info *info, const struct memory_range *range,
                              struct span kernel)
{
    struct span piece = span_of_range(range);
    if (piece.start < LOW_MEMORY_END) /* the firmware's and the loader's tables lie there */
        piece.start = LOW_MEMORY_END;
    if (piece.end > UINT32_MAX)
        piece.end = UINT32_MAX;
    if (!range->usable || piece.end <= piece.start)
        return (struct span){0, 0};
    piece = larger_side(piece, kernel);
    for (uint32_t i = 0; i < info->own_count; i++)
        piece = larger_side(piece, span_of(info->own[i].start, info->own[i].end));
    for (uint32_t i = 0; i < info->module_count; i++)
        piece = larger_side(piece, span_of(info->modules[i].start, info->modules[i].end));
    for (uint32_t i = 0; i < info->memory_range_count; i++)
        if (!info->memory_ranges[i].usable)
            piece = larger_side(piece, span_of_range(&info->memory_ranges[i]));
    return piece;
}

const char *memory_init(const struct boot_info *info, uint32_t kernel_start, uint32_t kernel_end)
{
    struct span kernel = {kernel_start, kernel_end};
    const char *wrong = verify_kernel(info, kernel);
    if (wrong != NULL)
        return wrong;
    struct span best = {0, 0};
    for (uint32_t i = 0; i < info->memory_range_count; i++) {
        struct span piece = scratch_in(info, &info->memory_ranges[i], kernel);
        if (piece.end - piece.start > best.end - best.start)
            best = piece;
    }
    scratch_init((uint8_t *)(uintptr_t)best.start, (uint8_t *)(uintptr_t)best.end);
    return NULL;
}
