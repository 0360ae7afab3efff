import type { Service, Systemd, UnitState } from '../../node/systemd.ts'
import type { Process } from '../kernel/process.ts'
import { journalLine } from './journalctl.ts'
import { last, parseOptions } from './options.ts'

/** systemd's control of a node's services. */
export async function systemctl(process: Process): Promise<number> {
  const { host } = process.machine
  if (!host) {
    await process.complain(
      "System has not been booted with systemd as init system (PID 1). Can't operate.\nFailed to connect to bus: Host is down\n",
    )
    return 1
  }
  const options = parseOptions(process.args, 'lqan:p:t:', {
    'no-pager': 'P',
    full: 'l',
    quiet: 'q',
    all: 'a',
    now: 'N',
    failed: 'F',
    plain: 'i',
    'no-legend': 'L',
    'lines=': 'n',
    'property=': 'p',
    value: 'V',
    'type=': 't',
    'state=': 'S',
  })
  if (options.unknown) return await process.fail(`unrecognized option '${options.unknown}'`)
  const [verb = 'list-units', ...units] = options.operands
  const { systemd } = host
  const quiet = options.flags.has('q')
  const needsUnit = units.length === 0 && verb in actions
  if (needsUnit) {
    await process.complain('Too few arguments.\n')
    return 1
  }
  switch (verb) {
    case 'start':
    case 'stop':
    case 'restart':
    case 'reload-or-restart':
    case 'try-restart':
    case 'enable':
    case 'disable':
      return await act(process, verb, units, options.flags.has('N'))
    case 'status':
      return await status(process, units.length > 0 ? units : systemd.names(), Number(last(options, 'n') ?? 10))
    case 'is-active':
      return await tell(process, units, quiet, ({ state }) => [state.active, state.active === 'active'], 'inactive', 3)
    case 'is-failed':
      return await tell(process, units, quiet, ({ state }) => [state.active, state.active === 'failed'], 'inactive', 1)
    case 'is-enabled':
      return await tell(process, units, quiet, ({ state }) => [state.enabled ? 'enabled' : 'disabled', state.enabled], 'not-found', 4)
    case 'cat':
      return await each(process, units, async ({ service }) => process.print(service.text), 'No files found for')
    case 'show':
      return await each(process, units, async (unit) => show(process, unit, last(options, 'p')?.split(','), options.flags.has('V')), '')
    case 'daemon-reload':
      return 0
    case 'list-units':
    case 'list-unit-files':
      return await list(process, systemd, options.flags.has('F') || last(options, 'S') === 'failed')
    default:
      await process.complain(`Unknown command verb ${verb}.\n`)
      return 1
  }
}

interface Unit {
  service: Service
  state: Readonly<UnitState>
}

const actions = {
  start: '',
  stop: '',
  restart: '',
  'reload-or-restart': '',
  'try-restart': '',
  enable: '',
  disable: '',
  cat: '',
  'is-active': '',
}

function withSuffix(name: string): string {
  return name.includes('.') ? name : `${name}.service`
}

async function act(process: Process, verb: string, units: string[], now: boolean): Promise<number> {
  const { systemd } = process.machine.host as NonNullable<Process['machine']['host']>
  let code = 0
  for (const name of units) {
    const unit = systemd.find(name)
    if (!unit) {
      const full = withSuffix(name)
      if (verb === 'enable' || verb === 'disable') {
        await process.complain(`Failed to ${verb} unit: Unit file ${full} does not exist.\n`)
        code = 1
      } else {
        const loaded = verb === 'stop' ? 'not loaded' : 'not found'
        await process.complain(`Failed to ${verb} ${full}: Unit ${full} ${loaded}.\n`)
        code = 5
      }
      continue
    }
    if (verb === 'enable' || verb === 'disable') {
      const link = `/etc/systemd/system/multi-user.target.wants/${unit.service.name}`
      if (verb === 'enable' && !unit.state.enabled) await process.complain(`Created symlink ${link} → ${unit.service.file}.\n`)
      if (verb === 'disable' && unit.state.enabled) await process.complain(`Removed "${link}".\n`)
      systemd.setEnabled(name, verb === 'enable')
      if (now && verb === 'enable') systemd.start(name)
      if (now && verb === 'disable') systemd.stop(name)
    } else if (verb === 'start') systemd.start(name)
    else if (verb === 'stop') systemd.stop(name)
    else if (verb !== 'try-restart' || unit.state.active === 'active') systemd.restart(name)
  }
  return code
}

async function tell(
  process: Process,
  units: string[],
  quiet: boolean,
  answer: (unit: Unit) => [text: string, good: boolean],
  absent: string,
  bad: number,
): Promise<number> {
  let good = 0
  for (const name of units) {
    const unit = process.machine.host?.systemd.find(name)
    const [text, yes] = unit ? answer(unit) : [absent, false]
    if (yes) good++
    if (!quiet) await process.print(`${text}\n`)
  }
  return good > 0 && good === units.length
    ? 0
    : good > 0
      ? 0
      : bad === 4 && units.some((name) => process.machine.host?.systemd.find(name))
        ? 1
        : bad
}

async function each(process: Process, units: string[], show: (unit: Unit) => Promise<void>, absent: string): Promise<number> {
  let code = 0
  for (const name of units) {
    const unit = process.machine.host?.systemd.find(name)
    if (unit) await show(unit)
    else {
      code = 1
      if (absent !== '') await process.complain(`${absent} ${withSuffix(name)}.\n`)
    }
  }
  return code
}

async function show(process: Process, { service, state }: Unit, only: string[] | undefined, bare: boolean): Promise<void> {
  const all: Record<string, string> = {
    Restart: 'always',
    MainPID: state.sub === 'running' ? String(state.pid) : '0',
    Id: service.name,
    Description: service.description,
    LoadState: 'loaded',
    ActiveState: state.active,
    SubState: state.sub,
    FragmentPath: service.file,
    UnitFileState: state.enabled ? 'enabled' : 'disabled',
    ActiveEnterTimestamp: day(state.since),
  }
  const shown = Object.entries(all).filter(([name]) => !only || only.includes(name))
  await process.print(shown.map(([name, value]) => (bare ? `${value}\n` : `${name}=${value}\n`)).join(''))
}

async function list(process: Process, systemd: Systemd, failed: boolean): Promise<number> {
  const units = systemd.names().flatMap((name) => systemd.find(name) ?? [])
  const shown = failed ? units.filter(({ state }) => state.active === 'failed') : units
  const rows = shown.map(({ service, state }) => [service.name, 'loaded', state.active, state.sub, service.description])
  const header = ['UNIT', 'LOAD', 'ACTIVE', 'SUB', 'DESCRIPTION']
  const width = (column: number) => Math.max(...[header, ...rows].map((row) => (row[column] ?? '').length))
  const line = (row: string[]) => `  ${row.map((cell, column) => (column < 4 ? cell.padEnd(width(column)) : cell)).join(' ')}\n`
  const legend =
    rows.length > 0
      ? '\nLOAD   = Reflects whether the unit definition was properly loaded.\nACTIVE = The high-level unit activation state, i.e. generalization of SUB.\nSUB    = The low-level unit activation state, values depend on unit type.\n'
      : ''
  const foot = `${rows.length} loaded units listed. Pass --all to see loaded but inactive units, too.\n`
  await process.print(`${line(header)}${rows.map(line).join('')}${legend}${foot}`)
  return 0
}

async function status(process: Process, names: string[], lines: number): Promise<number> {
  const { host } = process.machine
  let code = 0
  for (const [index, name] of names.entries()) {
    const unit = host?.systemd.find(name)
    if (!host || !unit) {
      await process.complain(`Unit ${withSuffix(name)} could not be found.\n`)
      code = 4
      continue
    }
    if (index > 0) await process.print('\n')
    const recent = host.journal.entries().filter(({ unit: of }) => of === unit.service.name)
    const tail = (lines > 0 ? recent.slice(-lines) : []).map((entry) => journalLine(process.machine.hostname, entry)).join('')
    await process.print(`${describe(unit, process.machine.now(), process.machine.hostname)}${tail === '' ? '' : `\n${tail}`}`)
    if (unit.state.active !== 'active') code = 3
  }
  return code
}

function describe({ service, state }: Unit, now: number, hostname: string): string {
  const dot = state.active === 'inactive' ? '○' : '●'
  const enabled = state.enabled ? 'enabled' : 'disabled'
  const name = service.executable.split('/').pop() ?? ''
  const failed = state.exitCode !== undefined && state.exitCode !== 0
  const ended = failed ? `code=exited, status=${state.exitCode}/FAILURE` : 'code=exited, status=0/SUCCESS'
  const how = state.active === 'activating' || state.active === 'failed' ? ` (Result: exit-code)` : ''
  const since = `${day(state.since)}; ${span(now - state.since)} ago`
  const rows = [`${dot} ${service.name} - ${service.description}`, `     Loaded: loaded (${service.file}; ${enabled}; preset: enabled)`]
  if (service.dropIns.length > 0) {
    const first = service.dropIns[0] as string
    rows.push(`    Drop-In: ${first.slice(0, first.lastIndexOf('/'))}`)
    rows.push(`             └─${service.dropIns.map((path) => path.slice(path.lastIndexOf('/') + 1)).join(', ')}`)
  }
  rows.push(`     Active: ${state.active} (${state.sub})${how} since ${since}`)
  if (state.active === 'inactive' && state.duration !== undefined) rows.push(`   Duration: ${span(state.duration)}`)
  rows.push(`       Docs: ${service.documentation}`)
  const command = `${service.executable}${service.args() === '' ? '' : ` ${service.args()}`}`
  if (state.sub === 'running') {
    rows.push(
      `   Main PID: ${state.pid} (${name})`,
      `     CGroup: /${service.slice}/${service.name}`,
      `             └─${state.pid} ${command}`,
    )
  } else {
    rows.push(`    Process: ${state.pid} ExecStart=${service.executable} (${ended})`, `   Main PID: ${state.pid} (${ended})`)
  }
  return `${rows.join('\n')}\n`.replaceAll('%H', hostname)
}

/** Sat 2026-11-21 16:54:23 UTC */
function day(ms: number): string {
  const date = new Date(ms)
  const name = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][date.getUTCDay()]
  return `${name} ${date.toISOString().slice(0, 10)} ${date.toISOString().slice(11, 19)} UTC`
}

/** The two largest units, as systemd's format_timespan. */
function span(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds < 1) return `${Math.max(1, Math.floor(ms))}ms`
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}min${seconds % 60 > 0 ? ` ${seconds % 60}s` : ''}`
  if (seconds < 86_400)
    return `${Math.floor(seconds / 3600)}h${Math.floor((seconds % 3600) / 60) > 0 ? ` ${Math.floor((seconds % 3600) / 60)}min` : ''}`
  const days = Math.floor(seconds / 86_400)
  const hours = Math.floor((seconds % 86_400) / 3600)
  return `${days} day${days > 1 ? 's' : ''}${hours > 0 ? ` ${hours}h` : ''}`
}
