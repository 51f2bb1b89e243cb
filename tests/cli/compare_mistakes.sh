# hiss compare: mistakes that users make with studies, with --table and with runs. What is refused leaves nothing behind.
. "$HISS_ROOT/tests/cli/common"
small_run

has() {
    grep -qE -- "$2" "$1" || fail "$1 has no '$2'" "$1"
}

cat >study.yaml <<'END'
seeds: [1]
base: [train.epochs=1, eval.few_labels=false, eval.iterations=20, eval.layers=conv1]
rows:
  nat: {config: config.yaml}
  random: {of: nat, features: random}
columns:
  linear: {reading: trained/conv1/linear.percent}
quick: {rows: [data.limit=300]}
END

# ---- the table alone is of the runs of this study ----

on 1 "$HISS" compare study.yaml --out out
[ $status -eq 0 ] || fail "compare: exit $status" log
cksum out/* out/runs/*/* 2>/dev/null >before
alone() { # alone WHY OPTION...: the table of another study
    local why=$1
    shift
    refused 1 "out/runs/nat-s1 was made by another config ($why" "$HISS" compare study.yaml --out out --table "$@"
    cksum out/* out/runs/*/* 2>/dev/null | cmp -s - before || fail 'a refused table has changed something'
}
alone "in section data, 'limit: 0', now 'limit: 300'" --set 'rows.nat.set=[data.limit=300]'
alone "'objective: nat', now 'objective: autoencoder'" --set 'rows.nat.set=[objective=autoencoder]'
alone "in section data, 'limit: 0', now 'limit: 300'" --quick

# It needs no data. What is judged otherwise is no number of this study; its controls are not either.
mv data.h5 away.h5
on 1 "$HISS" compare study.yaml --out out --table
mv away.h5 data.h5
[ $status -eq 0 ] || fail "--table without data: exit $status" log
cksum out/* out/runs/*/* 2>/dev/null | cmp -s - before || fail '--table makes another table'
on 1 "$HISS" compare study.yaml --out out --table --set 'rows.nat.set=[eval.iterations=3]'
[ $status -eq 0 ] || fail "another section eval: exit $status" log
has log ' 0 runs done, 0 failed, 1 to do\.'
has out/table.md '^\| nat \| - \| 0 of 1 \| - \| - \|$'
has out/table.md '^\| random \| - \| 0 of 1 \| - \| - \|$'
has out/table.md '^\| nat-s1 \| judged by another section eval: hiss compare goes on with it \|$'
has out/runs.csv '^nat,1,,missing,,,,,"judged by another section eval"$'
on 1 "$HISS" compare study.yaml --out out --set seeds=[1,2]
[ $status -eq 0 ] || fail "a seed more: exit $status" log
on 1 "$HISS" compare study.yaml --out out --table --set seeds=[1,2,3] --set 'base=[train.epochs=1, eval.few_labels=false, eval.layers=fc1]' \
    --set columns.linear.reading=trained/fc1/linear.percent
[ $status -eq 0 ] || fail "another section eval: exit $status" log
has out/table.md '^\| 2 of nat \| judged by another section eval: hiss compare goes on with them; table.json names each \|$'
has out/table.md '^\| nat-s3 \| not done yet: hiss compare goes on with it \|$'
# ---- what is found before anything is made ----

study() { # study SED TEXT OPTION...: the study, changed
    local change=$1 text=$2
    shift 2
    sed "$change" study.yaml >changed.yaml
    ! cmp -s study.yaml changed.yaml || fail "the study does not change by $change"
    refused 1 "$text" "$HISS" compare changed.yaml --out new "$@"
    [ ! -e new ] || fail "a mistake leaves files: $change" log
}
study '$atranfers: {fc: {config: config.yaml}}' "changed.yaml:9:1: unknown key 'tranfers'; did you mean 'transfers'?"
study '$acurvs: {x: {reading: trained/conv1/knn.cosine.*}}' "changed.yaml:9:1: unknown key 'curvs'; did you mean 'curves'?"
study '$aother: 1' "unknown key 'other'; expected one of name, seeds, base, control, form, ranks, threads, limit, keep, launch, slurm, rows, transfers, columns, curves, published, quick"
study 's/^columns:/colums:/' "changed.yaml:6:1: unknown key 'colums'; did you mean 'columns'?"
study 's/^rows:/row:/' "changed.yaml:3:1: unknown key 'row'; did you mean 'rows'?"
study 's/^seeds: .*/seeds: 3/' "changed.yaml:1:8: seeds: expected a list: [3] is seed 3 alone, [1, 2, 3] are three seeds, found '3'"
study 's/^quick: {/&seeds: 2, /' "changed.yaml:8:16: quick.seeds: expected a list: [3] is"
study '$alaunch: [nolauncher]' 'changed.yaml:9:9: launch: nolauncher cannot be started: there is no such program in PATH'
study '$aranks: 2' 'cannot be started' --set launch=[./nolauncher]
for name in row runs seed seeds transfer state images_seen training_seconds published parameters_sha256 why; do
    study "s/^  linear:/  $name:/" "changed.yaml:7:$((${#name} + 5)): columns: table.csv and runs.csv have '$name' already; choose another name"
done
study '/^  linear/{p;s/linear:/linear_spread:/}' "columns: table.csv and runs.csv have 'linear_spread' already"
while read -r number lack; do
    study "/random/d; s,conv1/linear.percent,$number," "no row will have 'trained/$number': nat cannot $lack"
done <<'END'
reconstruction.mse rebuild images
denoising.mse clean corrupted images
likelihood.nats say how probable images are
measures.x measure itself
generation.mmd make images
END

# Of words that are runs, none may be a study; and no table goes into a run.
on 1 "$HISS" compare out/runs/nat-s1 out/runs/nat-s2
[ $status -eq 0 ] || fail "runs: exit $status" log
for words in 'study.yaml out/runs/nat-s1' 'out/runs/nat-s1 study.yaml' 'study.yaml study.yaml'; do
    # shellcheck disable=SC2086
    refused 1 'study.yaml is a file, not a run: a study is compared alone' "$HISS" compare $words
done
find out -type f -exec cksum {} + >before
for words in 'out/runs/nat-s1 out/runs/nat-s2' study.yaml; do
    # shellcheck disable=SC2086
    refused 1 'out/runs/nat-s1 is the directory of a run of hiss train; choose another --out' \
        "$HISS" compare $words --out out/runs/nat-s1
done
find out -type f -exec cksum {} + | cmp -s - before || fail 'a run has changed'

# ---- the command line wins; why a run failed ----

sed 's/^quick: .*/quick: {seeds: [5], rows: [data.limit=300]}/' study.yaml >quick.yaml
on 1 "$HISS" compare quick.yaml --quick --out quick --submit --dry-run --set seeds=[1,2]
has quick/jobs/runs.sbatch '^#SBATCH --array=1,2$'
on 1 "$HISS" compare quick/study.yaml --out quick --task 2
[ $status -eq 0 ] && [ "$(ls quick/runs)" = nat-s2 ] || fail "--quick --set seeds: exit $status, $(ls quick/runs)" log
on 1 "$HISS" compare quick.yaml --quick --out quick --task 1 --set seeds=[1,2] --set quick.seeds=[7]
[ $status -eq 0 ] && [ -e quick/runs/nat-s7 ] || fail "--set quick.seeds: exit $status" log
sed 's/^quick: .*/quick: {seeds: [5]}/' study.yaml >quick.yaml
on 1 "$HISS" compare quick.yaml --quick --out seeds --submit --dry-run --set seeds=[1,2]
has seeds/jobs/runs.sbatch '^#SBATCH --array=1,2$'

on 1 "$HISS" compare study.yaml --out late --set limit=1 --set 'rows.nat.set=[train.epochs=100000]'
[ $status -eq 2 ] || fail "a time limit: exit $status" log
has log '^\[1/1\] nat-s1: FAILED: hiss train: time limit of 1 s$'
has late/table.md '^\| nat-s1 \| hiss train: time limit of 1 s \|$'
has log 'error: 1 run failed; '
on 1 "$HISS" compare study.yaml --out out
has log '^1 run was there already$'
has log ' 1 run done, 0 failed, 0 to do'
on 1 "$HISS" eval out/runs/nat-s1 --set eval.iterations=20000
has log 'linear probes converged to gradients of 1e-06 .*, or are named here$'
echo ok
