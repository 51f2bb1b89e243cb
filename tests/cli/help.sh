# Help: every command explains itself with every option and key it takes; what is misspelt is answered with the nearest
# name.
. "$HISS_ROOT/tests/cli/common"

commands=$("$HISS" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p')
[ "$(wc -w <<<"$commands")" -ge 5 ] || fail "--help lists only '$commands'"
"$HISS" --version | grep -q '^hiss [0-9]' || fail "no version"
"$HISS" >log 2>&1 && fail "no command is no error"

for command in $commands; do
    "$HISS" "$command" --help >help 2>err || fail "$command --help: exit $?" err
    [ ! -s err ] || fail "$command --help writes to standard error" err
    "$HISS" help "$command" | cmp -s - help || fail "help $command differs from $command --help"
    "$HISS" "$command" -h | cmp -s - help || fail "$command -h differs from $command --help"
    grep -q "^usage: .*hiss $command" help || fail "$command --help has no usage" help
    ! tr -s ' \n' ' ' <help | grep -q "see .hiss $command --help" || fail "$command --help refers to itself" help
    awk 'length > 120 { exit 1 }' help || fail "$command --help has lines longer than 120" help
    options=$(sed -n 's/^ *{"\([a-z-]*\)\**", HISS_[A-Z]*, .*/\1/p' "$HISS_ROOT/src/cli/cmd_$command.c")
    [ -n "$options" ] || fail "no options found in cmd_$command.c"
    for option in $options; do
        grep -qE -- "--(\[no-\])?$option " help || fail "$command --help does not name --$option" help
    done
    refused 1 "unknown option '--hepl'; did you mean '--help'?" "$HISS" "$command" --hepl
done

# Both ends of a range in the help of prepare are taken, and what is beyond is not.
mkdir pictures
printf 'P5 4 4 255\n0123456789abcdef' >pictures/1.pgm
"$HISS" prepare --help >help
for option in height width channels; do
    range=$(sed -n "s/^ *--$option  *\(integer in \)*\([0-9.|]*\) .*/\2/p" help)
    [ -n "$range" ] || fail "no range of --$option" help
    for value in $(tr -s '.|' ' ' <<<"$range"); do
        other=height
        [ $option != height ] || other=width
        on 1 "$HISS" prepare folder pictures --$other 1 --$option "$value" --output x.h5
        [ $status -eq 0 ] || fail "--$option $value of $range: exit $status" log
    done
    for value in 0 2 $((value + 1)); do
        [ $option.$value = height.2 ] || [ $option.$value = width.2 ] ||
            refused 1 "hiss: error: --$option must be " "$HISS" prepare folder pictures --$option "$value" --output x.h5
    done
done

# Every key of a resolved config is in the help.
"$HISS" train --help >help
sed -n 's/^ *\([a-z_0-9.]*\) .*/\1/p' help | sort -u >named
small_run
colors
others
all=$(methods)
for objective in $all; do
    sets=(--set objective=$objective --set train.epochs=1 --set augment.contrast=0)
    # shellcheck disable=SC2207
    sets+=($(other_data "$objective"))
    [ "$objective" != ladder ] || sets+=(--set data.labelled=1 --set optim.lr=1e-4)
    on 1 "$HISS" train config.yaml --run "run-$objective" "${sets[@]}"
    ! grep -q 'error: .*data.images: .* needs images of 3 channels' log || sets+=(--set data.file=colors.h5)
    ! grep -q 'error: .*network.layers: .* leave .* out' log || sets+=(--set network.layers=null) # it has its own
    train 1 "run-$objective" "${sets[@]}"
    keys=$(awk '/^[a-z_0-9]+:/ { section = $1; sub(":", "", section) }
        /^[a-z_0-9]+: ./ { print section } /^  [a-z_]+: ./ { sub(":", "", $1); print section "." $1 }' "run-$objective/config.yaml")
    [ "$(wc -w <<<"$keys")" -ge 50 ] || fail "only $(wc -w <<<"$keys") keys in run-$objective/config.yaml"
    missing=$(grep -vxFf named <<<"$keys" || :)
    [ -z "$missing" ] || fail "train --help does not name ${missing//$'\n'/, }" help
done

refused 1 "unknown command 'trian'; did you mean 'train'?" "$HISS" trian config.yaml
refused 2 "unknown command 'frobnicate'" "$HISS" frobnicate
refused 2 "unknown option '--thread'; did you mean '--threads'?" "$HISS" train config.yaml --thread 2
refused 1 "--set train.epoch: unknown key 'train.epoch'; did you mean 'train.epochs'?" \
    "$HISS" train config.yaml --set train.epoch=2
refused 1 'at most 1' "$HISS" train config.yaml other.yaml
# What judgements of layers need is the same in the help of eval and in its page.
needs() { sed -n "$1" "$2" | sed 's/ (\[[^]]*\]([^)]*))//' | grep -v '^classification\|^units' | sort; } # these two need the trained network's alone
needs 's/^  \([a-z_]*\)  *[^()]* (\(each layer.*\))$/\1: \2/p' <("$HISS" eval --help) >by-help
needs 's/^| `\([a-z_]*\)` |.* | \(each layer.*\) |$/\1: \2/p' "$HISS_ROOT/docs/evaluation.md" >by-page
[ "$(wc -l <by-help)" -ge 6 ] && cmp -s by-help by-page || fail "other needs: $(diff by-help by-page)"
echo ok
