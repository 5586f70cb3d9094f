# Builds everything with warnings as errors, formatting and style among them, and runs all tests: ./test.ps1 [ARGUMENT OF dotnet test ...]
# As test.sh does, except that what tests compare with (gcc, Debian's python3-onnx and libonnx-testdata) is not installed here: those tests are
# skipped, and say so; and that the tool is started as it was built, not compiled ahead. The last line is "N passed, N failed" (and "N skipped").
Set-Location $PSScriptRoot
$env:DOTNET_TieredPGO = 0 # most code runs a few times: counting what would make it quicker takes longer
$results = 'TestResults'
$count = @{ passed = 0; failed = 0; skipped = 0 }
function Add-Failure([string] $what) { Write-Host "Failed: $what"; $count.failed++ }
function Complete-Run {
  Write-Host ("$($count.passed) passed, $($count.failed) failed" + $(if ($count.skipped) { ", $($count.skipped) skipped" }))
  exit [int]($count.failed -gt 0)
}

dotnet msbuild MlNetBatchNorm.sln -restore -p:Configuration=Release -v:quiet -nologo -m -nodeReuse:false -warnAsError
if ($LASTEXITCODE -ne 0) { Add-Failure 'the build'; Complete-Run }

Remove-Item $results -Recurse -Force -ErrorAction SilentlyContinue
foreach ($project in Get-ChildItem tests/*/*.csproj) {
  $trx = Join-Path $results "$($project.BaseName).trx"
  dotnet test $project.FullName -c Release --no-build --nologo -v quiet --results-directory $results --logger "trx;LogFileName=$($project.BaseName).trx" `
    --logger 'console;verbosity=minimal' --blame-hang-timeout 10m --blame-hang-dump-type none @args | Select-String '^(Passed|Failed)!|\[FAIL\]|^\s+(Assert|at |Error)'
  $code = $LASTEXITCODE
  $run = if (Test-Path $trx) { ([xml](Get-Content $trx -Raw)).TestRun }
  $ran = 0; $ok = 0
  if ($run) {
    $counters = $run.ResultSummary.Counters
    $ran = [int]$counters.executed; $ok = [int]$counters.passed
    $count.passed += $ok; $count.failed += $ran - $ok; $count.skipped += [int]$counters.total - $ran
    foreach ($result in @($run.Results.UnitTestResult)) {
      if ($result.outcome -eq 'Failed') { Write-Host "Failed: $($result.testName)" }
      if ($result.outcome -eq 'NotExecuted') { Write-Host "Skipped: $($result.testName): $($result.Output.ErrorInfo.Message)$($result.Output.StdOut)" }
    }
  }
  # The host crashed, hung or did not start: some tests were not run, whatever became of the others.
  if ($code -ne 0 -and $ran -eq $ok) { Add-Failure "$($project.Name) ended early (exit code $code)" }
}
if ($count.passed + $count.failed -eq 0) { Add-Failure 'no test was run' }

# The code that computes with vectors, as on machines without these instructions.
foreach ($without in 'DOTNET_EnableAVX512', 'DOTNET_EnableAVX2') {
  if ($args.Count -gt 0) { break }
  Set-Item "env:$without" 0
  foreach ($part in @('Onnx.Tests', 'Execution.Direct'), @('Trainer.Tests', 'Tests.Operators')) {
    $project, $kind = $part
    dotnet test "tests/$project" -c Release --no-build --nologo -v quiet --filter "FullyQualifiedName~$kind" > (Join-Path $results "$project.$without.txt")
    if ($LASTEXITCODE -ne 0) { Add-Failure "tests/$project with $without=0, see $results/$project.$without.txt" }
  }
  Remove-Item "env:$without"
}
Complete-Run
