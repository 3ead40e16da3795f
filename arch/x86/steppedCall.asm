; SPDX-License-Identifier: MIT
;
; bool steppedCall(struct stepped_call *call)
;
; Calls call->function(argument), trapping before each of its instructions, and stores what it
; returned. Returns true; or false, if whoever hears of the traps sent the processor to
; steppedCallAbandoned instead.
;
; The trap flag takes effect behind the instruction after the one that sets it (Intel SDM 3B,
; 17.3.1.4): the first trap comes before the function's first instruction. What is trapped
; between steppedCall and steppedCallEnd is none of the function's.
;
; Entry and exit: cdecl. Clobbers EAX, ECX, EDX, flags.

bits 32

global steppedCall, steppedCallAbandoned, steppedCallEnd

FUNCTION        equ 0
ARGUMENT        equ 4
RESULT          equ 8
STACK           equ 12

CALL_ARGUMENT   equ 20                  ; from ESP, behind four registers
TRAP_FLAG       equ 1 << 8

section .text

steppedCall:
        push ebp
        push ebx
        push esi
        push edi
        mov ebx, [esp + CALL_ARGUMENT]
        push dword [ebx + ARGUMENT]
        mov [ebx + STACK], esp
        pushfd
        or dword [esp], TRAP_FLAG
        popfd
        call [ebx + FUNCTION]           ; which restores EBX
        pushfd
        and dword [esp], ~TRAP_FLAG
        popfd
        mov [ebx + RESULT], eax
        mov eax, 1
.leave:
        add esp, 4
        pop edi
        pop esi
        pop ebx
        pop ebp
        ret

; On entry EBX is the call, and the trap flag is clear; interrupts as they were before.
steppedCallAbandoned:
        mov esp, [ebx + STACK]
        xor eax, eax
        jmp steppedCall.leave
steppedCallEnd:

section .note.GNU-stack noalloc noexec nowrite progbits
