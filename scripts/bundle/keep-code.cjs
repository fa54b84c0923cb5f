// Required by a shoal command before its own code: what V8 has compiled of it is kept at its end (code-cache.mjs).
const { createHash } = require('node:crypto')
const fs = require('node:fs')
const { isMainThread } = require('node:worker_threads')

if (isMainThread && process.argv[2] === 'run') {
  // Whoever waits for this daemon may be killed: then nobody else would end it.
  process.stdin.on('end', () => process.kill(process.pid, 'SIGTERM'))
  process.stdin.resume()
  process.stdin.unref()
}
if (isMainThread)
  process.on('exit', () => {
    const { script, codeFile } = require(process.argv[1])
    const unfinished = `${codeFile}.${process.pid}`
    const code = script.createCachedData()
    fs.writeFileSync(unfinished, Buffer.concat([createHash('sha256').update(code).digest(), code]))
    fs.renameSync(unfinished, codeFile)
  })
