#!/usr/bin/env bash
# What a reading costs at 50 readings/s on a pseudo-terminal: system calls,
# processor time and memory, beside a reader that takes byte by byte, as the
# older tools do. The meter is behind a lifelike link: 8 ms of delay, 12 ms of
# jitter, 2 % of stalls. Ends with 1 when over a limit.
#
# usage: scripts/bench.sh [SECONDS]
#
#   SECONDS   how long to measure, 60 unless told
#   --help    print this
set -euo pipefail
# shellcheck source=scripts/lib.bash
. "$(dirname -- "$0")/lib.bash"
cd "$ROOT"

seconds=${1:-60}
if is_help "$seconds"; then
	usage
	exit
fi
[[ $seconds =~ ^[1-9][0-9]*$ ]] || wrong "it takes a number of seconds, not $seconds"
need strace strace python3 python3
dir=$(mktemp -d)
sim=
trap '[ -z "$sim" ] || kill "$sim"; rm -rf "$dir"' EXIT
go build -o "$dir/powerspy" ./cmd/powerspy
"$dir/powerspy" sim --pty --link "$dir/meter" load=wave,delay=8ms,jitter=12ms,stall=0.02 >"$dir/sim" &
sim=$!
until [ -e "$dir/meter" ]; do sleep 0.1; done

# The script starts the stream as powerspy leaves it off, by J0001.
cat >"$dir/bytes.py" <<'PYTHON'
import os, sys, time
fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
os.write(fd, b"<J0001>")
inside, frame, end = False, "", time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    c = os.read(fd, 1).decode()
    if c == "<":
        inside, frame = True, ""
    elif c == ">" and inside:
        inside = False
        fields = frame.split(" ")
        if len(fields) == 5:
            u, i, p, um, im = (int(f, 16) for f in fields)
            os.write(1, b"%d %d\n" % (time.time() * 1e6, p))
    elif inside:
        frame += c
os.write(fd, b"<Q>")
time.sleep(1)
PYTHON

ours=("$dir/powerspy" measure --device "$dir/meter" --format plain --interval 20ms --duration "${seconds}s")
# The interpreter itself, not a script that looks for it.
python=$(python3 -c "import sys; print(sys.executable)")
theirs=("$python" "$dir/bytes.py" "$dir/meter" "$seconds")

# cost NAME COMMAND... prints readings, processor time per reading in us, and
# peak memory in KiB.
cost() {
	local out=$dir/$1
	shift
	"$python" - "$out" "$@" <<'PYTHON'
import os, re, subprocess, sys, time
with open(sys.argv[1], "wb") as out:
    child = subprocess.Popen(sys.argv[2:], stdout=out)
memory = 0
while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
    with open(f"/proc/{child.pid}/status") as f:
        peak = re.search(r"VmHWM:\s+(\d+)", f.read())
    memory = max(memory, int(peak[1])) if peak else memory
    time.sleep(0.25)
_, status, usage = os.wait4(child.pid, 0)
readings = sum(1 for _ in open(sys.argv[1]))
if status != 0 or readings == 0:
    sys.exit(f"{sys.argv[2]} ended with {status} after {readings} readings")
print(readings, round((usage.ru_utime + usage.ru_stime) / readings * 1e6, 1), memory)
PYTHON
}

# calls NAME COMMAND... prints the system calls between two lines written, on
# average and without the first and last tenth.
calls() {
	local out=$dir/$1.strace
	shift
	strace -f -qq -o "$out" "$@" >/dev/null
	awk '
		!/^([0-9]+ +)?[a-z0-9_]+\(/ { next } # resumed, signals
		{ n++ }
		/^([0-9]+ +)?write\([0-9]+, "[0-9]+ [-0-9]+\\n"/ { at[++lines] = n }
		END {
			first = int(lines / 10) + 1; last = lines - int(lines / 10)
			if (last <= first) exit 1
			printf "%.2f\n", (at[last] - at[first]) / (last - first)
		}' "$out"
}

over=0
# row WHAT OURS LIMIT UNIT THEIRS
row() {
	local verdict=ok
	if awk "BEGIN { exit !($2 > $3) }"; then verdict=over over=1; fi
	printf '%-24s %10s %8s %-4s %-5s %14s %8s\n' "$1" "$2" "$3" "$4" "$verdict" "$5" "$(awk "BEGIN { printf \"%.1f\", $5 / $2 }")x"
}

say "processor time and memory, ${seconds} s each"
read -r readings cpu memory < <(cost ours "${ours[@]}")
read -r _ bytecpu bytememory < <(cost theirs "${theirs[@]}")
say "system calls"
ours[-1]=10s theirs[-1]=10
ourcalls=$(calls ours "${ours[@]}")
bytecalls=$(calls theirs "${theirs[@]}")

echo "$readings readings"
printf '%-24s %10s %8s %-4s %-5s %14s %8s\n' 'per reading' powerspy limit '' '' 'byte by byte' ratio
row 'system calls' "$ourcalls" 4 '' "$bytecalls"
row 'processor time' "$cpu" 60 us "$bytecpu"
row 'peak memory (in all)' "$(awk "BEGIN { printf \"%.1f\", $memory / 1024 }")" 24 MiB "$(awk "BEGIN { printf \"%.1f\", $bytememory / 1024 }")"
exit "$over"
