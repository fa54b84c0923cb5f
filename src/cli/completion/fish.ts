// Completion for fish 3.
import type { CommandRow } from './command-tree.js'
import { placesOf, valuesOf, type Word } from './places.js'

/** The text of a file to be read by fish. */
export function fishCompletion(tree: CommandRow): string {
  const rows = placesOf(tree).map(({ path, commands, options, arguments: places }) => {
    const kinds = places.map(({ kind, repeats }) => fishQuoted(`${kind}${repeats ? '*' : ''}`))
    return `        case ${fishQuoted(path)}
            set -g __shoal_commands ${described(commands)}
            set -g __shoal_options ${described(options)}
            set -g __shoal_places ${kinds.join(' ')}`
  })
  const values = valuesOf(tree).map(
    ({ names, kind }) => `        case ${names.map(fishQuoted).join(' ')}
            set -g __shoal_kind ${fishQuoted(kind)}`,
  )
  return `# fish completion for shoal. Made from the program's own command line; do not edit.

# What may follow a command: its commands, its options, and the kinds of its arguments in their order.
function __shoal_command
    switch $argv[1]
${rows.join('\n')}
        case '*'
            return 1
    end
end

# The kind of the value that an option takes; fails if it takes none.
function __shoal_value
    switch $argv[1]
${values.join('\n')}
        case '*'
            return 1
    end
end
${FISH_TAIL}`
}

/** A line of fish's lists is a word, a tab, and what it is. */
function described(words: readonly Word[]): string {
  return words.map(({ word, description }) => fishQuoted(`${word}\t${description}`)).join(' ')
}

function fishQuoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

const FISH_TAIL = `
function __shoal_fill
    set -l current $argv[2]
    switch $argv[1]
        case 'words:*'
            string split ' ' -- (string replace 'words:' '' -- $argv[1])
        case config
            # Where the packaged daemons are configured, unless another folder is being typed.
            if not string match -q '*/*' -- $current
                set -l packaged /etc/shoal/*.conf
                printf '%s\\n' $packaged
            end
            __fish_complete_path $current
        case file
            __fish_complete_path $current
        case folder
            __fish_complete_directories $current ''
    end
end

function __shoal_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l path shoal
    set -l place 0
    set -l at 2
    while test $at -le (count $words)
        set -l word $words[$at]
        if string match -q -- '-*' $word
            if not string match -q -- '*=*' $word; and __shoal_value "$path $word"
                set at (math $at + 1)
                if test $at -gt (count $words)
                    __shoal_fill $__shoal_kind $current
                    return
                end
            end
        else if test $place -eq 0; and __shoal_command "$path $word"
            set path "$path $word"
        else
            set place (math $place + 1)
        end
        set at (math $at + 1)
    end
    __shoal_command $path; or return
    if string match -q -- '--*=*' $current
        set -l name (string split -m 1 = -- $current)[1]
        __shoal_value "$path $name"; or return
        printf "$name=%s\\n" (__shoal_fill $__shoal_kind (string replace -- "$name=" '' $current))
    else if string match -q -- '-*' $current
        printf '%s\\n' $__shoal_options
    else
        # A command that holds others may also have arguments of its own.
        if test $place -eq 0; and test (count $__shoal_commands) -gt 0
            printf '%s\\n' $__shoal_commands
        end
        set -l count (count $__shoal_places)
        # The last may be one that repeats.
        if test $count -gt 0; and test $place -ge $count; and string match -q '*\\\\*' -- $__shoal_places[-1]
            set place (math $count - 1)
        end
        set place (math $place + 1)
        if test $place -le $count
            __shoal_fill (string trim -r -c '*' -- $__shoal_places[$place]) $current
        end
    end
end

complete -c shoal -e
complete -c shoal -f -a '(__shoal_complete)'
`
