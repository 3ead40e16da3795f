/* SPDX-License-Identifier: MIT */
/* The size of WebAssembly's memory, of which functions want to know that nobody calls. */
#ifndef PEERS_EMSCRIPTEN_HEAP_H
#define PEERS_EMSCRIPTEN_HEAP_H

#include <stddef.h>

static inline size_t emscripten_get_heap_size(void)
{
    return 0;
}

static inline size_t emscripten_get_heap_max(void)
{
    return 0;
}

#endif
