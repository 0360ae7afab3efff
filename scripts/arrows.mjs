/**
 * `npm run lint:arrows`: the rooms may import each other along the arrows of docs/architecture.md alone. Prints every import
 * that goes against one and exits with 1.
 */
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '..')

/** Room -> the rooms it may import from (itself always). A room may be part of another: the closest one counts. */
const arrows = {
  app: ['platform', 'content'],
  content: ['app'],
  labs: ['sandbox/check'],
  sandbox: ['sandbox/check'],
  'sandbox/check': ['sandbox'],
  platform: [],
  server: ['app', 'content', 'platform', 'sandbox', 'sandbox/check', 'labs', 'package.json'],
  scripts: ['app', 'platform', 'server', 'sandbox', 'sandbox/check', 'labs', 'content', 'package.json'],
  bench: ['platform', 'server', 'sandbox', 'sandbox/check', 'labs', 'content', 'package.json'],
  e2e: ['app', 'platform', 'server', 'sandbox', 'sandbox/check', 'labs', 'content', 'package.json'],
}
/** Of the platform the site may know these files, and nothing behind them. */
const platformForSite = ['platform/services.ts', 'platform/model.ts', 'platform/errors.ts']

/** Packages a room must not know: the platform nothing of HTTP and pages, sandboxes nothing of people either. */
const strangers = {
  platform: /^(next|react|react-dom|ws|next-intl)(\/|$)/,
  sandbox: /^(next|react|react-dom|next-intl|better-auth|drizzle-orm|pg|@electric-sql\/pglite)(\/|$)/,
  'sandbox/check': /^(next|react|react-dom|next-intl|better-auth|drizzle-orm|pg|@electric-sql\/pglite)(\/|$)/,
}

const faults = []
let files = 0
for (const room of Object.keys(arrows).filter((name) => !name.includes('/'))) await walk(room)
for (const fault of faults) console.log(fault)
console.log(faults.length === 0 ? `${files} files, every import along an arrow` : `${faults.length} imports against the arrows`)
process.exitCode = faults.length === 0 && files > 0 ? 0 : 1

async function walk(folder) {
  const entries = await readdir(path.join(root, folder), { withFileTypes: true }).catch((error) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  for (const entry of entries) {
    const place = `${folder}/${entry.name}`
    if (entry.isDirectory()) await walk(place)
    else if (/\.(ts|tsx|mjs|mdx)$/.test(entry.name)) check(place, await readFile(path.join(root, place), 'utf8'))
  }
}

function check(place, text) {
  files++
  const from = roomOf(place)
  for (const [, specifier] of text.matchAll(/(?:\bfrom\s+|\bimport\s*\(\s*|^import\s+)['"]([^'"\n]+)['"]/gm)) {
    if (!specifier.startsWith('.')) {
      if (strangers[from]?.test(specifier)) faults.push(`${place} imports the package ${specifier}`)
      continue
    }
    const target = path.posix.join(path.posix.dirname(place), specifier)
    const to = roomOf(target)
    const allowed = to === from || arrows[from].includes(to)
    const behind = from === 'app' && to === 'platform' && !platformForSite.includes(target)
    if (!allowed || (behind && !place.includes('.test.'))) faults.push(`${place} imports ${target}`)
  }
}

/** The room a file stands in; the file itself where it stands in none. */
function roomOf(place) {
  const rooms = Object.keys(arrows).filter((room) => place.startsWith(`${room}/`))
  return rooms.sort((a, b) => b.length - a.length)[0] ?? place
}
