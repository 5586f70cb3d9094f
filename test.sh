#!/usr/bin/env bash
# Builds everything with warnings as errors, checks the formatting and runs all tests: ./test.sh [ARGUMENT OF dotnet test ...]
# With arguments, for example --filter FullyQualifiedName~Folding, a part is being looked at: the formatting is not checked.
# Every skipped test is printed with its reason; the last line is "N passed, N failed" (and "N skipped").
set -uo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
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

# -m:1 below: tests of speed-sensitive behaviour share no cores with a build.
dotnet msbuild MlNetBatchNorm.sln -restore -p:Configuration=Release -v:quiet -nologo -m -nodeReuse:false -warnAsError || { failure "the build"; finish; }
# Style and analyzers are errors of the build already; looking at them a second time would take minutes.
[ "$#" -gt 0 ] || dotnet format whitespace MlNetBatchNorm.sln --no-restore --verify-no-changes || failure "the formatting (dotnet format mends it)"

rm -rf "$results"
for project in tests/*/*.csproj; do
  trx="$results/$(basename "$project" .csproj).trx"
  dotnet test "$project" -c Release --no-build --nologo -v quiet --results-directory "$results" --logger "trx;LogFileName=${trx##*/}" \
    --logger "console;verbosity=minimal" --blame-hang-timeout 10m --blame-hang-dump-type none "$@" </dev/null |
    grep -vE '^$|^Test run for|^A total of|^Results File|^Data collector|^No test matches|^Additionally|^\[xUnit.net.*\[SKIP\]|^  Skipped '
  code=${PIPESTATUS[0]}
  counters="$(grep -o '<Counters [^>]*>' "$trx" 2>/dev/null)"
  count() { sed -nE "s/.* $1=\"([0-9]+)\".*/\1/p" <<<"$counters"; }
  total=$(count total) ran=$(count executed) ok=$(count passed)
  passed=$((passed + ${ok:-0})) skipped=$((skipped + ${total:-0} - ${ran:-0}))
  failed=$((failed + ${ran:-0} - ${ok:-0}))
  # The host crashed, hung or did not start: some tests were not run, whatever became of the others.
  [ "$code" = 0 ] || { [ "${ran:-0}" != "${ok:-0}" ] && ! grep -q 'test run was aborted' "$trx"; } || failure "$project ended early (exit code $code)"
done
[ $((passed + failed)) -gt 0 ] || failure "no test was run"

# The code that computes with vectors, as on machines without these instructions.
for without in DOTNET_EnableAVX512 DOTNET_EnableAVX2; do
  [ "$#" -gt 0 ] || while read -r project kind; do
    env "$without=0" dotnet test "tests/$project" -c Release --no-build --nologo -v quiet --filter "FullyQualifiedName~$kind" \
      </dev/null >"$results/$project.$without.txt" || failure "tests/$project with $without=0, see $results/$project.$without.txt"
  done <<<"Onnx.Tests Execution.Direct
Trainer.Tests Tests.Operators"
done

# <UnitTestResult testName="..." outcome="..."> and, below it, the <Message> that says why.
awk '/<UnitTestResult /{ name = $0; sub(/.* testName="/, "", name); sub(/".*/, "", name); outcome = $0; sub(/.* outcome="/, "", outcome); sub(/".*/, "", outcome) }
  /<\/UnitTestResult>/{ outcome = "" }
  outcome == "Failed" && /<UnitTestResult /{ print "Failed: " name }
  outcome == "NotExecuted" && /<(Message|StdOut)>/{ why = $0; gsub(/ *<[^>]*>/, "", why); print "Skipped: " name ": " why }' "$results"/*.trx | unescape
finish
