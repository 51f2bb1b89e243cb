# make install and uninstall: what is installed works from any directory, under DESTDIR and when it is moved, simulation
# included; programs of others build with the installed headers alone; configs and jobs name what is installed; uninstall
# leaves nothing, and takes nothing of others.
. "$HISS_ROOT/tests/cli/common"

# make TARGET VARIABLE=VALUE...: without building again what is being tested
make_target() {
    env -u MAKEFLAGS -u MFLAGS make -C "$HISS_ROOT" -o all BUILD="$(dirname "$HISS")" "$@" >"$log" 2>&1 || fail "make $*: exit $?" "$log"
}
stage=$WORK/stage prefix=$WORK/stage/opt/hiss
mkdir -p "$prefix/bin" && touch "$prefix/bin/other"
make_target install DESTDIR="$stage" PREFIX=/opt/hiss SHARED_LIB=none
for file in bin/hiss lib/libhiss.a lib/pkgconfig/hiss.pc include/hiss/assign.h share/hiss/platforms/fat-tree-100g.yaml; do
    [ -s "$prefix/$file" ] || fail "$file is not installed" "$log"
done
[ "$(ls "$prefix/share/hiss/platforms")" = "$(ls "$HISS_ROOT/configs/platforms")" ] || fail 'not all platforms'

# Configs and jobs are all there, and every path in them leads to something installed.
[ "$(ls "$prefix/share/hiss/jobs")" = "$(ls "$HISS_ROOT/jobs")" ] || fail 'not all jobs'
[ "$(cd "$HISS_ROOT" && ls configs/*.yaml docs/*.md)" = "$(cd "$prefix/share/hiss" && ls configs/*.yaml && cd ../doc/hiss && ls docs/*.md)" ] ||
    fail 'not all configs and docs'
[ -x "$prefix/share/hiss/jobs/train.sbatch" ] && [ ! -x "$prefix/share/hiss/configs/nat-fashion.yaml" ] || fail 'modes of jobs and configs'
if grep -rnE '(^|[^/[:alnum:]])(build/hiss|(configs|jobs)/[a-z])' "$prefix/share/hiss/jobs" "$prefix/share/hiss/configs" >left; then
    fail 'paths of the source tree are left' left
fi
grep -rhoE '/opt/hiss/[[:alnum:]/._-]+' "$prefix/share/hiss" | sort -u >paths
[ "$(wc -l <paths)" -ge 6 ] || fail 'no paths found' paths
while read -r path; do
    [ -e "$stage$path" ] || fail "$path: named in share/hiss, but not installed"
done <paths

# A program of others: every installed header on its own, a solver, and a sum that no number of ranks changes.
cat >program.c <<'END'
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "hiss/assign.h"
#include "hiss/comm.h"

int main(int argc, char **argv) {
    hiss_error err;
    hiss_comm *comm;
    if (hiss_comm_open(&argc, &argv, &comm, &err) != HISS_OK) return 2;
    const float score[9] = {1, 2, 3, 2, 4, 6, 3, 6, 9};
    int32_t column[3] = {2, 1, 0};
    const hiss_lap lap = {.n = 3, .score = score, .ld = 3};
    const hiss_lap_solver *solver = hiss_lap_solver_named("lapjv");
    hiss_lap_report report;
    void *work = aligned_alloc(64, (size_t)(solver->work_bytes(3) + 63) / 64 * 64);
    if (solver->solve(&lap, column, NULL, NULL, work, &report, &err) != HISS_OK) return 2;
    enum { LANES = 12 };
    int64_t offsets[64];
    double lane[LANES], sum;
    const double *values[LANES];
    hiss_partition(LANES, hiss_comm_size(comm), offsets);
    const int64_t first = offsets[hiss_comm_rank(comm)], end = offsets[hiss_comm_rank(comm) + 1];
    for (int64_t l = first; l < end; l++) {
        lane[l - first] = 1.0 / (double)(l + 3);
        values[l - first] = &lane[l - first];
    }
    hiss_tree_sum(comm, LANES, offsets, 1, values, &sum);
    if (hiss_comm_rank(comm) == 0) printf("total %g column %d sum %a\n", report.total, column[0], sum);
    free(work);
    hiss_comm_close(comm);
    return 0;
}
END
for header in "$prefix"/include/hiss/*.h; do
    printf '#include "hiss/%s"\n' "$(basename "$header")"
    printf '#include "hiss/%s"\nint main(void) { return 0; }\n' "$(basename "$header")" >one.c
    "${CC:-cc}" -std=c11 -fsyntax-only -I"$prefix/include" one.c 2>"$log" || fail "$header needs what is not installed" "$log"
done >all.h
[ "$(wc -l <all.h)" -ge 8 ] || fail 'few headers are installed' all.h
read -ra flags <<<"$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --cflags --libs hiss)"
"${CC:-cc}" -std=c11 -o program program.c "${flags[@]}" >"$log" 2>&1 || fail 'a program of others does not build' "$log"
for ranks in 1 3; do
    on $ranks ./program
    [ $status -eq 0 ] || fail "a program of others on $ranks ranks: exit $status" "$log"
    grep '^total' "$log" >"sum.$ranks" || fail 'a program of others says nothing' "$log"
done
cmp sum.1 sum.3 || fail "sums differ: $(cat sum.1 sum.3)"
grep -q '^total 14 column 0 ' sum.1 || fail "wrong solution: $(cat sum.1)"

cat >costs.yaml <<'END'
config: none
processor: none
lane: {samples: 4, threads: 1, load: 0, augment: 0, supply: 0}
reduce: {add: 0, update: 0}
exchange: {share: 0, repeat: 0, dim: 1, block: 0, target: 0, score: 0}
solves: []
buckets: [1000]
phases:
  - {cut: 1, final: [0], nodes: [[only, 0.005, 0.005]]}
END
mkdir empty
for place in "$prefix" "$WORK/moved"; do
    [ -d "$place" ] || mv "$prefix" "$place"
    on 1 env -C empty "$place/bin/hiss" --version
    [ $status -eq 0 ] || fail "$place/bin/hiss: exit $status" "$log"
    refused 1 "platform 'no' is not known" env -C empty "$place/bin/hiss" simulate --costs ../costs.yaml --platform no
    grep -q 'dragonfly-100g' "$log" || fail 'the installed platforms are not found' "$log"
    if command -v smpirun >/dev/null && [ -x "$(dirname "$HISS")/hiss-smpi" ]; then
        on 1 env -C empty "$place/bin/hiss" simulate --costs ../costs.yaml --ranks 1,2 --platform dragonfly-100g
        { [ $status -eq 0 ] && grep -q 'efficiency stays above' "$log"; } || fail "simulate in $place: exit $status" "$log"
    fi
done

# A page for each command, and words completed.
for command in '' $("$HISS" --help | sed -n 's/^  \([a-z]*\)  .*/-\1/p'); do
    page=$WORK/stage/opt/hiss/share/man/man1/hiss$command.1
    [ -d "$prefix" ] || page=$WORK/moved/share/man/man1/hiss$command.1
    grep -q "^.SH SYNOPSIS" "$page" || fail "no man page hiss$command.1" "$page"
    ! command -v mandoc >/dev/null || [ -z "$(mandoc -T lint -W warning "$page")" ] || fail "mandoc does not like $page"
done
share=$WORK/moved/share
grep -q 'fBtrain.epochs' "$share/man/man1/hiss-train.1" && grep -qx '.SH EXIT STATUS' "$share/man/man1/hiss.1" || fail 'pages without text'
# completes WORD... EXPECTED: the last word of a line, as bash's readline has its words
completes() {
    local expected=${*: -1}
    (
        # shellcheck disable=SC1091
        . "$share/bash-completion/completions/hiss"
        compopt() { :; }
        COMP_WORDS=(hiss "${@:1:$#-1}") COMP_CWORD=$(($# - 1)) && _hiss && echo "${COMPREPLY[*]}"
    ) >words || fail "completion of $*" words
    [ "$(cat words)" = "$expected" ] || fail "completion of ${*:1:$#-1}: $(cat words) instead of $expected"
}
completes tra train
completes train --thr --threads
completes train --log '' 'error warning info debug'
completes train --set optim.mo optim.momentum=
completes train --set optim.method = a 'adam adamw adagrad'
completes query --set eval.lay eval.layers=
completes train my.ya ''
! command -v zsh >/dev/null || zsh -n "$share/zsh/site-functions/_hiss" || fail 'zsh'
if command -v fish >/dev/null; then
    fish -c "source $share/fish/vendor_completions.d/hiss.fish; complete -C 'hiss train --set optim.mo'" >words
    grep -q '^optim.momentum=' words || fail 'fish' words
fi

# From a build, in another directory.
if command -v smpirun >/dev/null && [ -x "$(dirname "$HISS")/hiss-smpi" ]; then
    on 1 env -C empty "$HISS" simulate --costs ../costs.yaml --ranks 1,2 --platform dragonfly-100g
    [ $status -eq 0 ] || fail "simulate of a build in another directory: exit $status" "$log"
fi

mv moved "$prefix"

# The shared library: what is declared and no more, for programs by pkg-config and by CMake; the sums are those from before.
make_target shared
make_target install DESTDIR="$stage" PREFIX=/opt/hiss
[ "$(readlink "$prefix/lib/libhiss.so")" = libhiss.so.0 ] && [ -e "$prefix/lib/libhiss.so" ] || fail 'no libhiss.so'
nm -D --defined-only "$prefix/lib/libhiss.so" | awk '$2 != "A" { print $3 }' | sed 's/@.*//' | sort >defined
grep -ohE '\bhiss_[a-z0-9_]+\(' "$prefix"/include/hiss/*.h | tr -d '(' | sort -u >declared
nm -g --defined-only "$prefix/lib/libhiss.a" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u | comm -12 - declared >offered
[ "$(wc -l <offered)" -ge 50 ] && cmp -s offered defined || fail 'what is exported is not what is declared' <(diff offered defined)
read -ra flags <<<"$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --cflags --libs hiss)"
"${CC:-cc}" -std=c11 -o shared program.c "${flags[@]}" >"$log" 2>&1 || fail 'no program with the shared library' "$log"
programs=./shared
if command -v cmake >/dev/null; then
    mkdir -p consumer && cp program.c consumer && cat >consumer/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.18)
project(consumer C)
find_package(hiss 0.1 REQUIRED)
add_executable(by_cmake program.c)
target_link_libraries(by_cmake hiss::hiss)
END
    { cmake -S consumer -B by-cmake -DCMAKE_PREFIX_PATH="$prefix" && cmake --build by-cmake; } >"$log" 2>&1 || fail 'CMake' "$log"
    programs+=' by-cmake/by_cmake'
    sed -i 's/hiss 0.1/hiss 99/' consumer/CMakeLists.txt
    ! cmake -S consumer -B too-old -DCMAKE_PREFIX_PATH="$prefix" >"$log" 2>&1 || fail 'version 99 is found' "$log"
fi
for program in $programs; do
    on 2 env LD_LIBRARY_PATH="$prefix/lib" "$program"
    [ $status -eq 0 ] && cmp -s <(grep '^total' "$log") sum.1 || fail "$program: exit $status" "$log"
done
# Where libraries lie elsewhere, hiss.pc still finds them and the headers.
make_target install DESTDIR="$WORK/other" PREFIX=/usr LIBDIR=lib/machine
read -ra flags <<<"$(PKG_CONFIG_PATH=$WORK/other/usr/lib/machine/pkgconfig pkg-config --cflags --libs hiss)"
"${CC:-cc}" -std=c11 -o elsewhere program.c "${flags[@]}" >"$log" 2>&1 || fail 'no program with LIBDIR' "$log"
make_target uninstall DESTDIR="$WORK/other" PREFIX=/usr LIBDIR=lib/machine
[ -z "$(find other -type f)" ] || fail "left: $(find other -type f)"

make_target uninstall DESTDIR="$stage" PREFIX=/opt/hiss
[ "$(cd "$stage" && find . -type f)" = ./opt/hiss/bin/other ] || fail "left: $(find "$stage" -type f)" "$log"
[ -z "$(find "$stage" -name hiss -mindepth 3)" ] && [ ! -e "$prefix/share/hiss" ] || fail "left: $(find "$stage")"
echo ok
