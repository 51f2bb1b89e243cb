# docs/extending: every page, followed word by word in a copy of the source tree, gives what it says.
#
# A page is read as these steps: a fenced block after a line "Create `PATH`:" becomes that file; one after "Add to `PATH`,
# below `TEXT`:" goes below the first line of the file that holds TEXT; other sh blocks run; of a text block every line
# must be in what the last of them has printed. All pages go into one copy, and what they create and add comes before what
# they run: a header that three pages change is compiled once.
set -eu
fail() {
    echo "FAILED: $1" >&2
    [ $# -lt 2 ] || tail -n 40 "$2" >&2
    exit 1
}
tree=$WORK/tree build=$(dirname "$HISS")
mkdir -p "$tree/build"
(cd "$HISS_ROOT" && cp -a .clang-format CHANGES.md README.md Makefile configs docs include jobs src tests tools "$tree")
# What is built already, with its times: make compiles what a page changes.
(cd "$build" && cp -a deps*.ok flags gen hiss libhiss.a platforms src "$tree/build")
cp -a "$build/hiss-smpi" "$build/smpi" "$tree/build" 2>/dev/null || :
mkdir -p "$tree/build/tests" && cp -a "$build/tests/cli" "$tree/build/tests" # programs that scripts use
cd "$tree"
export BUILD=build
unset HISS MAKEFLAGS MFLAGS MAKELEVEL
# What a page makes compile need not be as fast as it can. That the flags are others must not recompile all else.
export OPT="-O1 -march=${ARCH:-native}"
make build/flags >"$WORK/output" 2>&1 || fail 'make build/flags' "$WORK/output"
touch -r build/deps.ok build/flags

# steps PAGE: writes step.N and step.N.what ("create PATH", "add PATH<TAB>TEXT", "run", "expect", or nothing to do).
steps() {
    awk -v out="$WORK/step" '
    /^```/ && !inside { n++; file = sprintf("%s.%03d", out, n); inside = 1
        if (what == "") what = $0 == "```sh" ? "run" : $0 == "```text" ? "expect" : "show"
        print what >(file ".what"); close(file ".what"); printf "" >file; what = ""; next }
    /^```/ { inside = 0; close(file); next }
    inside { print >file; next }
    /^Create `[^`]*`:$/ { split($0, part, "`"); what = "create " part[2]; next }
    /^Add to `[^`]*`, below `.*`:$/ { split($0, part, "`"); what = "add " part[2] "\t" part[4]; next }
    /^[^ ]/ { what = "" }
    ' "$1"
}

create() {
    [ ! -e "$1" ] || fail "$page: $1 is there already"
    mkdir -p "$(dirname "$1")" && cp "$file" "$1"
}

add() {
    local path=${1%%$'\t'*} text=${1#*$'\t'} line
    line=$(grep -nF -m 1 -- "$text" "$path" | cut -d: -f1)
    [ -n "$line" ] || fail "$page: $path has no line with $text"
    sed -i "${line}r $file" "$path"
}

run() {
    bash -eu "$file" >"$WORK/output" 2>&1 </dev/null || fail "$page: exit $?: $(<"$file")" "$WORK/output"
    ran=$((ran + 1))
}

expect() {
    local line
    while IFS= read -r line; do
        grep -qF -- "$line" "$WORK/output" || fail "$page: '$line' is not in the output" "$WORK/output"
    done <"$file"
}

ran=0
for some in 'create|add' 'run|expect'; do
    for page in docs/extending/*.md; do
        rm -f "$WORK"/step.*
        steps "$page"
        for file in "$WORK"/step.???; do
            what=$(<"$file.what")
            [[ ! ${what%% *} =~ ^($some)$ ]] || "${what%% *}" "${what#* }"
        done
        [ -f "$WORK/step.003" ] || fail "$page has hardly any steps"
    done
done
[ $ran -ge 3 ] || fail "only $ran blocks have run"
# What the pages make keeps the rules of the house.
tools/check_deps >"$WORK/output" || fail 'the module table' "$WORK/output"
if command -v clang-format >/dev/null; then
    clang-format --dry-run --Werror src/graph/ops/*.c src/nn/optim/*.c src/cli/*.c src/objective/*/*.c src/data/*.c src/data/generate/*.c src/include/hiss/optim.h \
        src/include/hiss/graph.h tests/unit/graph/test_graph_gradients.c >"$WORK/output" 2>&1 || fail 'the layout of what the pages make' "$WORK/output"
fi
echo ok
