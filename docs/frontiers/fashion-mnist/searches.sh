#!/bin/sh
# The commands behind "Methods compared by measured time" in docs/frontiers.md, in a checkout: eight searches from one
# teacher, about three hours of one core, and the measuring of their networks.
# Usage: sh docs/frontiers/fashion-mnist/searches.sh FOLDER
set -e
here=docs/frontiers/fashion-mnist
out=$1

reduce() {
    method=$1; shift
    pi-bench reduce "$method" "$@" --network $here/resnet10.toml --data fashion-mnist --teacher $here/teacher \
        --threads 1 --jobs 1 --no-latency --no-plot -o "$out/$method"
}
finetuned() {
    method=$1; rate=$2; shift 2
    reduce "$method" "$@" --finetune-epochs 1 --finetune-learning-rate "$rate"
}

finetuned snl 1e-2 --budget 16000 8000 4000 3200 --mask-learning-rate 1e-3 --lasso 5e-4 --lasso-growth 1.5 --epoch-limit 40
finetuned senet 1e-2 --budget 8000 4000 2000 1000 --choice-epochs 1
finetuned bcd 1e-2 --budget 8000 4000 2000 1000 --start 16000 --block-fraction 0.3 --step-epochs 1 \
    --lasso 5e-4 --lasso-growth 1.5 --tries 10
finetuned prune 1e-2 --budget 24000 16000 10000 7000
finetuned autorep 1e-2 --budget 16000 8000 4000 2000 --replacement-epochs 1
finetuned plan 1e-2 --budget 16000 8000 4000 2000 --choices quadratic linear --sensitivity-epochs 1
finetuned safenet 1e-3 --budget 8000 4000 2000 1000 --choice-epochs 1
reduce deepreduce --order 1,4,2,3 --epochs 2

python -m benchmarks.method_frontier "$out/compared" --baseline $here/teacher \
    "$out/snl" "$out/senet" "$out/deepreduce" "$out/prune" "$out/autorep" "$out/plan" "$out/safenet" "$out/bcd" \
    --data fashion-mnist --limit 1000 --private-sample 8 --runs 5
