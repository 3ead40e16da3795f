; SPDX-License-Identifier: MIT
;
; void measuredCall(struct measured_call *call)
;
; Calls call->function(first, second) on the heap's stack and stores what it returned
; and how many ticks of the time-stamp counter passed, the reading included.
;
; LFENCE before RDTSC waits until everything earlier is done (Intel SDM 2B, RDTSC). Under
; QEMU's -icount shift=0 a tick is an instruction, so the reading's own cost is exact, and
; machine.c subtracts it (overhead_ticks).
;
; Entry and exit: cdecl. Clobbers EAX, ECX, EDX. The function called may use the whole of
; heapStack; interrupts are off.

bits 32

global measuredCall, measuredNothing
extern heapStackTop

FUNCTION        equ 0
FIRST           equ 4
SECOND          equ 8
RESULT          equ 12
TICKS           equ 16

CALL_ARGUMENT   equ 8                   ; from EBP

section .text

measuredCall:
        push ebp
        mov ebp, esp
        push ebx
        push esi
        push edi
        mov ebx, [ebp + CALL_ARGUMENT]
        mov esp, heapStackTop
        push dword .returned            ; a frame record, so that a backtrace finds its way
        push ebp                        ; from the heap's stack to the caller's
        push dword [ebx + SECOND]       ; the call comes on a 16-byte boundary
        push dword [ebx + FIRST]
        mov edi, [ebx + FUNCTION]
        lfence
        rdtsc
        mov esi, eax
        call edi                        ; which restores EBX, ESI, EDI and EBP
.returned:
        mov edi, eax
        lfence
        rdtsc
        sub eax, esi
        mov [ebx + RESULT], edi
        mov [ebx + TICKS], eax
        lea esp, [ebp - 12]
        pop edi
        pop esi
        pop ebx
        pop ebp
        ret

; The function that does nothing: what measuring it costs is the cost of measuring.
measuredNothing:
        ret

section .note.GNU-stack noalloc noexec nowrite progbits
