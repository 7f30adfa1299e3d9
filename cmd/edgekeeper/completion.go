package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
)

// The scripts ask the program itself, through --generate-bash-completion of
// urfave/cli, which knows every command and flag.
const bashCompletion = `# bash completion for edgekeeper; source it, or put it into /etc/bash_completion.d
_edgekeeper() {
  local cur="${COMP_WORDS[COMP_CWORD]}"
  local words=("${COMP_WORDS[@]:1:COMP_CWORD-1}")
  local list
  if [[ "$cur" == -* ]]; then
    list=$("${COMP_WORDS[0]}" "${words[@]}" "$cur" --generate-bash-completion 2>/dev/null)
  else
    list=$("${COMP_WORDS[0]}" "${words[@]}" --generate-bash-completion 2>/dev/null)
  fi
  local IFS=$'\n'
  COMPREPLY=($(compgen -W "$list" -- "$cur"))
}
complete -o bashdefault -o default -F _edgekeeper edgekeeper
`

const zshCompletion = `#compdef edgekeeper
# zsh completion for edgekeeper; put it into a folder of $fpath as _edgekeeper, or source it
_edgekeeper() {
  local -a list
  local cur="${words[CURRENT]}"
  if [[ "$cur" == -* ]]; then
    list=("${(@f)$(_CLI_ZSH_AUTOCOMPLETE_HACK=1 "${words[@]:0:#words[@]-1}" "$cur" --generate-bash-completion 2>/dev/null)}")
  else
    list=("${(@f)$(_CLI_ZSH_AUTOCOMPLETE_HACK=1 "${words[@]:0:#words[@]-1}" --generate-bash-completion 2>/dev/null)}")
  fi
  if [[ -n "${list[1]}" ]]; then
    _describe 'values' list
  else
    _files
  fi
}
if [[ "$funcstack[1]" = _edgekeeper ]]; then
  _edgekeeper
else
  compdef _edgekeeper edgekeeper
fi
`

func completionCommand() *cli.Command {
	return &cli.Command{
		Name: "completion", Usage: "print a script that completes commands and flags in a shell", ArgsUsage: "bash | zsh | fish",
		Description: "For this shell: `source <(edgekeeper completion bash)`.",
		Before:      arguments(1, 1),
		Action: func(c *cli.Context) error {
			var script string
			switch shell := c.Args().First(); shell {
			case "bash":
				script = bashCompletion
			case "zsh":
				script = zshCompletion
			case "fish":
				var err error
				if script, err = c.App.ToFishCompletion(); err != nil {
					return fmt.Errorf("make fish completion: %w", err)
				}
			default:
				return fmt.Errorf("no completion for %q; there is one for bash, zsh and fish", shell)
			}
			_, err := io.WriteString(c.App.Writer, script)
			return err
		},
	}
}
