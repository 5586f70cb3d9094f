# shellcheck shell=bash
# For scripts whose steps take a while: . progress.sh "$@" takes --quiet and --json-lines, steps COUNT says how many there are, and
# step TEXT begins the next one: a line on stderr with the time left from the second on, nothing, or a JSON object.
form=text step_count=0 step_number=0 steps_since=$SECONDS
for argument in "$@"; do
  case "$argument" in
    --quiet) form=quiet ;;
    --json-lines) form=json ;;
    *) printf '%s\n' "$argument is no option; there are --quiet and --json-lines." >&2 && exit 2 ;;
  esac
done

steps() { step_count=$1 step_number=0 steps_since=$SECONDS; }

step() {
  local left=null text=""
  if [ "$step_number" -gt 0 ]; then
    left=$(((SECONDS - steps_since) * (step_count - step_number) / step_number))
    text="$(printf ', about %02d:%02d left' $((left / 60)) $((left % 60)))"
  fi
  case "$form" in
    text) printf '%s\n' "$((step_number + 1)) of $step_count: $1$text" >&2 ;;
    json)
      local work="${1//\\/\\\\}"
      printf '{"event":"progress","work":"%s","unit":"steps","done":%d,"total":%d,"seconds":%d,"secondsLeft":%s}\n' \
        "${work//\"/\\\"}" "$step_number" "$step_count" $((SECONDS - steps_since)) "$left" >&2
      ;;
  esac
  step_number=$((step_number + 1))
}

# What is said in the end.
finished() {
  case "$form" in
    text) printf '%s\n' "$1" >&2 ;;
    json) printf '{"event":"message","message":"%s"}\n{"event":"done","exitCode":0,"seconds":%d}\n' "$1" "$SECONDS" >&2 ;;
  esac
}
