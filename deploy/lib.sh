#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# For deploy/quickstart and tests/run. Sourced with TOP set to the project's
# root.

# Becomes root by sudo; nothing happens where it is root already.
become_root() { # program, arguments
  [ "$(id -u)" = 0 ] && return
  if ! command -v sudo >/dev/null; then
    echo "$1: needs root (network namespaces), and there is no sudo here" >&2
    exit 1
  fi
  exec sudo -- "$@"
}

packages_of() { # list...
  local list
  for list in "$@"; do cat "$TOP/deploy/packages/$list"; done | sort -u
}

missing_packages() { # list...
  local name
  for name in $(packages_of "$@"); do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || echo "$name"
  done
}

# Installs what is missing of the lists; asks no server where nothing is.
install_packages() { # list...
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} = 0 ] && return
  echo "  \$ apt-get install ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -y -q --no-install-recommends "${missing[@]}" >"$APT_LOG" 2>&1 && return
  # No list of packages yet, or an old one.
  apt-get update -q >>"$APT_LOG" 2>&1 &&
    apt-get install -y -q --no-install-recommends "${missing[@]}" >>"$APT_LOG" 2>&1
}

# Configures and builds a preset; all targets, or those named. What ccache keeps
# stays in the project's own cache folder, and serves every clone.
build_preset() { # preset, log, targets...
  local preset=$1 log=$2
  shift 2
  export CCACHE_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/eoip/ccache-4
  export CCACHE_BASEDIR=$TOP CCACHE_NOHASHDIR=1
  (cd "$TOP" && cmake --preset "$preset" >"$log" 2>&1 &&
    nice ninja -C "build/$preset" "$@" >>"$log" 2>&1)
}
