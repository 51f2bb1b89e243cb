# Files from strangers: what lies outside the file, claims more than it holds, or breaks the HDF5 library ends in one
# line that says so, exit 2, and nothing half-written; and never in a crash, a hang or absurd memory.
# shellcheck source=tests/cli/common
. "$HISS_ROOT/tests/cli/common"
small_run
corpus=$HISS_ROOT/tests/fuzz/corpus
ulimit -v $((16 << 20)) # 16 GiB of address space

strange() {
    refused "$1" "$2" timeout 100 "$HISS" train config.yaml --run strange --set "data.file=$corpus/dataset/$3"
    [ ! -e strange ] || fail "$3 left a run directory"
}
strange 1 'values lie outside the HDF5 file' external.h5
strange 1 'values lie in other files' virtual.h5
strange 2 'claims 3458764513820540928 bytes, but the file holds 0' huge.h5
strange 2 'HDF5 crashes on it' crash.h5
cp "$HISS_ROOT"/tests/cli/files/{endless,hungry}.h5 .
refused 2 'HDF5 asks for more than 1 GiB' "$HISS" train config.yaml --run strange --set data.file=hungry.h5
(
    ulimit -S -t 4 # of computing, for the process that looks into the file as well: its own limit is 20 s
    refused 1 'HDF5 does not come to an end' "$HISS" train config.yaml --run strange --set data.file=endless.h5
)

mkdir pictures
cp "$corpus/image/bomb.png" pictures
refused 1 'a size of 15000 x 15000; expected 1 to 2^27 pixels' "$HISS" prepare folder pictures --height 8 --width 8 --output p.h5
[ ! -e p.h5 ] || fail "a refused folder left a file"

# An idx header that claims 2^31 values, compressed: 100 bytes that would fill 2 GiB.
printf '\0\0\010\001\177\377\377\377' | gzip -n >bomb.gz
refused 1 'more than a file of' "$HISS" prepare idx --images bomb.gz --output p.h5

# Nesting without end.
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13; do deep=${deep:-[}${deep:-[}; done
echo "seed: $deep" >deep.yaml
refused 1 'nested more than 64 levels deep' "$HISS" train deep.yaml --run strange
echo ok
