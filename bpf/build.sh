#!/bin/sh
# Builds picket.bpf.o and call.bpf.o. The same bytes come out wherever the checkout lies: all names in them are relative. What the
# programs do not need at run time (DWARF) is taken out again; the type information (BTF) stays.
#
#     bpf/build.sh             writes bpf/*.bpf.o; afterwards: node agent/kernel/generate.ts
#     bpf/build.sh FOLDER      writes them somewhere else
#     PICKET_ARCH=arm64 bpf/build.sh FOLDER    the same for arm64 (built, not run yet)
#
# Debian 12: apt-get install clang llvm libbpf-dev. Another compiler makes other bytes, which a test would report.
set -eu
folder=$(dirname "$(realpath "$0")")
output=$(realpath -m "${1:-$folder}")
cd "$folder"
for name in picket call; do
	clang-14 -target bpf -mcpu=v3 -D__TARGET_ARCH_${PICKET_ARCH:-x86} -g -O2 -Wall -Werror -fdebug-compilation-dir=. -c $name.bpf.c -o "$output/$name.bpf.o"
	llvm-strip-14 -g "$output/$name.bpf.o"
done
