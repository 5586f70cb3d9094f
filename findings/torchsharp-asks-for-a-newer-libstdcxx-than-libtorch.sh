#!/usr/bin/env bash
# TorchSharp 0.107.0 with libtorch 2.10.0 (NuGet, linux-x64).
#
# One would guess that the thin native binding needs no newer C++ library than the 400 MB of PyTorch that it calls. It is the other way round: libtorch's
# own libraries ask for nothing newer than GLIBCXX_3.4.26 (GCC 9), but libLibTorchSharp.so names GLIBCXX_3.4.32 (GCC 13), and for a single symbol,
# the marker std::ios_base_library_init that newer compilers leave in whatever includes <iostream>. So on Debian 12, Ubuntu 22.04 or RHEL 9, where
# PyTorch itself runs, loading TorchSharp ends with "version `GLIBCXX_3.4.32' not found". Whoever compares with it there needs a newer libstdc++, or
# has to know that nothing in it calls the symbol.
#
# Exit code 0: still so. 1: it changed. Needs the .NET SDK 10 and readelf (binutils).
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >Probe.csproj <<'P'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><TargetFramework>net10.0</TargetFramework></PropertyGroup>
  <ItemGroup>
    <PackageReference Include="TorchSharp" Version="[0.107.0]" />
    <PackageReference Include="libtorch-cpu-linux-x64" Version="[2.10.0]" />
  </ItemGroup>
</Project>
P
dotnet restore --packages packages -v quiet >/dev/null

newest() { readelf -V "$1" | grep -oE 'GLIBCXX_3\.4\.[0-9]+' | sort -t. -k3 -n | tail -n 1 || true; }

binding="$(find packages -name libLibTorchSharp.so -path '*linux-x64*' | head -n 1)"
wanted="$(newest "$binding")"
symbols="$(readelf -W --dyn-syms "$binding" | grep -oE '[^ ]+@GLIBCXX_3\.4\.32' | sort -u)"
echo "libLibTorchSharp.so asks for $wanted, for: $symbols"
echo "relocations that use it: $(readelf -W -r "$binding" | grep -c 'GLIBCXX_3\.4\.32' || true)"
others=""
while IFS= read -r library; do others="$others $(newest "$library")"; done < <(find packages -path '*/libtorch-cpu-linux-x64/*' -name '*.so*' -size +100k)
newest_other="$(tr ' ' '\n' <<<"$others" | grep . | sort -t. -k3 -n | tail -n 1)"
echo "libtorch's own libraries ask for nothing newer than ${newest_other:-(none found)}"
[ "$wanted" = GLIBCXX_3.4.32 ] && [ "$(wc -l <<<"$symbols")" = 1 ] && [ "${newest_other##*.}" -lt 30 ]
