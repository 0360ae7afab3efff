import { ApiError } from '../machinery/errors.ts'
import { type FieldError, forbidden, invalid, notSupported, Path } from '../registry/field.ts'

export interface ListOptions {
  labelSelector: string
  fieldSelector: string
  limit: number
  continue: string
  resourceVersion: string
  resourceVersionMatch: '' | 'Exact' | 'NotOlderThan'
  watch: boolean
  allowWatchBookmarks: boolean
  sendInitialEvents?: boolean
  /** Seconds; 0 is the server's choice. */
  timeoutSeconds: number
}

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict'

export interface WriteOptions {
  dryRun: boolean
  fieldManager: string
  fieldValidation: FieldValidation
  /** Of an apply. */
  force?: boolean
}

/** metav1.DeleteOptions as it reaches the deletion. */
export interface DeletionOptions {
  dryRun: boolean
  gracePeriodSeconds?: number
  propagationPolicy?: string
  preconditions?: { uid?: string; resourceVersion?: string }
}

/** Throws ApiError BadRequest or Invalid. */
export function listOptions(query: URLSearchParams): ListOptions {
  const match = query.get('resourceVersionMatch') ?? ''
  const options: ListOptions = {
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    limit: number(query, 'limit') ?? 0,
    continue: query.get('continue') ?? '',
    resourceVersion: query.get('resourceVersion') ?? '',
    resourceVersionMatch: match as ListOptions['resourceVersionMatch'],
    watch: boolean(query, 'watch') ?? false,
    allowWatchBookmarks: boolean(query, 'allowWatchBookmarks') ?? false,
    timeoutSeconds: number(query, 'timeoutSeconds') ?? 0,
  }
  const initial = boolean(query, 'sendInitialEvents')
  if (initial !== undefined) options.sendInitialEvents = initial
  const errors = listErrors(options, match)
  if (errors.length > 0) throw ApiError.invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', errors)
  if (options.resourceVersion !== '' && !/^\d+$/.test(options.resourceVersion)) {
    const error = invalid(
      new Path('resourceVersion'),
      options.resourceVersion,
      `strconv.ParseUint: parsing ${JSON.stringify(options.resourceVersion)}: invalid syntax`,
    )
    throw ApiError.badRequest(`${error.field}: ${error.message}`)
  }
  return options
}

/** Throws ApiError BadRequest or Invalid. `kind` is CreateOptions, UpdateOptions or PatchOptions. */
export function writeOptions(query: URLSearchParams, kind: string): WriteOptions {
  const errors = dryRunErrors(query.getAll('dryRun'))
  const fieldManager = query.get('fieldManager') ?? ''
  const path = new Path('fieldManager')
  if (fieldManager.length > 128) errors.push(invalid(path, fieldManager, 'may not be more than 128 bytes'))
  const unprintable = [...fieldManager].findIndex((character) => /[\p{C}]/u.test(character))
  if (unprintable >= 0)
    errors.push(invalid(path, fieldManager, `should only contain printable characters, found ${fieldManager.codePointAt(unprintable)}`))
  const validation = query.get('fieldValidation') ?? ''
  if (!['', 'Ignore', 'Warn', 'Strict'].includes(validation)) {
    errors.push(notSupported(new Path('fieldValidation'), validation, ['', 'Ignore', 'Strict', 'Warn']))
  }
  if (errors.length > 0) throw ApiError.invalid({ group: 'meta.k8s.io', kind }, '', errors)
  const force = boolean(query, 'force')
  return {
    dryRun: query.has('dryRun') && query.get('dryRun') !== '',
    fieldManager,
    fieldValidation: (validation || 'Warn') as FieldValidation,
    ...(force === undefined ? {} : { force }),
  }
}

/** From the body, which wins, or else the query. Throws ApiError BadRequest or Invalid. */
export function deletionOptions(query: URLSearchParams, body: Record<string, unknown> | undefined): DeletionOptions {
  const given: Record<string, unknown> = body ?? {
    gracePeriodSeconds: number(query, 'gracePeriodSeconds'),
    propagationPolicy: query.get('propagationPolicy') ?? undefined,
    orphanDependents: boolean(query, 'orphanDependents'),
    dryRun: query.getAll('dryRun'),
  }
  const dryRun = [...((given['dryRun'] as string[] | undefined) ?? []), ...(body ? query.getAll('dryRun') : [])].filter(
    (value) => value !== '',
  )
  const { gracePeriodSeconds, propagationPolicy, orphanDependents, preconditions } = given
  const errors = dryRunErrors(dryRun)
  if (propagationPolicy !== undefined && orphanDependents !== undefined && orphanDependents !== null) {
    errors.push(invalid(new Path('propagationPolicy'), propagationPolicy, 'orphanDependents and deletionPropagation cannot be both set'))
  }
  if (propagationPolicy && !['Foreground', 'Background', 'Orphan'].includes(String(propagationPolicy))) {
    errors.push(notSupported(new Path('propagationPolicy'), propagationPolicy, ['Foreground', 'Background', 'Orphan', 'nil']))
  }
  if (errors.length > 0) throw ApiError.invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', errors)
  const policy =
    propagationPolicy ??
    (orphanDependents === undefined || orphanDependents === null ? undefined : orphanDependents ? 'Orphan' : 'Background')
  return {
    dryRun: dryRun.length > 0,
    ...(typeof gracePeriodSeconds === 'number' ? { gracePeriodSeconds } : {}),
    ...(policy ? { propagationPolicy: String(policy) } : {}),
    ...(preconditions ? { preconditions: preconditions as NonNullable<DeletionOptions['preconditions']> } : {}),
  }
}

function listErrors(options: ListOptions, match: string): FieldError[] {
  const errors: FieldError[] = []
  const path = new Path('resourceVersionMatch')
  const send = new Path('sendInitialEvents')
  if (options.watch) {
    if (options.sendInitialEvents === undefined) {
      if (match) errors.push(forbidden(path, 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'))
    } else {
      if (match !== 'NotOlderThan') errors.push(forbidden(path, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'))
    }
    if (options.continue) errors.push(forbidden(new Path('continue'), 'continue is forbidden for watch'))
    return errors
  }
  if (options.sendInitialEvents !== undefined) errors.push(forbidden(send, 'sendInitialEvents is forbidden for list'))
  if (!match) return errors
  if (match !== 'Exact' && match !== 'NotOlderThan') {
    errors.push(notSupported(path, match, ['Exact', 'NotOlderThan']))
    return errors
  }
  if (!options.resourceVersion) errors.push(forbidden(path, 'resourceVersionMatch is forbidden unless resourceVersion is provided'))
  if (options.continue) errors.push(forbidden(path, 'resourceVersionMatch is forbidden when continue is provided'))
  if (match === 'Exact' && options.resourceVersion === '0') {
    errors.push(forbidden(path, 'resourceVersionMatch "Exact" is forbidden for resourceVersion "0"'))
  }
  return errors
}

function dryRunErrors(values: readonly string[]): FieldError[] {
  const unknown = values.filter((value) => value !== '' && value !== 'All')
  return unknown.length > 0 ? [notSupported(new Path('dryRun'), unknown, ['All'])] : []
}

function number(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  if (!/^-?\d+$/.test(text)) throw ApiError.badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  return Number(text)
}

/** As apimachinery converts a query value: present and not false is true. */
function boolean(query: URLSearchParams, name: string): boolean | undefined {
  const text = query.get(name)
  return text === null ? undefined : !['false', '0'].includes(text.toLowerCase())
}
