#!/usr/bin/env bash
# Runs the project's tests and ends with one line: "N passed, N failed".
# Usage: scripts/test.sh [arguments of go test; default: ./...]
# It installs what the tests need and this machine lacks: dbus-daemon, on which
# the tests of package bluez run a private bus, shellcheck and systemd-analyze,
# which look at the scripts and the units, man, which reads the man page, and
# python3 for the provider of the Green Metrics Tool.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

need dbus-daemon dbus
need shellcheck shellcheck
need systemd-analyze systemd
need python3 python3
need man man-db
[ $# -gt 0 ] || set -- ./...
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
run_tests "$log" go test -v "$@" || status=$?
summary "$log" "$status"
