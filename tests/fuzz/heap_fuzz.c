/* SPDX-License-Identifier: MIT */
/*
 * A fuzzer for any strategy, HEAP_STRATEGY. The first byte of an input chooses the heap's
 * size; each four bytes that follow are a call. The oracle, and for sequential fits the
 * policy's definition, judge every call, and at last a drain; what goes wrong is told and
 * written as a trace. With FUZZ_TELL in the environment all calls are told beforehand, which
 * shows the one that faults.
 */
#include <stdlib.h>

#include "../story.h"
#include "budget.h"

enum { CALL_BYTES = 4, CALLS_MAX = 4096, ALIGN_LOG2_MIN = 3, ALIGN_LOG2_END = 32 };

extern const struct heap_strategy HEAP_STRATEGY;

static const uint32_t map_bytes_choices[] = {8, 16, 24, 64, 128, 256, 640, 1024};

static struct call calls[CALLS_MAX];

/* Mostly small, now and then about as large as the heap, or as can be said. */
static uint32_t decode_size(const struct caller *caller, uint16_t word)
{
    enum { LOW_BITS = 13, LOW = (1 << LOW_BITS) - 1, SMALL = 511 };
    uint32_t low = word & LOW;
    uint32_t size;
    switch (word >> LOW_BITS) {
    case 4:
        size = low;
        break;
    case 5:
        size = low * HEAP_ALIGNMENT_BYTES;
        break;
    case 6:
        size = host_heap_region_bytes(caller->oracle->host) - low;
        break;
    case 7:
        size = UINT32_MAX - low;
        break;
    default:
        size = low & SMALL;
    }
    return size == 0 ? 1 : size;
}

/* An offset near a live block's, or anywhere in the region and a little beyond. */
static uint32_t decode_offset(const struct caller *caller, uint32_t block, uint16_t word)
{
    const struct oracle *oracle = caller->oracle;
    if (block == oracle->state.count)
        return word - 256U;
    uint32_t displacement = (uint32_t)(int32_t)(int16_t)word / 16;
    return (uint32_t)(oracle->state.block[block].address - oracle->host->heap.region.map) +
           displacement;
}

/* Returns: whether the next bytes are a call that can be made in this state. */
static bool decode_call(const struct caller *caller, const uint8_t *bytes, struct call *call)
{
    const struct oracle *oracle = caller->oracle;
    uint32_t live = oracle->state.count;
    uint16_t word = (uint16_t)(bytes[2] | bytes[3] << 8);
    *call = (struct call){.block = live > 0 ? bytes[1] % live : 0,
                          .bytes = decode_size(caller, word),
                          .align = HEAP_ALIGNMENT_BYTES};
    switch (bytes[0] % 8) {
    case 0:
        call->align = 1U << (ALIGN_LOG2_MIN + bytes[1] % (ALIGN_LOG2_END - ALIGN_LOG2_MIN));
        /* fall through */
    case 1:
    case 2:
    case 3:
        call->kind = CALL_ALLOC;
        return live < ORACLE_BLOCKS_MAX;
    case 4:
        call->kind = CALL_REALLOC;
        return live > 0 && live < ORACLE_BLOCKS_MAX;
    case 5:
        call->kind = CALL_MISUSE;
        call->bytes = decode_offset(caller, bytes[1] % (live + 1), word);
        return oracle_has_trait(oracle, HEAP_VALIDATES_FREE);
    default:
        call->kind = CALL_FREE;
        return live > 0;
    }
}

static void give_up(const struct caller *caller, uint32_t count, const char *why)
{
    static const char path[] = "fuzz.rep";
    const struct story story = {.strategy = &HEAP_STRATEGY,
                                .map_bytes = caller->oracle->host->heap.region.map_bytes,
                                .calls = calls,
                                .count = count,
                                .why = why};
    printf("%s goes wrong on a heap of %u + %u bytes, after %u calls:\n", HEAP_STRATEGY.name,
           story.map_bytes, story.map_bytes * HEAP_BYTES_PER_MAP_BYTE, count);
    story_tell(&story, stdout);
    if (story_write_rep(&story, path))
        printf("As a trace: host-%s map_bytes=%u run=replay %s\n", HEAP_STRATEGY.name,
               story.map_bytes, path);
    fflush(stdout);
    abort();
}

static const char *make_call(struct caller *caller, const struct call *call)
{
    if (getenv("FUZZ_TELL") != NULL)
        fprintf(stderr, "kind %d, live block number %u, bytes %u, align %u\n", (int)call->kind,
                call->block, call->bytes, call->align);
    const char *wrong = caller_make(caller, call);
    return wrong != NULL ? wrong : oracle_verify(caller->oracle);
}

/* Heaps are made once: a region of 64 KiB takes longer to set up than most inputs. */
static struct caller *fresh_caller(uint8_t choice)
{
    enum { CHOICES = sizeof(map_bytes_choices) / sizeof(map_bytes_choices[0]) };
    static struct caller *callers[CHOICES];
    struct caller **caller = &callers[choice % CHOICES];
    if (*caller == NULL)
        *caller = caller_new(&HEAP_STRATEGY, map_bytes_choices[choice % CHOICES]);
    else
        caller_renew(*caller);
    return *caller;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct caller *caller = fresh_caller(data[0]);
    const uint8_t *end = data + size;
    const char *wrong = NULL;
    uint32_t count = 0;
    for (const uint8_t *at = data + 1;
         end - at >= CALL_BYTES && wrong == NULL && count < CALLS_MAX; at += CALL_BYTES)
        if (decode_call(caller, at, &calls[count]))
            wrong = make_call(caller, &calls[count++]);
    if (wrong == NULL)
        wrong = oracle_drain(caller->oracle);
    if (wrong != NULL)
        give_up(caller, count, wrong);
    budget_spend(count);
    return 0;
}
