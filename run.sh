#!/usr/bin/env bash
# Starts the tool, and builds it first if it has not been built from the present source.
#
#   ./run.sh [--packages nuget|standin] [COMMAND ...]     without a command: mlnetbn demo
#
# See scripts/packages.sh for --packages and the environment variables.
set -euo pipefail

root="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source=scripts/packages.sh
. "$root/scripts/packages.sh"

take_packages_option "$@"
shift "$taken"
[ "$#" -gt 0 ] || set -- demo

find_dotnet
tool_is_built || with_lock build_tool

# From the caller's folder: the paths in the arguments are relative to it.
exec dotnet "$tool" "$@"
