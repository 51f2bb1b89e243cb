# A run goes on under a hiss that has keys which it did not have: their defaults are what it did without them.
. "$HISS_ROOT/tests/cli/common"
small_run
train 1 whole
train 1 parts --set train.steps=20

# without KEY VALUE: as if the newest checkpoint of parts had been made by a hiss without the key.
without() {
    local path=parts/ckpt/step-20.h5 line="  $1: $2" blanks size
    cp "$path" kept
    LC_ALL=C grep -aq "^$line\$" "$path" || fail "no '$line' in the checkpoint"
    blanks=$(printf '%*s' ${#line} '')
    LC_ALL=C sed "s/^$line\$/$blanks/" kept >"$path"
    size=$(($(stat -c %s kept) - 90)) # of the last line, "hiss checkpoint 3 sha256 ..."
    {
        head -c $size "$path"
        tail -c 90 kept | head -c 25
        head -c $size "$path" | sha256sum | cut -c1-64
    } >signed
    mv signed "$path"
}
without wire float32
without first z
refused 1 "dist.wire: parts/ckpt/step-20.h5 was made by another config: in section dist, it had 'nothing', now 'wire: bf16'" \
    "$HISS" train config.yaml --run parts --set dist.wire=bf16
train 1 parts
grep -q 'resumed from parts/ckpt/step-20' log || fail 'not resumed' log
same whole parts
echo ok
