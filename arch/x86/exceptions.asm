; SPDX-License-Identifier: MIT
;
; The way from an exception or an interrupt into C. Each vector's stub leaves the same frame,
; struct exception_frame of cpu.h, whether or not the processor pushed an error code (Intel
; SDM 3A, 6.13). Exceptions call exception_raised, interrupts interrupt_raised; if it returns, they
; go back to what they interrupted, all registers as the frame has them.
;
; On entry the processor has pushed EFLAGS, CS, EIP and perhaps an error code; interrupts
; are off (interrupt gates). A double fault comes through a task gate instead, with a stack
; of its own, because the usual one may be what failed (SDM 3A, 6.15).

bits 32

global exceptionStubs, interruptStubs, doubleFaultEntry
extern exception_raised, double_fault_raised, interrupt_raised

VECTORS                 equ 32          ; of exceptions
ALL_VECTORS             equ 256
VECTOR_AND_ERROR_BYTES  equ 8
VECTORS_WITH_ERROR_CODE equ (1 << 8) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13) | (1 << 14) | (1 << 17) | (1 << 21) | (1 << 29) | (1 << 30)

section .text

%assign vector 0
%rep VECTORS
exceptionStub %+ vector:
  %if (VECTORS_WITH_ERROR_CODE >> vector) & 1 == 0
        push dword 0
  %endif
        push dword vector
        jmp exceptionCommon
  %assign vector vector + 1
%endrep

exceptionCommon:
        pushad
        mov eax, esp
        cld
        push eax
        call exception_raised
        jmp goBack

%assign vector VECTORS
%rep ALL_VECTORS - VECTORS
interruptStub %+ vector:
        push dword 0
        push dword vector
        jmp interruptCommon
  %assign vector vector + 1
%endrep

interruptCommon:
        pushad
        mov eax, esp
        cld
        push eax
        call interrupt_raised
goBack:
        add esp, 4
        popad
        add esp, VECTOR_AND_ERROR_BYTES
        iretd

doubleFaultEntry:
        cld
        call double_fault_raised

section .rodata

exceptionStubs:
%assign vector 0
%rep VECTORS
        dd exceptionStub %+ vector
  %assign vector vector + 1
%endrep

interruptStubs:
%assign vector VECTORS
%rep ALL_VECTORS - VECTORS
        dd interruptStub %+ vector
  %assign vector vector + 1
%endrep

section .note.GNU-stack noalloc noexec nowrite progbits
