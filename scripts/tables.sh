#!/usr/bin/env bash
# Fetches the tables of docs/defaults.md that are not in sample-data to data/tables (ignored by git), for:
# dotnet run -c Release --project bench -- defaults
#
# They come from Debian's packages of R's packages (Debian 12), which are unpacked, not installed. R reads them, and NumPy shuffles the
# rows, most of which come sorted, always in the same way: every fifth row from the first is then a fair test. SHA256SUMS says whether the
# tables are those of the figures.
set -euo pipefail

root="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
target="$root/data/tables"
. "$root/scripts/progress.sh" "$@"
steps 4
# Debian's Python has Debian's NumPy; another one may come first in the path.
python=/usr/bin/python3
refuse() {
  printf '%s\n' "$1" >&2
  exit 1
}
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null \
  || refuse "apt-get or dpkg-deb is missing: the tables come from Debian's packages, so this runs on Debian and its kin."
command -v Rscript >/dev/null || refuse "Rscript is missing, which reads the tables: apt-get install r-base-core"
"$python" -c 'import numpy' 2>/dev/null || refuse "$python has no NumPy, which shuffles the rows: apt-get install python3-numpy"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
packages=(r-cran-modeldata r-cran-ggplot2 r-cran-dslabs r-cran-kernlab r-cran-mlbench)
step "fetching ${#packages[@]} packages"
(cd "$work" && apt-get download -qq "${packages[@]}" 2>"$work/log") \
  || refuse "apt-get download ${packages[*]}: $(grep -v '^W:' "$work/log" | head -1) (after apt-get update it may find them)"
step "reading their tables"
for package in "$work"/*.deb; do dpkg-deb -x "$package" "$work/tree"; done
mkdir -p "$target" "$work/sorted"
Rscript --vanilla "$root/scripts/tables/read.R" "$work/tree/usr/lib/R/site-library" "$work/sorted"
step "shuffling the rows"
"$python" "$root/scripts/tables/shuffle.py" "$work/sorted" "$target"
step "checking the sums"
(cd "$target" && sha256sum --quiet --check "$root/scripts/tables/SHA256SUMS") \
  || refuse "The tables in $target differ from those that docs/defaults.md was measured with: these packages are of another version."
finished "The tables are in data/tables."
