#!/usr/bin/env bash
# What a reading costs at 50 readings/s on a pseudo-terminal: system calls,
# processor time and memory, beside two programs that do much less with what
# they read. One is plain Go: a read with a deadline and a write for each frame;
# powerspy may take no more processor time than that when it writes to a pipe.
# (A file has no limit: writing to it is a system call that may block, which the
# runtime has to watch, so that a disk that hangs does not keep signals from
# their work.) The other reads byte by byte, as the older tools do. The meter is
# the simulated one behind its usual link. Ends with 1 when over a limit.
#
# usage: scripts/bench.sh [SECONDS]
#
#   SECONDS   how long to measure, 30 unless told
#   --help    print this
set -euo pipefail
# shellcheck source=scripts/lib.bash
. "$(dirname -- "$0")/lib.bash"
cd "$ROOT"

seconds=${1:-30}
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
"$dir/powerspy" sim --pty --link "$dir/meter" load=wave >"$dir/sim" &
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

cat >"$dir/plain.go" <<'GO'
package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"strconv"
	"syscall"
	"time"
)

func main() {
	seconds, err := strconv.Atoi(os.Args[2])
	check(err)
	f, err := os.OpenFile(os.Args[1], os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	check(err)
	_, err = f.WriteString("<J0001>")
	check(err)
	buf, rest := make([]byte, 4096), []byte(nil)
	for end := time.Now().Add(time.Duration(seconds) * time.Second); time.Now().Before(end); {
		check(f.SetReadDeadline(time.Now().Add(3 * time.Second)))
		n, err := f.Read(buf)
		check(err)
		rest = append(rest, buf[:n]...)
		for {
			frame, more, whole := bytes.Cut(rest, []byte(">"))
			if !whole {
				break
			}
			if fields := bytes.Fields(frame); len(fields) == 5 {
				power, err := strconv.ParseInt(string(fields[2]), 16, 64)
				check(err)
				_, err = fmt.Printf("%d %d\n", time.Now().UnixMicro(), power)
				check(err)
			}
			rest = append(rest[:0], more...)
		}
	}
	_, err = f.WriteString("<Q>")
	check(err)
	time.Sleep(time.Second)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
GO
go build -o "$dir/reader" "$dir/plain.go"

ours=("$dir/powerspy" measure --device "$dir/meter" --format plain --interval 20ms --duration "${seconds}s")
# The interpreter itself, not a script that looks for it.
python=$(python3 -c "import sys; print(sys.executable)")
theirs=("$python" "$dir/bytes.py" "$dir/meter" "$seconds")
plain=("$dir/reader" "$dir/meter" "$seconds")

# cost pipe|file COMMAND... prints readings, processor time per reading in us, once
# the program has started, and peak memory in KiB.
cost() {
	"$python" - "$dir/out" "$@" <<'PYTHON'
import glob, os, re, subprocess, sys, time
out, kind, command = sys.argv[1], sys.argv[2], sys.argv[3:]
with open(out, "wb") as f:
    if kind == "pipe":
        reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=f)
        f = reader.stdin
    child = subprocess.Popen(command, stdout=f)
    f.close()

def lines():
    return sum(1 for _ in open(out))

def processor():
    tasks = glob.glob(f"/proc/{child.pid}/task/*/schedstat")
    return sum(int(open(t).read().split()[0]) for t in tasks) / 1e9

while lines() < 25 and child.poll() is None:
    time.sleep(0.05)
first, before = lines(), processor()
memory = 0
while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
    with open(f"/proc/{child.pid}/status") as f:
        peak = re.search(r"VmHWM:\s+(\d+)", f.read())
    memory = max(memory, int(peak[1])) if peak else memory
    time.sleep(0.25)
_, status, usage = os.wait4(child.pid, 0)
readings = lines()
# 7: with gaps, on a machine that is too busy.
if os.waitstatus_to_exitcode(status) not in (0, 7) or readings <= first:
    sys.exit(f"{command[0]} ended with {status} after {readings} readings")
print(readings, round((usage.ru_utime + usage.ru_stime - before) / (readings - first) * 1e6, 1), memory)
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
# row WHAT OURS LIMIT UNIT PLAIN THEIRS
row() {
	local verdict=ok
	if [ "$3" = - ]; then
		verdict=
	elif awk "BEGIN { exit !($2 > $3) }"; then
		verdict=over over=1
	fi
	printf '%-24s %10s %8s %-4s %-5s' "$1" "$2" "$3" "$4" "$verdict"
	for other in "$5" "$6"; do
		printf '%12s %7s' "$other" "$(awk "BEGIN { printf \"%.2f\", $2 / $other }")"
	done
	echo
}
# mib KIB
mib() { awk "BEGIN { printf \"%.1f\", $1 / 1024 }"; }

say "processor time and memory, ${seconds} s each"
read -r readings cpu memory < <(cost pipe "${ours[@]}")
read -r _ plaincpu plainmemory < <(cost pipe "${plain[@]}")
read -r _ bytecpu bytememory < <(cost pipe "${theirs[@]}")
read -r _ filecpu _ < <(cost file "${ours[@]}")
read -r _ plainfilecpu _ < <(cost file "${plain[@]}")
read -r _ bytefilecpu _ < <(cost file "${theirs[@]}")
say "system calls"
ours[-1]=10s theirs[-1]=10 plain[-1]=10
ourcalls=$(calls ours "${ours[@]}")
plaincalls=$(calls plain "${plain[@]}")
bytecalls=$(calls theirs "${theirs[@]}")

echo "$readings readings"
printf '%-24s %10s %8s %-4s %-5s%12s %7s%12s %7s\n' 'per reading' powerspy limit '' '' 'plain Go' ratio 'by bytes' ratio
row 'system calls' "$ourcalls" 4 '' "$plaincalls" "$bytecalls"
row 'processor time, pipe' "$cpu" "$plaincpu" us "$plaincpu" "$bytecpu"
row 'processor time, file' "$filecpu" - us "$plainfilecpu" "$bytefilecpu"
row 'peak memory (in all)' "$(mib "$memory")" 24 MiB "$(mib "$plainmemory")" "$(mib "$bytememory")"
exit "$over"
