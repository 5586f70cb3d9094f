#!/usr/bin/env bash
# Builds everything with warnings as errors, formatting and style among them, and runs all tests: ./test.sh [ARGUMENT OF dotnet test ...]
# With arguments, for example --filter FullyQualifiedName~Folding, a part is being looked at: vectors are not tried in other widths.
# Every skipped test is printed with its reason; the last line is "N passed, N failed" (and "N skipped").
set -uo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
export DOTNET_TieredPGO=0 # most code runs a few times: counting what would make it quicker takes longer
results=TestResults passed=0 failed=0 skipped=0
failure() { echo "Failed: $1"; failed=$((failed + 1)); }
finish() {
  [ "$skipped" = 0 ] && echo "$passed passed, $failed failed" || echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" = 0 ]; exit
}
unescape() { sed 's/&quot;/"/g; s/&lt;/</g; s/&gt;/>/g; s/&#xD;&#xA;\|&#xA;/ /g; s/&amp;/\&/g'; }

# Independent implementations that tests compare with, and the browser that opens pages. Where they cannot be installed, those tests are skipped and say so.
referees="gcc zlib1g-dev python3-onnx libonnx-testdata chromium openmpi-bin mpich python3-grpcio protobuf-compiler-grpc"
# shellcheck disable=SC2086 # a list
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! dpkg-query -W $referees >/dev/null 2>&1; then
  { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $referees; } >/dev/null ||
    echo "Not installed: $referees; tests that need them are skipped."
fi

# One compiler for all projects takes half the time of one for each, even where the environment wants none to stay: it does not.
dotnet msbuild MlNetBatchNorm.sln -restore -p:Configuration=Release -p:UseSharedCompilation=true -v:quiet -nologo -m -nodeReuse:false -warnAsError
built=$?
dotnet build-server shutdown --vbcscompiler >/dev/null 2>&1
[ "$built" = 0 ] || { failure "the build"; finish; }

rm -rf "$results" && mkdir "$results" || exit 1

# Tests start the tool hundreds of times: as run.sh's, compiled ahead, it takes two thirds of the time.
if [ "$#" = 0 ]; then
  cp -r src/Cli/bin/Release/net10.0 "$results/tool"
  dotnet msbuild src/Cli -restore -p:Configuration=Release -p:CompileAhead=true "-p:AheadPlace=$PWD/$results/tool/" \
    -v:quiet -nologo -nodeReuse:false >/dev/null && export MLNETBN_TOOL="$PWD/$results/tool/mlnetbn.dll" ||
    echo "Not compiled ahead: tests start the tool as it was built."
fi
trx() { echo "$results/$(basename "$1" .csproj).trx"; }
run() { # PROJECT [ARGUMENT ...]: its tests, and what of their output is worth reading; the exit code is that of dotnet test
  local trx; trx="$(trx "$1")"
  dotnet test "$1" -c Release --no-build --nologo -v quiet --results-directory "$results" --logger "trx;LogFileName=${trx##*/}" \
    --logger "console;verbosity=minimal" --blame-hang-timeout 10m --blame-hang-dump-type none "${@:2}" </dev/null |
    grep -vE '^$|^Test run for|^A total of|^Results File|^Data collector|^No test matches|^Additionally|^\[xUnit.net.*\[SKIP\]|^  Skipped '
  return "${PIPESTATUS[0]}"
}
count() { # PROJECT CODE: adds up what its tests came to
  local code="$2" trx counters total ran ok
  trx="$(trx "$1")"
  counters="$(grep -o '<Counters [^>]*>' "$trx" 2>/dev/null)"
  of() { sed -nE "s/.* $1=\"([0-9]+)\".*/\1/p" <<<"$counters"; }
  total=$(of total) ran=$(of executed) ok=$(of passed)
  passed=$((passed + ${ok:-0})) skipped=$((skipped + ${total:-0} - ${ran:-0}))
  failed=$((failed + ${ran:-0} - ${ok:-0}))
  # The host crashed, hung or did not start: some tests were not run, whatever became of the others.
  [ "$code" = 0 ] || { [ "${ran:-0}" != "${ok:-0}" ] && ! grep -q 'test run was aborted' "$trx"; } || failure "$1 ended early (exit code $code)"
}
# The code that computes with vectors, as on machines without these instructions.
without="DOTNET_EnableAVX512 DOTNET_EnableAVX2" narrow="Onnx.Tests/Execution.Direct Trainer.Tests/Tests.Operators"
narrowed() { echo "$results/${1%%/*}.$2.txt"; }

# Two lanes: what mostly waits for other programs, or takes any time it is given, runs behind the others and yields to them, and is shown after them.
first=() second=()
for project in tests/*/*.csproj; do
  case "$project" in
    tests/Architecture.Tests/* | tests/Bench.Tests/* | tests/Packages.Tests/* | tests/Pages.Tests/*) second+=("$project") ;;
    *) first+=("$project") ;;
  esac
done
set -m # a group of its own, which ends with this script
{
  renice -n 5 "$BASHPID" >/dev/null 2>&1
  for project in "${second[@]}"; do
    run "$project" "$@" >"$(trx "$project").txt" 2>&1
    echo $? >"$(trx "$project").code"
  done
  [ "$#" -gt 0 ] || for tests in $narrow; do for variable in $without; do
    env "$variable=0" dotnet test "tests/${tests%%/*}" -c Release --no-build --nologo -v quiet --filter "FullyQualifiedName~${tests##*/}" \
      </dev/null >"$(narrowed "$tests" "$variable")" 2>&1 && echo passed >>"$(narrowed "$tests" "$variable")"
  done; done
} &
behind=$!
set +m
trap 'kill -- -"$behind" 2>/dev/null' EXIT
for project in "${first[@]}"; do
  run "$project" "$@"
  count "$project" $?
done
wait "$behind"
for project in "${second[@]}"; do
  cat "$(trx "$project").txt"
  count "$project" "$(cat "$(trx "$project").code")"
done
[ "$#" -gt 0 ] || for tests in $narrow; do for variable in $without; do
  [ "$(tail -n 1 "$(narrowed "$tests" "$variable")")" = passed ] || failure "tests/${tests%%/*} with $variable=0, see $(narrowed "$tests" "$variable")"
done; done
[ $((passed + failed)) -gt 0 ] || failure "no test was run"

# <UnitTestResult testName="..." outcome="..."> and, below it, the <Message> that says why.
awk '/<UnitTestResult /{ name = $0; sub(/.* testName="/, "", name); sub(/".*/, "", name); outcome = $0; sub(/.* outcome="/, "", outcome); sub(/".*/, "", outcome) }
  /<\/UnitTestResult>/{ outcome = "" }
  outcome == "Failed" && /<UnitTestResult /{ print "Failed: " name }
  outcome == "NotExecuted" && /<(Message|StdOut)>/{ why = $0; gsub(/ *<[^>]*>/, "", why); print "Skipped: " name ": " why }' "$results"/*.trx | unescape
finish
