#!/bin/bash
# Builds the emulator: build.sh <target folder> [<folder of the kernels>]
# Needs g++ 12 or newer on x86-64 with AVX2; nothing else.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
target=$(cd "$1" && pwd)
kernels=$(cd "${2:-$here/../../../../kernels/src/main/resources/org/quern/kernels}" && pwd)
compiler=${QUERN_EMULATOR_CXX:-g++}
options=(-std=c++17 -pipe -O2 -march=x86-64-v3 -g1 -fPIC -fvisibility=hidden -Wall -Wextra
  "-DKERNEL_FOLDER=\"$kernels\"")
rm -rf "$target/objects"
mkdir -p "$target/objects" "$target/kernels"
cp -r "$here/device" "$target/"

# Every source is compiled on its own, as many at once as there are processors.
cd "$here/source"
printf '%s\n' *.cpp | xargs -P "$(nproc)" -I{} "$compiler" "${options[@]}" -c {} -o "$target/objects/{}.o"

cd "$target/objects"
libraries='libcublas.cpp.o|gemm.cpp.o|libnvrtc.cpp.o|emucc.cpp.o'
mapfile -t driver < <(printf '%s\n' *.o | grep -vxE "$libraries")
"$compiler" -shared "${driver[@]}" -Wl,-soname,libcuda.so.1 -o "$target/libcuda.so.1" -ldl -lpthread
# Bindings ask for the versions of these symbols.
link_versioned() {
  local library=$1
  printf '%s { *; };\n' "$library" >"$library.map"
  "$compiler" -shared "${@:2}" "-Wl,-soname,$library,--version-script=$library.map,-rpath,\$ORIGIN" \
    -L"$target" -l:libcuda.so.1 -o "$target/$library"
}
link_versioned libcublas.so.12 libcublas.cpp.o gemm.cpp.o
link_versioned libnvrtc.so.12 libnvrtc.cpp.o
"$compiler" emucc.cpp.o -o "$target/emucc" -L"$target" -l:libcuda.so.1 '-Wl,-rpath,$ORIGIN' -lpthread
rm -rf "$target/objects"
