#!/bin/bash
# make -n says what would be done and does nothing: no target runs a compiler, a test or a script, or writes a file.
set -eu
unset MAKEFLAGS MFLAGS MAKELEVEL BUILD CC MPI
mkdir -p "$WORK/tree" "$WORK/bin" && cd "$WORK/tree"
cp "$HISS_ROOT/Makefile" .
for file in include src tests configs jobs; do cp -r "$HISS_ROOT/$file" .; done

fail() {
    echo "$*" >&2
    exit 1
}

# What may be started by mistake leaves a word in `ran`; tools/deps is asked for flags even so, and only for these.
recorder() {
    mkdir -p "$(dirname "$1")"
    printf '#!/bin/sh\necho "%s $*" >>"%s/ran"\n' "$1" "$WORK" >"$1"
    chmod +x "$1"
}
for file in "$HISS_ROOT"/tools/*; do recorder "tools/${file##*/}"; done
sed -i '1a case $1 in cflags|libs) exit;; esac' tools/deps
while read -r file; do recorder "$file"; done < <(find tests -type f -perm -u+x)
(cd "$WORK/bin" && for name in gcc clang ar mpirun install rm rmdir readelf nm clang-format cc smpicc; do recorder "$name"; done)
find . -type f | sort | xargs sha256sum >"$WORK/before"

mapfile -t targets < <(make -s help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p')
[ ${#targets[@]} -gt 20 ] || fail "make help lists ${#targets[@]} targets"
for target in "${targets[@]}"; do
    flags=(-n)
    case $target in check* | asan | fuzz | demo) flags=(-n '-j2 -n' '-n --no-print-directory BUILD=other') ;; esac
    for flags in "${flags[@]}"; do
        # shellcheck disable=SC2086
        PATH=$WORK/bin:$PATH make $flags "$target" >"$WORK/output" 2>&1 || {
            cat "$WORK/output" >&2
            fail "make $flags $target: exit $?"
        }
        [ -s "$WORK/output" ] || fail "make $flags $target says nothing"
        [ ! -e "$WORK/ran" ] || fail "make $flags $target runs $(head -n 1 "$WORK/ran")"
    done
done
find . -type f | sort | xargs sha256sum >"$WORK/after"
cmp "$WORK/before" "$WORK/after" || fail "make -n has written files"

# A build directory is the same by its full name: nothing in it is compiled again.
for name in build "$PWD/build"; do
    PATH=$WORK/bin:$PATH make -s BUILD="$name" headers >"$WORK/output" 2>&1 || fail "make headers in $name: $(cat "$WORK/output")"
    cp build/flags "$WORK/flags-$(basename "$(dirname "$name")")"
done
cmp "$WORK"/flags-* || fail 'the full name of the build directory changes the flags'
rm -f "$WORK/ran"

# The recorders do see what runs.
PATH=$WORK/bin:$PATH make check-deps >"$WORK/output" 2>&1 && [ -e "$WORK/ran" ] || fail "make check-deps runs nothing"
echo ok
