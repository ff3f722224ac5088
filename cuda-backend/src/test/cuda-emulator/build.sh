#!/bin/bash
# Builds the emulator's three libraries: build.sh <target folder> [<kernels folder>]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=$1
kernels=${2:-$(cd "$here/../../../../kernels/src/main/resources/org/quern/kernels" && pwd)}
mkdir -p "$target/kernels"
cp -r "$here/device" "$target/"
cd "$here/source"
options=(-std=c++17 -O2 -march=x86-64-v3 -g1 -fPIC -shared -fvisibility=hidden -Wall -Wno-unused -Wno-misleading-indentation
  -DKERNEL_FOLDER="\"$kernels\"")
g++ "${options[@]}" libcuda.cpp kernel_builder.cpp -Wl,-soname,libcuda.so.1 -o "$target/libcuda.so.1" -ldl -lpthread
for library in libcublas.so.12 libnvrtc.so.12; do
  source=${library%%.so*}.cpp
  g++ "${options[@]}" -O3 "$source" "-Wl,-soname,$library" -L"$target" -l:libcuda.so.1 -o "$target/$library"
done
