#!/usr/bin/env bash
# Builds everything in Release with warnings as errors, checks the formatting and runs all tests.
#
#   ./test.sh [--packages nuget|standin] [ARGUMENT OF dotnet test ...]     for example ./test.sh --filter FullyQualifiedName~Folding
#
# The last line is "N passed, N failed" (and "N skipped" if any were). What failed without being a test (the build, the formatting, a test
# host that crashed) is named and counted as one failure. With arguments, a part is being looked at: the formatting is not checked.
# See scripts/packages.sh for --packages and the environment variables.
set -euo pipefail

root="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source=scripts/packages.sh
. "$root/scripts/packages.sh"

# A test that has not ended after this time is taken for hanging, and its host is ended.
hang_timeout=10m
results="$root/TestResults"
# What dotnet test says of itself, every time.
chatter="^$|^No test matches the given testcase filter|^A total of [0-9]+ test files|^Test run for|^Additionally, path to test adapters|^Results File|^Data collector 'Blame' message: All tests"
# Independent implementations that tests compare with, as Debian packages. Tests skip what is missing, saying so.
referees=(python3-onnx libonnx-testdata)

passed=0 failed=0 skipped=0
failures=()

failure() {
  failed=$((failed + 1))
  failures+=("$1")
}

finish() {
  local name
  for name in ${failures[@]+"${failures[@]}"}; do printf 'Failed: %s\n' "$name"; done
  if [ "$skipped" -gt 0 ]; then
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
  else
    printf '%d passed, %d failed\n' "$passed" "$failed"
  fi
  [ "$failed" = 0 ] || exit 1
  exit 0
}

install_referees() {
  local package missing=()
  can_install || return 0
  for package in "${referees[@]}"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ "${#missing[@]}" = 0 ] || install_debian "tests compare with it" "${missing[@]}" ||
    say "Without ${missing[*]}, the tests that compare with it are skipped."
}

# The test projects that can be built with these packages: the stand-ins' own tests need the stand-ins, others the real ML.NET.
find_test_projects() {
  local project left_out=tests/StandIns.Tests
  projects=()
  if [ "$packages" = standin ]; then
    left_out=tests/MlNet.Tests
    say "$left_out is left out: it tests what the real ML.NET can do and the stand-in cannot."
  fi
  for project in tests/*/*.csproj; do
    [[ "$project" = "$left_out"/* ]] || projects+=("$project")
  done
}

# Advisories, and a mirror that has the next version up: no reason to fail.
strict=(-warnAsError "-warnNotAsError:NU1603;NU1900;NU1901;NU1902;NU1903;NU1904")

build_everything() {
  local project file
  build MlNetBatchNorm.sln "${strict[@]}" || return
  for project in "${projects[@]}"; do
    file="${project##*/}"
    grep -qF "\\$file\"" MlNetBatchNorm.sln || build "$project" "${strict[@]}" || return
  done
}

check_formatting() {
  local code=0
  sdk format MlNetBatchNorm.sln --no-restore --verify-no-changes >"$state/format.log" 2>&1 || code=$?
  [ "$code" = 0 ] || awk '!seen[$0]++' "$state/format.log" >&2
  return "$code"
}

# An attribute of the <Counters> of a .trx file.
counter() { sed -nE "s/.*<Counters [^>]*\b$2=\"([0-9]+)\".*/\1/p" "$1" | head -n 1; }

failed_tests() { grep -oE '<UnitTestResult [^>]*outcome="Failed"' "$1" | sed -E 's/.* testName="([^"]*)".*/\1/; s/&quot;/"/g; s/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g' || true; }

run_tests() {
  local project="$1" name trx code=0 total ran=0 ok=0 test
  shift
  name="$(basename "$project" .csproj)"
  trx="$results/$name.trx"
  sdk test "$project" -c Release --no-build --nologo -v quiet -nodeReuse:false \
    --logger "trx;LogFileName=$name.trx" --logger "console;verbosity=minimal" --results-directory "$results" \
    --blame-hang-timeout "$hang_timeout" --blame-hang-dump-type none "$@" |
    awk -v skip="$chatter" '$0 !~ skip { print; fflush() }' || code=$?
  if [ -f "$trx" ]; then
    total="$(counter "$trx" total)" ran="$(counter "$trx" executed)" ok="$(counter "$trx" passed)"
    : "${total:=0}" "${ran:=0}" "${ok:=0}"
    passed=$((passed + ok))
    failed=$((failed + ran - ok))
    skipped=$((skipped + total - ran))
    while IFS= read -r test; do failures+=("$test"); done < <(failed_tests "$trx")
  fi
  # The host crashed, hung or did not start: some tests were not run, whatever became of the others.
  if [ "$code" != 0 ] && { [ "$ran" = "$ok" ] || grep -q 'test run was aborted' "$trx"; }; then
    failure "$name: the test run ended early (exit code $code)"
  fi
}

take_packages_option "$@"
shift "$taken"
cd "$root"
find_dotnet

prepare() {
  require_sdk
  choose_packages
  install_referees
  find_test_projects
  # Taken before the build: what is edited meanwhile is built next time.
  local built_from
  built_from="$(tool_fingerprint "$packages")"
  rm -f "$state/tool"
  rm -rf "$results"
  mkdir -p "$results"
  if ! build_everything; then
    failure "the build"
    return
  fi
  # The tool is among what was built: run.sh need not do it again.
  printf '%s\n' "$built_from" >"$state/tool"
  if [ "$#" = 0 ] && ! check_formatting; then
    failure "the formatting (dotnet format mends it)"
  fi
}

run_everything() {
  prepare "$@"
  [[ " ${failures[*]-} " != *" the build "* ]] || finish
  for project in "${projects[@]}"; do run_tests "$project" "$@"; done
  [ $((passed + failed)) -gt 0 ] || failure "no test was run"
  finish
}

with_lock run_everything "$@"
