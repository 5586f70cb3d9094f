# Builds everything in Release with warnings as errors, checks the formatting and runs all tests. The twin of test.sh.
#
#   ./test.ps1 [--packages nuget|standin] [ARGUMENT OF dotnet test ...]     for example ./test.ps1 --filter FullyQualifiedName~Folding
#
# The last line is "N passed, N failed" (and "N skipped" if any were). What failed without being a test (the build, the formatting, a test
# host that crashed) is named and counted as one failure. With arguments, a part is being looked at: the formatting is not checked.
# The tests that compare with Debian's python3-onnx and libonnx-testdata are skipped where those are not installed.
# See scripts/packages.ps1 for --packages and the environment variables.
$ErrorActionPreference = 'Stop'
$Root = $PSScriptRoot
. (Join-Path $Root 'scripts/packages.ps1')

# A test that has not ended after this time is taken for hanging, and its host is ended.
$HangTimeout = '10m'
$Results = Join-Path $Root 'TestResults'
# What dotnet test says of itself, every time.
$Chatter = "^\s*$|^No test matches the given testcase filter|^A total of [0-9]+ test files|^Test run for|^Additionally, path to test adapters|^Results File|^Data collector 'Blame' message: All tests"
# Advisories, and a mirror that has the next version up: no reason to fail.
$Strict = @('-warnAsError', '-warnNotAsError:NU1603;NU1900;NU1901;NU1902;NU1903;NU1904')

$Passed = 0
$Failed = 0
$Skipped = 0
$Failures = @()

function Add-Failure([string] $Name) {
  $script:Failed++
  $script:Failures += $Name
}

function Complete-Run {
  foreach ($name in $Failures) { Write-Host "Failed: $name" }
  $line = "$Passed passed, $Failed failed"
  if ($Skipped -gt 0) { $line += ", $Skipped skipped" }
  Write-Host $line
  exit $(if ($Failed -gt 0) { 1 } else { 0 })
}

# The test projects that can be built with these packages: the stand-ins' own tests need the stand-ins, others the real ML.NET.
function Get-TestProjects {
  $leftOut = 'StandIns.Tests'
  if ($Packages -eq 'standin') {
    $leftOut = 'MlNet.Tests'
    Say "tests/$leftOut is left out: it tests what the real ML.NET can do and the stand-in cannot."
  }
  Get-ChildItem -Path (Join-Path $Root 'tests/*/*.csproj') | Where-Object { $_.Directory.Name -ne $leftOut }
}

function Build-Everything([IO.FileInfo[]] $Projects) {
  if (-not (Invoke-Build 'MlNetBatchNorm.sln' $Strict)) { return $false }
  $solution = Read-Text (Join-Path $Root 'MlNetBatchNorm.sln')
  foreach ($project in $Projects) {
    if (-not $solution.Contains('\' + $project.Name + '"') -and -not (Invoke-Build $project.FullName $Strict)) { return $false }
  }
  return $true
}

function Test-Formatting {
  $lines = @(Invoke-Sdk 'format' @('MlNetBatchNorm.sln', '--no-restore', '--verify-no-changes'))
  $ok = $LASTEXITCODE -eq 0
  if (-not $ok) { foreach ($line in @($lines | Select-Object -Unique)) { Say $line } }
  return $ok
}

function Invoke-Tests([IO.FileInfo] $Project) {
  $name = $Project.BaseName
  $trx = Join-Path $Results "$name.trx"
  $options = @(
    $Project.FullName, '-c', 'Release', '--no-build', '--nologo', '-v', 'quiet', '-nodeReuse:false'
    '--logger', "trx;LogFileName=$name.trx", '--logger', 'console;verbosity=minimal', '--results-directory', $Results
    '--blame-hang-timeout', $HangTimeout, '--blame-hang-dump-type', 'none'
  )
  Invoke-Sdk 'test' ($options + $Arguments) | Where-Object { $_ -notmatch $Chatter } | ForEach-Object { Write-Host $_ }
  $code = $LASTEXITCODE
  $ran = 0
  $ok = 0
  $aborted = $false
  if (Test-Path -LiteralPath $trx) {
    $document = New-Object Xml.XmlDocument
    $document.Load($trx)
    $counters = $document.SelectSingleNode('//*[local-name()="Counters"]')
    $ran = [int] $counters.GetAttribute('executed')
    $ok = [int] $counters.GetAttribute('passed')
    $script:Passed += $ok
    $script:Failed += $ran - $ok
    $script:Skipped += [int] $counters.GetAttribute('total') - $ran
    foreach ($result in $document.SelectNodes('//*[local-name()="UnitTestResult"][@outcome="Failed"]')) {
      $script:Failures += $result.GetAttribute('testName')
    }
    $aborted = $document.OuterXml.Contains('test run was aborted')
  }
  # The host crashed, hung or did not start: some tests were not run, whatever became of the others.
  if ($code -ne 0 -and ($ran -eq $ok -or $aborted)) { Add-Failure "${name}: the test run ended early (exit code $code)" }
}

function Invoke-Everything {
  Assert-Sdk
  Select-Packages
  $projects = @(Get-TestProjects)
  # Taken before the build: what is edited meanwhile is built next time.
  $builtFrom = Get-ToolFingerprint $Packages
  foreach ($old in $ToolFile, $Results) { if (Test-Path -LiteralPath $old) { Remove-Item -LiteralPath $old -Recurse -Force } }
  $null = New-Item -ItemType Directory -Force -Path $Results
  if (-not (Build-Everything $projects)) {
    Add-Failure 'the build'
    Complete-Run
  }
  # The tool is among what was built: run.ps1 need not do it again.
  [IO.File]::WriteAllText($ToolFile, $builtFrom)
  if ($Arguments.Count -eq 0 -and -not (Test-Formatting)) { Add-Failure 'the formatting (dotnet format mends it)' }
  foreach ($project in $projects) { Invoke-Tests $project }
  if ($Passed + $Failed -eq 0) { Add-Failure 'no test was run' }
  Complete-Run
}

Read-Arguments $args
Assert-Dotnet
Use-Lock { Invoke-Everything }
