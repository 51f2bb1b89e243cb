#!/bin/bash
# The test of tools/check_circles: pairs and chains pass, three files in a circle do not.
set -eu
tree=$WORK/tree
mkdir -p "$tree/tools" "$tree/src/one" "$tree/src/two"
cp "$HISS_ROOT/tools/check_circles" "$tree/tools/check_circles"
cd "$tree"
function_of() { # PATH NAME CALLED: a file with a function that calls another one
    printf 'int %s(void);\nint %s(void);\nint %s(void) { return %s(); }\n' "$2" "$3" "$2" "$3" >"src/$1.c"
}
check() { # EXIT TEXT
    local file status=0
    for file in src/*/*.c; do
        mkdir -p "build/$(dirname "$file")" && "${CC:-cc}" -c -o "build/${file%.c}.o" "$file"
    done
    bash tools/check_circles build >"$WORK/output" 2>&1 || status=$?
    if [ $status -ne "$1" ] || ! grep -q -- "$2" "$WORK/output"; then
        echo "exit $status, expected $1 and: $2" >&2
        cat "$WORK/output" >&2
        exit 1
    fi
}
function_of one/a one_a one_b
function_of one/b one_b one_a # a pair
function_of two/c two_c one_a # and a chain to it
check 0 '3 files, no circles'
function_of one/b one_b two_c
check 1 'a circle of 3 files: src/one/a.c src/one/b.c src/two/c.c'
function_of two/c two_c two_c
check 0 'no circles'
rm build/src/two/c.o && : >src/two/d.c && rm src/two/c.c
bash tools/check_circles build >"$WORK/output" 2>&1 && exit 1
grep -q 'there is no build/src/two/d.o' "$WORK/output"
echo ok
