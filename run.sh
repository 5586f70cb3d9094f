#!/usr/bin/env bash
# Starts the tool, and builds it first if a source is newer than the last build: ./run.sh [COMMAND ...]; without a command: mlnetbn demo
set -euo pipefail
root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
command -v dotnet >/dev/null || { echo ".NET is missing: install the .NET SDK 10 (https://dotnet.microsoft.com/download/dotnet/10.0)." >&2; exit 1; }
tool="$root/src/Cli/bin/Release/net10.0/mlnetbn.dll" built="$root/src/Cli/obj/built"
if [ ! -f "$tool" ] || [ ! -f "$built" ] || [ -n "$(find "$root"/src "$root"/sample-data "$root"/*.* \( -name bin -o -name obj \) -prune -o -newer "$built" -print -quit)" ]; then
  mkdir -p "${built%/*}" && touch "$built.new" # before the build: what is edited meanwhile is built next time
  (cd "$root" && dotnet msbuild src/Cli -restore -p:Configuration=Release -p:CompileAhead=true -v:quiet -nologo -nodeReuse:false </dev/null >&2) || exit 1
  mv "$built.new" "$built"
fi
[ "$#" -gt 0 ] || set -- demo
exec dotnet "$tool" "$@"
