/* SPDX-License-Identifier: MIT */
#include "decode.h"

enum { ALIGN_LOG2_MIN = 3, ALIGN_LOG2_END = 32 };

uint32_t decode_map_bytes(uint8_t byte)
{
    static const uint32_t choices[DECODE_HEAPS] = {8, 16, 24, 64, 128, 256, 640, 1024};
    return choices[byte % DECODE_HEAPS];
}

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

bool decode_call(const struct caller *caller, const uint8_t *bytes, struct call *call)
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
