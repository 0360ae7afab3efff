/** Signals by name, with Linux's numbers. */
export const signalNumbers = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  STKFLT: 16,
  CHLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  VTALRM: 26,
  PROF: 27,
  WINCH: 28,
  IO: 29,
  PWR: 30,
  SYS: 31,
} as const

export type SignalName = keyof typeof signalNumbers

const names = Object.keys(signalNumbers) as SignalName[]

/** 'TERM', 'SIGTERM', 'term' or '15'; undefined when there is no such signal. */
export function signalByName(text: string): SignalName | undefined {
  if (/^\d+$/.test(text)) return names.find((name) => signalNumbers[name] === Number(text))
  const name = text.toUpperCase().replace(/^SIG/, '') as SignalName
  return name in signalNumbers ? name : undefined
}

/** What a shell prints for a child that a signal ended. */
export const signalTexts: Partial<Record<SignalName, string>> = {
  HUP: 'Hangup',
  QUIT: 'Quit',
  ABRT: 'Aborted',
  KILL: 'Killed',
  SEGV: 'Segmentation fault',
  TERM: 'Terminated',
  USR1: 'User defined signal 1',
  USR2: 'User defined signal 2',
  ALRM: 'Alarm clock',
}

/** Those whose default action is to do nothing. Stopping is not modelled. */
export const harmless: ReadonlySet<SignalName> = new Set(['CHLD', 'CONT', 'URG', 'WINCH', 'STOP', 'TSTP', 'TTIN', 'TTOU'])
