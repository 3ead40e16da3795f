; SPDX-License-Identifier: MIT
;
; What a further processor runs first: from real mode, where a start-up interrupt leaves it,
; into C. processor.c copies [trampolineStart, trampolineEnd) to a page below 1 MiB.
;
; On entry (Intel SDM 3A, 9.4): real mode, CS = page << 8, IP = 0, interrupts off, all other
; segments 0. Afterwards another_processor_main is called in flat protected mode, paging
; off, on the stack that trampolineStack names; it does not return.
;
; One processor starts at a time: the stack is passed in the copy itself.

global trampolineStart, trampolineEnd, trampolineStackOffset
extern another_processor_main

CR0_PROTECTION          equ 1
FLAT_CODE               equ 1 << 3
FLAT_DATA               equ 2 << 3

section .rodata

bits 16

trampolineStart:
        cli
        cld
        mov ax, cs
        mov ds, ax
        movzx ebx, ax
        shl ebx, 4                      ; where the copy lies
        lea eax, [ebx + trampolineTable - trampolineStart]
        mov [trampolineTableRegister - trampolineStart + 2], eax
        lea eax, [ebx + .protected - trampolineStart]
        mov [.protectedAddress - trampolineStart], eax
        o32 lgdt [trampolineTableRegister - trampolineStart]
        mov eax, cr0
        or al, CR0_PROTECTION
        mov cr0, eax
        jmp far dword [.protectedAddress - trampolineStart]

        align 4
.protectedAddress:
        dd 0
        dw FLAT_CODE

bits 32

.protected:
        mov ax, FLAT_DATA
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov fs, ax
        mov gs, ax
        mov esp, [ebx + trampolineStack - trampolineStart]
        xor ebp, ebp
        push ebp                        ; the end of every backtrace
        push ebp
        mov eax, another_processor_main
        call eax                        ; relative calls would count from the copy
.neverReached:
        hlt
        jmp .neverReached

        align 8
trampolineTable:
        dq 0
        dq 0x00cf9a000000ffff           ; code: all 4 GiB, ring 0, readable
        dq 0x00cf92000000ffff           ; data: all 4 GiB, ring 0, writable
trampolineTableEnd:

trampolineTableRegister:
        dw trampolineTableEnd - trampolineTable - 1
        dd 0

        align 4
trampolineStack:
        dd 0
trampolineEnd:

        align 4
trampolineStackOffset:
        dd trampolineStack - trampolineStart

section .note.GNU-stack noalloc noexec nowrite progbits
