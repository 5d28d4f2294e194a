#compdef powerspy
# Completion of powerspy for zsh.
_powerspy() {
    local -a found
    local current="${words[CURRENT]}"
    # A bare -- would mean the end of all flags; - asks for the same.
    [[ "$current" == "--" ]] && current="-"
    found=("${(@f)$(POWERSPY_COMPLETION_STYLE=zsh "${(@Q)words[1,CURRENT-1]}" "$current" --complete 2>/dev/null)}")
    if [[ -n "${found[1]}" ]]; then
        _describe 'powerspy' found
    else
        _files
    fi
}
if [[ "$funcstack[1]" == "_powerspy" ]]; then
    _powerspy "$@"
else
    compdef _powerspy powerspy
fi
