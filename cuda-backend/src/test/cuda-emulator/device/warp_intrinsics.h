// What the kernels write as inline PTX, under the same names, as calls into the emulator: the f16 conversions of
// prelude.h and the vocabulary of cuda/warp_tensor.h. Both leave their own versions out where QUERN_INTRINSICS is defined.
//
// Lanes, registers and rounding are those of the instructions (PTX ISA, "Matrix Fragments" and "cp.async"); the layouts
// are told at source/warp_operations.cpp.
#pragma once
#define QUERN_INTRINSICS 1

typedef unsigned int u32;
typedef unsigned short u16;

extern "C" {
enum EmulatedProduct { EMULATED_F16, EMULATED_BF16, EMULATED_TF32 };
void emulated_mma(int product, float* d, const u32* a, const u32* b, const float* c);
void emulated_ldmatrix(u32* registers, const void* row, int transposed);
void emulated_load_shared(void* value, const void* address, int bytes);
void emulated_store_shared(void* address, const void* value, int bytes);
void emulated_load_global(void* value, const void* address, int bytes);
void emulated_store_global(void* address, const void* value, int bytes);
void emulated_copy_async(void* target, const void* source, int bytes, int source_bytes);
void emulated_copy_commit();
void emulated_copy_wait(int pending);
}

// ------------------------------------------------------------------------------------------------------- conversions
static inline float half_to_float(u16 bits) {
  _Float16 half;
  __builtin_memcpy(&half, &bits, sizeof bits);
  return (float)half;
}
static inline u16 float_to_half(float value) {  // to nearest, ties to even
  const _Float16 half = (_Float16)value;
  u16 bits;
  __builtin_memcpy(&bits, &half, sizeof bits);
  return bits;
}
static inline u16 emulated_to_bf16(float value) {  // to nearest, ties to even; every NaN becomes the canonical one
  if (value != value) return 0x7fff;
  const u32 bits = __float_as_uint(value);
  return (u16)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
static inline u32 pack_f16(float low, float high) { return (u32)float_to_half(low) | (u32)float_to_half(high) << 16; }
static inline u32 pack_bf16(float low, float high) {
  return (u32)emulated_to_bf16(low) | (u32)emulated_to_bf16(high) << 16;
}
static inline u32 to_tf32(float value) {  // to nearest, ties away from zero, as cvt.rna does
  const u32 bits = __float_as_uint(value);
  const bool finite = (bits & 0x7f800000u) != 0x7f800000u;
  return finite ? (bits + 0x1000u) & 0xffffe000u : bits;
}
static inline float ex2(float x) {  // ex2.approx.ftz: denormals are zero, before and after
  const float y = exp2f(x);
  return y < 1.17549435e-38f ? 0.0f : y;
}

// ---------------------------------------------------------------------------------------------------- shared memory
typedef char* smem_t;  // an address in shared memory, to which bytes are added
static inline smem_t smem_addr(void* address) { return (char*)address; }
static inline smem_t smem_addr(const void* address) { return (char*)address; }
static inline smem_t smem_xor(smem_t base, u32 offset, u32 bits) { return base + (offset ^ bits); }
#define EMULATED_CALL static inline __attribute__((always_inline))
template <class Value>
EMULATED_CALL Value emulated_load(smem_t address) {
  Value value;
  emulated_load_shared(&value, address, sizeof value);
  return value;
}
EMULATED_CALL u32 lds32(smem_t address) { return emulated_load<u32>(address); }
EMULATED_CALL uint2 lds64(smem_t address) { return emulated_load<uint2>(address); }
EMULATED_CALL uint4 lds128(smem_t address) { return emulated_load<uint4>(address); }
EMULATED_CALL void sts32(smem_t address, u32 value) { emulated_store_shared(address, &value, sizeof value); }
EMULATED_CALL void sts64(smem_t address, u32 x, u32 y) {
  const uint2 value = {x, y};
  emulated_store_shared(address, &value, sizeof value);
}
EMULATED_CALL void sts128(smem_t address, uint4 value) { emulated_store_shared(address, &value, sizeof value); }

// One access of a whole vector: g++ would make four of a struct.
template <class Value>
EMULATED_CALL Value ldg(const Value* address) {
  Value value;
  emulated_load_global(&value, address, sizeof value);
  return value;
}
template <class Value>
EMULATED_CALL void stg(Value* address, Value value) {
  emulated_store_global(address, &value, sizeof value);
}

// -------------------------------------------------------------------------------------- asynchronous copies, products
EMULATED_CALL void cp_async_16(smem_t target, const void* source, bool wanted) {
  emulated_copy_async(target, source, 16, wanted ? 16 : 0);
}
EMULATED_CALL void cp_async_commit() { emulated_copy_commit(); }
template <int Pending>
EMULATED_CALL void cp_async_wait() {
  emulated_copy_wait(Pending);
}
EMULATED_CALL void ldmatrix_x4(u32 (&registers)[4], smem_t row) { emulated_ldmatrix(registers, row, 0); }
EMULATED_CALL void ldmatrix_x4_trans(u32 (&registers)[4], smem_t row) { emulated_ldmatrix(registers, row, 1); }
EMULATED_CALL void mma_m16n8k16_f16(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  const u32 b[2] = {b0, b1};
  emulated_mma(EMULATED_F16, d, a, b, d);
}
EMULATED_CALL void mma_m16n8k16_bf16(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  const u32 b[2] = {b0, b1};
  emulated_mma(EMULATED_BF16, d, a, b, d);
}
EMULATED_CALL void mma_m16n8k8_tf32(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  const u32 b[2] = {b0, b1};
  emulated_mma(EMULATED_TF32, d, a, b, d);
}
