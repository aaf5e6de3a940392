# A boot sector that lets the BIOS drive the disk: reads sectors through int 13h, writes their complement to
# another place, reads that back and compares, and says on the first serial port what it has seen.
# The host gives FIRST, COUNT, TARGET (sectors) and STEP (sectors of one int 13h call) as symbols.

        .code16
        .set    SEEN, 0x8000            # what was read
        .set    WRITTEN, 0xa000         # what is written
        .set    BACK, 0xc000            # what is read back
        .set    CHUNK, STEP * 512
        .set    UART, 0x3f8

        .globl  _start
_start:
        ljmp    $0, $start
start:
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $_start, %sp
        cld
        sti
        movb    %dl, drive
        movw    $said_start, %si
        call    say

# The oldest call, by cylinder, head and sector: must give what the one by sector number gives.
        movw    $0x0201, %ax
        movw    $0x0002, %cx            # cylinder 0, sector 2 (they count from 1)
        xorb    %dh, %dh
        movb    drive, %dl
        movw    $BACK, %bx
        int     $0x13
        jc      failed
        movw    $SEEN, %bx
        call    read
        movw    $512 / 4, %cx
        movw    $SEEN, %si
        movw    $BACK, %di
        repe cmpsl
        jne     failed

next:
        movw    $SEEN, %bx
        call    read
        movw    $SEEN, %si
        movw    $WRITTEN, %di
        movw    $CHUNK / 4, %cx
1:      lodsl
        addl    %eax, sum
        notl    %eax
        stosl
        loop    1b

        addl    $(TARGET - FIRST), sector
        movw    $WRITTEN, %bx
        movw    $0x4300, %ax
        call    transfer
        movw    $BACK, %bx
        call    read
        movw    $CHUNK / 4, %cx
        movw    $WRITTEN, %si
        movw    $BACK, %di
        repe cmpsl
        jne     failed
        subl    $(TARGET - FIRST - STEP), sector
        cmpl    $(FIRST + COUNT), sector
        jb      next

        movw    $said_sum, %si
        call    say
        movl    sum, %ebp
        movw    $8, %cx
2:      roll    $4, %ebp
        movl    %ebp, %eax
        andb    $15, %al
        cmpb    $10, %al
        sbbb    $0x69, %al              # the classic three: a nibble to its hexadecimal digit
        das
        call    put
        loop    2b
        movw    $said_done, %si
off:
        call    say
        movw    $0x604, %dx             # the power management register where SeaBIOS puts it
        movw    $0x2000, %ax
        outw    %ax, %dx
3:      hlt
        jmp     3b

failed:
        movw    $said_failed, %si
        jmp     off

# Read STEP sectors from `sector` on to %bx; falls into the transfer.
read:
        movw    $0x4200, %ax
transfer:
        movw    %bx, buffer
        movb    drive, %dl
        movw    $packet, %si
        int     $0x13
        jc      failed
        ret

say:
        lodsb
        testb   %al, %al
        jz      4f
        call    put
        jmp     say
put:
        movw    $UART + 5, %dx
        movb    %al, %ah
5:      inb     %dx, %al
        testb   $0x20, %al
        jz      5b
        movb    %ah, %al
        movw    $UART, %dx
        outb    %al, %dx
4:      ret

said_start:
        .asciz  "VPCI step int13 0\r\n"
said_sum:
        .asciz  "VPCI sum "
said_done:
        .asciz  "\r\nVPCI done\r\n"
said_failed:
        .asciz  "VPCI failed int 13h\r\n"

        .balign 4
packet:
        .byte   16, 0
        .word   STEP
buffer:
        .word   0, 0
sector:
        .long   FIRST, 0
sum:
        .long   0
drive:
        .byte   0

        .org    510
        .word   0xaa55
