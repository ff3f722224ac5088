/*
 * What attention on tensor cores is made of (arXiv:2307.08691). A block keeps a tile of rows of one head in shared memory
 * and walks along tiles of the other side; each warp has its own 16 rows of the tile that stays, or several times 16, and
 * all of the tile that comes by. Accumulators are blocks of 16 x 8, as warp_tensor.h draws them.
 *
 * F32 goes through tf32 products: operands are rounded to 11 bits, sums are f32.
 */
#define BLOCKS (BM / 16 / (WG / WARP)) /* of 16 rows of the tile that stays, a warp's own */
#define ELEMENT ((int)sizeof(TYPE(X)))
#define ROW_BYTES (D * ELEMENT)
#define CHUNKS (ROW_BYTES / 16)
#define STEPS (ROW_BYTES / 32) /* of a product over d: its operands are 32 bytes deep */
#define TILE_BYTES(rows) ((rows) * ROW_BYTES)

#define MULTIPLY_F32 mma_m16n8k8_tf32
#define MULTIPLY_F16 mma_m16n8k16_f16
#define MULTIPLY_BF16 mma_m16n8k16_bf16
#define MULTIPLY CAT(MULTIPLY_, X)
#define PACK_F16 pack_f16
#define PACK_BF16 pack_bf16
#define PACK CAT(PACK_, X)
#define IS_FLOAT_F32 1
#define IS_FLOAT_F16 0
#define IS_FLOAT_BF16 0
#define IS_FLOAT CAT(IS_FLOAT_, X)

#define LANE (ITEM % WARP)
#define LANE_ROW (LANE / 4)          /* of the 8 rows, or columns, that a register of a fragment spans */
#define LANE_COLUMN (LANE % 4 * 2)   /* of the 8 columns of an accumulator, the first of a lane's two */

/* ------------------------------------------------------------------------------------------------- tiles */
#define ROWS_AT_ONCE (WG / CHUNKS)

/* Begins to copy rows first, first + 1 ... of x (n, D) to a tile, zeros from row `end` on. */
template <int ROWS>
DEVICE void copy_tile(smem_t tile, const TYPE(X)* x, int first, int end) {
  const int row = ITEM / CHUNKS, chunk = ITEM % CHUNKS;
  UNROLL
  for (int i = 0; i < ROWS; i += ROWS_AT_ONCE)
    cp_async_16(
        tile + TILE_BYTES(row + i) + swizzled(row + i, chunk),
        x + (long)(first + row + i) * D + chunk * (16 / ELEMENT), first + row + i < end);
}

/* What an item copied has arrived: floats become operands of a product. Each item sees what it copied itself without a
   barrier, and rounds that. */
template <int ROWS>
DEVICE void round_tile(smem_t tile) {
#if IS_FLOAT
  const int row = ITEM / CHUNKS, chunk = ITEM % CHUNKS;
  UNROLL
  for (int i = 0; i < ROWS; i += ROWS_AT_ONCE) {
    const smem_t at = tile + TILE_BYTES(row + i) + swizzled(row + i, chunk);
    uint4 v = lds128(at);
    v.x = to_tf32(FROM_BITS(v.x));
    v.y = to_tf32(FROM_BITS(v.y));
    v.z = to_tf32(FROM_BITS(v.z));
    v.w = to_tf32(FROM_BITS(v.w));
    sts128(at, v);
  }
#endif
}

/* The address that a lane gives to ldmatrix for 16 rows of a tile, and 32 bytes of them: step 0, 1 ... STEPS - 1. Over
   all lanes these are four matrices of 8 x 16 bytes. `row` is a multiple of 16. */
DEVICE smem_t of_step(smem_t tile, int row, int step, int lane_row, int lane_half) {
  const u32 lane = TILE_BYTES(lane_row) + swizzled(lane_row, lane_half);
  return tile + TILE_BYTES(row) + (lane ^ (u32)(step << 5));
}
/* Matrices in the order upper left, lower left, upper right, lower right: a, and transposed b of two blocks. */
DEVICE smem_t down_first(smem_t tile, int row, int step) { return of_step(tile, row, step, LANE & 15, LANE >> 4); }
/* Upper left, upper right, lower left, lower right: b of two blocks, rows being columns of the product. */
DEVICE smem_t right_first(smem_t tile, int row, int step) {
  return of_step(tile, row, step, (LANE & 7) | (LANE >> 4 << 3), LANE >> 3 & 1);
}

/* ---------------------------------------------------------------------------------------------- products */
/* Rows of a left operand, 16 a block: read from shared memory at each use, or kept in registers. */
struct RowsInShared {
  smem_t tile;
};
struct RowsInRegisters {
  u32 a[BLOCKS][STEPS][4];
};
DEVICE void get_left(u32 (&a)[4], const RowsInShared& rows, int block, int step) {
  ldmatrix_x4(a, down_first(rows.tile, 16 * block, step));
}
DEVICE void get_left(u32 (&a)[4], const RowsInRegisters& rows, int block, int step) {
  UNROLL
  for (int e = 0; e < 4; e++) a[e] = rows.a[block][step][e];
}
DEVICE void keep_rows(RowsInRegisters& rows, smem_t tile) {
  UNROLL
  for (int block = 0; block < BLOCKS; block++) {
    UNROLL
    for (int step = 0; step < STEPS; step++) ldmatrix_x4(rows.a[block][step], down_first(tile, 16 * block, step));
  }
}

/* acc += left right^T over d: a warp's rows times the rows of a tile, which are the columns of the product. */
template <int COLUMNS, class Left>
DEVICE void multiply_rows(float (&acc)[BLOCKS][COLUMNS][4], const Left& left, smem_t right) {
  UNROLL
  for (int step = 0; step < STEPS; step++) {
    u32 a[BLOCKS][4];
    UNROLL
    for (int i = 0; i < BLOCKS; i++) get_left(a[i], left, i, step);
    UNROLL
    for (int c = 0; c < COLUMNS; c += 2) {
      u32 b[4];
      ldmatrix_x4(b, right_first(right, 8 * c, step));
      UNROLL
      for (int i = 0; i < BLOCKS; i++) {
        MULTIPLY(acc[i][c], a[i], b[0], b[1]);
        MULTIPLY(acc[i][c + 1], a[i], b[2], b[3]);
      }
    }
  }
}

/* acc += p right over the rows of a tile. p are accumulators, and become the left operand where they are. */
#if IS_FLOAT
/* A sum may run in any order: what the product calls k = t is row 2t of eight, k = t + 4 is row 2t + 1. So a lane has its
   operands, as accumulators, already. */
template <int DEPTH>
DEVICE void multiply_columns(float (&acc)[BLOCKS][D / 8][4], const float (&p)[BLOCKS][DEPTH][4], smem_t right) {
  UNROLL
  for (int k = 0; k < DEPTH; k++) {
    u32 a[BLOCKS][4];
    UNROLL
    for (int i = 0; i < BLOCKS; i++) {
      a[i][0] = to_tf32(p[i][k][0]);
      a[i][1] = to_tf32(p[i][k][2]);
      a[i][2] = to_tf32(p[i][k][1]);
      a[i][3] = to_tf32(p[i][k][3]);
    }
    const u32 upper = TILE_BYTES(LANE_COLUMN) + swizzled(LANE_COLUMN, LANE_ROW / 4) + LANE_ROW % 4 * 4;
    const u32 lower = (upper ^ 16) + TILE_BYTES(1); /* the row behind an even one has its chunks in pairs exchanged */
    UNROLL
    for (int c = 0; c < D / 8; c++) {
      const u32 b0 = lds32(right + TILE_BYTES(8 * k) + (upper ^ (u32)(c << 5)));
      const u32 b1 = lds32(right + TILE_BYTES(8 * k) + (lower ^ (u32)(c << 5)));
      UNROLL
      for (int i = 0; i < BLOCKS; i++) MULTIPLY(acc[i][c], a[i], b0, b1);
    }
  }
}
#else
template <int DEPTH>
DEVICE void multiply_columns(float (&acc)[BLOCKS][D / 8][4], const float (&p)[BLOCKS][DEPTH][4], smem_t right) {
  UNROLL
  for (int k = 0; k < DEPTH; k += 2) {
    u32 a[BLOCKS][4];
    UNROLL
    for (int i = 0; i < BLOCKS; i++) {
      a[i][0] = PACK(p[i][k][0], p[i][k][1]);
      a[i][1] = PACK(p[i][k][2], p[i][k][3]);
      a[i][2] = PACK(p[i][k + 1][0], p[i][k + 1][1]);
      a[i][3] = PACK(p[i][k + 1][2], p[i][k + 1][3]);
    }
    UNROLL
    for (int c = 0; c < D / 8; c += 2) {
      u32 b[4];
      ldmatrix_x4_trans(b, down_first(right, 8 * k, c / 2));
      UNROLL
      for (int i = 0; i < BLOCKS; i++) {
        MULTIPLY(acc[i][c], a[i], b[0], b[1]);
        MULTIPLY(acc[i][c + 1], a[i], b[2], b[3]);
      }
    }
  }
}
#endif

template <int COLUMNS>
DEVICE void clear(float (&acc)[BLOCKS][COLUMNS][4]) {
  UNROLL
  for (int i = 0; i < BLOCKS; i++) {
    UNROLL
    for (int c = 0; c < COLUMNS; c++) {
      UNROLL
      for (int e = 0; e < 4; e++) acc[i][c][e] = 0.0f;
    }
  }
}

/* Writes 16 rows of results, `factor` times each, of those in front of row `end`; or adds them to what is there, in f32. */
DEVICE void put_rows(TYPE(X)* y, const float (&acc)[D / 8][4], const float (&factor)[2], int first, int end, int add) {
  UNROLL
  for (int half = 0; half < 2; half++) {
    const int row = first + 8 * half + LANE_ROW;
    if (row < end) {
      UNROLL
      for (int c = 0; c < D / 8; c++) {
        TYPE(X)* at = y + (long)row * D + 8 * c + LANE_COLUMN;
        float v = acc[c][2 * half] * factor[half], w = acc[c][2 * half + 1] * factor[half];
        if (add) {
          v += LOAD(X, at, 0);
          w += LOAD(X, at, 1);
        }
#if IS_FLOAT
        stg((float2*)at, make_float2(v, w));
#else
        stg((u32*)at, PACK(v, w));
#endif
      }
    }
  }
}

/* -------------------------------------------------------------------------------------------------- mask */
#define HIDDEN MINUS_INFINITY /* a score that weighs nothing */

/* Hides, in the row of accumulators e and e + 1, the columns outside of [from, to); the first one is `first`. */
template <int COLUMNS>
DEVICE void hide_columns(float (&s)[COLUMNS][4], int e, int first, int from, int to) {
  UNROLL
  for (int c = 0; c < COLUMNS; c++) {
    const int column = first + 8 * c + LANE_COLUMN;
    if (column < from || column >= to) s[c][e] = HIDDEN;
    if (column + 1 < from || column + 1 >= to) s[c][e + 1] = HIDDEN;
  }
}

/* Hides, where rows are queries, the keys from k0 on that they do not see; a warp's first query stands at `position`. */
template <int COLUMNS>
DEVICE void hide_keys(float (&s)[BLOCKS][COLUMNS][4], int position, int k0, int keys, int causal, int window) {
  int from, to, ignored;
  visible(position + 16 * BLOCKS - 1, keys, causal, window, &from, &ignored);
  visible(position, keys, causal, window, &ignored, &to);
  if (from <= k0 && k0 + 8 * COLUMNS <= to) return; /* all see all */
  UNROLL
  for (int i = 0; i < BLOCKS; i++) {
    UNROLL
    for (int e = 0; e < 4; e += 2) {
      visible(position + 16 * i + 4 * e + LANE_ROW, keys, causal, window, &from, &to);
      hide_columns(s[i], e, k0, from, to);
    }
  }
}

/* The same where rows are keys, from `key` on, and columns are the queries from q0 on. */
template <int COLUMNS>
DEVICE void hide_queries(
    float (&s)[BLOCKS][COLUMNS][4], int key, int q0, int position, int queries, int causal, int window) {
  int from, to, ignored;
  seeing(key + 16 * BLOCKS - 1, position, queries, causal, window, &from, &ignored);
  seeing(key, position, queries, causal, window, &ignored, &to);
  if (from <= q0 && q0 + 8 * COLUMNS <= to) return;
  UNROLL
  for (int i = 0; i < BLOCKS; i++) {
    UNROLL
    for (int e = 0; e < 4; e += 2) {
      seeing(key + 16 * i + 4 * e + LANE_ROW, position, queries, causal, window, &from, &to);
      hide_columns(s[i], e, q0, from, to);
    }
  }
}

/* ----------------------------------------------------------------------------------------------- dropout */
/* For each of a block of four consecutive weights, one bit: whether dropout keeps it. */
DEVICE u32 kept_of_four(ulong seed, ulong block, uint threshold) {
  uint words[4];
  philox(seed, block, words);
  u32 bits = 0;
  UNROLL
  for (int i = 0; i < 4; i++) bits |= (u32)(words[i] >> 8 >= threshold) << i;
  return bits;
}
DEVICE u32 kept_of_one(ulong seed, ulong weight, uint threshold) {
  return kept_of_four(seed, weight >> 2, threshold) >> (weight & 3) & 1;
}

/* Bit 4 c + e: whether dropout keeps accumulator e of block c, of up to 64 columns that are keys; rows are queries.
   `first` is the number of the weight in the upper left corner. One drawing gives four weights: where rows of weights
   are whole fours, the lanes of a row of blocks draw one each and pass the bits around. The loop is not unrolled:
   ten rounds of Philox for each block would be most of the kernel's text. */
template <int COLUMNS>
DEVICE u32 kept_keys(ulong seed, ulong first, int keys, uint threshold) {
  const int t = LANE % 4;
  u32 kept = 0;
  _Pragma("unroll 1")
  for (int c = 0; c < COLUMNS; c++) {
    u32 bits = 0;
    if (keys % 4 == 0) { /* lane t draws for half t / 2 of the rows, four columns from 4 (t % 2) */
      const ulong four = first + (ulong)(8 * (t >> 1) + LANE_ROW) * keys + 8 * c + 4 * (t & 1);
      u32 drawn = kept_of_four(seed, four >> 2, threshold) << (4 * t);
      drawn |= __shfl_xor_sync(ALL_LANES, drawn, 1);
      drawn |= __shfl_xor_sync(ALL_LANES, drawn, 2);
      bits = (drawn >> (2 * t) & 3) | (drawn >> (8 + 2 * t) & 3) << 2;
    } else {
      for (int e = 0; e < 4; e++) {
        const ulong weight = first + (ulong)(8 * (e >> 1) + LANE_ROW) * keys + 8 * c + LANE_COLUMN + (e & 1);
        bits |= kept_of_one(seed, weight, threshold) << e;
      }
    }
    kept |= bits << (4 * c);
  }
  return kept;
}

/* The same where rows are keys and columns are queries. */
template <int COLUMNS>
DEVICE u32 kept_queries(ulong seed, ulong first, int keys, uint threshold) {
  const int of_four = LANE_ROW % 4;
  u32 kept = 0;
  _Pragma("unroll 1")
  for (int c = 0; c < COLUMNS; c++) {
    u32 bits = 0;
    if (keys % 4 == 0) { /* of the four lanes whose keys are together, lane e draws for all what is their accumulator e */
      const ulong query = 8 * c + LANE_COLUMN + (of_four & 1);
      const ulong four = first + query * keys + 8 * (of_four >> 1) + LANE_ROW - of_four;
      u32 drawn = kept_of_four(seed, four >> 2, threshold) << (4 * of_four);
      drawn |= __shfl_xor_sync(ALL_LANES, drawn, 4);
      drawn |= __shfl_xor_sync(ALL_LANES, drawn, 8);
      for (int e = 0; e < 4; e++) bits |= (drawn >> (4 * e + of_four) & 1) << e;
    } else {
      for (int e = 0; e < 4; e++) {
        const ulong query = 8 * c + LANE_COLUMN + (e & 1);
        bits |= kept_of_one(seed, first + query * keys + 8 * (e >> 1) + LANE_ROW, threshold) << e;
      }
    }
    kept |= bits << (4 * c);
  }
  return kept;
}

/* Drops the weights whose bit is 0. */
template <int COLUMNS>
DEVICE void drop(float (&s)[COLUMNS][4], u32 kept) {
  UNROLL
  for (int c = 0; c < COLUMNS; c++) {
    UNROLL
    for (int e = 0; e < 4; e++) s[c][e] = kept >> (4 * c + e) & 1 ? s[c][e] : 0.0f;
  }
}
