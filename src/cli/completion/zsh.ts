// Completion for zsh 5 with its completion system (compinit): as a file "_shoal" in fpath, or read by `source`.
import type { CommandRow } from './command-tree.js'
import { placesOf, quoted, valuesOf, type Word } from './places.js'

/** The text of the file. */
export function zshCompletion(tree: CommandRow): string {
  const rows = placesOf(tree).map(({ path, commands, options, arguments: places }) => {
    const kinds = places.map(({ kind, repeats }) => quoted(`${kind}${repeats ? '*' : ''}`))
    return `    ${quoted(path)})
      commands=(${described(commands)})
      options=(${described(options)})
      places=(${kinds.join(' ')}) ;;`
  })
  const values = valuesOf(tree).map(
    ({ names, kind }) => `    ${names.map(quoted).join(' | ')}) kind=${quoted(kind)} ;;`,
  )
  return `#compdef shoal
# zsh completion for shoal. Made from the program's own command line; do not edit.

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
${ZSH_TAIL}`
}

/** As _describe takes them: "word:what it is". */
function described(words: readonly Word[]): string {
  return words.map(({ word, description }) => quoted(`${word}:${description}`)).join(' ')
}

const ZSH_TAIL = `
_shoal_fill() {
  local -a listed
  case $1 in
    words:*)
      listed=(\${(s: :)1#words:})
      compadd -a listed
      ;;
    config)
      # Where the packaged daemons are configured, unless another folder is being typed.
      listed=(/etc/shoal/*.conf(N))
      [[ $PREFIX == */* ]] || (( ! $#listed )) || compadd -a listed
      _files
      ;;
    file) _files ;;
    folder) _files -/ ;;
  esac
}

_shoal() {
  local path_=shoal word kind=''
  local -i at place=0
  local -a commands options places
  for ((at = 2; at < CURRENT; at++)); do
    word=\${words[at]}
    if [[ $word == -* ]]; then
      if [[ $word != *=* ]] && _shoal_value "$path_ $word"; then
        ((++at))
        if ((at == CURRENT)); then
          _shoal_fill "$kind"
          return
        fi
      fi
    elif ((place == 0)) && _shoal_command "$path_ $word"; then
      path_+=" $word"
    else
      ((++place))
    fi
  done
  _shoal_command "$path_" || return
  word=\${words[CURRENT]}
  if [[ $word == --*=* ]]; then
    _shoal_value "$path_ \${word%%=*}" || return
    compset -P '*='
    _shoal_fill "$kind"
  elif [[ $word == -* ]]; then
    _describe option options
  else
    # A command that holds others may also have arguments of its own.
    ((place > 0 || ! $#commands)) || _describe command commands
    # The last may be one that repeats.
    if ((place >= $#places && $#places > 0)) && [[ \${places[-1]} == *'*' ]]; then
      place=$(($#places - 1))
    fi
    kind=\${places[place + 1]:-nothing}
    _shoal_fill "\${kind%'*'}"
  fi
}

# Found in fpath it is the function itself; read by source it has to be told of.
if [[ \${funcstack[1]} == _shoal ]]; then
  _shoal "$@"
elif (( $+functions[compdef] )); then
  compdef _shoal shoal
fi
`
