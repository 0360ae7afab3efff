import type { Process } from '../kernel/process.ts'

/** How busybox' applets are called, as their help begins. */
const synopses: Record<string, string> = {
  link: 'link FILE LINK',
  unlink: 'unlink FILE',
  awk: 'awk [OPTIONS] [AWK_PROGRAM] [FILE]...',
  basename: 'basename FILE [SUFFIX] | -a FILE... | -s SUFFIX FILE...',
  cat: 'cat [-nbvteA] [FILE]...',
  chgrp: 'chgrp [-Rh]... GROUP FILE...',
  chmod: 'chmod [-R] MODE[,MODE]... FILE...',
  chown: 'chown [-Rh]... USER[:[GRP]] FILE...',
  cp: 'cp [-arPLHpfinlsTu] SOURCE DEST\nor: cp [-arPLHpfinlsu] SOURCE... { -t DIRECTORY | DIRECTORY }',
  cut: 'cut {-b|c LIST | -f LIST [-d SEP] [-s]} [-D] [-O SEP] [FILE]...',
  date: 'date [OPTIONS] [+FMT] [[-s] TIME]',
  dirname: 'dirname FILENAME',
  df: 'df [-PkmhTai] [-B SIZE] [-t TYPE] [FILESYSTEM]...',
  du: 'du [-aHLdclsxhmk] [FILE]...',
  env: 'env [-iu] [-] [NAME=VALUE]... [PROG ARGS]',
  find: 'find [-HL] [PATH]... [OPTIONS] [ACTIONS]',
  grep: 'grep [-HhnlLoqvsrRiwFE] [-m N] [-A|B|C N] { PATTERN | -e PATTERN... | -f FILE... } [FILE]...',
  gunzip: 'gunzip [-cfkt] [FILE]...',
  gzip: 'gzip [-cfkdt123456789] [FILE]...',
  head: 'head [OPTIONS] [FILE]...',
  hostname: 'hostname [-sidf] [HOSTNAME | -F FILE]',
  id: 'id [-ugGnr] [USER]',
  install: 'install [-cdDsp] [-o USER] [-g GRP] [-m MODE] [-t DIR] [SOURCE]... DEST',
  kill: 'kill [-l] [-SIG] PID...',
  killall: 'killall [-lq] [-SIG] PROCESS_NAME...',
  ln: 'ln [-sfnbtv] [-S SUF] TARGET... LINK|DIR',
  ls: 'ls [-1AaCxdLHRFplinshrSXvctu] [-w WIDTH] [FILE]...',
  mkdir: 'mkdir [-m MODE] [-p] DIRECTORY...',
  mkfifo: 'mkfifo [-m MODE] NAME',
  mktemp: 'mktemp [-dt] [-p DIR] [TEMPLATE]',
  mv: 'mv [-finT] SOURCE DEST\nor: mv [-fin] SOURCE... { -t DIRECTORY | DIRECTORY }',
  nc: 'nc [OPTIONS] HOST PORT  - connect\nnc [OPTIONS] -l -p PORT [HOST] [PORT]  - listen',
  nslookup: 'nslookup [-type=QUERY_TYPE] [-debug] HOST [DNS_SERVER]',
  ping: 'ping [OPTIONS] HOST',
  ps: 'ps [-o COL1,COL2=HEADER] [-T]',
  readlink: 'readlink [-fnv] FILE',
  realpath: 'realpath FILE...',
  rm: 'rm [-irf] FILE...',
  rmdir: 'rmdir [-p] DIRECTORY...',
  sed: 'sed [-i[SFX]] [-nrE] [-f FILE]... [-e CMD]... [FILE]...\nor: sed [-i[SFX]] [-nrE] CMD [FILE]...',
  seq: 'seq [-w] [-s SEP] [FIRST [INC]] LAST',
  sleep: 'sleep [N]...',
  sort: 'sort [-nrughMcszbdfiokt] [-o FILE] [-k START[.OFS][OPTS][,END[.OFS][OPTS]] [-t CHAR] [FILE]...',
  stat: 'stat [-ltf] [-c FMT] FILE...',
  sysctl: 'sysctl [-enq] { -a | -p [FILE]... | [-w] [KEY[=VALUE]]... }',
  tail: 'tail [OPTIONS] [FILE]...',
  tar: 'tar c|x|t [-ZzJjahmvokO] [-f TARFILE] [-C DIR] [-T FILE] [-X FILE] [LONGOPT]... [FILE]...',
  tee: 'tee [-ai] [FILE]...',
  timeout: 'timeout [-s SIG] [-k KILL_SECS] SECS PROG ARGS',
  touch: 'touch [-cham] [-d DATE] [-t DATE] [-r FILE] FILE...',
  tr: 'tr [-cds] STRING1 [STRING2]',
  truncate: 'truncate [-c] -s SIZE FILE...',
  uniq: 'uniq [-cduiz] [-f,s,w N] [FILE [OUTFILE]]',
  watch: 'watch [-n SEC] [-t] PROG ARGS',
  wc: 'wc [-cmlwL] [FILE]...',
  wget: 'wget [-cqS] [--spider] [-O FILE] [-o LOGFILE] [--header STR] [--post-data STR | --post-file FILE] [-Y on/off] [-P DIR] [-U AGENT] [-T SEC] URL...',
  which: 'which [-a] COMMAND...',
  xargs: 'xargs [OPTIONS] [PROG ARGS]',
}

/** The line that busybox' help begins with. */
export const busyboxBanner = 'BusyBox v1.36.1 (2023-05-18 22:34:17 UTC) multi-call binary.'

/**
 * Complains about how a program was called and answers its exit code: busybox tells how it is to be called (after the complaint,
 * if that is about an option), coreutils where to find out.
 */
export async function usage(process: Process, complaint: string): Promise<number> {
  const { name } = process
  const text = process.fs.find('/etc/alpine-release', process.who)
    ? complaint
    : complaint.replace(/^unrecognized option: (\w)$/, "invalid option -- '$1'")
  if (hasCoreutils(process)) {
    await process.complain(`${name}: ${text}\nTry '${name} --help' for more information.\n`)
    return 1
  }
  const first = /option/.test(text) ? `${name}: ${text}\n` : ''
  await process.complain(`${first}${synopsis(name)}`)
  return 1
}

/** What an applet says to --help; undefined for what is no applet. */
export function helpOf(process: Process): string | undefined {
  if (!(process.name in synopses) || hasCoreutils(process)) return undefined
  return synopsis(process.name)
}

/** Whether the tools here are Debian's (coreutils and the like), which say and do some things otherwise than busybox'. */
export function hasCoreutils(process: Process): boolean {
  return process.fs.find('/etc/debian_version', process.who) !== undefined
}

function synopsis(name: string): string {
  return `${busyboxBanner}\n\nUsage: ${synopses[name] ?? `${name} [OPTIONS] [ARG]...`}\n`
}
