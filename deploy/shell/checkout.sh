# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Builds in the checkout as the user who owns it, so that nothing in it ends up owned by root under sudo.

# shellcheck disable=SC2154  # root, the checkout's path, is set by the script that sources this

# as_owner COMMAND ARG… : runs it as the owner of $root (as ourselves where that is root)
as_owner() {
  local owner home
  owner=$(stat -c %U "$root")
  if [ "$(id -u)" != 0 ] || [ "$owner" = root ] || ! home=$(getent passwd "$owner" | cut -d: -f6) || [ -z "$home" ]; then
    "$@"
  else
    setpriv --reuid="$owner" --regid="$(id -g "$owner")" --init-groups env HOME="$home" USER="$owner" LOGNAME="$owner" "$@"
  fi
}

# configure PRESET OPTION… : CMake, again only when the options changed (ninja itself sees changes of CMakeLists.txt)
configure() {
  local preset=$1 directory=build wanted
  [ "$1" = release ] || directory=build-$1
  shift
  wanted="$preset $*"
  [ -f "$root/$directory/build.ninja" ] && [ "$(cat "$root/$directory/configured" 2>/dev/null)" = "$wanted" ] && return 0
  as_owner cmake -S "$root" --preset "$preset" "$@" || return
  as_owner tee "$root/$directory/configured" <<<"$wanted" >/dev/null
}
