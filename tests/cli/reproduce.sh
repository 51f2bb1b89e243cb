# hiss reproduce: a recipe that holds, one that does not, what became of the bits, the list, a run that was interrupted, and
# mistakes in the file, which are found whatever recipe is asked for.
. "$HISS_ROOT/tests/cli/common"
small_run

has() {
    grep -qE -- "$2" "$1" || fail "$1 has no '$2'" "$1"
}
cat >recipes.yaml <<'END2'
plain:
  config: config.yaml
  set: [train.epochs=2, eval.few_labels=false, eval.iterations=30, eval.layers=fc1]
  seed: 4
  data: tools/tiny_data
  expect:
    trained/fc1/linear.percent: {within: 100}
    trained/fc1/statistics.participation_ratio: {value: 1000, within: 1}
END2
on 1 "$HISS" reproduce plain --recipes recipes.yaml
[ $status -eq 1 ] || fail "out of its bounds: exit $status" log
has log '^trained/fc1/linear.percent +- +100 +[0-9.]+ +not recorded$'
has log '^trained/fc1/statistics.participation_ratio +1000 +1 +[0-9.]+ +DOES NOT HOLD$'
has log '^bits: no parameters are recorded$'
[ -s runs/reproduce-plain/table.html ] || fail 'no table'

# Recorded, it holds, to the last bit; on any number of ranks and threads.
on 1 "$HISS" reproduce plain --recipes recipes.yaml --record
[ $status -eq 0 ] || fail "record: exit $status" log
sed -n '/^plain:$/,$p' log >recorded.yaml
has recorded.yaml "^    parameters_sha256: $(sed -n 's/^parameters_sha256: //p' runs/reproduce-plain/runs/recipe-s4/summary.yaml)$"
on 1 "$HISS" reproduce plain --recipes recorded.yaml --out other --ranks 2 --threads 2
[ $status -eq 0 ] || fail "it does not hold: exit $status" log
has log '^trained/fc1/statistics.participation_ratio +[0-9.]+ +1 +[0-9.]+ +holds$'
has log '^bits: the parameters are those recorded, to the last bit$'
on 1 "$HISS" reproduce --recipes recorded.yaml
[ $status -eq 0 ] || fail "list: exit $status" log
has log "^plain +trained/fc1/linear.percent +[0-9.]+ +100 +[0-9]+ +$(sed -n 's/.*sha256: \(.\{8\}\).*/\1/p' recorded.yaml)"

# What bits hang on is named.
bits() { # bits SED TEXT
    sed "$1" recorded.yaml >changed.yaml
    on 1 "$HISS" reproduce plain --recipes changed.yaml --out other --ranks 2 --threads 2
    [ $status -eq 0 ] || fail "exit $status: $1" log
    has log "$2"
}
bits 's/parameters_sha256: .*/parameters_sha256: ab/' '^bits: the parameters are others, of the same kernels and data: config, set or seed of the recipe, or hiss itself, have changed'
bits 's/parameters_sha256: .*/parameters_sha256: ab/; s/kernels: .*/kernels: ref/' '^bits: other kernels have other bits \(recorded ref, here blas'
bits 's/parameters_sha256: .*/parameters_sha256: ab/; s/    data: .*/    data: none/' '^bits: the data are others \(recorded none, here uint8 \[600,'

mistake() { # mistake SED TEXT
    sed "$1" recorded.yaml >changed.yaml
    ! cmp -s recorded.yaml changed.yaml || fail "the file does not change by $1"
    refused 1 "$2" "$HISS" reproduce plain --recipes changed.yaml --out new
    [ ! -e new ] || fail "a mistake leaves files: $1" log
}
mistake 's/^plain:/plane:/' 'changed.yaml has no recipe plain; it has plane'
mistake 's/  config: .*/  confg: config.yaml/' "unknown key 'plain.confg'; did you mean 'plain.config'?"
mistake 's/within: 1}/within: -1}/' 'changed.yaml:8:49: trained/fc1/statistics.participation_ratio: expected {value: NUMBER, within: NUMBER}'
mistake 's,trained/fc1/linear.percent,linear,' 'changed.yaml:7:13: expect: expected SUBJECT/JUDGEMENT.NUMBER of eval.json'
mistake '/^    trained/d; s/^  expect:/  expect: {}/' 'plain.expect: expected readings with their bounds'
refused 1 'configs/recipes.yaml is the shipped one' "$HISS" reproduce plain --recipes absent.yaml
# That of the config is the study's to tell.
sed 's/config.yaml/absent.yaml/' recorded.yaml >changed.yaml
refused 1 'new/recipe.yaml:7:13: rows.recipe.config: the config absent.yaml does not exist' "$HISS" reproduce plain \
    --recipes changed.yaml --out new
[ ! -e new ] || fail 'a refused recipe leaves files' log
# Nor does one that belongs elsewhere change what is there.
cksum other/recipe.yaml >before
sed 's/train.epochs=2/train.epochs=3/' recorded.yaml >changed.yaml
refused 1 'other/recipe.yaml' "$HISS" reproduce plain --recipes changed.yaml --out other
cksum other/recipe.yaml | cmp -s - before || fail 'a refused recipe replaces that of the folder' log
echo ok
