#!/usr/bin/env bash
# Every figure of the model card and of docs/evaluation.md, two commands at a time; their Markdown and JSON go to OUT.
#
#     bash tools/figures.sh OUT [FILES]
#
# FILES: a folder that tools/export.py wrote, whose F16 file (and model-q4.gguf, if it is there) is asked too.
set -euo pipefail
out=$1 files=${2:-}
mkdir -p "$out"

# name, then options of `lookhere evaluate`; the longest first
jobs() {
    local two="--protocol ordinal --protocol vqa"
    echo "controls --strips 200 --seen 0 --controls 200 --protocol vqa"
    echo "main --strips 200 --seen 40 --controls 0 $two --protocol order --protocol move --protocol boxes"
    echo "kinds --strips 50 --seen 0 --controls 50 --all-controls --protocol static --protocol dynamic"
    echo "sweeps --strips 50 --seen 0 --controls 0 --sweeps 50 --protocol vqa"
    echo "reading --strips 60 --seen 0 --controls 0 --protocol readback --protocol small --protocol boxes"
    echo "modes --strips 40 --seen 0 --controls 0 --modes 40 --protocol vqa"
    for kind in f16 q4; do
        if [ -n "$files" ] && [ -f "$files/model-$kind.gguf" ]; then
            echo "$kind $files/model-$kind.gguf --mmproj $files/mmproj.gguf --heads python/lookhere/data/heads/builtin.json --strips 50 --seen 0 --controls 0 $two"
        fi
    done
}

one() {
    local name=$1 start=$SECONDS
    shift
    lookhere evaluate "$@" --threads 1 --json "$OUT/$name.json" >"$OUT/$name.md" 2>"$OUT/$name.log"
    echo "$name: $((SECONDS - start)) s"
}
export -f one
export OUT=$out
jobs | xargs -P 2 -I {} bash -c 'one {}'
echo "all: $SECONDS s"
