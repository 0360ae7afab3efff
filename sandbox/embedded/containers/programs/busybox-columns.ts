import type { Process } from '../kernel/process.ts'
import { ownerName } from './format.ts'
import type { SeenProcess } from './seen-processes.ts'

/** A column as BusyBox' `ps -o` writes it: never wider than asked, padded on the side that its kind is. */
interface Column {
  header: string
  width: number
  of(row: SeenProcess, viewer: Process, width: number): string
}

const number = (value: (row: SeenProcess) => number) => (row: SeenProcess, _viewer: Process, width: number) =>
  String(value(row)).padStart(width)
const word = (value: (row: SeenProcess, viewer: Process) => string) => (row: SeenProcess, viewer: Process, width: number) =>
  value(row, viewer).slice(0, width)
const user = word((row, viewer) => ownerName(viewer, row.uid, 'passwd', false))
const group = word((row, viewer) => ownerName(viewer, row.process?.gid ?? row.uid, 'group', false))
const leader = number((row) => (row.process?.pid === row.pid ? row.process.pgid : row.pid))
/** Longer than any line. */
const unbounded = 2048

/** In the order in which BusyBox names them; those of time only where it is built with them. */
const columns: Record<string, Column & { ofTime?: true }> = {
  user: { header: 'USER', width: 8, of: user },
  group: { header: 'GROUP', width: 8, of: group },
  comm: { header: 'COMMAND', width: 16, of: word(({ name }) => name.slice(0, 15)) },
  args: { header: 'COMMAND', width: unbounded, of: word(({ commandLine }) => commandLine) },
  pid: { header: 'PID', width: 5, of: number(({ pid }) => pid) },
  ppid: { header: 'PPID', width: 5, of: number(({ ppid }) => ppid) },
  pgid: { header: 'PGID', width: 5, of: leader },
  etime: {
    header: 'ELAPSED',
    width: 7,
    ofTime: true,
    of: word(({ startedAt }, { machine }) => minutes((machine.now() - startedAt) / 1000)),
  },
  nice: { header: 'NI', width: 5, of: number(() => 0) },
  rgroup: { header: 'RGROUP', width: 8, of: group },
  ruser: { header: 'RUSER', width: 8, of: user },
  time: { header: 'TIME', width: 6, ofTime: true, of: word(({ cpuNanoseconds }) => minutes(cpuNanoseconds / 1e9)) },
  tty: { header: 'TT', width: 6, of: word(({ terminal }) => (terminal ? '136,0' : '?')) },
  vsz: { header: 'VSZ', width: 4, of: word(({ memoryBytes }) => kibibytes(memoryBytes * 2)) },
  sid: { header: 'SID', width: 5, of: leader },
  stat: { header: 'STAT', width: 4, of: word((row, viewer) => (row.process === viewer ? 'R' : 'S')) },
  rss: { header: 'RSS', width: 4, of: word(({ memoryBytes }) => kibibytes(memoryBytes)) },
}

/**
 * The lines of BusyBox' `ps -o`, the header first if there is one.
 *
 * @param specs what stands behind each -o: names with commas between them, each with a header of one's own if one likes ("pid,args=WHAT")
 * @param timed whether this BusyBox knows the columns of time
 * @returns a sentence if one of the names is none
 */
export function inColumns(specs: readonly string[], rows: readonly SeenProcess[], viewer: Process, timed: boolean): string[] | string {
  const known = Object.keys(columns).filter((name) => timed || !columns[name]?.ofTime)
  const chosen: Column[] = []
  let headed = false
  for (const spec of specs.flatMap((each) => each.split(','))) {
    const [name = '', header] = spec.split('=', 2)
    const column = known.includes(name) ? columns[name] : undefined
    if (!column) return `bad -o argument '${name}', supported arguments: ${known.join(',')}`
    chosen.push(header === undefined ? column : { ...column, header, width: header.length || column.width })
    headed ||= header !== ''
  }
  const line = (cells: string[]) =>
    cells.map((cell, index) => (index < cells.length - 1 ? cell.padEnd(chosen[index]?.width ?? 0) : cell)).join(' ')
  const body = rows.map((row) => line(chosen.map(({ of, width }) => of(row, viewer, width) || '-')))
  return headed ? [line(chosen.map(({ header }) => header)), ...body] : body
}

function minutes(seconds: number): string {
  return `${String(Math.floor(seconds / 60)).padStart(3)}:${String(Math.floor(seconds) % 60).padStart(2, '0')}`
}

/** Of kibibytes four letters: as they are, or the larger unit with a digit behind the point. */
function kibibytes(bytes: number): string {
  const kibi = Math.floor(bytes / 1024)
  if (kibi < 10_000) return String(kibi)
  const mebi = kibi / 1024
  if (mebi < 9.95) return `${mebi.toFixed(1)}m`
  return mebi < 1000 ? `${Math.round(mebi)}m` : `${(mebi / 1024).toFixed(1)}g`
}
