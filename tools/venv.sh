#!/bin/sh
# Makes a virtual environment in $1. Debian and Ubuntu ship Python without the venv package, so it
# is installed where that needs no password, and named where it does.
set -eu
python=${PYTHON:-python3}

fail() { echo "make: $1" >&2; exit 1; }

command -v "$python" >/dev/null ||
  fail "$python is not installed. On Debian or Ubuntu: sudo apt-get install python3 python3-venv"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$("$python" --version) is too old: nestcast needs 3.11. Name a newer one: make PYTHON=python3.12"

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  package=python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv
  if [ "$(id -u)" = 0 ]; then as_root=""; else as_root="sudo -n"; fi
  echo "installing $package, which Python needs to make a virtual environment" >&2
  { $as_root apt-get update -qq && $as_root apt-get install -qq -y "$package"; } >/dev/null ||
    fail "cannot make a virtual environment. Run this, then make again: sudo apt-get install $package"
fi
"$python" -m venv "$1"
