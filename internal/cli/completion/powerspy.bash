# Completion of powerspy for bash 4 and later.
_powerspy() {
    # Words are split at blanks only: bash's own COMP_WORDS also breaks
    # 00:0B:CE:07:1D:32 and --unit=W apart.
    local line=${COMP_LINE:0:COMP_POINT} words current asked candidate
    read -ra words <<<"$line"
    [[ $line == *[[:blank:]] ]] && words+=("")
    current=${words[${#words[@]}-1]}
    # A bare -- would mean the end of all flags; - asks for the same.
    asked=$current
    [[ $asked == -- ]] && asked=-
    words[0]=${words[0]/#\~/$HOME}

    COMPREPLY=()
    while IFS= read -r candidate; do
        [[ $candidate == "$current"* ]] && COMPREPLY+=("$candidate")
    done < <("${words[@]:0:${#words[@]}-1}" "$asked" --complete 2>/dev/null)

    # Readline replaces only what follows the last : or =, so the rest goes.
    if [[ $current == *[:=]* && ${#COMPREPLY[@]} -gt 0 ]]; then
        local kept=${current%"${current##*[:=]}"}
        COMPREPLY=("${COMPREPLY[@]#"$kept"}")
    fi
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[:/=] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o bashdefault -o default -F _powerspy powerspy
