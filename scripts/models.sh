#!/usr/bin/env bash
# Fetches models that people use to data/models (ignored by git), folds each, and prints the table of docs/folding.md.
#
# They come from npm (scripts/models/package-lock.json pins them by hash) and from NuGet. Each folded model also runs beside the given one
# in onnxruntime-node, with its optimizations on.
set -euo pipefail

root="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
target="$root/data/models"
. "$root/scripts/progress.sh" "$@"
steps 3
for tool in npm node /usr/bin/time; do
  command -v "$tool" >/dev/null || {
    printf '%s\n' "$tool is missing: install Node.js with npm, and time (Debian: apt-get install nodejs npm time)." >&2
    exit 1
  }
done
step "fetching the models of npm"
(cd "$root/scripts/models" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null >&2)
step "fetching the models of NuGet"
dotnet restore "$root/scripts/models" -v quiet </dev/null >&2
mkdir -p "$target/folded"
packages="${NUGET_PACKAGES:-$HOME/.nuget/packages}/microsoft.ml.dnnimagefeaturizer.resnet18/0.23.1"
modules="$root/scripts/models/node_modules"
find "$packages" "$modules/@gutenye" "$modules/@ricky0123" "$modules/openwakeword-js" -name '*.onnx' ! -name '*Preprocess*' \
  -exec cp -f {} "$target" \;
step "building the tool"
"$root/run.sh" --version >/dev/null
models=("$target"/*.onnx)
steps "${#models[@]}"

printf '%s\n' '| model | batch norms folded | written as Mul, Add folded | largest error | seconds | MB | onnxruntime-node |'
printf '%s\n' '| --- | --- | --- | --- | --- | --- | --- |'
for model in "${models[@]}"; do
  name="$(basename "$model" .onnx)"
  step "folding and running $name"
  out="$target/folded/$name"
  if ! /usr/bin/time -o "$out.time" -f '%e %M' "$root/run.sh" fold "$model" "$out.onnx" --report "$out.json" >/dev/null 2>"$out.log"; then
    printf '| %s | %s |\n' "$name" "$(tail -1 "$out.log")"
    continue
  fi
  node "$root/scripts/models/compare.mjs" "$name" "$target"
done
