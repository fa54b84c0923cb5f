// Installs the Debian packages whose commands tests look at files with, where they are missing (npm run test:tools, as
// root): acl for getfacl and setfacl, attr for getfattr and setfattr. Tests that need one that is not there are skipped.
import { ensure } from './deb-test/debian.mjs'

const TOOLS = { setfacl: 'acl', getfattr: 'attr' }

const missing = Object.entries(TOOLS).filter(([command, name]) => !ensure(command, name))
for (const [command, name] of missing)
  console.log(`skipped: ${command} cannot be installed here: it is in Debian's package ${name}`)
