// Completion for bash 4.4 or newer, with or without the bash-completion package.
import type { CommandRow } from './command-tree.js'
import { placesOf, quoted, valuesOf } from './places.js'

/** The text of a file to be read by bash. */
export function bashCompletion(tree: CommandRow): string {
  const rows = placesOf(tree).map(({ path, commands, options, arguments: places }) => {
    const words = (list: readonly { readonly word: string }[]): string =>
      quoted(list.map(({ word }) => word).join(' '))
    const kinds = places.map(({ kind, repeats }) => quoted(`${kind}${repeats ? '*' : ''}`))
    return `    ${quoted(path)}) commands=${words(commands)} options=${words(options)} places=(${kinds.join(' ')}) ;;`
  })
  const values = valuesOf(tree).map(
    ({ names, kind }) => `    ${names.map(quoted).join(' | ')}) kind=${quoted(kind)} ;;`,
  )
  return `# bash completion for shoal. Made from the program's own command line; do not edit.

# What may follow a command: its commands, its options, and the kinds of its arguments in their order.
_shoal_command() {
  case $1 in
${rows.join('\n')}
    *) return 1 ;;
  esac
}

# The kind of the value that an option takes; fails if it takes none.
_shoal_value() {
  case $1 in
${values.join('\n')}
    *) return 1 ;;
  esac
}
${BASH_TAIL}`
}

const BASH_TAIL = `
_shoal_fill() {
  local line
  case $1 in
    words:*) mapfile -t COMPREPLY < <(compgen -W "\${1#words:}" -- "$2") ;;
    config | file)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$2")
      # Where the packaged daemons are configured, unless another folder is being typed.
      if [[ $1 == config && $2 != */* ]]; then
        while IFS= read -r line; do
          COMPREPLY+=("$line")
        done < <(compgen -G '/etc/shoal/*.conf')
      fi
      ;;
    folder)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -d -- "$2")
      ;;
  esac
}

_shoal() {
  local current=\${COMP_WORDS[COMP_CWORD]} path=shoal place=0 at word kind='' commands options
  local -a places found=()
  COMPREPLY=()
  for ((at = 1; at < COMP_CWORD; at++)); do
    word=\${COMP_WORDS[at]}
    if [[ $word == -* ]]; then
      kind=''
      if _shoal_value "$path $word"; then
        # bash takes --option=value for three words.
        [[ \${COMP_WORDS[at + 1]} == '=' ]] && ((at++))
        ((at++))
        if ((at >= COMP_CWORD)); then
          [[ $current == '=' ]] && current=''
          _shoal_fill "$kind" "$current"
          return
        fi
      fi
    elif ((place == 0)) && _shoal_command "$path $word"; then
      path+=" $word"
    else
      ((place++))
    fi
  done
  _shoal_command "$path" || return
  if [[ $current == -* ]]; then
    _shoal_fill "words:$options" "$current"
  else
    # A command that holds others may also have arguments of its own.
    if [[ -n $commands ]] && ((place == 0)); then
      _shoal_fill "words:$commands" "$current"
      found=("\${COMPREPLY[@]}")
    fi
    COMPREPLY=()
    # The last may be one that repeats.
    ((place >= \${#places[@]} && \${#places[@]} > 0)) && [[ \${places[-1]} == *'*' ]] && place=$((\${#places[@]} - 1))
    kind=\${places[place]:-nothing}
    _shoal_fill "\${kind%'*'}" "$current"
    COMPREPLY+=("\${found[@]}")
  fi
}

complete -F _shoal shoal
`
