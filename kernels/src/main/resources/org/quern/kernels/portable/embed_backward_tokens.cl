/* dwte[id] += sum of dy[n] over the tokens n with that id, in order: deterministic. A group a token; the first token
   of an id does the work for all, the others leave. dwte (V, C), F32; dy (N, C); ids (N). */
KERNEL(embed_backward_tokens, WG)(OUT(F32, dwte), IN(X, dy), IN(I32, ids), const int tokens, const int width) {
  AT(dwte);
  AT(dy);
  AT(ids);
  LOCAL_ARRAY(float, s, WG);
  const int id = ids[GROUP_X];
  float earlier = 0;
  for (int n = ITEM; n < GROUP_X; n += WG) earlier = ids[n] == id ? 1.0f : earlier;
  if (group_highest(earlier, s) == 0.0f) {
    for (int c = ITEM * VW; c < width; c += WG * VW) {
      vec sum = VGET(F32, dwte, (long)id * width + c, width - c);
      for (int n = GROUP_X; n < tokens; n++)
        if (ids[n] == id) sum += VGET(X, dy, (long)n * width + c, width - c);
      VPUT(F32, dwte, (long)id * width + c, width - c, sum);
    }
  }
}
