; SPDX-License-Identifier: MIT
;
; Where LOS begins: the headers that boot loaders look for, the two entries, the
; stacks, and, at the very end, the memory that the kernel heap manages.
;
; On entry, from a multiboot2 loader (Multiboot2 Specification 2.0, 3.3):
;   EAX = 0x36d76289, EBX = physical address of the boot information
; or, from a PVH loader (Xen, "x86/HVM direct boot ABI"), at pvhStart:
;   EBX = physical address of struct hvm_start_info
; and in both cases: protected mode, flat 32-bit segments, paging off, interrupts
; off, no usable stack, GDT of unknown whereabouts.
;
; What kernel_main(loader, information) is promised: a stack of KERNEL_STACK_BYTES,
; the direction flag clear, interrupts off, EBP = 0 (the end of every backtrace).
; It does not return.

bits 32

global multiboot2Start, pvhStart
global kernelStack, kernelStackTop, heapStack, heapStackTop
global faultStack, faultStackTop, kernelStackGuard, heapStackGuard, faultStackGuard
global _kernelHeapArray, _kernelHeapArrayEnd, _kernelHeap, _kernelHeapEnd
extern kernel_main

%ifndef HEAP_KIB
  %error "HEAP_KIB: the size of _kernelHeap in KiB, from -Dheap_kib, is not defined"
%endif

PAGE_BYTES              equ 4096
HEAP_BYTES              equ HEAP_KIB * 1024
HEAP_BYTES_PER_MAP_BYTE equ 64
HEAP_ARRAY_BYTES        equ HEAP_BYTES / HEAP_BYTES_PER_MAP_BYTE

KERNEL_STACK_BYTES      equ 16384
HEAP_STACK_BYTES        equ 16384
FAULT_STACK_BYTES       equ 8192

; --- what boot loaders look for ------------------------------------------------

MULTIBOOT2_MAGIC            equ 0xe85250d6
MULTIBOOT2_ARCHITECTURE_I386 equ 0

TAG_INFORMATION_REQUEST     equ 1
TAG_CONSOLE_FLAGS           equ 4
TAG_FRAMEBUFFER             equ 5
TAG_OPTIONAL                equ 1
CONSOLE_EGA_TEXT_SUPPORTED  equ 2

SCREEN_WIDTH                equ 1024            ; in points: what is wished for
SCREEN_HEIGHT               equ 768
SCREEN_BITS_PER_POINT       equ 32

INFO_COMMAND_LINE           equ 1
INFO_BOOT_LOADER_NAME       equ 2
INFO_MODULE                 equ 3
INFO_MEMORY_MAP             equ 6
INFO_ACPI_OLD               equ 14
INFO_ACPI_NEW               equ 15

section .multiboot2 progbits alloc noexec nowrite align=8

multiboot2Header:
        dd MULTIBOOT2_MAGIC
        dd MULTIBOOT2_ARCHITECTURE_I386
        dd multiboot2HeaderEnd - multiboot2Header
        dd -(MULTIBOOT2_MAGIC + MULTIBOOT2_ARCHITECTURE_I386 + (multiboot2HeaderEnd - multiboot2Header))

        ; Without these the kernel can do nothing: the loader must know them.
        align 8
requiredInformation:
        dw TAG_INFORMATION_REQUEST, 0
        dd requiredInformationEnd - requiredInformation
        dd INFO_COMMAND_LINE, INFO_BOOT_LOADER_NAME, INFO_MODULE, INFO_MEMORY_MAP
requiredInformationEnd:

        ; Good to have: only firmware with ACPI can give them.
        align 8
wantedInformation:
        dw TAG_INFORMATION_REQUEST, TAG_OPTIONAL
        dd wantedInformationEnd - wantedInformation
        dd INFO_ACPI_OLD, INFO_ACPI_NEW
wantedInformationEnd:

        align 8
consoleFlags:
        dw TAG_CONSOLE_FLAGS, TAG_OPTIONAL
        dd consoleFlagsEnd - consoleFlags
        dd CONSOLE_EGA_TEXT_SUPPORTED
consoleFlagsEnd:

        ; A screen to draw the heap on; text will do where there is none.
        align 8
framebuffer:
        dw TAG_FRAMEBUFFER, TAG_OPTIONAL
        dd framebufferEnd - framebuffer
        dd SCREEN_WIDTH, SCREEN_HEIGHT, SCREEN_BITS_PER_POINT
framebufferEnd:

        align 8
        dw 0, 0                         ; the end tag
        dd 8
multiboot2HeaderEnd:

XEN_ELFNOTE_PHYS32_ENTRY    equ 18

section .note.pvh note alloc noexec nowrite align=4

        dd pvhNoteNameEnd - pvhNoteName
        dd pvhNoteEntryEnd - pvhNoteEntry
        dd XEN_ELFNOTE_PHYS32_ENTRY
pvhNoteName:
        db "Xen", 0
pvhNoteNameEnd:
        align 4
pvhNoteEntry:
        dd pvhStart
pvhNoteEntryEnd:

; --- entry -----------------------------------------------------------------------

LOADER_PVH                  equ 0x336ec578      ; the magic that hvm_start_info opens with

section .text

; PVH hands over no magic in a register: from here on EAX tells the loaders apart.
pvhStart:
        mov eax, LOADER_PVH

; Clobbers everything. EAX and EBX become kernel_main's two arguments.
multiboot2Start:
        cli
        cld
        mov esp, kernelStackTop
        xor ebp, ebp
        push ebp                        ; kernel_main's frame stands on a 16-byte boundary
        push ebp
        push ebx
        push eax
        call kernel_main
.neverReached:
        hlt
        jmp .neverReached

; --- stacks ------------------------------------------------------------------------
; Each stands on a guard page that cpu.c unmaps, so that a stack that grows too deep
; faults instead of running over its neighbour. kernel.ld keeps this section within
; the first 4 MiB, which are the ones mapped page by page.

section .bss.stacks nobits alloc noexec write align=4096

kernelStackGuard:
        resb PAGE_BYTES
kernelStack:
        resb KERNEL_STACK_BYTES
kernelStackTop:

heapStackGuard:
        resb PAGE_BYTES
heapStack:                              ; measuredCall runs the heap's functions on it
        resb HEAP_STACK_BYTES
heapStackTop:

faultStackGuard:
        resb PAGE_BYTES
faultStack:                             ; double faults, which find no other stack
        resb FAULT_STACK_BYTES
faultStackTop:

; --- the kernel heap -----------------------------------------------------------------
; One byte of array stands for 64 bytes of heap. The heap lies directly after the array
; and on a page boundary; at sizes where the array is no whole number of pages, the space
; in front of it is left unused.

section .bss.heap nobits alloc noexec write align=4096

        resb (PAGE_BYTES - HEAP_ARRAY_BYTES % PAGE_BYTES) % PAGE_BYTES
_kernelHeapArray:
        resb HEAP_ARRAY_BYTES
_kernelHeapArrayEnd:
_kernelHeap:
        resb HEAP_BYTES
_kernelHeapEnd:

section .note.GNU-stack noalloc noexec nowrite progbits
