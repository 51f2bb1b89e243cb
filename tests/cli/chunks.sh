# Images in chunks, of whole rows or not, behind filters or not: the same bits as from a contiguous file, in memory and
# streamed, on any number of ranks; what is decoded many rows at a time is decoded once, and hiss says where to.
# shellcheck source=tests/cli/common
. "$HISS_ROOT/tests/cli/common"
small_run
chunk_h5=$(dirname "$HISS")/tests/cli/chunk_h5
export TMPDIR=$PWD
steps="train.epochs=2"

# says TEXT: the log of the last run does.
says() { grep -qF -- "$1" "$log" || fail "no '$1'" "$log"; }

"$chunk_h5" data.h5 auto.h5 150x4x4x1 shuffle gzip
"$chunk_h5" data.h5 rows.h5 64 gzip fletcher
"$chunk_h5" data.h5 one.h5 600 gzip
"$chunk_h5" data.h5 plain.h5 64
train 1 flat-file --set "$steps"
train 2 flat-stream --set "$steps" --set data.mode=stream
same flat-file flat-stream
for file in auto rows one; do
    train 1 "$file" --set "$steps" --set data.file=$file.h5 --set data.mode=stream
    says 'rows each: decoded once, into memory'
    same flat-file "$file"
done
for file in auto rows; do # images of 600 x 144 bytes
    train 3 "$file-3" --set "$steps" --set data.file=$file.h5 --set data.memory=20000
    same flat-file "$file-3"
done
train 1 flat-permuted --set "$steps" --set data.order=permuted
train 2 permuted --set "$steps" --set data.order=permuted --set data.file=auto.h5 --set data.memory=20000
same flat-permuted permuted
if [ "$(stat -f -c %T .)" != tmpfs ]; then
    train 1 copied --set "$steps" --set data.file=auto.h5 --set data.memory=40000
    says "of 150 rows each and exceeds data.memory: 0.1 MiB were decoded once, into $PWD, and are streamed from there"
    same flat-file copied
    [ -z "$(find . -name 'hiss-*')" ] || fail 'a decoded copy is left' <(find . -name 'hiss-*')
    # A copy holds the samples in use, whichever rows they are.
    "$odd_h5" part.h5 /labels=i32:600:-1@17
    for order in file permuted; do
        part=(--set "$steps" --set objective=supervised --set data.labels=part.h5:/labels --set data.order=$order)
        train 1 "part-$order" "${part[@]}"
        train 2 "part-$order-copied" "${part[@]}" --set data.file=auto.h5 --set data.memory=20000
        says 'were decoded once, into'
        same "part-$order" "part-$order-copied"
    done
fi

# Chunks of whole rows without a filter are streamed as they are.
train 1 plain --set "$steps" --set data.file=plain.h5 --set data.mode=stream
says '12 x 12 x 1, streamed'
same flat-file plain

# A place in memory is none for a decoded copy.
if [ "$(stat -f -c %T /dev/shm)" = tmpfs ]; then
    TMPDIR=/dev/shm train 1 crawl --set "$steps" --set data.file=auto.h5 --set data.memory=40000
    says 'hiss: warning: data: data set /images lies in chunks that hold parts of 150 rows each, so that each sample stre'
    says 'no decoded copy can be made: /dev/shm is in memory; set TMPDIR to a folder on a disk; or raise data.memory'
    same flat-file crawl
    TMPDIR=/dev/shm train 1 windowed --set "$steps" --set data.file=auto.h5 --set data.memory=60000 --set data.window=15
    train 2 flat-windowed --set "$steps" --set data.window=15
    same windowed flat-windowed
fi

# A chunk that memory cannot hold.
for ranks in 1 2; do
    refused $ranks '--set data.memory: 40000 bytes; data set /images of one.h5 lies in chunks of 86400 bytes' \
        "$HISS" train config.yaml --run never --set data.file=one.h5 --set data.memory=40000
    [ ! -e never ] || fail 'a run is left'
done

# Rows that nobody wrote.
"$chunk_h5" data.h5 holes.h5 50x6x12x1 gzip rows=320
train 2 holes --set "$steps" --set data.file=holes.h5
[ "$(grep -c 'were never written' "$log")" -eq 1 ] || fail 'not one warning' "$log"
says 'holes.h5: data set /images: 250 of its 600 rows were never written, or not whole, from row 350 on: they hold its fill value'

# hiss doctor says what will be done, and what it would cost without.
on 1 "$HISS" doctor config.yaml --set data.file=auto.h5
says 'OK    auto.h5: data set /images lies in chunks that hold parts of 150 rows each: decoded once, into memory'
on 1 "$HISS" doctor config.yaml --set data.file=auto.h5 --set data.memory=40000
says 'WARN  auto.h5: data set /images lies in chunks that hold parts of 150 rows each and exceeds data.memory'
says 'would decode 150 rows for each'
on 1 "$HISS" doctor config.yaml --set data.file=plain.h5
says 'OK    plain.h5: rows of samples are read one by one'
echo ok
