#!/usr/bin/env bash
# What a server costs: 20 simulated meters at 50 windows/s each and 100 readers, of windows and of
# readings of four intervals. Ends with 1 when it takes a processor or more, or when a reader was too
# slow for its windows.
#
# usage: scripts/serve-load.sh [SECONDS]
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
need curl curl
dir=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait; rm -rf "$dir"' EXIT
go build -o "$dir/powerspy" ./cmd/powerspy

meters=()
for i in {1..20}; do meters+=(--device "sim:load=wave,seed=$i"); done
"$dir/powerspy" serve --quiet "${meters[@]}" --listen "unix:$dir/s" &
server=$!
pids+=("$server")
until curl -s --fail --unix-socket "$dir/s" http://powerspy/-/ready >"$dir/ready"; do sleep 0.2; done

queries=('' '?interval=20ms' '?interval=200ms' '?interval=1s' '?interval=10s')
for i in {0..99}; do
	meter=sim$((i % 20 + 1))
	[[ $meter != sim1 ]] || meter=sim
	curl -sN --unix-socket "$dir/s" "http://powerspy/api/v1/meters/$meter/events${queries[i % 5]}" >"$dir/$i.jsonl" &
	pids+=($!)
done
sleep 2

# used prints the processor time of the server so far, in clock ticks (proc_pid_stat(5)).
used() {
	local stat
	stat=$(<"/proc/$server/stat")
	stat=${stat##*) }
	# shellcheck disable=SC2086  # it is a list
	set -- $stat
	echo $((${12} + ${13}))
}
hertz=$(getconf CLK_TCK)
before=$(used) start=$(date +%s%N)
sleep "$seconds"
ticks=$(($(used) - before)) took=$((($(date +%s%N) - start) / 1000000))
percent=$((100000 * ticks / hertz / took))
memory=$(awk '/^VmRSS/ { print $2 / 1024 }' "/proc/$server/status")
windows=$(cat "$dir"/{0,5,10,15,20,25,30,35,40,45,50,55,60,65,70,75,80,85,90,95}.jsonl | grep -c '"windows":1' || true)
slow=$(cat "$dir"/*.jsonl | grep -c 'the reader was too slow' || true)
echo "processor   $percent % of one"
echo "memory      $memory MiB"
echo "windows     $windows to 20 readers of windows"
echo "too slow    $slow gaps"
((percent < 100 && slow == 0))
