import { ApiError } from '../machinery/errors.ts'
import { parseFieldSelector, parseLabelSelector } from '../machinery/selectors.ts'
import { type FieldError, forbidden, invalid, notSupported, Path, required, tooLong } from '../registry/field.ts'

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
  // in the order in which the server reads them
  const timeoutSeconds = number(query, 'timeoutSeconds') ?? 0
  const options: ListOptions = {
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    limit: number(query, 'limit') ?? 0,
    continue: query.get('continue') ?? '',
    resourceVersion: query.get('resourceVersion') ?? '',
    resourceVersionMatch: match as ListOptions['resourceVersionMatch'],
    watch: boolean(query, 'watch') ?? false,
    allowWatchBookmarks: boolean(query, 'allowWatchBookmarks') ?? false,
    timeoutSeconds,
  }
  const initial = boolean(query, 'sendInitialEvents')
  if (initial !== undefined) options.sendInitialEvents = initial
  // selectors that cannot be read are told before anything is said of the other options
  if (options.labelSelector) parseLabelSelector(options.labelSelector)
  if (options.fieldSelector) parseFieldSelector(options.fieldSelector)
  const errors = listErrors(options, match)
  if (errors.length > 0) throw ApiError.invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', errors)
  return options
}

/** The version is read where the listing begins: after all the rest that was asked for. Throws ApiError. */
export function assertReadableVersion(options: ListOptions): void {
  // with a token the version is not looked at before the token
  const looked = options.watch || !options.continue
  if (looked && options.resourceVersion !== '' && unsignedFault(options.resourceVersion)) {
    const why = `resourceVersion: Invalid value: ${JSON.stringify(options.resourceVersion)}: ${unsignedFault(options.resourceVersion)}`
    if (options.watch) throw new ApiError(500, undefined, why)
    throw ApiError.badRequest(`invalid resource version: ${why}`)
  }
}

/** Throws ApiError BadRequest or Invalid. `kind` is CreateOptions, UpdateOptions or PatchOptions, and `patch` of a patch its type. */
export function writeOptions(query: URLSearchParams, kind: string, patch?: 'json' | 'merge' | 'strategic' | 'apply'): WriteOptions {
  const force = boolean(query, 'force')
  const errors: FieldError[] = []
  const fieldManager = query.get('fieldManager') ?? ''
  const path = new Path('fieldManager')
  if (patch === 'apply' && !fieldManager) errors.push(required(path, 'is required for apply patch'))
  if (patch && patch !== 'apply' && force !== undefined) {
    errors.push(forbidden(new Path('force'), 'may not be specified for non-apply patch'))
  }
  if (fieldManager.length > 128) errors.push(tooLong(path, 128))
  const unprintable = isUnprintable(fieldManager) ? [...fieldManager].findIndex(isUnprintable) : -1
  if (unprintable >= 0) {
    const code = ([...fieldManager][unprintable]?.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
    errors.push(invalid(path, fieldManager, `invalid character U+${code} (at position ${unprintable})`))
  }
  errors.push(...dryRunErrors(query.getAll('dryRun')))
  const validation = query.get('fieldValidation') ?? ''
  if (!['', 'Ignore', 'Warn', 'Strict'].includes(validation)) {
    errors.push(notSupported(new Path('fieldValidation'), validation, ['', 'Ignore', 'Strict', 'Warn']))
  }
  if (errors.length > 0) throw ApiError.invalid({ group: 'meta.k8s.io', kind }, '', errors)
  return {
    dryRun: query.has('dryRun') && query.get('dryRun') !== '',
    fieldManager,
    fieldValidation: (validation || 'Warn') as FieldValidation,
    ...(force === undefined ? {} : { force }),
  }
}

function isUnprintable(text: string): boolean {
  return /[\p{C}\p{Zl}\p{Zp}]/u.test(text)
}

/** From the body, which wins, or else the query. Throws ApiError BadRequest or Invalid. */
export function deletionOptions(query: URLSearchParams, body: Record<string, unknown> | undefined): DeletionOptions {
  const given: Record<string, unknown> = body ?? {
    gracePeriodSeconds: number(query, 'gracePeriodSeconds'),
    propagationPolicy: query.get('propagationPolicy') ?? undefined,
    orphanDependents: boolean(query, 'orphanDependents'),
    dryRun: query.getAll('dryRun'),
    preconditions: urlPreconditions(query),
  }
  // a body speaks for itself: what the URL says besides is not looked at
  const dryRun = ((given['dryRun'] as string[] | undefined) ?? []).filter((value) => value !== '')
  const { gracePeriodSeconds, propagationPolicy, orphanDependents, preconditions } = given
  const errors = dryRunErrors(dryRun)
  if (propagationPolicy !== undefined && orphanDependents !== undefined && orphanDependents !== null) {
    errors.push(invalid(new Path('propagationPolicy'), propagationPolicy, 'orphanDependents and deletionPropagation cannot be both set'))
  }
  if (
    propagationPolicy !== undefined &&
    propagationPolicy !== null &&
    !['Foreground', 'Background', 'Orphan'].includes(String(propagationPolicy))
  ) {
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

/** Preconditions of a deletion may stand in the URL by themselves. */
function urlPreconditions(query: URLSearchParams): DeletionOptions['preconditions'] {
  const uid = query.get('uid')
  const resourceVersion = query.get('resourceVersion')
  if (!uid && !resourceVersion) return undefined
  return { ...(uid ? { uid } : {}), ...(resourceVersion ? { resourceVersion } : {}) }
}

function listErrors(options: ListOptions, match: string): FieldError[] {
  const errors: FieldError[] = []
  const path = new Path('resourceVersionMatch')
  const send = new Path('sendInitialEvents')
  if (options.watch) {
    if (options.sendInitialEvents !== undefined && match !== 'NotOlderThan') {
      errors.push(forbidden(path, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'))
    }
    // a watch from any version begins with what there is, which is as if it had asked for that
    const fromAny = options.sendInitialEvents === undefined && ['', '0'].includes(options.resourceVersion)
    if (!match && fromAny && options.continue) errors.push(forbidden(path, 'resourceVersionMatch is forbidden when continue is provided'))
    if (!match) return errors
    if (options.sendInitialEvents === undefined) {
      errors.push(forbidden(path, 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'))
    }
    if (match !== 'NotOlderThan') errors.push(notSupported(path, match, ['NotOlderThan']))
    if (options.continue) errors.push(forbidden(path, 'resourceVersionMatch is forbidden when continue is provided'))
    return errors
  }
  if (match) {
    if (!options.resourceVersion) errors.push(forbidden(path, 'resourceVersionMatch is forbidden unless resourceVersion is provided'))
    if (options.continue) errors.push(forbidden(path, 'resourceVersionMatch is forbidden when continue is provided'))
    if (match !== 'Exact' && match !== 'NotOlderThan') errors.push(notSupported(path, match, ['Exact', 'NotOlderThan', '']))
    if (match === 'Exact' && options.resourceVersion === '0') {
      errors.push(forbidden(path, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    }
  }
  if (options.sendInitialEvents !== undefined) errors.push(forbidden(send, 'sendInitialEvents is forbidden for list'))
  return errors
}

function dryRunErrors(values: readonly string[]): FieldError[] {
  const unknown = values.filter((value) => value !== '' && value !== 'All')
  return unknown.length > 0 ? [notSupported(new Path('dryRun'), values, ['All'])] : []
}

/** What Go's strconv says of a text that is no uint64; undefined for one that is. */
export function unsignedFault(text: string): string | undefined {
  const digits = /^\d+$/.test(text)
  if (digits && BigInt(text) < 2n ** 64n) return undefined
  return `strconv.ParseUint: parsing ${JSON.stringify(text)}: ${digits ? 'value out of range' : 'invalid syntax'}`
}

function number(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  const failed = (why: string) => ApiError.badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: ${why}`)
  if (!/^[+-]?\d+$/.test(text)) throw failed('invalid syntax')
  if (BigInt.asIntN(64, BigInt(text)) !== BigInt(text)) throw failed('value out of range')
  return Number(text)
}

/** As apimachinery converts a query value: present and not false is true. */
function boolean(query: URLSearchParams, name: string): boolean | undefined {
  const text = query.get(name)
  return text === null ? undefined : !['false', '0'].includes(text.toLowerCase())
}
