/* SPDX-License-Identifier: MIT */
/* Emscripten's way to run JavaScript, which emmalloc uses for its log alone. */
#ifndef PEERS_EMSCRIPTEN_H
#define PEERS_EMSCRIPTEN_H

#define EM_ASM(...) ((void)0)
#define MAIN_THREAD_ASYNC_EM_ASM(...) ((void)0)

#endif
