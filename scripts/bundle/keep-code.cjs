// Required by a shoal command before its own code: what V8 has compiled of it is kept at its end (code-cache.mjs).
const fs = require('node:fs')
const { isMainThread } = require('node:worker_threads')

if (isMainThread)
  process.on('exit', () => {
    const { script, codeFile } = require(process.argv[1])
    const unfinished = `${codeFile}.${process.pid}`
    fs.writeFileSync(unfinished, script.createCachedData())
    fs.renameSync(unfinished, codeFile)
  })
