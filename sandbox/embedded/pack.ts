import { execFileSync } from 'node:child_process'
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** `npm run cluster:pack`: this folder as a package for npm, in plain JavaScript with its types. Prints the tarball's path. */
const here = import.meta.dirname
const root = join(here, '../..')
const folder = join(root, '.cache/package')

await rm(folder, { recursive: true, force: true })
await mkdir(folder, { recursive: true })
execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', join(here, 'tsconfig.package.json')], { stdio: 'inherit' })
for (const file of await readdir(here, { recursive: true }))
  if (isData(file)) {
    const target = join(folder, 'dist/embedded', file)
    await mkdir(dirname(target), { recursive: true })
    await cp(join(here, file), target)
  }
const { dependencies: pinned } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { dependencies: Record<string, string> }
const description = JSON.parse(await readFile(join(here, 'package.json'), 'utf8')) as { dependencies: Record<string, string> }
const published = {
  ...description,
  dependencies: Object.fromEntries(Object.keys(description.dependencies).map((name) => [name, pinned[name]])),
  exports: { types: './dist/embedded/index.d.ts', default: './dist/embedded/index.js' },
  bin: { 'labernetes-cluster': './dist/embedded/bin.js' },
  files: ['dist'],
}
await writeFile(join(folder, 'package.json'), `${JSON.stringify(published, null, 2)}\n`)
for (const [name, from] of [
  ['README.md', here],
  ['LICENSE', root],
  ['NOTICE', root],
] as const)
  await cp(join(from, name), join(folder, name))
const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: folder, encoding: 'utf8' })
console.log(join(folder, packed.trim()))

/** What the code reads beside itself; recordings and fixtures stay here. */
function isData(file: string): boolean {
  const isOfTests = /(^|\/)(fixtures|transcripts|stories|node_modules)\/|\/recorded\.json$|^(package|tsconfig)/.test(file)
  return /\.json(\.gz|\.br)?$/.test(file) && !isOfTests
}
