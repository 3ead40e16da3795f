; SPDX-License-Identifier: MIT
; The symbol table of the kernel's first link: none yet. See symbols.h.

global symbol_table, symbol_count, heap_text_bytes

section .symbols progbits alloc noexec nowrite align=4

heap_text_bytes: dd 0
symbol_count: dd 0
symbol_table:

section .note.GNU-stack noalloc noexec nowrite progbits
