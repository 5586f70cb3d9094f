# Starts the tool, and builds it first if need be: ./run.ps1 [COMMAND ...]; without a command: mlnetbn demo
if (-not (Get-Command dotnet -ErrorAction SilentlyContinue)) { Write-Error '.NET is missing: install the .NET SDK 10 (https://dotnet.microsoft.com/download/dotnet/10.0).'; exit 1 }
$tool = Join-Path $PSScriptRoot 'src/Cli/bin/Release/net10.0/mlnetbn.dll'
$built = Join-Path $PSScriptRoot 'src/Cli/obj/built'
$since = if ((Test-Path $tool) -and (Test-Path $built)) { (Get-Item $built).LastWriteTimeUtc } else { [datetime]::MinValue }
$sources = Get-ChildItem (Join-Path $PSScriptRoot 'src'), (Join-Path $PSScriptRoot 'sample-data'), (Join-Path $PSScriptRoot '*.*') -Recurse -File |
  Where-Object { $_.FullName -notmatch '[\\/](bin|obj)[\\/]' -and $_.LastWriteTimeUtc -gt $since } | Select-Object -First 1
if ($sources) {
  $started = Get-Date # before the build: what is edited meanwhile is built next time
  Push-Location $PSScriptRoot
  dotnet msbuild src/Cli -restore -p:Configuration=Release -p:CompileAhead=true -v:quiet -nologo -nodeReuse:false | ForEach-Object { [Console]::Error.WriteLine($_) }
  Pop-Location
  if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
  (New-Item $built -ItemType File -Force).LastWriteTime = $started
}
if ($args.Count -eq 0) { $args = @('demo') }
& dotnet $tool @args
exit $LASTEXITCODE
