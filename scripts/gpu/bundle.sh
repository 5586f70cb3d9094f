#!/usr/bin/env bash
# Makes what check.sh needs on a Linux machine with an NVIDIA GPU but without .NET and network: scripts/gpu/bundle.sh [FOLDER]
# The folder (default: data/gpu) then has check.sh, torch_times.py and two archives in parts of at most 54 MiB, with their sums:
#   cuda.tar.xz  ONNX Runtime with its CUDA provider; kept as long as the package has the same version
#   app.tar.xz   the tool and the checks with .NET, and the models and numbers that the checks compare with
set -euo pipefail
here="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd -- "$here/../.." && pwd)"
out="$(realpath -m -- "${1:-$root/data/gpu}")"
part=$((54 << 20)) # with the checkout, less than a copy of 64 MiB
mkdir -p "$out"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
say() { echo "[$SECONDS s] $*"; }
version() { sed -nE "s/.*<$1 .*>([0-9.]+)<.*/\1/p" "$root/Directory.Packages.props"; }
gpu="$(version OnnxRuntimeGpuVersion)" cpu="$(version OnnxRuntimeVersion)"
packages="${NUGET_PACKAGES:-$HOME/.nuget/packages}"

# pack NAME FOLDER: a tar of the folder, compressed and in parts, with their sums.
pack() {
  rm -f "$out/$1".tar.xz.*
  tar -C "$2" --owner=0 --group=0 -cf - . | xz -T0 -1 -c | split -b "$part" -d -a 2 - "$out/$1.tar.xz."
  (cd "$out" && sha256sum "$1".tar.xz.[0-9][0-9] >"$1.sha256")
  say "$1: $(du -cb "$out/$1".tar.xz.[0-9][0-9] | tail -1 | cut -f1) bytes in $(wc -l <"$out/$1.sha256") parts"
}

# One publish builds the program with everything that it refers to, the next one finds that done. Away from the checkout's own builds.
publish() {
  dotnet publish "$root/$1" -c Release -r linux-x64 --self-contained --artifacts-path "$work/build" -o "$work/app" -v quiet -nologo \
    -p:OnnxRuntimeFlavor=Gpu -p:RunAnalyzers=false -p:DebugType=none </dev/null
}

native="$packages/microsoft.ml.onnxruntime.gpu.linux/$gpu/runtimes/linux-x64/native"
dotnet restore "$root/scripts/gpu" -r linux-x64 --artifacts-path "$work/build" -p:OnnxRuntimeFlavor=Gpu -v quiet </dev/null
[ -f "$native/libonnxruntime_providers_cuda.so" ] ||
  { echo "The package Microsoft.ML.OnnxRuntime.Gpu.Linux $gpu is not in $packages." >&2; exit 1; }
say "Microsoft.ML.OnnxRuntime.Gpu.Linux $gpu is here"

# The provider takes longest to compress: meanwhile, the rest is built.
packing=
if [ "$(cat "$out/cuda.version" 2>/dev/null)" = "$gpu $cpu $part" ] && (cd "$out" && sha256sum --quiet -c cuda.sha256); then
  say "cuda: as it was"
else
  dotnet restore "$root/src/Cli" -v quiet </dev/null # the CPU's package, for the provider that is registered
  mkdir -p "$work/cuda/inside" "$work/cuda/registered"
  cp "$native"/libonnxruntime.so "$native"/libonnxruntime_providers_{shared,cuda}.so "$work/cuda/inside"
  cp "$packages/microsoft.ml.onnxruntime/$cpu/runtimes/linux-x64/native"/*.so "$work/cuda/registered"
  { pack cuda "$work/cuda" && echo "$gpu $cpu $part" >"$out/cuda.version"; } &
  packing=$!
fi

publish src/Cli
publish scripts/gpu
say "the tool and the checks are built"
rm -f "$work"/app/libonnxruntime* "$work"/app/*.pdb "$work"/app/*.xml # the former are in the other archive
cp "$native/libonnxruntime.so" "$work/app"
"$work/app/gpu-checks" record "$work/app/expected"
rm "$work/app/libonnxruntime.so"
pack app "$work/app"
cp "$here/check.sh" "$here/torch_times.py" "$out"
[ -z "$packing" ] || wait "$packing"
say "ready: copy $out to the machine and start check.sh there"
