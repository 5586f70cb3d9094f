# Starts the tool, and builds it first if it has not been built from the present source. The twin of run.sh.
#
#   ./run.ps1 [--packages nuget|standin] [COMMAND ...]     without a command: mlnetbn demo
#
# See scripts/packages.ps1 for --packages and the environment variables.
$ErrorActionPreference = 'Stop'
$Root = $PSScriptRoot
. (Join-Path $Root 'scripts/packages.ps1')

Read-Arguments $args
if ($Arguments.Count -eq 0) { $Arguments = @('demo') }

Assert-Dotnet
if (-not (Test-ToolBuilt)) { Use-Lock { Build-Tool } }

# From the caller's folder: the paths in the arguments are relative to it. What the tool writes to standard error is no error of this script.
$ErrorActionPreference = 'Continue'
& dotnet $Tool @Arguments
exit $LASTEXITCODE
