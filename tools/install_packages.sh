#!/usr/bin/env bash
# install_packages.sh PACKAGE=CHECK...: installs the Debian packages whose CHECK (a command, a file, or a pattern of
# files) is not there; without the right to install, or without apt, it says what is missing and exits 1.
set -euo pipefail

missing=()
for item in "$@"; do
  check=${item#*=}
  if [[ $check == /* ]]; then
    compgen -G "$check" >/dev/null || missing+=("${item%%=*}")
  else
    command -v "$check" >/dev/null || missing+=("${item%%=*}")
  fi
done
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi

give_up() {
  echo "Missing: ${missing[*]}" >&2
  echo "$1 On Debian or Ubuntu:  apt-get install ${missing[*]}" >&2
  exit 1
}
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
    give_up "Please install them as root, then run this again."
  fi
  as_root=(sudo -n)
fi
command -v apt-get >/dev/null || give_up "Please install them with your system's package manager, then run this again."

echo "Installing ${missing[*]} ..." >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${as_root[@]}" apt-get update -q &&
       "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}"; } \
     >"$log" 2>&1; then
  tail -n 3 "$log" >&2
  give_up "apt-get could not install them (no network?)."
fi
