// Asks a person for one line on the terminal without showing it: node's own line editor (backspace, Ctrl-U, pasted text
// with or without brackets, line ends of every kind) reading from /dev/tty, with its echo going nowhere. Promises: the
// terminal is as before when it ends, however it ends; nothing that was pasted after the line reaches the shell, which
// would run it and keep it in its history.
import fs from 'node:fs'
import { createInterface, type Interface } from 'node:readline'
import { Writable } from 'node:stream'
import { ReadStream } from 'node:tty'
import { ShoalError } from '../core/error.js'

/** What was typed. */
export type Answer =
  | { readonly type: 'text'; readonly text: string }
  /** Ctrl-C. */
  | { readonly type: 'interrupted' }
  /** Ctrl-D before anything was typed. */
  | { readonly type: 'nothing' }

/** Pasted text comes at once, in a few reads; this long without more, and the paste is over. */
const PASTE_GAP_MS = 50

/** Asks on the terminal of this process. Throws USAGE if there is none, or if several lines are pasted. */
export async function askHidden(prompt: string): Promise<Answer> {
  const fd = openTerminal()
  const input = new ReadStream(fd)
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  // From here on nothing is shown, so the prompt comes after it.
  const editor = createInterface({ input, output: nowhere, terminal: true, historySize: 0 })
  try {
    fs.writeSync(fd, prompt)
    return await readLine(editor, input)
  } finally {
    editor.close()
    input.setRawMode(false)
    // The Enter was not shown either.
    fs.writeSync(fd, '\n')
    input.destroy()
  }
}

function openTerminal(): number {
  try {
    return fs.openSync('/dev/tty', 'r+')
  } catch (cause) {
    throw new ShoalError('USAGE', 'there is no terminal to ask on: give the secret with --secret-file', {
      cause,
    })
  }
}

function readLine(editor: Interface, input: ReadStream): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const lines: string[] = []
    let timer: NodeJS.Timeout | undefined
    const finish = (): void => {
      const rest = editor.line.trim()
      if (lines.length > 1 || (lines.length === 1 && rest !== ''))
        reject(new ShoalError('USAGE', 'several lines were pasted, and a secret is one; nothing was done'))
      else resolve(lines.length === 0 ? { type: 'nothing' } : { type: 'text', text: lines[0]! })
    }
    editor.on('line', (text) => {
      // An empty line, typed or pasted before the text, is no answer.
      if (text.trim() === '') return
      lines.push(text.trim())
      timer ??= setTimeout(finish, PASTE_GAP_MS)
    })
    // While a paste is still coming.
    input.on('data', () => timer?.refresh())
    editor.on('SIGINT', () => {
      clearTimeout(timer)
      resolve({ type: 'interrupted' })
    })
    // Ctrl-D, or the terminal is gone.
    editor.on('close', () => {
      clearTimeout(timer)
      finish()
    })
  })
}
