#!/usr/bin/env bash
# The long run of docs/reliability.md: hostile inputs of every kind in proportion to their cost, kills, and scoring without end. What it finds
# goes to data/longrun.md as a table, to be taken over there.
#   scripts/longrun.sh                     all of it, 2,000,000 inputs and more
#   INPUTS=20000 KILLS=8 MINUTES=1 scripts/longrun.sh
# It can be stopped and started again: what is done stands in data/longrun.tsv (ignored by git; remove it to begin anew), and inputs go on
# behind those that were tried, so that each run tries new ones. BATCH inputs of one kind are one process.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
inputs="${INPUTS:-2000000}" kills="${KILLS:-300}" minutes="${MINUTES:-10}" batch="${BATCH:-50000}"
log="$PWD/data/longrun.tsv" killed="$PWD/data/longrun-kills.log" failures=0
mkdir -p data
touch "$log" "$killed"

# Project, test, and its share of the inputs in thousandths.
kinds="Onnx.Tests Fold_BrokenModel_FoldsOrThrowsInvalidModel 300
Onnx.Tests Prove_BrokenModel_ProvesOrThrowsInvalidModel 40
Onnx.Tests Inspect_BrokenModel_DescribesOrThrowsInvalidModel 160
Onnx.Tests Read_BrokenArchive_ReadsOrThrowsInvalidData 140
Onnx.Tests Read_BrokenTensor_ReadsOrThrowsInvalidData 140
Trainer.Tests Parse_BrokenNetworkText_ReadsOrThrowsFormat 70
Trainer.Tests Read_BrokenCheckpoint_ReadsOrThrowsInvalidData 60
Cli.Tests Read_BrokenTable_MakesFeaturesOrThrowsTableException 30
Cli.Tests FromJson_BrokenFeatureMap_ReadsOrThrowsInvalidData 59
Transforms.Tests LoadBatched_BrokenFile_LoadsOrThrowsInvalidModel 1"

for project in Onnx Trainer Cli Transforms; do dotnet build "tests/$project.Tests" -c Release -v quiet -nologo; done
run() { dotnet test "tests/$1" -c Release --no-build --nologo --logger "console;verbosity=normal" --filter "FullyQualifiedName~$2" </dev/null; }

# In the log a line is: test, first, inputs, refused, ended otherwise, above 2 s, slowest in ms, most bytes allocated, largest input.
while read -r project test share; do
  wanted=$((inputs * share / 1000))
  while first=$(awk -F'\t' -v t="$test" '$1 == t { n = $2 + $3 > n ? $2 + $3 : n } END { print n + 0 }' "$log"); [ "$first" -lt "$wanted" ]; do
    count=$((wanted - first < batch ? wanted - first : batch)) lines=$(wc -l <"$log")
    MLNETBN_HOSTILE_INPUTS=$count MLNETBN_HOSTILE_FIRST=$first MLNETBN_HOSTILE_LOG=$log run "$project" ".$test" >data/longrun.out 2>&1 || {
      failures=$((failures + 1))
      cp data/longrun.out "data/longrun-$test-$first.txt"
      echo "Failed: $test from input $first on, see data/longrun-$test-$first.txt"
      # The process ended before the batch did: it is counted, and the next one goes on behind it.
      [ "$(wc -l <"$log")" -gt "$lines" ] || printf '%s\t%s\t%s\t0\t1\t0\t0\t0\t0\n' "$test" "$first" "$count" >>"$log"
    }
  done
done <<<"$kinds"

if [ "$kills" -gt 0 ] && [ ! -s "$killed" ]; then
  MLNETBN_KILLS=$kills MLNETBN_KILLS_LOG=$killed run Cli.Tests KillTests >data/longrun.out 2>&1 || { failures=$((failures + 1)); cat data/longrun.out; }
fi
[ "$minutes" = 0 ] || dotnet run -c Release --project bench -- soak --minutes "$minutes" | tee data/longrun-soak.txt || failures=$((failures + 1))

{
  echo "| kind | inputs | refused as documented | ended otherwise | above 2 s | slowest | most memory |"
  echo "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
  awk -F'\t' '
    function big(a, b) { return a > b ? a : b }
    function row(name, i, r, o, l, s, m) {
      return sprintf("| %s | %d | %d | %d | %d | %.1f s | %.1f MiB |", name, i, r, o, l, s / 1000, m / 1048576)
    }
    { i[$1] += $3; r[$1] += $4; o[$1] += $5; l[$1] += $6; s[$1] = big(s[$1], $7); m[$1] = big(m[$1], $8)
      I += $3; R += $4; O += $5; L += $6; S = big(S, $7); M = big(M, $8) }
    END { for (k in i) print row(k, i[k], r[k], o[k], l[k], s[k], m[k]) | "sort"
      close("sort")
      print row("together", I, R, O, L, S, M)
    }' "$log"
  echo
  cat "$killed"
} | tee data/longrun.md
exit $((failures > 0))
