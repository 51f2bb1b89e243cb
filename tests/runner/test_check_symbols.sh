#!/bin/bash
# The test of tools/check_symbols: a tree that keeps the rules passes, and one violation of each kind is found.
set -eu
tree=$WORK/tree
plant() { # PATH LINE...
    mkdir -p "$tree/$(dirname "$1")"
    printf '%s\n' "${@:2}" >"$tree/$1"
}
clean_tree() {
    rm -rf "$tree"
    mkdir -p "$tree/tools" && cp "$HISS_ROOT/tools/check_symbols" "$tree/tools/"
    plant include/hiss/comm.h 'typedef struct hiss_comm hiss_comm;' 'int hiss_comm_rank(void);'
    plant src/include/hiss/graph.h 'typedef struct hiss_shape {' '    int n;' '} hiss_shape;' 'int hiss_graph_add(void);'
    plant src/comm/comm_impl.h 'struct hiss_comm {' '    int size;' '};' 'typedef struct comm_wait {' '    int n;' '} comm_wait;'
    plant src/comm/comm.c 'int hiss_comm_rank(void) { return 0; }' 'int comm_wait_one(void) { return 0; }' 'static int own(void) { return 0; }' \
        'int comm_use(void) { return own(); }'
    plant src/objective/nat/nat.c 'int nat_settle(void) { return 0; }' 'int objective_nat(void) { return 0; }'
    plant src/graph/graph.c 'int hiss_graph_add(void) { return 0; }'
    plant src/cli/main.c 'int main(void) { return 0; }'
}
check() { # builds, and sets status
    (
        cd "$tree"
        for file in $(find src -name '*.c'); do
            mkdir -p "build/$(dirname "$file")" && "${CC:-cc}" -c -o "build/${file%.c}.o" "$file"
        done
        touch build/libhiss.a
    )
    status=0
    "$tree/tools/check_symbols" build >"$WORK/output" || status=$?
}
clean_tree
check
if [ $status -ne 0 ]; then
    echo "a clean tree fails:" && cat "$WORK/output"
    exit 1
fi >&2

violation() { # FILE LINE TEXT: one line more must fail with exactly one message that has TEXT
    clean_tree
    mkdir -p "$tree/$(dirname "$1")"
    printf '%s\n' "$2" >>"$tree/$1"
    check
    if [ $status -ne 1 ] || [ "$(wc -l <"$WORK/output")" -ne 1 ] || ! grep -q -- "$3" "$WORK/output"; then
        echo "$1 with $2: exit $status, expected: $3" >&2
        cat "$WORK/output" >&2
        exit 1
    fi
}
violation src/comm/comm.c 'int hiss_comm_hidden(void) { return 0; }' 'src/comm/comm.c: hiss_comm_hidden is in no public header'
violation src/comm/comm.c 'int wait_all(void) { return 0; }' 'src/comm/comm.c: wait_all: expected comm_'
violation src/comm/comm.c 'int graph_value;' 'graph_value: expected comm_'
violation src/objective/nat/nat.c 'int comm_settle(void) { return 0; }' 'comm_settle: expected objective_'
violation src/graph/graph.c 'int hiss_comm_rank(void) { return 1; }' 'hiss_comm_rank is defined twice'
violation src/comm/comm_impl.h 'typedef struct hiss_pool { int n; } hiss_pool;' 'type hiss_pool is private'
violation src/comm/comm_impl.h 'typedef enum hiss_kind { A } hiss_kind;' 'type hiss_kind is private'
violation src/graph/graph_impl.h 'typedef struct comm_wait { int n; } comm_wait;' 'type comm_wait is defined in more than one header'
echo ok
