/**
 * Run as a process of its own by kind.test.ts: makes one sandbox and says each step on stdout, and then a template, until it is
 * killed.
 * Arguments: folder, node image.
 */
import { join } from 'node:path'
import { KindEngine } from './engine.ts'
import { kindToolboxes } from './toolbox/toolbox.ts'

const [, , dir = '', image = ''] = process.argv
const engine = await KindEngine.start({
  dir,
  cache: join(dir, 'cache'),
  nodeImages: new Map([['1.34', image]]),
  subnets: '10.202.0.0/16',
  images: ['labapp:v1'],
  toolboxes: kindToolboxes({ egress: 'none', image: {} }),
  templates: 1,
  budget: { memory: 0.95, load: Number.POSITIVE_INFINITY, disk: 0 },
  onFault: (fault) => console.error(fault),
})
const say = (step: string) => process.stdout.write(`${step}\n`)
await engine.create({ id: 'killed', nodes: 1 }, ({ step }) => step !== 'ready' && say(step))
say('ready')
setInterval(() => undefined, 1_000)
