# The machine code of products in bfloat16: three leaf routines, position-independent, for Linux on
# x86-64 (System V calling convention). MachineCodeTest assembles this file and compares it with the
# bytes that the backend maps, resources/org/quern/cpu/tiles.bin. To make those:
#   as --64 -o tiles.o tiles.S && objcopy -O binary -j .text tiles.o tiles.bin
#
# Layouts. A block is 32 steps of the depth k; what is missing in the last one is zero.
#   A, the left operand:  [groups][blocks][R rows][32] bfloat16: a row of a block is 64 bytes.
#                         R = 12 for tile_avx512, 32 for tile_amx.
#   B, a panel of the right operand: [blocks][16 pairs][32 columns][2] bfloat16: a word holds steps
#                         2 p (lower half) and 2 p + 1 of one column; a block is 2048 bytes.
#   C, the results:       [groups][R rows][32 columns] float32.
# All alignments are allowed; 64 bytes are fast. Denormal numbers count as zero, in and out.
  .intel_syntax noprefix
  .text

# Offset 0: the table of offsets, 32-bit, in the order of the routines below.
table:
  .long pack - table, tile_avx512 - table, tile_amx - table, 0

# pack: rounds rows of float32 to A, to nearest, ties to even; a NaN stays one.
#   rdi  float32, the first row
#   rsi  bytes from row to row
#   rdx  A
#   rcx  rows, at least 1
#   r8   R
#   r9   k, at least 1
# Rows of the last group that do not exist are left as they are. AVX512F, AVX512_BF16, BMI2.
  .p2align 6
pack:
  push rbx
  push rbp
  push r12
  push r13
  mov r10, r8
  shl r10, 6 # bytes from block to block
  lea rax, [r9 + 31]
  shr rax, 5
  dec rax
  imul rax, r10 # from the end of a group's first block to the next group
  mov rbx, r8 # rows left in the group
  mov r13d, -1
1:
  mov r11, rdi
  mov r12, rdx
  mov rbp, r9
2: # 32 numbers of a row; behind its end zeros, which are not read
  mov r8d, 32
  cmp rbp, 32
  cmovb r8d, ebp
  bzhi r8d, r13d, r8d
  kmovw k1, r8d
  shr r8d, 16
  kmovw k2, r8d
  vmovups zmm0{k1}{z}, [r11]
  vmovups zmm1{k2}{z}, [r11 + 64]
  vcvtne2ps2bf16 zmm0, zmm1, zmm0
  vmovups [r12], zmm0
  add r11, 128
  add r12, r10
  sub rbp, 32
  ja 2b
  add rdi, rsi
  add rdx, 64
  dec rbx
  jnz 3f
  add rdx, rax
  mov rbx, r10
  shr rbx, 6
3:
  dec rcx
  jnz 1b
  vzeroupper
  pop r13
  pop r12
  pop rbp
  pop rbx
  ret

# tile_avx512: C = A B.
#   rdi  A
#   rsi  B
#   rdx  C
#   rcx  blocks, at least 1
#   r8   groups of 12 rows, at least 1
# AVX512F, AVX512_BF16. Sums go up the depth, one pair after the other. B is fetched ahead, beyond its
# end too, where the next panel lies: nearly the speed of memory, where 12 rows take half of it without.
  .set AHEAD, 8192
  .p2align 6
tile_avx512:
1:
  .irp c, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23
  vpxord zmm\c, zmm\c, zmm\c
  .endr
  mov r9, rsi
  mov r10, rcx
2:
  mov r11d, 16
  .p2align 5
3:
  vmovups zmm30, [r9]
  vmovups zmm31, [r9 + 64]
  prefetcht0 [r9 + AHEAD]
  prefetcht0 [r9 + AHEAD + 64]
  .macro row number, first, second
  vpbroadcastd zmm29, [rdi + 64 * \number]
  vdpbf16ps zmm\first, zmm29, zmm30
  vdpbf16ps zmm\second, zmm29, zmm31
  .endm
  row 0, 0, 1
  row 1, 2, 3
  row 2, 4, 5
  row 3, 6, 7
  row 4, 8, 9
  row 5, 10, 11
  row 6, 12, 13
  row 7, 14, 15
  row 8, 16, 17
  row 9, 18, 19
  row 10, 20, 21
  row 11, 22, 23
  add rdi, 4
  add r9, 128
  dec r11d
  jnz 3b
  add rdi, 12 * 64 - 64
  dec r10
  jnz 2b
  .irp c, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23
  vmovups [rdx + 64 * \c], zmm\c
  .endr
  add rdx, 12 * 128
  dec r8
  jnz 1b
  vzeroupper
  ret

# tile_amx: C = A B.
#   rdi  A
#   rsi  B
#   rdx  C
#   rcx  blocks, at least 1
#   r8   groups of 32 rows, at least 1
# AMX-TILE, AMX-BF16, and the system's permission (arch_prctl ARCH_REQ_XCOMP_PERM). Tiles 0 to 3 are
# a quarter of C each, 4 and 5 rows of A, 6 and 7 columns of B. They are released at the end.
  .p2align 6
tile_amx:
  ldtilecfg [rip + tiles]
  mov eax, 64 # from row to row of A
  mov r11d, 128 # and of B and C
1:
  tilezero tmm0
  tilezero tmm1
  tilezero tmm2
  tilezero tmm3
  mov r9, rsi
  mov r10, rcx
2:
  tileloadd tmm4, [rdi + rax]
  tileloadd tmm6, [r9 + r11]
  tileloadd tmm7, [r9 + r11 + 64]
  tdpbf16ps tmm0, tmm4, tmm6
  tileloadd tmm5, [rdi + rax + 1024]
  tdpbf16ps tmm1, tmm4, tmm7
  tdpbf16ps tmm2, tmm5, tmm6
  tdpbf16ps tmm3, tmm5, tmm7
  add rdi, 2048
  add r9, 2048
  dec r10
  jnz 2b
  tilestored [rdx + r11], tmm0
  tilestored [rdx + r11 + 64], tmm1
  tilestored [rdx + r11 + 2048], tmm2
  tilestored [rdx + r11 + 2112], tmm3
  add rdx, 4096
  dec r8
  jnz 1b
  tilerelease
  ret

# The shape of the tiles: palette 1; 64 bytes a row and 16 rows for each of the eight.
  .p2align 6
tiles:
  .byte 1
  .zero 15
  .rept 8
  .short 64
  .endr
  .zero 16
  .rept 8
  .byte 16
  .endr
  .zero 8
