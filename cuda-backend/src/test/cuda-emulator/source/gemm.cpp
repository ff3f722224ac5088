#include "gemm.h"

#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace emulator {
namespace {

constexpr int ROWS = 32, COLUMNS = 3;  // of the tile of C in registers: 4 vectors by 3 columns

uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

float round_to_tf32(float value) {  // to nearest, ties away from zero
  const uint32_t bits = bits_of(value);
  const bool finite = (bits & 0x7f800000u) != 0x7f800000u;
  return finite ? float_of((bits + 0x1000u) & 0xffffe000u) : value;
}

uint16_t to_bf16(float value) {  // to nearest, ties to even
  if (value != value) return 0x7fff;
  const uint32_t bits = bits_of(value);
  return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

float load(const void* matrix, int type, size_t index) {
  switch (type) {
    case TYPE_F16: return _cvtsh_ss(((const uint16_t*)matrix)[index]);
    case TYPE_BF16: return float_of((uint32_t)((const uint16_t*)matrix)[index] << 16);
    default: return ((const float*)matrix)[index];
  }
}

void store(void* matrix, int type, size_t index, float value) {
  switch (type) {
    case TYPE_F16: ((uint16_t*)matrix)[index] = _cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT); return;
    case TYPE_BF16: ((uint16_t*)matrix)[index] = to_bf16(value); return;
    default: ((float*)matrix)[index] = value;
  }
}

// Where element (row, column) of op(X) lies.
size_t index_of(int row, int column, bool transposed, int leading) {
  return transposed ? (size_t)row * (size_t)leading + (size_t)column : (size_t)column * (size_t)leading + (size_t)row;
}

// ROWS rows of op(A) from `row` on, as [k][ROWS]; rows beyond m are zero.
void pack_a(const Gemm& gemm, int row, float* panel) {
  const int rows = std::min(ROWS, gemm.m - row);
  for (int k = 0; k < gemm.k; k++) {
    for (int i = 0; i < ROWS; i++) {
      float value = 0;
      if (i < rows) value = load(gemm.a, gemm.type_a, index_of(row + i, k, gemm.transpose_a, gemm.leading_a));
      panel[k * ROWS + i] = gemm.tf32 ? round_to_tf32(value) : value;
    }
  }
}

// op(B) as panels of COLUMNS columns, each [k][COLUMNS]; columns beyond n are zero.
std::vector<float> pack_b(const Gemm& gemm) {
  const int panels = (gemm.n + COLUMNS - 1) / COLUMNS;
  std::vector<float> packed((size_t)panels * COLUMNS * (size_t)gemm.k);
  for (int column = 0; column < gemm.n; column++) {
    float* panel = &packed[(size_t)(column / COLUMNS) * COLUMNS * (size_t)gemm.k];
    for (int k = 0; k < gemm.k; k++) {
      const float value = load(gemm.b, gemm.type_b, index_of(k, column, gemm.transpose_b, gemm.leading_b));
      panel[k * COLUMNS + column % COLUMNS] = gemm.tf32 ? round_to_tf32(value) : value;
    }
  }
  return packed;
}

// One tile: the sum over k in its order, fused.
void multiply_tile(const float* a, const float* b, int k_size, float (&out)[COLUMNS][ROWS]) {
  __m256 sum[COLUMNS][ROWS / 8];
  for (auto& column : sum)
    for (__m256& vector : column) vector = _mm256_setzero_ps();
  for (int k = 0; k < k_size; k++) {
    for (int j = 0; j < COLUMNS; j++) {
      const __m256 factor = _mm256_set1_ps(b[k * COLUMNS + j]);
      for (int v = 0; v < ROWS / 8; v++)
        sum[j][v] = _mm256_fmadd_ps(_mm256_loadu_ps(a + k * ROWS + 8 * v), factor, sum[j][v]);
    }
  }
  for (int j = 0; j < COLUMNS; j++)
    for (int v = 0; v < ROWS / 8; v++) _mm256_storeu_ps(out[j] + 8 * v, sum[j][v]);
}

}  // namespace

int element_size(int type) {
  switch (type) {
    case TYPE_F32: return 4;
    case TYPE_F16:
    case TYPE_BF16: return 2;
    default: return 0;
  }
}

void multiply(const Gemm& gemm) {
  const std::vector<float> b = pack_b(gemm);
  std::vector<float> panel((size_t)ROWS * (size_t)gemm.k);
  float tile[COLUMNS][ROWS];
  for (int row = 0; row < gemm.m; row += ROWS) {
    pack_a(gemm, row, panel.data());
    const int rows = std::min(ROWS, gemm.m - row);
    for (int column = 0; column < gemm.n; column += COLUMNS) {
      multiply_tile(panel.data(), &b[(size_t)column * (size_t)gemm.k], gemm.k, tile);
      for (int j = 0; j < std::min(COLUMNS, gemm.n - column); j++) {
        for (int i = 0; i < rows; i++) {
          const size_t at = index_of(row + i, column + j, false, gemm.leading_c);
          const float old = gemm.beta != 0 ? gemm.beta * load(gemm.c, gemm.type_c, at) : 0.0f;
          store(gemm.c, gemm.type_c, at, gemm.alpha * tile[j][i] + old);
        }
      }
    }
  }
}

}  // namespace emulator
