# make install and uninstall: what is installed works from any directory, under DESTDIR and when it is moved, simulation
# included; uninstall leaves nothing, and takes nothing of others.
. "$HISS_ROOT/tests/cli/common"

# make TARGET VARIABLE=VALUE...: without building again what is being tested
make_target() {
    env -u MAKEFLAGS -u MFLAGS make -C "$HISS_ROOT" -o all BUILD="$(dirname "$HISS")" "$@" >"$log" 2>&1 || fail "make $*: exit $?" "$log"
}
stage=$WORK/stage prefix=$WORK/stage/opt/hiss
mkdir -p "$prefix/bin" && touch "$prefix/bin/other"
make_target install DESTDIR="$stage" PREFIX=/opt/hiss
for file in bin/hiss lib/libhiss.a lib/pkgconfig/hiss.pc include/hiss/assign.h share/hiss/platforms/fat-tree-100g.yaml; do
    [ -s "$prefix/$file" ] || fail "$file is not installed" "$log"
done
[ "$(ls "$prefix/share/hiss/platforms")" = "$(ls "$HISS_ROOT/configs/platforms")" ] || fail 'not all platforms'

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
# From a build, in another directory.
if command -v smpirun >/dev/null && [ -x "$(dirname "$HISS")/hiss-smpi" ]; then
    on 1 env -C empty "$HISS" simulate --costs ../costs.yaml --ranks 1,2 --platform dragonfly-100g
    [ $status -eq 0 ] || fail "simulate of a build in another directory: exit $status" "$log"
fi

mv moved "$prefix"
make_target uninstall DESTDIR="$stage" PREFIX=/opt/hiss
[ "$(cd "$stage" && find . -type f)" = ./opt/hiss/bin/other ] || fail "left: $(find "$stage" -type f)" "$log"
[ -z "$(find "$stage" -name hiss -mindepth 3)" ] && [ ! -e "$prefix/share/hiss" ] || fail "left: $(find "$stage")"
echo ok
