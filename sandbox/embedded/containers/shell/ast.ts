/** The syntax tree of a shell script. */
export interface List {
  /** Joined by ; newline or &. */
  items: { command: AndOr; background: boolean; line: number }[]
}

export interface AndOr {
  first: Pipeline
  rest: { operator: '&&' | '||'; pipeline: Pipeline }[]
}

export interface Pipeline {
  negated: boolean
  timed: boolean
  commands: Command[]
}

export type Command = Simple | Compound | FunctionDefinition

export interface Simple {
  type: 'simple'
  assignments: Assignment[]
  words: Word[]
  redirections: Redirection[]
  line: number
}

export interface Assignment {
  name: string
  index?: Word
  append: boolean
  value: Word
  /** name=(a b c) */
  array?: { index?: Word; value: Word }[]
}

export interface Compound {
  type: 'compound'
  body: CompoundBody
  redirections: Redirection[]
  line: number
}

export type CompoundBody =
  | { type: 'group'; list: List }
  | { type: 'subshell'; list: List }
  | { type: 'if'; branches: { condition: List; body: List }[]; otherwise?: List }
  | { type: 'loop'; until: boolean; condition: List; body: List }
  | { type: 'for'; name: string; words?: Word[]; body: List }
  | { type: 'select'; name: string; words?: Word[]; body: List }
  | { type: 'forArithmetic'; start: Word; condition: Word; step: Word; body: List }
  | { type: 'case'; word: Word; branches: { patterns: Word[]; body: List; end: ';;' | ';&' | ';;&' }[] }
  | { type: 'arithmetic'; expression: Word }
  | { type: 'test'; expression: TestExpression }

export type TestExpression =
  | { type: 'or' | 'and'; left: TestExpression; right: TestExpression }
  | { type: 'not'; operand: TestExpression }
  | { type: 'unary'; operator: string; operand: Word }
  | { type: 'binary'; operator: string; left: Word; right: Word }

export interface FunctionDefinition {
  type: 'function'
  name: string
  body: Compound
  /** As written, for `type` and `declare -f`. */
  source: string
}

export interface Redirection {
  fd?: number
  /** {name}> is not supported; the operators of POSIX and bash's &> &>> <<< are. */
  operator: '<' | '>' | '>>' | '>|' | '<>' | '<&' | '>&' | '<<' | '<<<' | '&>' | '&>>'
  target: Word
}

/** A word before expansion. */
export interface Word {
  parts: Part[]
  /** As written, for messages. */
  text: string
}

export type Part =
  | { type: 'literal'; text: string }
  | { type: 'quoted'; text: string }
  | { type: 'double'; parts: Part[] }
  | { type: 'parameter'; parameter: Parameter }
  | { type: 'command'; list: List }
  | { type: 'arithmetic'; expression: Word }
  | { type: 'process'; direction: '<' | '>'; list: List }

export interface Parameter {
  name: string
  index?: Word
  /** ${#x} */
  length?: boolean
  /** ${!x}, ${!x[@]}, ${!x*} */
  indirect?: boolean | 'keys' | 'names'
  operator?: string
  word?: Word
  /** The part after the second / or : of ${x/a/b} and ${x:a:b}. */
  second?: Word
}

export class SyntaxFault extends Error {
  readonly line: number
  /** More input could make it right (an open quote, a missing `done`). */
  readonly incomplete: boolean
  constructor(message: string, line: number, incomplete = false) {
    super(message)
    this.line = line
    this.incomplete = incomplete
  }
}
