#include "philox.h"
#include "cuda/warp_tensor.h"
#include "cuda/chunks.h"
/* Attention of up to R queries over many keys, the keys of one head shared by several blocks: decoding, where one query
   must not leave most of the device idle ("Flash-Decoding for long-context inference", 2023). A block has a share of the
   keys that the queries of one slice see. Each of its teams, TEAM lanes beside each other, has a key at a time (AT_ONCE of
   them in flight), a lane 16 bytes of it, and its own online softmax (arXiv:1805.02867); in the end they come together:

     parts (B, H, S, splits, D), F32: weighted sums of values
     marks (B, H, S, splits, 2), F32: the highest score in units of 2^x that the weights are relative to, and their sum

   attention_decode_combine makes y and lse of them. Arithmetic is f32 for every X. The shares depend on positions, and on
   nothing that differs from run to run. q (B, H, S, D), S <= R; k, v (B, H, T, D); positions (B). The arguments are those
   of attention_forward_rows, with parts and marks for y and lse, and `splits` at the end.

   Demands: q, k, v begin at whole 16 bytes, rows of D are whole 16 bytes; D up to 256; sm_75.
   Launch: B H splits blocks of 128 items, no dynamic shared memory. */
#define AT_ONCE 4
#define SIZE PER_CHUNK(X)
#define CHUNKS (D / SIZE)
#define TEAM (CHUNKS > 16 ? 32 : CHUNKS > 8 ? 16 : CHUNKS > 4 ? 8 : 4)
#define TEAMS (WG / TEAM)
#define OWN ((CHUNKS + TEAM - 1) / TEAM) /* chunks of a lane */

DEVICE uint4 chunk_of(const TYPE(X)* row, int i, bool wanted) {
  const int chunk = i * TEAM + ITEM % TEAM;
  if (!wanted || chunk >= CHUNKS) return make_uint4(0, 0, 0, 0);
  return ldg((const uint4*)(row + chunk * SIZE));
}

/* Exponents of 2 and the sums that they weigh, of one query. */
struct Softmax {
  float highest, sum, o[OWN][SIZE];
};

/* Adds keys to a softmax: their scores, and their values. What dropout drops counts in the sum alone. */
DEVICE void add_keys(Softmax& x, const float (&scores)[AT_ONCE], const float (&keep)[AT_ONCE], const uint4 (&v)[AT_ONCE][OWN]) {
  float now = x.highest;
  UNROLL
  for (int u = 0; u < AT_ONCE; u++) now = fmaxf(now, scores[u]);
  const float base = now == MINUS_INFINITY ? 0.0f : now; /* nothing seen yet: weights are 0, not NaN */
  const float factor = ex2(x.highest - base);
  x.highest = now;
  x.sum *= factor;
  UNROLL
  for (int i = 0; i < OWN; i++) {
    UNROLL
    for (int e = 0; e < SIZE; e++) x.o[i][e] *= factor;
  }
  UNROLL
  for (int u = 0; u < AT_ONCE; u++) {
    const float w = ex2(scores[u] - base);
    x.sum += w;
    UNROLL
    for (int i = 0; i < OWN; i++) {
      float f[SIZE];
      UNPACK(X)(f, v[u][i]);
      UNROLL
      for (int e = 0; e < SIZE; e++) x.o[i][e] += w * keep[u] * f[e];
    }
  }
}

/* 0, or `kept` where dropout keeps a weight. */
DEVICE float factor_of(ulong weight, ulong seed, uint threshold, float kept) {
  uint words[4];
  philox(seed, weight >> 2, words);
  return words[weight & 3] >> 8 >= threshold ? kept : 0.0f;
}

/* Brings the teams together: each leaves its softmax in shared memory, then an item has one column of one query. */
DEVICE void write_part(
    float* parts, float* marks, const Softmax (&x)[R], int queries, int split, int splits, float* sums, float* tops) {
  const int team = ITEM / TEAM;
  UNROLL
  for (int r = 0; r < R; r++) {
    UNROLL
    for (int i = 0; i < OWN; i++) {
      const int chunk = i * TEAM + ITEM % TEAM;
      UNROLL
      for (int e = 0; e < SIZE; e++)
        if (chunk < CHUNKS) sums[(team * R + r) * D + chunk * SIZE + e] = x[r].o[i][e];
    }
    if (ITEM % TEAM == 0) {
      tops[(team * R + r) * 2] = x[r].highest;
      tops[(team * R + r) * 2 + 1] = x[r].sum;
    }
  }
  BARRIER();
  for (int at = ITEM; at < queries * D; at += WG) {
    const int r = at / D, d = at % D;
    float highest = MINUS_INFINITY, sum = 0, total = 0;
    for (int t = 0; t < TEAMS; t++) highest = fmaxf(highest, tops[(t * R + r) * 2]);
    const float base = highest == MINUS_INFINITY ? 0.0f : highest;
    for (int t = 0; t < TEAMS; t++) {
      const float factor = ex2(tops[(t * R + r) * 2] - base);
      sum += factor * tops[(t * R + r) * 2 + 1];
      total += factor * sums[(t * R + r) * D + d];
    }
    const long part = (long)r * splits + split;
    parts[part * D + d] = total;
    if (d == 0) {
      marks[part * 2] = highest;
      marks[part * 2 + 1] = sum;
    }
  }
}

KERNEL(attention_decode, WG)(
    OUT(F32, parts), OUT(F32, marks), IN(X, q), IN(X, k), IN(X, v), IN(I32, positions), const int slices,
    const int heads, const int queries, const int keys, const float scale, const int causal, const int window,
    const ulong seed, const int threshold, const float kept, const int splits) {
  LOCAL_ARRAY(float, sums, TEAMS * R * D);
  LOCAL_ARRAY(float, tops, TEAMS * R * 2);
  const int slice = GROUP_X / splits, split = GROUP_X % splits, team = ITEM / TEAM;
  const long row = (long)slice * queries;
  AT(positions);
  q += q_at + row * D;
  k += k_at + (long)slice * keys * D;
  v += v_at + (long)slice * keys * D;
  const int position = positions[slice / heads];
  int begin, end, from[R], to[R];
  visible(position, keys, causal, window, &begin, &end);
  visible(position + queries - 1, keys, causal, window, &from[0], &end);
  const int share = end > begin ? (end - begin + splits - 1) / splits : 0;
  begin += split * share;
  end = end - begin < share ? end : begin + share;

  float own_q[R][OWN][SIZE];
  Softmax x[R];
  UNROLL
  for (int r = 0; r < R; r++) {
    visible(position + r, keys, causal, window, &from[r], &to[r]);
    x[r].highest = MINUS_INFINITY;
    x[r].sum = 0.0f;
    UNROLL
    for (int i = 0; i < OWN; i++) {
      UNPACK(X)(own_q[r][i], chunk_of(q + r * D, i, r < queries));
      UNROLL
      for (int e = 0; e < SIZE; e++) {
        own_q[r][i][e] *= scale * LOG2_E;
        x[r].o[i][e] = 0.0f;
      }
    }
  }

  for (int k0 = begin + team; k0 - team < end; k0 += TEAMS * AT_ONCE) {
    uint4 own_k[AT_ONCE][OWN], own_v[AT_ONCE][OWN];
    UNROLL
    for (int u = 0; u < AT_ONCE; u++) {
      const int key = k0 + u * TEAMS;
      UNROLL
      for (int i = 0; i < OWN; i++) {
        own_k[u][i] = chunk_of(k + (long)key * D, i, key < end);
        own_v[u][i] = chunk_of(v + (long)key * D, i, key < end);
      }
    }
    float scores[R][AT_ONCE], keep[AT_ONCE];
    UNROLL
    for (int u = 0; u < AT_ONCE; u++) {
      const int key = k0 + u * TEAMS;
      float f[OWN][SIZE];
      UNROLL
      for (int i = 0; i < OWN; i++) UNPACK(X)(f[i], own_k[u][i]);
      UNROLL
      for (int r = 0; r < R; r++) {
        float dot = 0.0f;
        UNROLL
        for (int i = 0; i < OWN; i++) {
          UNROLL
          for (int e = 0; e < SIZE; e++) dot += own_q[r][i][e] * f[i][e];
        }
        dot = lanes_sum<TEAM>(dot);
        scores[r][u] = key >= from[r] && key < to[r] && key < end ? dot : MINUS_INFINITY;
      }
    }
    UNROLL
    for (int r = 0; r < R; r++) {
      UNROLL
      for (int u = 0; u < AT_ONCE; u++) {
        const ulong weight = (ulong)(row + r) * keys + k0 + u * TEAMS;
        keep[u] = threshold ? factor_of(weight, seed, (uint)threshold, kept) : 1.0f;
      }
      add_keys(x[r], scores[r], keep, own_v);
    }
  }
  parts += parts_at + row * splits * D;
  marks += marks_at + row * splits * 2;
  write_part(parts, marks, x, queries, split, splits, sums, tops);
}
