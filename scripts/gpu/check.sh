#!/usr/bin/env bash
# Checks on a machine with an NVIDIA GPU what docs/gpu.md says, and times it: ./check.sh [RESULTS [SECONDS]]
# Lies beside what bundle.sh made; needs no .NET and no network. Leaves RESULTS/gpu.json and RESULTS/gpu.txt (default: results, beside
# it). SECONDS (default 1) is how long each time is measured, 0 = none. Everything ends within $MLNETBN_GPU_MINUTES (default 8).
# Exit code: 0 fine; 1 a check failed; 2 the bundle is incomplete or damaged; 4 there is no GPU here, and all that can be checked
# without is fine.
set -uo pipefail
here="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
results="${1:-$here/results}" seconds="${2:-1}"
end=$((SECONDS + 60 * ${MLNETBN_GPU_MINUTES:-8}))
mkdir -p "$results" && results="$(cd -- "$results" && pwd)" || exit 2
json="$results/gpu.json" text="$results/gpu.txt"
rm -f "$json"
exec > >(tee "$text") 2>&1
logger=$!
finish() { echo "[$SECONDS s] $2"; exec >&- 2>&-; wait "$logger"; exit "$1"; }
failed=0
# step NAME COMMAND...: runs it, in the time that is left; sets code.
step() {
  local name="$1" left=$((end - SECONDS - 10))
  shift
  echo; echo "== [$SECONDS s] $name"
  [ "$left" -gt 0 ] || { echo "FAILED $name: no time left"; failed=1 code=124; return; }
  timeout -k 5 "$left" "$@" </dev/null
  code=$?
  [ "$code" != 124 ] || echo "FAILED $name: it did not end in time"
}
must() { step "$@"; [ "$code" = 0 ] || { echo "FAILED $1: exit code $code"; failed=1; }; }

# 1. Join what is here, unless that was done before.
cd "$here" || exit 2
unpacked="$here/unpacked"
for archive in cuda app; do
  [ -f "$archive.sha256" ] || finish 2 "$archive.sha256 is missing: copy all that bundle.sh made"
  if [ -d "$unpacked/$archive" ] && cmp -s "$archive.sha256" "$unpacked/$archive.done"; then continue; fi
  for part in $(cut -c67- "$archive.sha256"); do [ -f "$part" ] || finish 2 "$part is missing: copy all that bundle.sh made"; done
  sha256sum --quiet -c "$archive.sha256" || finish 2 "$archive is damaged: copy its parts again"
  rm -rf "${unpacked:?}/$archive"; mkdir -p "$unpacked/$archive"
  # Where there is no xz, Python has one.
  if command -v xz >/dev/null; then unxz=(xz -dc)
  else unxz=(python3 -c 'import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.stdin.buffer), sys.stdout.buffer)'); fi
  cat "$archive".tar.xz.[0-9][0-9] | "${unxz[@]}" | tar -C "$unpacked/$archive" -xf - || finish 2 "$archive cannot be unpacked"
  cp "$archive.sha256" "$unpacked/$archive.done"
  echo "[$SECONDS s] $archive is unpacked"
done

# 2. Two programs of the same files: one whose ONNX Runtime has CUDA inside, and one that registers the provider. In the first,
# everything lies in one folder, as an application's does.
app="$unpacked/app" expected="$unpacked/app/expected"
for way in inside registered; do
  mkdir -p "$unpacked/$way"
  cp -rlf "$app/." "$unpacked/$way" && cp -lf "$unpacked/cuda/$way"/* "$unpacked/$way" ||
    finish 2 "$unpacked/$way cannot be made"
done
inside="$unpacked/inside" registered="$unpacked/registered"
library="$inside/libonnxruntime_providers_cuda.so"
chmod +x "$inside/gpu-checks" "$inside/mlnetbn" "$registered/gpu-checks" 2>/dev/null

# 3. CUDA's and cuDNN's libraries: where the loader looks, in the usual folders, and in Python's packages.
needed="libcudart.so.13 libcublas.so.13 libcublasLt.so.13 libcurand.so.10 libcudnn.so.9"
places=(/usr/local/cuda/lib64 /usr/local/cuda-13*/lib64 /usr/local/cuda/targets/x86_64-linux/lib /usr/lib/x86_64-linux-gnu /usr/lib64
  /usr/local/nvidia/lib64 /opt/*/.venv/lib/python3*/site-packages/nvidia/*/lib)
for python in python3 python; do
  command -v "$python" >/dev/null || continue
  while IFS= read -r site; do places+=("$site"/nvidia/*/lib); done < <("$python" -c 'import sys; print(*filter(None, sys.path), sep="\n")')
done
paths=
for name in $needed; do
  found="$(ldconfig -p 2>/dev/null | sed -nE "s/^\s*${name//./\\.} .*=> (.*)/\1/p" | head -1)"
  for place in ${LD_LIBRARY_PATH:+${LD_LIBRARY_PATH//:/ }} "${places[@]}"; do
    [ -z "$found" ] && [ -e "$place/$name" ] || continue
    found="$place/$name"
    case ":$paths:" in *":$place:"*) ;; *) paths="${paths:+$paths:}$place" ;; esac
  done
  echo "$name: ${found:-not found}"
done
# The driver of some containers lies where only they know.
[ -e /usr/local/nvidia/lib64/libcuda.so.1 ] && paths="${paths:+$paths:}/usr/local/nvidia/lib64"
export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$paths"
echo "LD_LIBRARY_PATH=$LD_LIBRARY_PATH"

# 4. On the CPU, with the very files: does the bundle run here at all?
must "self-test on the CPU" "$inside/gpu-checks" run "$expected" "$json" --device cpu --section cpu
must "devices" "$inside/mlnetbn" devices
step "driver" "$inside/gpu-checks" driver
if [ "$code" != 0 ]; then
  [ "$failed" = 0 ] || finish 1 "no GPU, and what can be checked without one failed"
  finish 4 "no GPU: all that can be checked without one is fine"
fi
command -v nvidia-smi >/dev/null && step "nvidia-smi" nvidia-smi

# 5. On the GPU; times last, of what is shortest to say.
must "CUDA inside ONNX Runtime" "$inside/gpu-checks" run "$expected" "$json" --device cuda --section inside
must "the provider registered" "$registered/gpu-checks" run "$expected" "$json" --library "$library" --section registered
must "the tool trains, folds and scores" "$inside/mlnetbn" demo --device cuda --out "$results/demo"
rm -rf "$results/demo"
if [ "$seconds" != 0 ]; then
  must "times" "$inside/gpu-checks" time "$json" --device cuda --section times --seconds "$seconds"
  if python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
    rm -f "$results/torch.json"
    step "times of PyTorch" python3 "$here/torch_times.py" --seconds "$seconds" "$results/torch.json"
    # Whatever there was time for; a moment is left to write it down.
    [ ! -f "$results/torch.json" ] || "$inside/gpu-checks" add "$json" "$results/torch.json" --section torch
    rm -f "$results/torch.json" "$results/torch.json.new"
  else echo "python3 has no PyTorch with CUDA: nothing to compare with"; fi
fi
[ "$failed" = 0 ] && finish 0 "all is fine" || finish 1 "something failed: see $text"
