#!/bin/sh
# One command for a GPU that is here for a day: builds, then measures all that is worth knowing of it, in about half
# an hour. Leaves gpu-day/report.md and gpu-day/report.json (with driver, device and commit); options are those of
# `quern day`, such as --toy, --out DIR, --backend opencl.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd -P)
commit=$(git -C "$root" rev-parse HEAD 2>/dev/null || echo unknown)
[ -z "$(git -C "$root" status --porcelain 2>/dev/null)" ] || commit="$commit, changed"
exec "$root/quern" day --backend cuda --out gpu-day --commit "$commit" "$@"
