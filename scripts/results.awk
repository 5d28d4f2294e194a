# Reads what `go test -v=test2json` printed of one package after another, and prints what came of each test:
#
#   pass|fail|skip PACKAGE TEST
#   broken PACKAGE               it failed, and no test says why: it wasn't built, it panicked or was ended
#   race PACKAGE                 and the race detector found something
#
# To the file of -v told=FILE it adds what each that failed said last: a line "failed: PACKAGE TEST" and
# below it, indented, at most 25 lines. A test that failed with one of its subtests is not told for itself.
#
# With -v guest=NAME it reads what `go test -v` printed in the guest of that name.

BEGIN {
	MOST = 25
	MARK = guest == "" ? "\026" : ""
	begin()
}

{
	gsub(/[\016\017]/, "") # around errors
	gsub(/\r$/, "")
	text = $0
	at = MARK == "" ? 1 : index($0, MARK)
	if (at) {
		before = substr($0, 1, at - 1) # a line that did not end
		rest = substr($0, at + length(MARK))
		if (rest ~ /^=== (RUN|PAUSE|CONT|NAME) /) {
			if (before != "") keep(before)
			panicked = 0 # it was another program that did
			current = rest
			sub(/^=== [A-Z]+ +/, "", current)
			next
		}
		if (rest ~ /^ *--- (PASS|FAIL|SKIP): /) {
			if (before != "") keep(before)
			panicked = 0
			ended(rest)
			next
		}
		if (at == 1) text = rest
		if (text == "PASS" || text == "FAIL") next
	}
	if (guest == "" && text ~ /^(ok  |FAIL)\t[^ \t]/) {
		split(text, word, /[ \t]+/)
		end(word[2], word[1] == "FAIL")
		next
	}
	keep(text)
}

END {
	if (guest != "") end(guest, status != 0)
}

# begin forgets the package before.
function begin() {
	split("", line)
	split("", lines)
	split("", failed)
	split("", inside)
	split("", result)
	results = panicked = raced = 0
	current = ""
}

# keep adds a line to the last ones of the current test, and of the package.
function keep(text) {
	if (text ~ /^(panic|fatal error): / && !panicked) panicked = 1
	if (panicked && panicked <= MOST) panic[panicked++] = text
	if (text ~ /^WARNING: DATA RACE/) raced = 1
	if (current != "") add(current, text)
	add("", text)
}

function add(name, text) {
	line[name, ++lines[name]] = text
	delete line[name, lines[name] - MOST]
}

# ended takes "--- FAIL: TEST (1.00s)".
function ended(text, kind) {
	kind = text
	sub(/^ *--- /, "", kind)
	sub(/:.*/, "", kind)
	sub(/^ *--- [A-Z]+: /, "", text)
	sub(/ \([0-9.]+s\)$/, "", text)
	current = text
	result[++results] = tolower(kind) " %s " text
	if (kind == "PASS") return
	failed[results] = text
	while (sub(/\/[^\/]*$/, "", text)) inside[text] = 1
}

# end prints what came of a package.
function end(name, bad, i, any) {
	for (i = 1; i <= results; i++) {
		text = result[i]
		sub(/%s/, name, text)
		print text
		if (!(i in failed)) continue
		any = 1
		if (failed[i] in inside) continue
		tell(name " " failed[i] (text ~ /^skip/ ? ", which was skipped" : ""), failed[i])
	}
	if (bad && (panicked || !any)) {
		print "broken", name
		if (panicked) {
			print "failed: " name >>told
			for (i = 1; i < panicked; i++) print "    " panic[i] >>told
		} else tell(name, "")
	}
	if (bad && raced) print "race", name
	begin()
}

# tell writes the last lines of a test, or of the whole package.
function tell(title, name, i) {
	print "failed: " title >>told
	for (i = lines[name] - MOST + 1; i <= lines[name]; i++) if ((name, i) in line) print "    " line[name, i] >>told
}
