#!/usr/bin/env bash
# Collects the notices of the licences of what is linked into powerspy, which `powerspy version
# --licenses` shows: writes cmd/powerspy/licenses.txt. Run it after a dependency has changed; a test
# (TestLicenses) says when.
#
# usage: scripts/licenses.sh [--help]
set -euo pipefail

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }
case ${1:-} in
'') ;;
-h | --help)
	usage
	exit 0
	;;
*)
	usage >&2
	exit 2
	;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=cmd/powerspy/licenses.txt

# Of two licences to choose from, the GPL is not the one that is chosen (freetype).
#
# notices TITLE DIR SUBDIR... prints the notices that lie in DIR and its folders of notices, and in
# SUBDIRs of it.
notices() {
	local title=$1 dir=$2 file found=''
	shift 2
	printf '==== %s\n\n' "$title"
	while read -r file; do
		found=yes
		printf -- '-- %s\n\n' "$file"
		tr -d '\r' <"$dir/$file" | sed -e 's/[[:space:]]*$//'
		printf '\n'
	done < <(cd "$dir" && find . "$@" -maxdepth 1 -type f \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'notice*' \
		-o -iname 'patents*' -o -iname 'authors*' -o -iname 'ofl*' -o -path '*/licenses/*' \) ! -iname 'gpl*' | sed 's|^\./||' | LC_ALL=C sort -u)
	if [[ -z $found ]]; then
		printf 'licenses.sh: %s has no notice of its licence\n' "$title" >&2
		return 1
	fi
}

export GOOS=linux
list() { go list -deps -f "{{with .Module}}{{if not .Main}}$1{{end}}{{end}}" ./cmd/powerspy | LC_ALL=C sort -u; }
packages=$(go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{end}}{{end}}{{.Dir}}' ./cmd/powerspy)
{
	printf 'powerspy is made with the following, whose licences ask for these notices.\n\n'
	notices 'The Go standard library' "$(go env GOROOT)"
	list '{{.Path}} {{.Version}} {{.Dir}}' | while read -r path version dir; do
		folders=()
		[[ ! -d $dir/licenses ]] || folders+=(./licenses)
		while read -r linked at; do
			if [[ $linked == "$path" && $at == "$dir"/* ]]; then folders+=("./${at#"$dir"/}"); fi
		done <<<"$packages"
		notices "$path $version" "$dir" "${folders[@]}"
	done
} >"$out.new"
mv "$out.new" "$out"
