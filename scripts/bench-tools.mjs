// Installs the Debian packages of programs that benchmarks measure beside, where they are missing (npm run bench:tools, as
// root): restic and borgbackup for `npm run bench -- backup`, rsync for `sync`. Without one, a benchmark says so and goes on.
import { ensure } from './deb-test/debian.mjs'

const TOOLS = { restic: 'restic', borg: 'borgbackup', rsync: 'rsync' }

const missing = Object.entries(TOOLS).filter(([command, name]) => !ensure(command, name))
for (const [command, name] of missing)
  console.log(`skipped: ${command} cannot be installed here: it is in Debian's package ${name}`)
