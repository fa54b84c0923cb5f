// Shell completion as static files, from the command tree: subcommands, options, the choices of an option, and files or
// folders where an argument's name says so.
import { allCommands } from './command-tree.mjs'

/** What an argument of this name, of a command or of an option, is completed with; other names: nothing. */
const KINDS = new Map([
  ['config', 'config'],
  ['configs', 'config'],
  ['file', 'file'],
  ['path', 'file'],
  ['dir', 'folder'],
  ['directory', 'folder'],
])

/** For bash 4.4 or newer, with or without the bash-completion package. */
export function bashCompletion(tree) {
  const commands = allCommands(tree)
  const rows = commands.map(({ path, commands: children, options, arguments: places }) => {
    const words = children.map(({ path: child }) => child.slice(path.length + 1))
    const long = options.flatMap(({ long, short }) => [long ?? short])
    const kinds = places.map(({ name, isVariadic }) => `${kindOf(name, tree)}${isVariadic ? '*' : ''}`)
    return `    '${path}') commands='${words.join(' ')}' options='${long.join(' ')}' places=(${kinds.map((kind) => `'${kind}'`).join(' ')}) ;;`
  })
  const values = commands.flatMap(({ path, options }) =>
    options
      .filter(({ value }) => value !== undefined)
      .map(({ long, short, value, choices }) => {
        const names = [long, short].filter((name) => name !== undefined).map((name) => `'${path} ${name}'`)
        const kind = choices.length > 0 ? `words:${choices.join(' ')}` : kindOf(value, tree)
        return `    ${names.join(' | ')}) kind='${kind}' ;;`
      }),
  )
  return `${BASH_HEAD}
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

function kindOf(name, tree) {
  if (name === 'command')
    return `words:${tree.commands.map(({ path }) => path.slice(tree.path.length + 1)).join(' ')}`
  return KINDS.get(name.toLowerCase()) ?? 'nothing'
}

const BASH_HEAD = `# bash completion for shoal. Made from the program's own command line; do not edit.
`

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
