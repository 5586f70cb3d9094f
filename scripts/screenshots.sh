#!/usr/bin/env bash
# Makes the pictures of docs/images from real runs, by Debian's chromium: scripts/screenshots.sh
# A picture is a line at the end: its name, its width and height, and the command whose report.html it is the top of.
set -euo pipefail

root="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
. "$root/scripts/progress.sh" "$@"
command -v chromium >/dev/null || {
  printf '%s\n' "chromium is missing, which takes the pictures: apt-get install chromium" >&2
  exit 1
}
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mkdir -p "$root/docs/images"

picture() {
  local name="$1" size="$2,$3"
  step "$name"
  (cd "$root" && ./run.sh "${@:4}" --out "$work/$name" --quiet >/dev/null)
  # A root has no sandbox, and opens nothing here but the page that was just made.
  chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --force-color-profile=srgb --force-device-scale-factor=0.8 \
    --user-data-dir="$work/profile" --window-size="$size" --screenshot="$root/docs/images/$name.png" "file://$work/$name/report.html" 2>"$work/log" || {
    cat "$work/log" >&2
    exit 1
  }
}

steps 2
picture report 960 1290 train sample-data/churn.csv --label churn
picture layers 940 1100 reproduce layers
finished "The pictures are in docs/images."
