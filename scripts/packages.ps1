# Dot-sourced by run.ps1 and test.ps1, which set $Root: what has to be on the machine before anything is built, and where the packages
# come from. The twin of scripts/packages.sh, which says more; for PowerShell 7 and Windows PowerShell 5.1.
#
#   $env:MLNETBN_PACKAGES = 'nuget' or 'standin'   forces one of the two, as does --packages as the first option
#   $env:MLNETBN_MSBUILD = '-p:NAME=VALUE'         is handed to every build, so that a feed with other versions can be used

# What was found out here is kept in this git-ignored folder.
$State = Join-Path $Root '.restore'
$LocalProps = Join-Path $Root 'Dependencies.local.props'
# Not those of the shell scripts: their fingerprints are made otherwise.
$FeedFile = Join-Path $State 'feed.ps1'
$ToolFile = Join-Path $State 'tool.ps1'
$BuiltFile = Join-Path $State 'built'
# How many days a feed that lacked the packages is believed to lack them still.
$StandInDays = 7

$ForcedPackages = "$env:MLNETBN_PACKAGES"
$MsBuildOptions = @("$env:MLNETBN_MSBUILD" -split '\s+' | Where-Object { $_ })
$Packages = ''

function Say([string] $Text) { [Console]::Error.WriteLine($Text) }

function Stop-With([string] $Text, [int] $Code = 1) {
  Say $Text
  exit $Code
}

# Takes "--packages nuget|standin" off the front of the arguments and sets $ForcedPackages; the others are left in $Arguments.
# Without quotes PowerShell reads 128,64 as two numbers: they become one argument again.
function Read-Arguments([object[]] $Given) {
  $all = @($Given | ForEach-Object { if ($_ -is [array]) { $_ -join ',' } else { "$_" } })
  $taken = 0
  if ($all.Count -gt 0 -and $all[0] -eq '--packages') {
    $script:ForcedPackages = if ($all.Count -gt 1) { $all[1] } else { '' }
    $taken = 2
  } elseif ($all.Count -gt 0 -and $all[0] -like '--packages=*') {
    $script:ForcedPackages = $all[0].Substring('--packages='.Length)
    $taken = 1
  }
  if ($taken -gt 0 -and -not $ForcedPackages) { Stop-With '--packages needs a value: nuget or standin.' 2 }
  if ($ForcedPackages -and @('nuget', 'standin') -cnotcontains $ForcedPackages) {
    Stop-With "Packages can come from nuget or standin, not from '$ForcedPackages' (--packages, MLNETBN_PACKAGES)." 2
  }
  $script:Arguments = @($all | Select-Object -Skip $taken)
}

# --- .NET ---------------------------------------------------------------------------------------------------------------------------

function Assert-Dotnet {
  if (-not (Get-Command dotnet -CommandType Application -ErrorAction Ignore)) {
    Stop-With '.NET is missing: install the .NET SDK 10.0 (https://dotnet.microsoft.com/download/dotnet/10.0) and put dotnet on the PATH.'
  }
}

# Runs a program in the repository; its output and its errors are the output, as lines of text, and $LASTEXITCODE is its exit code.
function Invoke-Program([string] $Folder, [string] $Program, [string[]] $Options) {
  # Windows PowerShell takes a line on a program's standard error for an error of its own.
  $ErrorActionPreference = 'Continue'
  Push-Location -LiteralPath $Folder
  try { & $Program @Options 2>&1 | ForEach-Object { "$_" } } finally { Pop-Location }
}

function Assert-Sdk {
  # Asked in the repository, where global.json says which SDKs will do.
  $null = Invoke-Program $Root 'dotnet' @('--version')
  if ($LASTEXITCODE -ne 0) {
    Stop-With 'The .NET SDK 10.0 is missing: install it from https://dotnet.microsoft.com/download/dotnet/10.0'
  }
}

# dotnet for building: in the repository (global.json, NuGet.config), in English (its messages are read below), leaving nothing running
# behind. The environment belongs to whoever started the script: what is set here is put back.
function Invoke-Sdk([string] $Verb, [string[]] $Options) {
  $set = @{
    DOTNET_NOLOGO = '1'; DOTNET_CLI_TELEMETRY_OPTOUT = '1'; DOTNET_CLI_UI_LANGUAGE = 'en'
    MSBUILDTERMINALLOGGER = 'off'; MSBUILDDISABLENODEREUSE = '1'
  }
  if ($env:CI -eq 'true') { $set['UseSharedCompilation'] = 'false' }
  $all = @($Verb)
  foreach ($option in $MsBuildOptions) {
    if ($Verb -ne 'format') {
      $all += $option
    } elseif ($option -match '^--?p(?:roperty)?:([A-Za-z_]+)=(.*)$') {
      # The one verb that takes no properties; as environment variables they do as well.
      $set[$Matches[1]] = $Matches[2]
    }
  }
  $all += $Options
  $before = @{}
  foreach ($name in @($set.Keys)) {
    $before[$name] = [Environment]::GetEnvironmentVariable($name)
    [Environment]::SetEnvironmentVariable($name, $set[$name])
  }
  try {
    Invoke-Program $Root 'dotnet' $all
  } finally {
    foreach ($name in @($before.Keys)) { [Environment]::SetEnvironmentVariable($name, $before[$name]) }
  }
}

# Builds a project or the solution and says whether it could. It says something only if it fails, and each line once (MSBuild's summary
# says again what was said before).
function Invoke-Build([string] $What, [string[]] $Options) {
  $lines = @(Invoke-Sdk 'build' (@($What) + @($Options | Where-Object { $_ }) + @('-c', 'Release', '-v', 'quiet', '-nologo', '-nodeReuse:false')))
  if ($LASTEXITCODE -eq 0) { return $true }
  $shown = @($lines | Where-Object { $_ -match ': (error|warning) |error MSB' } | Select-Object -Unique)
  if ($shown.Count -eq 0) { $shown = $lines }
  foreach ($line in $shown) { Say $line }
  return $false
}

# One run.ps1 or test.ps1 at a time in this folder.
function Use-Lock([scriptblock] $Work) {
  $null = New-Item -ItemType Directory -Force -Path $State
  $lock = $null
  while ($null -eq $lock) {
    try {
      $lock = [IO.File]::Open((Join-Path $State 'lock.ps1'), [IO.FileMode]::OpenOrCreate, [IO.FileAccess]::ReadWrite, [IO.FileShare]::None)
    } catch [IO.IOException] {
      Start-Sleep -Milliseconds 200
    }
  }
  try { & $Work } finally { $lock.Dispose() }
}

# --- What the feed has --------------------------------------------------------------------------------------------------------------

function Read-Text([string] $Path) { if (Test-Path -LiteralPath $Path -PathType Leaf) { [IO.File]::ReadAllText($Path) } else { '' } }

function Get-Fingerprint([string[]] $Parts) {
  $sha = [Security.Cryptography.SHA256]::Create()
  try {
    return [BitConverter]::ToString($sha.ComputeHash([Text.Encoding]::UTF8.GetBytes($Parts -join "`n")))
  } finally {
    $sha.Dispose()
  }
}

# Every file that NuGet may take its sources from.
function Get-NuGetConfigs {
  $folder = $Root
  while ($folder) {
    Join-Path $folder 'NuGet.Config'
    Join-Path $folder 'nuget.config'
    $folder = Split-Path -Parent $folder
  }
  if ($env:APPDATA) { Join-Path $env:APPDATA 'NuGet\NuGet.Config' }
  if (${env:ProgramFiles(x86)}) {
    Get-ChildItem -Path (Join-Path ${env:ProgramFiles(x86)} 'NuGet\Config\*.config') -ErrorAction Ignore | ForEach-Object { $_.FullName }
  }
  if ($HOME) { Join-Path $HOME '.nuget/NuGet/NuGet.Config' }
  if ($env:RestoreConfigFile) { $env:RestoreConfigFile }
}

# Changes when the feed or the wanted versions may have changed.
function Get-FeedFingerprint {
  $parts = @(
    Read-Text (Join-Path $Root 'Directory.Packages.props')
    Read-Text (Join-Path $Root 'scripts/probe/Probe.csproj')
    Read-Text (Join-Path $Root 'global.json')
    "$env:MLNETBN_MSBUILD"
  )
  # MSBuild takes environment variables for properties.
  $parts += @(Get-ChildItem Env: | Where-Object { $_.Name -match '^(Restore[A-Za-z]*|NUGET_[A-Z_]*|[A-Za-z]*Version|OnnxRuntimeFlavor)$' } |
    Sort-Object Name | ForEach-Object { "$($_.Name)=$($_.Value)" })
  $parts += @(Get-NuGetConfigs | ForEach-Object { Read-Text $_ })
  return Get-Fingerprint $parts
}

# Restores the probe project: 'everything' or 'protobuf'. Its messages are left in $ProbeLines.
function Test-Feed([string] $What) {
  # A restore that failed for want of a network is worth a second try; one that lacked a package is not.
  foreach ($try in 1, 2) {
    $script:ProbeLines = @(Invoke-Sdk 'restore' @('scripts/probe/Probe.csproj', '-v', 'quiet', '-nodeReuse:false', '-p:PackagesFrom=nuget', "-p:Probe=$What"))
    if ($LASTEXITCODE -eq 0) { return $true }
    if (@($ProbeLines | Where-Object { $_ -match 'error NU110[0-3]:' }).Count -gt 0) { return $false }
    if ($try -eq 1) { Start-Sleep -Seconds 2 }
  }
  return $false
}

# The state file $FeedFile: the answer (nuget or standin), the version of Google.Protobuf to take with it, the fingerprint of the question.
function Get-Answer([int] $Line) {
  $lines = @((Read-Text $FeedFile) -split "`r?`n")
  if ($lines.Count -gt $Line) { return $lines[$Line] }
  return ''
}

function Save-Answer([string] $Source, [string] $Protobuf) { [IO.File]::WriteAllText($FeedFile, (@($Source, $Protobuf, (Get-FeedFingerprint)) -join "`n")) }

# The remembered answer, if the question is still the same; nothing otherwise.
function Get-RememberedPackages {
  if ((Get-Answer 2) -ne (Get-FeedFingerprint)) { return '' }
  if ((Get-Answer 0) -eq 'standin') {
    # Whoever deletes the file wants the feed to be asked again; and one day the feed may have the packages after all.
    if (-not (Test-Path -LiteralPath $LocalProps)) { return '' }
    if ((Get-Item -LiteralPath $FeedFile).LastWriteTime -lt (Get-Date).AddDays(-$StandInDays)) { return '' }
  }
  return Get-Answer 0
}

function Get-FirstError {
  foreach ($line in $ProbeLines) {
    if ($line -match '(error [A-Z]+[0-9]+: .*)') { return ($Matches[1] -replace ' \[[^\]]*\]$', '').TrimEnd('.') }
  }
  return 'dotnet restore failed'
}

# Google.Protobuf is the one package that both ways take from the feed; where the wanted version is missing, the stand-ins can do with
# the nearest one. Sets $Protobuf to that version, or to nothing if the wanted one is there; says whether anything was found.
function Find-Protobuf {
  $script:Protobuf = ''
  if (Test-Feed 'protobuf') { return $true }
  foreach ($line in $ProbeLines) {
    if ($line -match 'Nearest version: ([0-9]\S*)') {
      $script:Protobuf = $Matches[1]
      return $true
    }
  }
  return $false
}

function Request-Answer {
  if (Test-Feed 'everything') {
    Save-Answer 'nuget' ''
    return
  }
  $missing = @(foreach ($line in $ProbeLines) {
      if ($line -match 'error NU110[0-3]: Unable to find package ([^ ]+?)\.?( with version \(>= ([^)]+)\).*| No packages.*)?$') { ("$($Matches[1]) $($Matches[3])").Trim() }
    }) | Sort-Object -Unique
  if (-not (Find-Protobuf)) {
    # Nothing was learned about the feed: better the old answer than none.
    if (Get-Answer 0) {
      Say "The package feed cannot be asked ($(Get-FirstError)); going on with packages from $(Get-Answer 0) as before."
      (Get-Item -LiteralPath $FeedFile).LastWriteTime = Get-Date
      return
    }
    Stop-With "The package feed cannot be asked ($(Get-FirstError)); mend that, or choose with --packages nuget|standin."
  }
  Save-Answer 'standin' $Protobuf
  $what = if ($missing) { @($missing) -join ', ' } else { 'Microsoft.ML or ONNX Runtime' }
  Say "The package feed lacks ${what}: building with ONNX Runtime from npm and standins/Microsoft.ML instead (--packages nuget insists on the feed)."
}

# --- Switching ----------------------------------------------------------------------------------------------------------------------

function Get-LocalProps([string] $Version) {
  $lines = @(
    '<Project>'
    '  <!-- Written by the scripts of this folder, because the package feed lacks Microsoft.ML or ONNX Runtime. Delete it to have the feed asked again. -->'
    '  <PropertyGroup>'
    '    <PackagesFrom Condition="''$(PackagesFrom)'' == ''''">standin</PackagesFrom>'
  )
  if ($Version) { $lines += '    <GoogleProtobufVersion Condition="''$(GoogleProtobufVersion)'' == ''''">' + $Version + '</GoogleProtobufVersion>' }
  $lines += @('  </PropertyGroup>', '</Project>', '')
  return $lines -join "`n"
}

# What the obj folders were last restored for.
function Get-BuiltPackages {
  $built = (Read-Text $BuiltFile).Trim()
  if ($built) { return $built }
  if ((Read-Text $LocalProps) -match 'standin') { return 'standin' }
  return 'nuget'
}

# Neither NuGet nor MSBuild takes away what the other kind of package has put into obj and bin (a native library, say).
function Remove-Builds {
  foreach ($pattern in 'src/*/*.csproj', 'standins/*/*.csproj', 'samples/*/*.csproj', 'tests/*/*.csproj', 'bench/*.csproj') {
    foreach ($project in @(Get-ChildItem -Path (Join-Path $Root $pattern) -ErrorAction Ignore)) {
      foreach ($name in 'bin', 'obj') {
        $folder = Join-Path $project.DirectoryName $name
        if (Test-Path -LiteralPath $folder) { Remove-Item -LiteralPath $folder -Recurse -Force }
      }
    }
  }
}

# Sets $Packages and makes the repository build with them.
function Select-Packages {
  $chosen = $ForcedPackages
  if (-not $chosen) { $chosen = Get-RememberedPackages }
  if (-not $chosen) {
    Request-Answer
    $chosen = Get-Answer 0
  }
  $script:Packages = $chosen
  if ($chosen -ne (Get-BuiltPackages)) { Remove-Builds }
  if ($chosen -eq 'standin') {
    if ((Get-Answer 0) -eq 'standin' -and (Get-Answer 2) -eq (Get-FeedFingerprint)) {
      $version = Get-Answer 1
    } elseif (Find-Protobuf) {
      $version = $Protobuf
    } else {
      $version = Get-Answer 1
    }
    $text = Get-LocalProps $version
    if ((Read-Text $LocalProps) -ne $text) { [IO.File]::WriteAllText($LocalProps, $text) }
    Install-OnnxRuntime
  } elseif (Test-Path -LiteralPath $LocalProps) {
    Remove-Item -LiteralPath $LocalProps
  }
  [IO.File]::WriteAllText($BuiltFile, "$chosen`n")
}

# --- ONNX Runtime from npm ----------------------------------------------------------------------------------------------------------

function Get-PackageHashes([string] $LockFile) {
  return (@([regex]::Matches((Read-Text $LockFile), '"integrity": *"[^"]*"') | ForEach-Object { $_.Value }) | Sort-Object) -join "`n"
}

function Install-OnnxRuntime {
  $folder = Join-Path $Root 'standins/OnnxRuntime'
  # npm leaves behind what it has installed; a package is the same if its hash is.
  $installed = Join-Path $folder 'node_modules/.package-lock.json'
  if ((Test-Path -LiteralPath $installed) -and (Get-PackageHashes $installed) -eq (Get-PackageHashes (Join-Path $folder 'package-lock.json'))) { return }
  # The application, not npm.ps1, which an execution policy may forbid.
  $npm = Get-Command npm.cmd, npm -CommandType Application -ErrorAction Ignore | Select-Object -First 1
  if (-not $npm) { Stop-With 'npm is missing, which brings ONNX Runtime: install Node.js with npm (Windows: winget install OpenJS.NodeJS.LTS), then open a new terminal.' }
  Say 'Installing ONNX Runtime with npm ...'
  $lines = @(Invoke-Program $folder $npm.Source @('ci', '--ignore-scripts', '--no-audit', '--no-fund'))
  if ($LASTEXITCODE -ne 0) {
    foreach ($line in $lines) { Say $line }
    Stop-With 'npm could not install ONNX Runtime into standins/OnnxRuntime.'
  }
}

# --- The tool -----------------------------------------------------------------------------------------------------------------------

$Tool = Join-Path $Root 'src/Cli/bin/Release/net10.0/mlnetbn.dll'

# Every file that the tool is built from.
function Get-SourceFiles([string] $Folder) {
  [IO.Directory]::GetFiles($Folder)
  foreach ($inner in [IO.Directory]::GetDirectories($Folder)) {
    if (@('bin', 'obj', 'node_modules') -notcontains [IO.Path]::GetFileName($inner)) { Get-SourceFiles $inner }
  }
}

# Changes when the tool must be built again: source, how it is built, where its packages come from. Contents, not dates: a clone, a copy
# and a checkout of another branch all have dates that say nothing.
function Get-ToolFingerprint([string] $Source) {
  [string[]] $files = @('src', 'standins', 'sample-data' | ForEach-Object { Get-SourceFiles (Join-Path $Root $_) })
  $files += @('Directory.Build.props', 'Directory.Build.targets', 'Directory.Packages.props', '.editorconfig' | ForEach-Object { Join-Path $Root $_ })
  [Array]::Sort($files, [StringComparer]::Ordinal)
  $parts = @($Source, (Get-FeedFingerprint), (Read-Text $LocalProps))
  $sha = [Security.Cryptography.SHA256]::Create()
  try {
    $parts += @(foreach ($file in $files) { $file + [BitConverter]::ToString($sha.ComputeHash([IO.File]::ReadAllBytes($file))) })
  } finally {
    $sha.Dispose()
  }
  return Get-Fingerprint $parts
}

function Test-ToolBuilt {
  $wanted = $ForcedPackages
  if (-not $wanted) { $wanted = Get-RememberedPackages }
  return [bool] ($wanted -and (Test-Path -LiteralPath $Tool) -and (Read-Text $ToolFile) -eq (Get-ToolFingerprint $wanted))
}

function Build-Tool {
  # Whoever held the lock before may have built it.
  if (Test-ToolBuilt) { return }
  Assert-Sdk
  Select-Packages
  Say 'Building mlnetbn ...'
  # Taken before the build: what is edited meanwhile is built next time.
  $builtFrom = Get-ToolFingerprint $Packages
  if (-not (Invoke-Build 'src/Cli/MlNetBatchNorm.Cli.csproj' @())) { Stop-With 'The build failed.' }
  [IO.File]::WriteAllText($ToolFile, $builtFrom)
}
