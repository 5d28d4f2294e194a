# Shell functions that the project's scripts share. Source it; don't run it.

# say tells what a script is doing.
say() { printf '== %s\n' "$*" >&2; }

# as_root runs a command as root: directly, else through sudo.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# need COMMAND PACKAGE... installs Debian packages unless the command is there.
need() {
	local command=$1
	shift
	if PATH=$PATH:/usr/sbin:/sbin command -v "$command" >/dev/null; then return; fi
	say "installing $* (for $command)"
	as_root apt-get update -q >/dev/null
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >/dev/null
}

# run_tests LOG COMMAND... runs a `go test -v`, keeps its whole output in LOG,
# shows all of it but what passed, and returns its status.
run_tests() {
	local log=$1
	shift
	"$@" 2>&1 | tee -a "$log" | grep --line-buffered -vE '^(=== (RUN|PAUSE|CONT|NAME)| *--- PASS|PASS$|ok .*\[no tests to run\]|\?)' || true
	return "${PIPESTATUS[0]}"
}

# summary LOG STATUS prints the closing line and returns non-zero unless tests
# ran and all passed. A test that was skipped counts as failed: what this
# project's tests need is installed, not missed.
summary() {
	local log=$1 status=$2 passed failed skipped
	passed=$(grep -cE '^ *--- PASS' "$log" || true)
	failed=$(grep -cE '^ *--- FAIL|^FAIL.*\[(build|setup) failed\]|^panic: ' "$log" || true)
	skipped=$(grep -cE '^ *--- SKIP' "$log" || true)
	if [ "$skipped" -gt 0 ]; then
		grep -E '^ *--- SKIP' "$log" >&2
		failed=$((failed + skipped))
	fi
	if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
	if [ "$passed" -eq 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
	printf '%d passed, %d failed\n' "$passed" "$failed"
	[ "$failed" -eq 0 ]
}
