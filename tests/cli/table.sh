# The study of configs/table.yaml in its quick form, at toy size: every method trains on scenes, is judged, and is carried
# over to the same classifier, frozen and not; no reading is missing but those that a row cannot have.
. "$HISS_ROOT/tests/cli/common"
objects=$(dirname "$HISS")/tests/cli/objects_h5
mkdir -p stamps/all/{red,green,blue} grounds data/scenes
"$objects" png stamps/all/red/r.png 40 60 250 10 10
"$objects" png stamps/all/green/g.png 60 40 10 250 10
"$objects" png stamps/all/blue/b.png 40 40 10 10 250
for i in 0 1; do
    { printf 'P6 80 80 255\n' && head -c 19200 < <(yes "gro${i}und"); } >grounds/$i.ppm
done
for part in pretrain:96:1 train:120:2 test:60:3; do
    IFS=: read -r name rows seed <<<"$part"
    "$HISS" prepare scenes stamps grounds --height 64 --width 64 --rows "$rows" --seed "$seed" --output "data/scenes/$name.h5" \
        2>log || fail 'no scenes' log
done
ln -s "$HISS_ROOT/configs" configs
quick='quick={seeds: [1], rows: [train.epochs=1, data.limit=64, train.lane_samples=16, eval.iterations=20, eval.train_limit=80,
    eval.generated=20], transfers: [train.epochs=1, data.limit=64, train.lane_samples=16]}'
on 1 "$HISS" compare configs/table.yaml --quick --out out --set threads=1 --set "$(tr -d '\n' <<<"$quick")"
[ $status -eq 0 ] || fail "compare: exit $status" log
! grep -q 'FAILED\|not begun' log || fail 'a run failed' log
head -1 out/table.csv | tr ',' '\n' >columns
for column in conv1 conv2 conv3 fc1 fc all '100 scenes'; do
    k=$(grep -nxF "$column" columns | cut -d: -f1)
    # No fc1: methods of patches and of colours, whose features are maps, and pixels, which have no transfers either.
    case $column in
        conv*) none='split-brain' ;;
        fc1) none='colorization context-prediction jigsaw split-brain' ;;
        *) none=pixels ;;
    esac
    found=$(awk -F, -v k="$k" 'NR > 1 && $k == "" { print $1 }' out/table.csv | sort | tr '\n' ' ')
    [ "$found" = "$none " ] || fail "$column: no readings of '$found', expected of '$none'" out/table.csv
done
[ "$(awk -F, 'NR > 1' out/table.csv | wc -l)" -eq 18 ] || fail 'not 18 rows' out/table.csv
[ "$(awk -F, 'NR > 1 && $4 > 0 { print $4 }' out/table.csv | sort -u)" = 64 ] || fail 'budgets differ' out/table.csv
grep -q '^# What features are worth, on composed scenes (quick form)$' out/table.md || fail 'no title' out/table.md
grep -q '^| rank correlation with VOC 2007 | .* (8 rows) |' out/table.md || fail 'no rank correlation' out/table.md
grep -q 'init: [0-9]* arrays from .*gan-s1/.*: conv1/weight.*conv3/' out/runs/gan-s1-fc/log.txt || fail 'the discriminator is not taken over'
grep -q 'init: [0-9]* arrays from .*split-brain-s1/.*: conv1/weight.*conv3/' out/runs/split-brain-s1-fc/log.txt ||
    fail 'the half of lightness is not taken over' out/runs/split-brain-s1-fc/log.txt
# 16 trained rows and the random one, over 30, 100, 300 and 1000 scenes (64 of them here).
[ "$(grep -cE '^few,[a-z-]+,(30|100|300|1000),1,[0-9.]+,$' out/curves.csv)" -eq 68 ] || fail 'not 17 rows of four points' out/curves.csv
grep -q '>scenes with labels</text>' out/few.svg || fail 'no chart'
[ -z "$(grep -oE 'h22" stroke="[^"]*"[^/]*' out/few.svg | sort | uniq -d)" ] || fail 'two rows of the chart have one line' out/few.svg
[ "$(grep -c '<figure>' out/pictures.html)" -ge 15 ] || fail 'not the pictures of all rows'
echo ok
