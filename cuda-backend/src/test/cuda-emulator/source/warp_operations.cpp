// mma.sync and ldmatrix: operations of a whole warp, whose operands lie in the registers of its lanes.
//
// Where, with g = lane / 4 and t = lane % 4 (PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type" and
// "... mma.m16n8k8"):
//   A, 16 bit, 16 x 16   a0 (g, 2t..2t+1)   a1 (g+8, 2t..)   a2 (g, 2t+8..)   a3 (g+8, 2t+8..)    lower half: even column
//   B, 16 bit, 16 x 8    b0 (2t..2t+1, g)   b1 (2t+8..2t+9, g)                                    (row k, column n)
//   A, tf32, 16 x 8      a0 (g, t)   a1 (g+8, t)   a2 (g, t+4)   a3 (g+8, t+4)
//   B, tf32, 8 x 8       b0 (t, g)   b1 (t+4, g)
//   C and D, 16 x 8      c0 (g, 2t)   c1 (g, 2t+1)   c2 (g+8, 2t)   c3 (g+8, 2t+1)
//   ldmatrix.x4          lane 8q+r gives the address of row r of matrix q; lane l gets of each matrix the elements
//                        (l/4, 2(l%4)) and the next one; transposed, (2(l%4), l/4) and the one below
#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "block.h"
#include "checker.h"
#include "facts.h"
#include "memory_access.h"
#include "profiler.h"
#include "reports.h"

namespace emulator {
namespace {

constexpr int M = 16, N = 8, MOST_K = 16;
enum Operand { F16, BF16, TF32 };  // as in device/warp_intrinsics.h

struct Product {
  float* d;
  const uint32_t *a, *b;
  const float* c;
};

struct Tiles {
  alignas(64) float a[M][MOST_K], b[MOST_K][N], d[M][N];
};

float tf32_seen_by_multiplier(uint32_t bits) {  // the lower 13 bits do not take part
  bits &= 0xffffe000u;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// Two 16-bit numbers of a register.
template <Operand KIND>
void unpack(uint32_t pair, float* values) {
  const __m128i halves = _mm_cvtsi32_si128((int)pair);
  const __m128 floats =
      KIND == F16 ? _mm_cvtph_ps(halves) : _mm_castsi128_ps(_mm_slli_epi32(_mm_cvtepu16_epi32(halves), 16));
  _mm_storel_pi((__m64*)values, floats);
}

template <Operand KIND>
void gather(const Product& lane_operands, int lane, Tiles& tiles) {
  const int g = lane / 4, t = lane % 4;
  const Product& own = lane_operands;
  if (KIND == TF32) {
    for (int r = 0; r < 4; r++) tiles.a[g + 8 * (r & 1)][t + 4 * (r >> 1)] = tf32_seen_by_multiplier(own.a[r]);
    for (int r = 0; r < 2; r++) tiles.b[t + 4 * r][g] = tf32_seen_by_multiplier(own.b[r]);
  } else {
    float pair[4];
    for (int r = 0; r < 4; r++) unpack<KIND>(own.a[r], &tiles.a[g + 8 * (r & 1)][2 * t + 8 * (r >> 1)]);
    for (int r = 0; r < 2; r++) {
      unpack<KIND>(own.b[r], pair);
      tiles.b[2 * t + 8 * r][g] = pair[0];
      tiles.b[2 * t + 8 * r + 1][g] = pair[1];
    }
  }
  memcpy(&tiles.d[g][2 * t], own.c, 2 * sizeof(float));
  memcpy(&tiles.d[g + 8][2 * t], own.c + 2, 2 * sizeof(float));
}

// In f32, fused, in the order of k: four rows at once.
template <int K>
void multiply_in_order(Tiles& tiles) {
  __m256 b[K];
  for (int k = 0; k < K; k++) b[k] = _mm256_load_ps(tiles.b[k]);
  for (int row = 0; row < M; row += 4) {
    __m256 sum[4];
    for (int i = 0; i < 4; i++) sum[i] = _mm256_load_ps(tiles.d[row + i]);
    for (int k = 0; k < K; k++)
      for (int i = 0; i < 4; i++) sum[i] = _mm256_fmadd_ps(_mm256_set1_ps(tiles.a[row + i][k]), b[k], sum[i]);
    for (int i = 0; i < 4; i++) _mm256_store_ps(tiles.d[row + i], sum[i]);
  }
}

float truncate_to_float(double value) {
  const float nearest = (float)value;
  return std::fabs((double)nearest) > std::fabs(value) ? std::nextafterf(nearest, 0.0f) : nearest;
}

// A block of products and the sum so far, added as integers aligned to the largest of them, what lies below its 24 bits
// cut off: how tensor cores add according to Fasi et al., "Numerical behavior of NVIDIA tensor cores" (2021).
float add_truncating(float sum, const float* a, const float* b, int n) {
  double terms[MOST_K + 1];
  for (int i = 0; i < n; i++) terms[i] = (double)a[i] * b[i];
  terms[n] = sum;
  int exponent = std::numeric_limits<int>::min();
  double plain = 0;
  for (int i = 0; i <= n; i++) {
    plain += terms[i];
    if (terms[i] != 0 && std::isfinite(terms[i])) exponent = std::max(exponent, std::ilogb(terms[i]));
  }
  if (!std::isfinite(plain)) return (float)plain;
  if (exponent == std::numeric_limits<int>::min()) return 0.0f;
  const double unit = std::ldexp(1.0, std::max(exponent, -126) - 24);
  double units = 0;
  for (int i = 0; i <= n; i++) units += std::trunc(terms[i] / unit);
  return truncate_to_float(units * unit);
}

void multiply_otherwise(Tiles& tiles, int k_size, bool exact) {
  const int block_size = k_size / 2;  // products that the hardware adds at once
  for (int i = 0; i < M; i++) {
    for (int j = 0; j < N; j++) {
      float column[MOST_K];
      for (int k = 0; k < k_size; k++) column[k] = tiles.b[k][j];
      if (exact) {
        double sum = tiles.d[i][j];
        for (int k = 0; k < k_size; k++) sum += (double)tiles.a[i][k] * column[k];
        tiles.d[i][j] = (float)sum;
      } else {
        for (int k = 0; k < k_size; k += block_size)
          tiles.d[i][j] = add_truncating(tiles.d[i][j], tiles.a[i] + k, column + k, block_size);
      }
    }
  }
}

template <Operand KIND>
void multiply(void** lanes) {
  constexpr int K = KIND == TF32 ? 8 : 16;
  Tiles tiles;
  for (int lane = 0; lane < LANES; lane++) gather<KIND>(*(const Product*)lanes[lane], lane, tiles);
  enum { IN_ORDER, EXACT };
  const long how = fact(Fact::PRODUCT);
  if (how == IN_ORDER)
    multiply_in_order<K>(tiles);
  else
    multiply_otherwise(tiles, K, how == EXACT);
  for (int lane = 0; lane < LANES; lane++) {
    float* d = ((const Product*)lanes[lane])->d;
    memcpy(d, &tiles.d[lane / 4][2 * (lane % 4)], 2 * sizeof(float));
    memcpy(d + 2, &tiles.d[lane / 4 + 8][2 * (lane % 4)], 2 * sizeof(float));
  }
  if (profiling) count_operation(KIND == TF32 ? "mma.tf32" : "mma.16bit");
}

struct Rows {
  uint32_t row[4];      // the row at this lane's address: 8 elements of 16 bits
  uint32_t* registers;  // what this lane gets
};

void distribute(void** lanes) {
  Rows** rows = (Rows**)lanes;
  for (int lane = 0; lane < LANES; lane++)
    for (int matrix = 0; matrix < 4; matrix++)
      rows[lane]->registers[matrix] = rows[matrix * 8 + lane / 4]->row[lane % 4];
  if (profiling) count_operation("ldmatrix.x4");
}

void distribute_transposed(void** lanes) {
  Rows** rows = (Rows**)lanes;
  for (int lane = 0; lane < LANES; lane++) {
    const int row = 2 * (lane % 4), column = lane / 4;
    for (int matrix = 0; matrix < 4; matrix++) {
      const auto element = [&](int r) {
        return (rows[matrix * 8 + r]->row[column / 2] >> (16 * (column % 2))) & 0xffffu;
      };
      rows[lane]->registers[matrix] = element(row) | element(row + 1) << 16;
    }
  }
  if (profiling) count_operation("ldmatrix.x4.trans");
}

}  // namespace

EXPORT void emulated_mma(int product, float* d, const uint32_t* a, const uint32_t* b, const float* c) {
  Product mine{d, a, b, c};
  warp_collective(product == F16 ? multiply<F16> : product == BF16 ? multiply<BF16> : multiply<TF32>, &mine);
}

EXPORT void emulated_ldmatrix(uint32_t* registers, const void* row, int transposed) {
  const void* instruction = __builtin_return_address(0);
  Rows mine;
  require_shared(row, sizeof mine.row, instruction, "ldmatrix row address");
  if (profiling) count_access(row, sizeof mine.row, AccessKind::MATRIX, instruction);
  if (checking()) check_access(row, sizeof mine.row, Direction::READ, instruction);
  memcpy(mine.row, row, sizeof mine.row);
  mine.registers = registers;
  warp_collective(transposed ? distribute_transposed : distribute, &mine);
}

}  // namespace emulator
