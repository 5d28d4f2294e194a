#!/usr/bin/env bash
# Runs the project's tests and ends with one line: "N passed, N failed".
#
# usage: scripts/test.sh [--race] [ARGUMENT of go test]...
#
#   --race    with the race detector, which takes some three times as long; without arguments,
#             TestAccuracy... of each package and internal/integration run without it
#   --help    print this
#
# Without arguments it runs the tests of both modules, this one and internal/integration; the tests
# in virtual machines are run by scripts/vm/test. A test that is skipped counts as failed.
#
# It installs what the tests need and this machine lacks: dbus-daemon, on which the tests of package
# bluez run a private bus, systemd-analyze, which looks at the units, man, which reads the man page,
# zstdcat, which reads recordings, python3 for the provider of the Green Metrics Tool and powerspy.py,
# tmux, in which `powerspy watch` draws, Prometheus and the MQTT broker Mosquitto, which `powerspy
# serve` tells of meters, and Chromium, which looks at pages. npm fetches axe-core, which says what
# keeps people from using those.
set -euo pipefail
# shellcheck source=scripts/lib.bash
. "$(dirname -- "$0")/lib.bash"
cd "$ROOT"

# Results are told behind a mark, so that they are not taken for what tests print.
readonly MARK=$'\x16'
go_test=(go test -v=test2json -vet=off) race=() # scripts/lint.sh looks
if [[ ${1-} == --race ]]; then
	race=(-race)
	shift
fi
if is_help "${1-}"; then
	usage
	exit
fi

need curl curl dbus-daemon dbus systemd-analyze systemd python3 python3 man man-db zstdcat zstd chromium chromium npm npm tmux tmux \
	prometheus prometheus promtool prometheus mosquitto mosquitto mosquitto_sub mosquitto-clients openssl openssl
axe=axe-core-$(sed -n 's/.*axeVersion = "\(.*\)"/\1/p' internal/integration/browser/axe.go)
if [[ ! -f $(cache "$axe.tgz") ]]; then
	say "fetching $axe"
	mkdir -p "$(cache .)"
	(cd "$(cache .)" && npm pack --silent "${axe/core-/core@}" >/dev/null)
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0

# tests FOLDER ARGUMENT... runs go test there, keeps its whole output in the log, and shows all of it
# but what passed.
tests() {
	local dir=$1
	shift
	(cd "$dir" && "${go_test[@]}" "${race[@]}" "$@") 2>&1 | tee -a "$log" |
		grep --line-buffered -avE "^($MARK(=== (RUN|PAUSE|CONT|NAME)| *--- PASS|PASS\$)|ok .*\[no tests to run\]|\?)" |
		sed -u "s/^$MARK//" || true
	[[ ${PIPESTATUS[0]} == 0 ]] || status=1
}

# Simulations of hours, which take many times as long under the race detector: it finds what it can in
# the other tests of their packages.
readonly SIMULATIONS='^TestAccuracy'

if (($#)); then
	tests . "$@"
elif ((${#race[@]})); then
	tests . -skip "$SIMULATIONS" ./...
	race=()
	export CGO_ENABLED=0 # as scripts/vm/test, so that packages are built once for both
	mapfile -t simulating < <(git grep -lE "^func ${SIMULATIONS#^}" -- '*_test.go' ":!${MODULES[1]}" | xargs -n 1 dirname | sort -u)
	tests . -run "$SIMULATIONS" "${simulating[@]/#/./}"
	# They drive programs, which are others' or built without the detector all the same.
	for module in "${MODULES[@]:1}"; do tests "$module" ./...; done
else
	for module in "${MODULES[@]}"; do tests "$module" ./...; done
fi

count() { grep -acE "$1" "$log" || true; }
passed=$(count "^$MARK *--- PASS")
failed=$(count "^$MARK *--- FAIL|^FAIL.*\[(build|setup) failed\]|^panic: ")
skipped=$(count "^$MARK *--- SKIP")
if ((skipped)); then grep -aE "^$MARK *--- SKIP" "$log" >&2; fi
failed=$((failed + skipped))
if ((failed == 0 && (status != 0 || passed == 0))); then failed=1; fi
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
