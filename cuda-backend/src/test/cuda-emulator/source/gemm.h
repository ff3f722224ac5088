// C = alpha op(A) op(B) + beta C, by columns, added in f32.
#pragma once
#include <cstddef>

namespace emulator {

enum Type { TYPE_F32 = 0, TYPE_F16 = 2, TYPE_BF16 = 14 };  // as cudaDataType

// 0 for a type that is not one of these.
int element_size(int type);

struct Gemm {
  bool transpose_a = false, transpose_b = false;
  int m = 0, n = 0, k = 0;
  const void *a = nullptr, *b = nullptr;
  void* c = nullptr;
  int type_a = TYPE_F32, type_b = TYPE_F32, type_c = TYPE_F32;
  int leading_a = 0, leading_b = 0, leading_c = 0;
  float alpha = 1, beta = 0;  // beta 0: what C holds is not read
  bool tf32 = false;          // operands are rounded to TF32, as tensor cores see them

  void set_size(int m_size, int n_size, int k_size) {
    m = m_size;
    n = n_size;
    k = k_size;
  }
};

void multiply(const Gemm& gemm);

}  // namespace emulator
