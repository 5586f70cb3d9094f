# shellcheck shell=bash
# Sourced by run.sh and test.sh, which set $root: what has to be on the machine before anything is built, and where the packages
# come from. "nuget" is the feed; "standin" is ONNX Runtime from npm and standins/Microsoft.ML, for feeds that lack Microsoft.ML or
# ONNX Runtime (docs/architecture.md, "Packages"). scripts/packages.ps1 is the same for PowerShell.
#
#   MLNETBN_PACKAGES=nuget|standin   forces one of the two, as does --packages as the first option
#   MLNETBN_MSBUILD="-p:NAME=VALUE"  is handed to every build, so that a feed with other versions can be used

# What was found out here is kept in this git-ignored folder.
state="$root/.restore"
local_props="$root/Dependencies.local.props"
# How many days a feed that lacked the packages is believed to lack them still.
standin_days=7

forced_packages="${MLNETBN_PACKAGES-}"
read -r -a msbuild_options <<<"${MLNETBN_MSBUILD-}"

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "$*"
  exit 1
}

# Takes "--packages nuget|standin" off the front of the arguments: sets $forced_packages, and $taken to the number of arguments used.
take_packages_option() {
  taken=0
  case "${1-}" in
    --packages)
      forced_packages="${2-}"
      taken=2
      ;;
    --packages=*)
      forced_packages="${1#--packages=}"
      taken=1
      ;;
  esac
  case "$forced_packages" in
    nuget | standin) ;;
    '') [ "$taken" = 0 ] || { say "--packages needs a value: nuget or standin."; exit 2; } ;;
    *)
      say "Packages can come from nuget or standin, not from '$forced_packages' (--packages, MLNETBN_PACKAGES)."
      exit 2
      ;;
  esac
}

# --- .NET ---------------------------------------------------------------------------------------------------------------------------

find_dotnet() {
  command -v dotnet >/dev/null && return
  local folder
  for folder in "${DOTNET_ROOT-}" "$HOME/.dotnet" /usr/share/dotnet /usr/lib/dotnet /usr/local/share/dotnet; do
    if [ -n "$folder" ] && [ -x "$folder/dotnet" ]; then
      PATH="$folder:$PATH"
      return
    fi
  done
  fail ".NET is missing: install the .NET SDK 10.0 (https://dotnet.microsoft.com/download/dotnet/10.0) and put dotnet on the PATH."
}

require_sdk() {
  local found
  # Asked in the repository, where global.json says which SDKs will do.
  if ! (cd "$root" && DOTNET_NOLOGO=1 dotnet --version) >/dev/null 2>&1; then
    found="$(cd / && dotnet --list-sdks 2>/dev/null | cut -d' ' -f1 | paste -sd' ' - || true)"
    fail "The .NET SDK 10.0 is missing (found: ${found:-no SDK}): install it from https://dotnet.microsoft.com/download/dotnet/10.0"
  fi
}

# dotnet for building: in the repository (global.json, NuGet.config), in English (its messages are read below), leaving nothing running
# behind, reading nothing from the terminal and not holding the lock (descriptor 9).
sdk() {
  (
    cd "$root"
    export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_CLI_UI_LANGUAGE=en MSBUILDTERMINALLOGGER=off MSBUILDDISABLENODEREUSE=1
    # The compiler server speeds up the next build; a CI machine has none, and may wait for the server to end.
    [ "${CI-}" != true ] || export UseSharedCompilation=false
    verb="$1"
    shift
    if [ "$verb" = format ]; then
      # The one verb that takes no properties; as environment variables they do as well.
      for option in ${msbuild_options[@]+"${msbuild_options[@]}"}; do
        [[ ! "$option" =~ ^-+p(roperty)?:([A-Za-z_]+=.*)$ ]] || export "${BASH_REMATCH[2]?}"
      done
    else
      set -- ${msbuild_options[@]+"${msbuild_options[@]}"} "$@"
    fi
    exec dotnet "$verb" "$@" </dev/null 9>&-
  )
}

# Runs a command with its output in $state/NAME.log, shown only if the command fails: quietly NAME COMMAND ...
quietly() {
  local log="$state/$1.log"
  shift
  "$@" >"$log" 2>&1 || {
    cat "$log" >&2
    return 1
  }
}

# One run.sh or test.sh at a time in this folder; where there is no flock, that is left to the user.
with_lock() {
  mkdir -p "$state"
  if command -v flock >/dev/null; then
    { flock 9 && "$@"; } 9>"$state/lock"
  else
    "$@"
  fi
}

# --- Debian's packages --------------------------------------------------------------------------------------------------------------

can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

install_debian() {
  local reason="$1"
  shift
  say "Installing $* with apt-get: $reason."
  quietly apt-get env DEBIAN_FRONTEND=noninteractive bash -c '
    apt-get -o DPkg::Lock::Timeout=300 -q update &&
    apt-get -o DPkg::Lock::Timeout=300 -q -y --no-install-recommends install "$@"' apt-get "$@" </dev/null 9>&-
}

# --- What the feed has --------------------------------------------------------------------------------------------------------------

# Every file that NuGet may take its sources from.
nuget_configs() {
  local folder="$root"
  while :; do
    ls "$folder"/[Nn]u[Gg]et.[Cc]onfig 2>/dev/null || true
    [ "$folder" != / ] && [ -n "$folder" ] || break
    folder="$(dirname "$folder")"
  done
  ls "$HOME"/.nuget/NuGet/NuGet.Config "$HOME"/.config/NuGet/NuGet.Config "$HOME"/.nuget/config/*.config 2>/dev/null || true
  [ -z "${RestoreConfigFile-}" ] || printf '%s\n' "$RestoreConfigFile"
}

# Changes when the feed or the wanted versions may have changed.
feed_fingerprint() {
  {
    cat "$root/Directory.Packages.props" "$root/scripts/probe/Probe.csproj" "$root/global.json"
    printf '%s\n' "${MLNETBN_MSBUILD-}"
    # MSBuild takes environment variables for properties.
    env | grep -E '^(Restore[A-Za-z]*|NUGET_[A-Z_]*|[A-Za-z]*Version|OnnxRuntimeFlavor)=' | LC_ALL=C sort || true
    nuget_configs | while IFS= read -r config; do cat "$config" 2>/dev/null || true; done
  } | cksum
}

# Restores the probe project: probe everything, or probe protobuf. Its messages are left in $state/probe.log.
probe() {
  # A restore that failed for want of a network is worth a second try; one that lacked a package is not.
  local try
  for try in 1 2; do
    if sdk restore scripts/probe/Probe.csproj -v quiet -nodeReuse:false -p:PackagesFrom=nuget "-p:Probe=$1" >"$state/probe.log" 2>&1; then
      return 0
    fi
    ! lacks_packages || return 1
    [ "$try" = 2 ] || sleep 2
  done
  return 1
}

lacks_packages() { grep -qE 'error NU110[0-3]:' "$state/probe.log"; }

# The state file "feed": the answer (nuget or standin), the version of Google.Protobuf to take with it, the fingerprint of the question.
answer() { sed -n "$1p" "$state/feed" 2>/dev/null || true; }

# The remembered answer, if the question is still the same; nothing otherwise.
remembered_packages() {
  [ -f "$state/feed" ] && [ "$(answer 3)" = "$(feed_fingerprint)" ] || return 0
  if [ "$(answer 1)" = standin ]; then
    # Whoever deletes the file wants the feed to be asked again; and one day the feed may have the packages after all.
    [ -f "$local_props" ] && [ -z "$(find "$state/feed" -mtime "+$standin_days")" ] || return 0
  fi
  answer 1
}

remember() { printf '%s\n' "$@" "$(feed_fingerprint)" >"$state/feed"; }

# Google.Protobuf is the one package that both ways take from the feed; where the wanted version is missing, the stand-ins can do with
# the nearest one. Sets $protobuf to that version, or to nothing if the wanted one is there.
find_protobuf() {
  protobuf=
  probe protobuf && return
  protobuf="$(sed -nE 's/.*Nearest version: ([0-9][^ ]*) .*/\1/p' "$state/probe.log" | head -n 1)"
  [ -n "$protobuf" ]
}

ask_feed() {
  local missing
  if probe everything; then
    remember nuget ''
    return
  fi
  missing="$(sed -nE 's/.*error NU110[0-3]: Unable to find package ([^ ]+)( with version \(>= ([^)]+)\))?.*/\1 \3/p' "$state/probe.log" |
    sed -E 's/\.? *$//' | LC_ALL=C sort -u | paste -sd, - | sed 's/,/, /g')"
  if ! find_protobuf; then
    # Nothing was learned about the feed: better the old answer than none.
    if [ -f "$state/feed" ]; then
      say "The package feed cannot be asked ($(first_error)); going on with packages from $(answer 1) as before."
      touch "$state/feed"
      return
    fi
    fail "The package feed cannot be asked ($(first_error)); mend that, or choose with --packages nuget|standin."
  fi
  remember standin "$protobuf"
  say "The package feed lacks ${missing:-Microsoft.ML or ONNX Runtime}: building with ONNX Runtime from npm and standins/Microsoft.ML instead (--packages nuget insists on the feed)."
}

first_error() { sed -nE 's/.*(error [A-Z]+[0-9]+: .*)/\1/p' "$state/probe.log" | sed -E 's/ \[[^]]*\]$//; s/\.$//' | head -n 1; }

# --- Switching ----------------------------------------------------------------------------------------------------------------------

write_local_props() {
  local version=
  [ -z "$1" ] || version="
    <GoogleProtobufVersion Condition=\"'\$(GoogleProtobufVersion)' == ''\">$1</GoogleProtobufVersion>"
  cat <<END
<Project>
  <!-- Written by the scripts of this folder, because the package feed lacks Microsoft.ML or ONNX Runtime. Delete it to have the feed asked again. -->
  <PropertyGroup>
    <PackagesFrom Condition="'\$(PackagesFrom)' == ''">standin</PackagesFrom>$version
  </PropertyGroup>
</Project>
END
}

# What the obj folders were last restored for.
built_packages() {
  if [ -f "$state/built" ]; then
    cat "$state/built"
  elif [ -f "$local_props" ] && grep -q standin "$local_props"; then
    echo standin
  else
    echo nuget
  fi
}

# Neither NuGet nor MSBuild takes away what the other kind of package has put into obj and bin (a native library, say).
forget_builds() {
  local project
  for project in "$root"/src/*/*.csproj "$root"/standins/*/*.csproj "$root"/samples/*/*.csproj "$root"/tests/*/*.csproj "$root"/bench/*.csproj; do
    rm -rf "${project%/*}/bin" "${project%/*}/obj"
  done
}

# Builds a project or the solution: build WHAT OPTION ... It says something only if it fails, and each line once (MSBuild's summary says
# again what was said before).
build() {
  sdk build "$@" -c Release -v quiet -nologo -nodeReuse:false >"$state/build.log" 2>&1 && return
  grep -E ': (error|warning) |error MSB' "$state/build.log" | awk '!seen[$0]++' >&2 || cat "$state/build.log" >&2
  return 1
}

# Sets $packages and makes the repository build with them.
choose_packages() {
  local protobuf=
  packages="${forced_packages:-$(remembered_packages)}"
  if [ -z "$packages" ]; then
    ask_feed
    packages="$(answer 1)"
  fi
  [ "$packages" = "$(built_packages)" ] || forget_builds
  if [ "$packages" = standin ]; then
    if [ "$(answer 1)" = standin ] && [ "$(answer 3)" = "$(feed_fingerprint)" ]; then
      protobuf="$(answer 2)"
    else
      find_protobuf || protobuf="$(answer 2)"
    fi
    write_local_props "$protobuf" >"$state/props"
    cmp -s "$state/props" "$local_props" || cp "$state/props" "$local_props"
    install_onnxruntime
  else
    rm -f "$local_props"
  fi
  printf '%s\n' "$packages" >"$state/built"
}

# --- ONNX Runtime from npm ----------------------------------------------------------------------------------------------------------

install_onnxruntime() {
  local folder="$root/standins/OnnxRuntime"
  # npm leaves behind what it has installed; a package is the same if its hash is.
  local installed="$folder/node_modules/.package-lock.json"
  if [ -f "$installed" ] && [ "$(hashes "$installed")" = "$(hashes "$folder/package-lock.json")" ]; then
    return
  fi
  if ! command -v npm >/dev/null; then
    can_install || fail "npm is missing, which brings ONNX Runtime: install Node.js with npm (Debian: apt-get install nodejs npm)."
    install_debian "npm brings ONNX Runtime" nodejs npm || fail "npm could not be installed; without it there is no ONNX Runtime."
  fi
  say "Installing ONNX Runtime with npm ..."
  (cd "$folder" && quietly npm npm ci --ignore-scripts --no-audit --no-fund </dev/null 9>&-) ||
    fail "npm could not install ONNX Runtime into standins/OnnxRuntime."
}

hashes() { grep -oE '"integrity": *"[^"]*"' "$1" | LC_ALL=C sort; }

# --- The tool -----------------------------------------------------------------------------------------------------------------------

tool="$root/src/Cli/bin/Release/net10.0/mlnetbn.dll"

# Changes when the tool must be built again: source, how it is built, where its packages come from. Contents, not dates: a clone, a copy
# and a checkout of another branch all have dates that say nothing.
tool_fingerprint() {
  {
    printf '%s\n' "$1"
    feed_fingerprint
    cat "$local_props" 2>/dev/null || true
    cd "$root"
    find src standins sample-data Directory.Build.props Directory.Build.targets Directory.Packages.props .editorconfig \
      \( -name bin -o -name obj -o -name node_modules \) -prune -o -type f -exec cksum {} + | LC_ALL=C sort
  } | cksum
}

tool_is_built() {
  local wanted="${forced_packages:-$(remembered_packages)}"
  [ -n "$wanted" ] && [ -f "$tool" ] && [ -f "$state/tool" ] && [ "$(cat "$state/tool")" = "$(tool_fingerprint "$wanted")" ]
}

build_tool() {
  # Whoever held the lock before may have built it.
  if tool_is_built; then return; fi
  require_sdk
  choose_packages
  say "Building mlnetbn ..."
  # Taken before the build: what is edited meanwhile is built next time.
  local built_from
  built_from="$(tool_fingerprint "$packages")"
  build src/Cli/MlNetBatchNorm.Cli.csproj || fail "The build failed."
  printf '%s\n' "$built_from" >"$state/tool"
}
