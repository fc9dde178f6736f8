# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Runs long steps quietly: on a terminal the elapsed time and the last line of output, elsewhere a line now and then.

step_group=   # process group of the running step, so that an interrupted script can end all of it
# shellcheck disable=SC2034  # read by the scripts that source this
step_failed=  # log of the step that failed
logs=${logs:-}

say() { printf '%s\n' "$*"; }
bold() { if [ -t 1 ]; then printf '\033[1m%s\033[0m\n' "$*"; else printf '%s\n' "$*"; fi; }

# elapsed SECONDS → "7 s" or "2 min 05 s"
elapsed() { if (($1 < 60)); then printf '%d s' "$1"; else printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); fi; }

last_line() { tail -c 400 "$1" 2>/dev/null | tr '\r' '\n' | sed -e 's/\x1b\[[0-9;]*[A-Za-z]//g' -e '/^[[:space:]]*$/d' | tail -n 1; }

end_step() {
  [ -n "$step_group" ] || return 0
  kill -TERM -- "-$step_group" 2>/dev/null || true
  wait "$step_group" 2>/dev/null || true
  step_group=
}

# watch TITLE LOG COMMAND ARG… : runs it in a process group of its own, output to LOG; says how long it is at it; the command's status
watch() {
  local title=$1 log=$2 begun=$SECONDS said=$SECONDS width
  shift 2
  set -m
  "$@" >"$log" 2>&1 </dev/null &
  step_group=$!
  set +m
  while kill -0 "$step_group" 2>/dev/null; do
    if [ -t 1 ]; then
      width=$(($(tput cols 2>/dev/null || echo 80) - ${#title} - 20))
      printf '\r\033[K  %s … %s  \033[2m%.*s\033[0m' "$title" "$(elapsed $((SECONDS - begun)))" $((width > 0 ? width : 0)) "$(last_line "$log")"
    elif ((SECONDS - said >= ${progress_interval_seconds:-20})); then
      said=$SECONDS
      printf '  %s … %s  %.100s\n' "$title" "$(elapsed $((SECONDS - begun)))" "$(last_line "$log")"
    fi
    sleep 0.2
  done
  local status=0
  wait "$step_group" || status=$?
  step_group=
  if [ -t 1 ]; then printf '\r\033[K'; fi
  return "$status"
}

# step TITLE COMMAND ARG… : the same with the outcome as a line; the log is in $logs, and its end is shown on failure
step() {
  local title=$1 log status=0 begun=$SECONDS
  shift
  log=$logs/$(tr -cs '[:alnum:]' '-' <<<"$title" | sed 's/-*$//').log
  watch "$title" "$log" "$@" || status=$?
  if ((status == 0)); then
    printf '  %s: %s\n' "$title" "$(elapsed $((SECONDS - begun)))"
  else
    # shellcheck disable=SC2034
    step_failed=$log
    printf '  %s: failed after %s; the end of %s:\n' "$title" "$(elapsed $((SECONDS - begun)))" "$log"
    tail -n 30 "$log" | sed 's/^/    | /'
  fi
  return "$status"
}
