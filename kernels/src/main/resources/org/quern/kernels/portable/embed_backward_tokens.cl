/* dwte[id] += sum of dy[n] over the tokens n with that id, in order: deterministic. A group a token; the first token
   of an id does the work for all, the others leave. It looks for the others LOOK tokens at a time, and goes along the row
   only where it found one. dwte (V, C), F32; dy (N, C); ids (N). */
#define LOOK 256
KERNEL(embed_backward_tokens, WG)(OUT(F32, dwte), IN(X, dy), IN(I32, ids), const int tokens, const int width) {
  AT(dwte);
  AT(dy);
  AT(ids);
  LOCAL_ARRAY(float, s, WG);
  LOCAL_ARRAY(int, same, LOOK);
  const int id = ids[GROUP_X];
  float earlier = 0;
  for (int n = ITEM; n < GROUP_X; n += WG) earlier = ids[n] == id ? 1.0f : earlier;
  if (group_highest(earlier, s) == 0.0f) {
    const long row = (long)id * width;
    for (int first = GROUP_X; first < tokens; first += LOOK) {
      float found = 0;
      for (int i = ITEM; i < LOOK; i += WG) {
        same[i] = first + i < tokens && ids[first + i] == id;
        found = same[i] ? 1.0f : found;
      }
      if (group_highest(found, s) != 0.0f) {
        for (int c = ITEM * VW; c < width; c += WG * VW) {
          vec sum = VGET(F32, dwte, row + c, width - c);
          for (int i = 0; i < LOOK; i++)
            if (same[i]) sum += VGET(X, dy, (long)(first + i) * width + c, width - c);
          VPUT(F32, dwte, row + c, width - c, sum);
        }
        BARRIER(); /* before the next look */
      }
    }
  }
}
