#!/usr/bin/env bash
# Checks what needs no test: golangci-lint with the rules of .golangci.yml in both modules, `go vet`
# of what other systems and processors compile differently, shellcheck.
#
# usage: scripts/lint.sh [--fix]
#
#   --fix     let golangci-lint mend what it can
#   --help    print this
#
# golangci-lint is built once and kept outside the tree, in ${XDG_CACHE_HOME:-~/.cache}/powerspy.
set -euo pipefail
# shellcheck source=scripts/lib.bash
. "$(dirname -- "$0")/lib.bash"
cd "$ROOT"

fix=()
case ${1-} in
'') ;;
--fix) fix=(--fix) ;;
-h | --help)
	usage
	exit
	;;
*) wrong "unknown argument $1" ;;
esac

readonly VERSION=v2.15.0
lint=$(cache tools)/golangci-lint-$VERSION-$(go env GOVERSION)
if [[ ! -x $lint ]]; then
	say "building golangci-lint $VERSION, once"
	mkdir -p "$(dirname "$lint")"
	building=$(mktemp -d "$lint-XXXXXX")
	trap 'rm -rf "$building"' EXIT
	GOFLAGS='' GOBIN=$building go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$VERSION"
	mv "$building/golangci-lint" "$lint"
fi
need shellcheck shellcheck

status=0
# check COMMAND... goes on to the next check when one fails.
check() { "$@" || status=1; }

for module in "${MODULES[@]}"; do
	say "golangci-lint in $module"
	(cd "$module" && "$lint" run --allow-parallel-runners "${fix[@]}" ./...) || status=1
done

# Those that call the system: all others are the same on every processor.
mapfile -t of_system < <(go list -f '{{range .Imports}}{{if or (eq . "syscall") (eq . "golang.org/x/sys/unix")}}{{$.ImportPath}}{{println}}{{end}}{{end}}' ./... | sort -u | sed '/^$/d')
for arch in 386 arm64; do
	say "go vet for linux/$arch: ${of_system[*]#powerspy2/}"
	check env GOARCH="$arch" go vet "${of_system[@]}"
done
for os in darwin windows; do
	say "go vet for $os"
	check env GOOS="$os" go vet ./powerspy/... ./rfcomm ./bdaddr
done

say shellcheck
mapfile -t scripts < <(git grep -lE '^#!/(usr/)?bin/(env )?(ba)?sh' -- scripts .ci ':!*_test.go' ':!*.txtar')
check shellcheck --external-sources -- "${scripts[@]}" scripts/*.bash scripts/vm/*.bash scripts/vm/initrd-init

exit "$status"
