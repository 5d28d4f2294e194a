# Completion of powerspy for fish.
function __powerspy_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    # A bare -- would mean the end of all flags; - asks for the same.
    test "$current" = -- ; and set current -
    set -lx POWERSPY_COMPLETION_STYLE fish
    set -l found ($words $current --complete 2>/dev/null)
    if test (count $found) -gt 0
        string join \n -- $found
    else
        __fish_complete_path $current
    end
end
complete -c powerspy -f -a '(__powerspy_complete)'
