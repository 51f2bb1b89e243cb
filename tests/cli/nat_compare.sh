# The study of configs/nat-compare.yaml in its quick form, at toy size: every row has every reading, all at one budget, and
# NAT begins with what its row says.
. "$HISS_ROOT/tests/cli/common"
mkdir -p data/fashion-mnist
for part in train:96 test:60; do
    "$HISS_ROOT/tools/tiny_data" . "${part#*:}" 28
    "$HISS" prepare idx --images images.idx --labels labels.idx --output "data/fashion-mnist/${part%:*}.h5" 2>log || fail 'no data' log
done
ln -s "$HISS_ROOT/configs" configs
quick='quick={seeds: [1], rows: [train.epochs=1, train.lane_samples=16, eval.iterations=20]}'
on 1 "$HISS" compare configs/nat-compare.yaml --quick --out out --set threads=1 --set "$quick"
[ $status -eq 0 ] || fail "compare: exit $status" log
! grep -q 'FAILED\|not begun' log || fail 'a run failed' log
[ "$(awk -F, 'NR > 1 { print $1 }' out/table.csv | tr '\n' ' ')" = 'nat nat-from-z autoencoder gan bigan ' ] || fail 'not these rows' out/table.csv
awk -F, 'NR > 1 { for (k = 6; k <= 16; k += 2) if ($k == "") exit 1 }' out/table.csv || fail 'a reading is missing' out/table.csv
[ "$(awk -F, 'NR > 1 { print $4 }' out/table.csv | sort -u)" = 96 ] || fail 'budgets differ' out/table.csv
grep -q 'first permutation: 32 principal components of image' out/runs/nat-s1/log.txt || fail 'not by components' out/runs/nat-s1/log.txt
! grep -q 'first permutation' out/runs/nat-from-z-s1/log.txt || fail 'not from z' out/runs/nat-from-z-s1/log.txt
echo ok
