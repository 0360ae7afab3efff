import type en from '../messages/en.json'

export type TerminalWords = (typeof en)['terminal']
