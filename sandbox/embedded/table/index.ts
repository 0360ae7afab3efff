import { readFileSync } from 'node:fs'
import type { KubeObject } from '../machinery/object.ts'
import type { ResourceInfo } from '../registry/index.ts'
import type { FlowSchema } from '../schema/types/flowcontrol.v1.ts'
import type { ListMeta } from '../schema/types/meta.v1.ts'
import { apiCells } from './api.ts'
import { type Age, ageAt, type Cell, type CellsOf } from './cell.ts'
import { clusterCells } from './cluster.ts'
import { networkCells } from './network.ts'
import { podCells } from './pod.ts'
import { storageCells } from './storage.ts'
import { workloadCells } from './workloads.ts'

export type { Age, Cell } from './cell.ts'
export { humanDuration } from './cell.ts'

export interface ColumnDefinition {
  name: string
  type: string
  format: string
  description: string
  /** 0 is always shown, 1 with -o wide. */
  priority: number
}

export interface Table {
  kind: 'Table'
  apiVersion: 'meta.k8s.io/v1'
  metadata: ListMeta
  columnDefinitions: ColumnDefinition[]
  rows: { cells: Cell[]; object: unknown; conditions?: { type: string; status: string; reason: string; message: string }[] }[]
}

export interface TableOptions {
  /** Milliseconds since 1970 on the cluster's clock: ages count from it. */
  now: number
  /** What each row carries of its object; Metadata unless said. */
  includeObject?: 'None' | 'Metadata' | 'Object'
  metadata?: ListMeta
  /** Columns and cells of a custom resource. */
  custom?: { columns: ColumnDefinition[]; cells(object: KubeObject, age: Age): Cell[] }
}

const printers: Record<string, CellsOf> = { ...podCells, ...workloadCells, ...networkCells, ...storageCells, ...clusterCells, ...apiCells }

/** The one kind whose rows the server sorts itself: by whom it asks first. */
const orders: Record<string, (a: KubeObject, b: KubeObject) => number> = {
  'flowcontrol.apiserver.k8s.io/v1/flowschemas': byPrecedence,
}

let columns: Record<string, ColumnDefinition[]> | undefined

/** What the API server answers to `Accept: application/json;as=Table`: real columns, and cells as kubectl prints them. */
export function toTable(
  info: Pick<ResourceInfo, 'group' | 'version' | 'resource'>,
  objects: readonly KubeObject[],
  options: TableOptions,
): Table {
  const age = ageAt(options.now)
  const path = `${info.group}/${info.version}/${info.resource}`.replace(/^\//, '')
  const definitions = options.custom?.columns ?? columnsOf(path)
  const printer: CellsOf = options.custom?.cells ?? printers[path] ?? created
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: options.metadata ?? {},
    columnDefinitions: definitions,
    rows: (orders[path] ? objects.toSorted(orders[path]) : objects).map((object) => ({
      cells: printer(object as never, age),
      ...conditionsOf(path, object),
      object: carried(object, options.includeObject ?? 'Metadata'),
    })),
  }
}

function byPrecedence(a: KubeObject & Pick<FlowSchema, 'spec'>, b: KubeObject & Pick<FlowSchema, 'spec'>): number {
  const difference = (a.spec?.matchingPrecedence ?? 0) - (b.spec?.matchingPrecedence ?? 0)
  return difference || ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1)
}

function columnsOf(path: string): ColumnDefinition[] {
  columns ??= JSON.parse(readFileSync(new URL('./columns.json', import.meta.url), 'utf8')) as Record<string, ColumnDefinition[]>
  return columns[path] ?? columns['v1/limitranges'] ?? []
}

/** Kinds that have no columns of their own show when they were made. */
function created({ metadata }: KubeObject): Cell[] {
  return [metadata.name ?? '', metadata.creationTimestamp ?? null]
}

function conditionsOf(
  path: string,
  object: KubeObject & { status?: { phase?: string } },
): { conditions?: Table['rows'][number]['conditions'] } {
  if (path !== 'v1/pods') return {}
  if (object.status?.phase === 'Succeeded') {
    return { conditions: [{ type: 'Completed', status: 'True', reason: 'Succeeded', message: 'The pod has completed successfully.' }] }
  }
  return object.status?.phase === 'Failed'
    ? { conditions: [{ type: 'Completed', status: 'True', reason: 'Failed', message: 'The pod failed.' }] }
    : {}
}

function carried(object: KubeObject, include: TableOptions['includeObject']): unknown {
  if (include === 'None') return null
  if (include === 'Object') return object
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata }
}
