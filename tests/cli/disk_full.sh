# A disk that gets full while hiss writes: one line says so and what to do, and nothing stays. Of every size, for HDF5 finds out at
# the start, at a write, or at the end. Needs root, for a disk of its own.
. "$HISS_ROOT/tests/cli/common"
mkdir disk
if [ "$(id -u)" != 0 ] || ! mount -t tmpfs -o size=16k none disk 2>/dev/null; then
    echo ok
    exit
fi
trap 'umount disk' EXIT

mkdir pictures
for k in 1 2 3; do printf 'P5 4 4 255\n0123456789abcdef' >pictures/$k.pgm; done

# Every command that writes, with room for nothing, for a directory, and for a small file.
small_run
train 1 run --set train.epochs=1
printf 'configs: {a: {file: config.yaml}}\nranks: [1]\nrepeats: 1\n' >study.yaml
full() { # PAGES COMMAND...: disk/ has so many pages left
    [ "$(ls -A disk)" = run ] || fail "left of an earlier command: $(ls -A disk)"
    mount -o remount,size=$(($(df --output=used disk | tail -n 1) + 4 * $1))k disk
    on 1 "${@:2}"
    mount -o remount,size=4m disk
    [ $status -eq 2 ] || fail "exit $status of $2 with $1 pages" log
    [ "$(grep -c 'hiss: error:' log)" -eq 1 ] || fail "not one line: ${*:2}" log
    grep 'hiss: error:.* No space left on device; make room' log >/dev/null ||
        grep -q 'hiss: error:.* are free, but checkpoints need .*; make room' log || fail "no cause or advice: ${*:2}" log
}
mount -o remount,size=4m disk
cp -r run disk/run
rm -f disk/run/query.png disk/run/report.html
for pages in 0 1; do
    full $pages "$HISS" train config.yaml --run disk/new
    full $pages "$HISS" query run --queries 50 --neighbors 50 --output disk/query.png
    full $pages "$HISS" prepare idx --images images.idx --output disk/x.h5
    full $pages "$HISS" prepare folder pictures --height 64 --width 64 --output disk/x.h5
    full $pages "$HISS" scale run study.yaml --out disk/study
    [ $pages = 0 ] || rm -rf disk/study # it has begun
    full $pages "$HISS" scale submit study.yaml --out disk/study --dry-run
    [ $pages = 0 ] || rm -rf disk/study
done
full 0 "$HISS" bench machine --seconds 0.01 --json disk/bench.json
full 0 "$HISS" eval disk/run --set eval.few_labels=false --set eval.random=false --set eval.pixels=false --set eval.linear=false
full 0 "$HISS" query disk/run
full 0 "$HISS" scale run study.yaml --out disk/a/b
rm -rf disk/run disk/a # --out is made with what is above it

"$HISS_ROOT/tools/tiny_data" . 600 28
for size in 4k 16k 64k 200k 440k 460k 464k 468k; do
    for labels in '' '--labels labels.idx'; do
        mount -o remount,size=$size disk
        # shellcheck disable=SC2086
        on 1 "$HISS" prepare idx --images images.idx $labels --output disk/data.h5
        if [ $status -eq 0 ]; then # without labels the larger ones have room
            rm disk/data.h5
            [[ $size = 4[46]?k ]] || fail "room in $size" log
        else
            [ $status -eq 2 ] || fail "exit $status on a disk of $size" log
            [ "$(grep -c 'hiss: error:.*No space left on device; make room' log)" -eq 1 ] || fail "not said: $size" log
        fi
        [ -z "$(ls -A disk)" ] || fail "left on a disk of $size: $(ls -A disk)"
    done
done
echo ok
