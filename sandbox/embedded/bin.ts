#!/usr/bin/env node
/** What `npx labernetes-cluster` starts. What an older Node would say of the rest helps nobody. */
const [major = 0] = process.versions.node.split('.').map(Number)
if (major >= 24) await import('./cli.ts')
else {
  console.error(`labernetes-cluster needs Node 24 or newer, and this is ${process.version}.`)
  process.exitCode = 1
}

export {}
