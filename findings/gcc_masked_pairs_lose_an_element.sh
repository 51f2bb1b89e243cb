#!/bin/bash
# gcc 11.3.0 and 12.2.0 (Debian 12), -O3 -mavx2: a loop that reads the members of structures where a condition holds, and
# constants elsewhere, reads one structure as zeros. Integers alone; no warning; -fsanitize=undefined,address finds nothing.
#
# Good guess: optimisation does not change what a valid program prints, least of all one without floating point.
# Seen, 4 points of which the first `known` are read, (-16, -16) for the others, behind one that is always read:
#   known = 3   -O2, -O3, -O3 -mavx2 -fno-split-loops   160 320 16 32 48 64 80 96 -16 -16
#               -O3 -mavx2                              160 320 16 32  0  0 80 96 -16 -16
# The same with -march=x86-64-v3 and znver3. When members are converted to float, as well, it takes -fno-trapping-math, so
# -Ofast and -ffast-math do it. gcc 13.3.0 of Debian 13 does it, too; its 14.2.0 does not.
#
# Exits 0 when both compilers still do so, 1 when not. Needs apt-get download, an assembler, and a processor with AVX2.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q download gcc-11=11.3.0-12 cpp-11=11.3.0-12 libgcc-11-dev=11.3.0-12 gcc-12=12.2.0-14+deb12u1 \
    cpp-12=12.2.0-14+deb12u1 libgcc-12-dev=12.2.0-14+deb12u1 >apt.log 2>&1 || { cat apt.log && exit 1; }
for package in *.deb; do
    dpkg -x "$package" gcc
done

cat >points.c <<'END'
#include <stdint.h>
#include <stdio.h>
typedef struct point { int32_t x, y; } point;
typedef struct points { int32_t known; point first, more[4]; } points;

__attribute__((noipa)) static void fill(points *p, int32_t known) {
    *p = (points){known, {160, 320}, {{16, 32}, {48, 64}, {80, 96}, {112, 128}}};
}

__attribute__((noipa)) static void list(int64_t places, int32_t known, int32_t *out) {
    points p;
    fill(&p, known);
    for (int64_t k = 0; k < 1 + places; k++) {
        const point at = k == 0 ? p.first : k <= p.known ? p.more[k - 1] : (point){-16, -16};
        out[2 * k] = at.x;
        out[2 * k + 1] = at.y;
    }
}

int main(void) {
    int32_t out[10];
    list(4, 3, out);
    for (int i = 0; i < 10; i++) {
        printf("%d%s", out[i], i < 9 ? " " : "\n");
    }
}
END

failed=0
# expect VERSION TEXT FLAG...
expect() {
    local version=$1 text=$2
    shift 2
    "gcc/usr/bin/x86_64-linux-gnu-gcc-$version" -B "gcc/usr/lib/gcc/x86_64-linux-gnu/$version/" "$@" points.c -o points
    found=$(./points)
    echo "gcc $version $*: $found"
    [ "$found" = "$text" ] || failed=1
}
for version in 11 12; do
    for flags in -O2 -O3 '-O3 -mavx2 -fno-split-loops'; do
        # shellcheck disable=SC2086
        expect $version '160 320 16 32 48 64 80 96 -16 -16' $flags
    done
    expect $version '160 320 16 32 0 0 80 96 -16 -16' -O3 -mavx2
done
[ $failed = 0 ] && echo 'still so' || { echo 'changed' && exit 1; }
