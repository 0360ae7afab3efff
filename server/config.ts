import { hostname } from 'node:os'
import path from 'node:path'
import { z } from 'zod'

const whole = (min: number, max: number) => z.coerce.number().int().min(min).max(max)

const list = (entry: RegExp, what: string) =>
  z
    .string()
    .transform((text) =>
      text
        .split(',')
        .map((one) => one.trim())
        .filter(Boolean),
    )
    .pipe(z.array(z.string().regex(entry, `Each has to be ${what}`)))

/**
 * Every setting there is, read from the environment: its shape with the value it has unless set, and what it means.
 * README shows this table; a test compares the two.
 */
export const settings = {
  PORT: { shape: whole(0, 65_535).default(3000), meaning: 'Port to listen on; 0 takes a free one' },
  HOST: { shape: z.string().min(1).default('127.0.0.1'), meaning: 'Address to listen on; 0.0.0.0 for every interface' },
  PUBLIC_URL: {
    shape: z.url({ protocol: /^https?$/ }).optional(),
    meaning: 'Where people reach the site when that is not http://HOST:PORT, as behind a proxy',
  },
  DATA_DIR: { shape: z.string().min(1).default('.data'), meaning: 'Folder for database, clusters, evidence and secrets' },
  DATABASE_URL: {
    shape: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
    meaning: 'A PostgreSQL database to use instead of the embedded one in DATA_DIR',
  },
  SECRET: { shape: z.string().min(32).optional(), meaning: 'Signs cookies; made and kept in DATA_DIR unless set' },
  GUESTS: {
    shape: z.enum(['loopback', 'never']).default('loopback'),
    meaning: 'Who may learn without an account: whoever sits at this machine, or nobody',
  },
  LOG_LEVEL: { shape: z.enum(['debug', 'info', 'warn', 'error']).default('info'), meaning: 'The least important messages to log' },
  SANDBOX_LIMIT: { shape: whole(1, 10_000).default(50), meaning: 'Clusters at once on this machine' },
  SANDBOXES_PER_PERSON: { shape: whole(1, 100).default(4), meaning: 'Clusters at once for one person' },
  SANDBOX_MINUTES: { shape: whole(1, 10_080).default(120), meaning: 'Minutes from a cluster being ready to its end' },
  SANDBOX_EXTENSIONS: { shape: whole(0, 100).default(3), meaning: 'How often a learner may extend that, by half of it each time' },
  ENGINES: {
    shape: list(/^(embedded|hosts|kind)$/, 'embedded, hosts or kind').default(['embedded', 'hosts', 'kind']),
    meaning: 'Engines that may run clusters, where this machine can: embedded, hosts, kind',
  },
  KIND_NODE_IMAGES: {
    shape: list(/^\d+\.\d+(\.\d+)?=\S+$/, 'VERSION=IMAGE').default(['1.34=kindest/node:v1.34.0']),
    meaning: 'Node images of kind clusters by Kubernetes version, as 1.34=kindest/node:v1.34.0; the first is for labs that name no version',
  },
  KIND_IMAGES: { shape: list(/^\S+$/, 'an image').default([]), meaning: 'Images of this machine that every kind node has from the start' },
  KIND_FLANNEL_IMAGE: { shape: z.string().min(1).optional(), meaning: 'The flannel image for kind clusters, instead of upstream’s' },
  KIND_FLANNEL_CNI_IMAGE: { shape: z.string().min(1).optional(), meaning: 'The flannel CNI plugin’s image, instead of upstream’s' },
  KIND_SUBNETS: {
    shape: z.cidrv4().default('10.201.0.0/16'),
    meaning: 'Addresses for the Docker networks of kind clusters, 16 for each',
  },
  KIND_POOL: {
    shape: list(/^[1-6](\/(kindnet|flannel|none))?=\d+$/, 'NODES=SIZE or NODES/CNI=SIZE').default([]),
    meaning: 'Kind clusters that wait for learners: 1=2,3/flannel=1 is two of one node and one of three with flannel',
  },
  KIND_TEMPLATES: {
    shape: whole(0, 50).default(4),
    meaning: 'Shapes of kind clusters that are kept as templates, so that the next one is copied in seconds; 0 for none',
  },
  KIND_MEMORY_PERCENT: { shape: whole(1, 100).default(75), meaning: 'Share of the machine’s memory that kind clusters may use together' },
  KIND_LIMIT: {
    shape: whole(0, 1_000).default(12),
    meaning: 'Kind clusters at once on this machine; a node takes about 0.6 GiB of memory',
  },
  KIND_PER_PERSON: { shape: whole(1, 100).default(1), meaning: 'Kind clusters at once for one person' },
  KIND_EGRESS: {
    shape: z.enum(['none', 'internet']).default('none'),
    meaning: 'Where kind clusters may reach: nothing outside, or public addresses; this machine, private networks and each other never',
  },
  KIND_TOOLBOX_IMAGE: { shape: z.string().min(1).optional(), meaning: 'A toolbox image to use instead of building one' },
  KIND_TOOLBOX_BASE: { shape: z.string().min(1).optional(), meaning: 'The Debian image that the toolbox is built on' },
  SANDBOX_IDLE_MINUTES: { shape: whole(1, 10_080).default(30), meaning: 'Minutes without a key pressed after which a cluster is paused' },
} as const satisfies Record<string, { shape: z.ZodType; meaning: string }>

type Values = { [Name in keyof typeof settings]: z.infer<(typeof settings)[Name]['shape']> }

export interface Config extends Readonly<Values> {
  /** DATA_DIR as an absolute path. */
  readonly dataDir: string
}

/** A setting that cannot be: its message is for the operator, one line a setting. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** Reads the settings. An empty value counts as not set. Throws ConfigError. */
export function readConfig(environment: Record<string, string | undefined>): Config {
  const values: Record<string, unknown> = {}
  const faults: string[] = []
  for (const [name, { shape }] of Object.entries(settings)) {
    const given = environment[name] === '' ? undefined : environment[name]
    const result = shape.safeParse(given)
    if (result.success) values[name] = result.data
    // The value itself is not repeated: it may be a secret.
    else faults.push(`${name} cannot be used: ${result.error.issues.map((issue) => issue.message).join('; ')}`)
  }
  if (faults.length) throw new ConfigError(faults.join('\n'))
  const config = values as Values
  return { ...config, dataDir: path.resolve(config.DATA_DIR) }
}

/** Where people reach the site once it listens on `port`: http://127.0.0.1:3000, without a slash at the end. */
export function publicUrlOf(config: Config, port: number): string {
  if (config.PUBLIC_URL) return config.PUBLIC_URL.replace(/\/+$/, '')
  const everywhere = config.HOST === '0.0.0.0' || config.HOST === '::'
  const name = everywhere ? hostname() : config.HOST
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}
