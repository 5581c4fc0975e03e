"""Completion of the command's own words, and of API and environment names, in bash and zsh."""

from __future__ import annotations

import argparse

_BASH = """\
_cortex() {
    local word="${COMP_WORDS[COMP_CWORD]}" first="${COMP_WORDS[1]}"
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "WORDS" -- "$word"))
    elif [ "$first" = env ] && [ "$COMP_CWORD" -eq 2 ]; then
        COMPREPLY=($(compgen -W "configure default delete list" -- "$word"))
    elif [ "$first" = deploy ]; then
        COMPREPLY=($(compgen -f -- "$word"))
    elif [ "$COMP_CWORD" -eq 2 ]; then
        COMPREPLY=($(compgen -W "$(cortex get 2>/dev/null | awk 'NR > 1 {print $2}')" -- "$word"))
    fi
}
complete -F _cortex cortex
"""
_ZSH = "autoload -U +X bashcompinit && bashcompinit\n"
_WORDS = "cancel completion delete deploy describe env get logs refresh result submit version"


def run(args: argparse.Namespace) -> int:
    """Print the script, for `source <(cortex completion bash)`."""
    print((_ZSH if args.shell == "zsh" else "") + _BASH.replace("WORDS", _WORDS), end="")
    return 0
