// A process that ends without giving back what its arguments name: EmulatedProcessTest looks at what it leaves.
#include <cstdint>
#include <cstdio>
#include <cstring>

extern "C" {
int cuInit(unsigned);
int cuDevicePrimaryCtxRetain(void**, int);
int cuDevicePrimaryCtxRelease_v2(int);
int cuCtxSetCurrent(void*);
int cuMemAlloc_v2(uint64_t*, size_t);
int cuStreamCreate(void**, unsigned);
int cuMemcpyDtoD_v2(uint64_t, uint64_t, size_t);
}

int main(int count, char** words) {
  void *context, *stream;
  uint64_t memory;
  if (const int code = cuInit(0)) {
    printf("cuInit %d\n", code);
    return 0;
  }
  cuDevicePrimaryCtxRetain(&context, 0);
  cuCtxSetCurrent(context);
  for (int i = 1; i < count; i++) {
    if (!strcmp(words[i], "memory")) printf("cuMemAlloc %d\n", cuMemAlloc_v2(&memory, 1000));
    if (!strcmp(words[i], "stream")) printf("cuStreamCreate %d\n", cuStreamCreate(&stream, 0));
    if (!strcmp(words[i], "release")) printf("release %d\n", cuDevicePrimaryCtxRelease_v2(0));
  }
}
