#!/usr/bin/env node
// The shoal command. All it does is in program.ts; this joins it to the process.
import { meaningOf } from '../core/error.js'
import { processIo } from './io.js'
import { runCli } from './program.js'

// A reader that had enough (shoal status | head) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})
// What never comes to an end, as nothing is left that could end it, is no success.
process.exitCode = meaningOf('INTERNAL').exit
void runCli(process.argv.slice(2), processIo()).then((exit) => {
  // What was printed goes out first. Then the process ends whatever a library may have left open.
  process.stdout.write('', () => process.exit(exit))
})
