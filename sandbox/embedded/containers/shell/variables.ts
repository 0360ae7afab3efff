export interface Variable {
  value: string | undefined
  /** Indexed or associative array. */
  array?: Map<string, string>
  associative?: boolean
  exported: boolean
  readonly: boolean
  integer?: boolean
}

/** A variable as a record keeps it. */
export interface StoredVariable extends Omit<Variable, 'array'> {
  name: string
  array?: [string, string][]
}

/** An environment may have other names; no shell can speak of them. */
export function isVariableName(name: string): boolean {
  return /^[A-Za-z_]\w*$/.test(name)
}

export class ReadonlyFault extends Error {}

/** A shell's variables with the local scopes of its functions. */
export class Variables {
  private readonly scopes: Map<string, Variable>[]
  /** Told of how many bytes values grew, for memory accounting. */
  private readonly grow: (bytes: number) => void

  constructor(grow: (bytes: number) => void, scopes: Map<string, Variable>[] = [new Map()]) {
    this.grow = grow
    this.scopes = scopes
  }

  static fromEnvironment(env: ReadonlyMap<string, string>, grow: (bytes: number) => void): Variables {
    const map = new Map<string, Variable>()
    for (const [name, value] of env) if (isVariableName(name)) map.set(name, { value, exported: true, readonly: false })
    return new Variables(grow, [map])
  }

  /** For a subshell: its changes stay its own. */
  copy(grow: (bytes: number) => void): Variables {
    return new Variables(
      grow,
      this.scopes.map(
        (scope) => new Map([...scope].map(([name, variable]) => [name, { ...variable, array: variable.array && new Map(variable.array) }])),
      ),
    )
  }

  find(name: string): Variable | undefined {
    for (let index = this.scopes.length - 1; index >= 0; index--) {
      const variable = (this.scopes[index] as Map<string, Variable>).get(name)
      if (variable) return variable
    }
    return undefined
  }

  get(name: string): string | undefined {
    const variable = this.find(name)
    if (!variable) return undefined
    return variable.array ? variable.array.get('0') : variable.value
  }

  /** Throws ReadonlyFault. */
  set(name: string, value: string, index?: string): void {
    const variable = this.writable(name)
    const old = index === undefined && !variable.array ? variable.value : variable.array?.get(index ?? '0')
    this.grow(2 * (value.length - (old?.length ?? 0)))
    if (index !== undefined || variable.array) {
      variable.array ??= new Map(variable.value === undefined ? [] : [['0', variable.value]])
      variable.array.set(index ?? '0', value)
    } else variable.value = value
  }

  setArray(name: string, array: Map<string, string>): void {
    const variable = this.writable(name)
    let bytes = 0
    for (const value of array.values()) bytes += 2 * value.length
    this.grow(bytes)
    variable.array = array
    variable.value = undefined
  }

  unset(name: string, index?: string): void {
    const variable = this.find(name)
    if (!variable) return
    if (variable.readonly) throw new ReadonlyFault(name)
    if (index !== undefined) {
      variable.array?.delete(index)
      return
    }
    for (let scope = this.scopes.length - 1; scope >= 0; scope--) if ((this.scopes[scope] as Map<string, Variable>).delete(name)) return
  }

  /** Made when missing, without a value. */
  declare(name: string): Variable {
    const found = this.find(name)
    if (found) return found
    const made: Variable = { value: undefined, exported: false, readonly: false }
    ;(this.scopes[0] as Map<string, Variable>).set(name, made)
    return made
  }

  declareLocal(name: string): Variable {
    const scope = this.scopes[this.scopes.length - 1] as Map<string, Variable>
    const existing = scope.get(name)
    if (existing && this.scopes.length > 1) return existing
    const outer = this.find(name)
    const made: Variable = { value: undefined, exported: outer?.exported ?? false, readonly: false }
    scope.set(name, made)
    return made
  }

  get inFunction(): boolean {
    return this.scopes.length > 1
  }

  pushScope(): void {
    this.scopes.push(new Map())
  }

  popScope(): void {
    this.scopes.pop()
  }

  names(): string[] {
    const all = new Set<string>()
    for (const scope of this.scopes) for (const name of scope.keys()) all.add(name)
    return [...all].sort()
  }

  /** What a program finds in its environment, behind what there is otherwise. */
  exported(before?: ReadonlyMap<string, string>): Map<string, string> {
    const env = new Map(before)
    for (const scope of this.scopes) {
      for (const [name, variable] of scope) if (variable.exported && variable.value !== undefined) env.set(name, variable.value)
    }
    return env
  }

  /** The global ones, for a record. */
  stored(): StoredVariable[] {
    const global = this.scopes[0] as Map<string, Variable>
    return [...global].map(([name, { array, ...variable }]) => ({ name, ...variable, ...(array && { array: [...array] }) }))
  }

  /** Takes the place of all there are. */
  restore(stored: readonly StoredVariable[]): void {
    const global = this.scopes[0] as Map<string, Variable>
    global.clear()
    for (const { name, array, ...variable } of stored) {
      this.grow(2 * (variable.value?.length ?? 0))
      global.set(name, { ...variable, value: variable.value, ...(array && { array: new Map(array) }) })
    }
  }

  private writable(name: string): Variable {
    const variable = this.declare(name)
    if (variable.readonly) throw new ReadonlyFault(name)
    return variable
  }
}
