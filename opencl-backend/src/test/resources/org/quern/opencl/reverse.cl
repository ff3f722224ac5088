// Reverses each group's part of x. Right.
__kernel void reverse(__global float* x, long offset, int n) {
  __local float staged[64];
  int i = get_local_id(0), size = get_local_size(0);
  __global float* mine = x + offset + get_group_id(0) * size;
  if (get_global_id(0) < n) staged[i] = mine[i];
  barrier(CLK_LOCAL_MEM_FENCE);
  if (get_global_id(0) < n) mine[i] = staged[size - 1 - i];
}
