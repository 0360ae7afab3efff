import { customResourceSchema, type Schema } from '../../schema/index.ts'
import { customDefinition, onlyVersion } from '../custom-definition.ts'
import type { Fields, Specimen } from './specimen.ts'

const group = 'rows.example.com'

/** With as much of a schema as goes together. */
const gizmo: Fields = {
  type: 'object',
  required: ['spec'],
  properties: {
    spec: {
      type: 'object',
      required: ['color'],
      'x-kubernetes-validations': [
        { rule: '!has(self.limit) || self.replicas <= self.limit', message: 'too many', fieldPath: '.replicas' },
        { rule: 'self.color == oldSelf.color', message: 'a gizmo keeps its color', reason: 'FieldValueForbidden' },
      ],
      properties: {
        color: { type: 'string', enum: ['red', 'blue'] },
        replicas: { type: 'integer', format: 'int32', minimum: 0, default: 1 },
        limit: { type: 'integer', maximum: 10 },
        amount: { 'x-kubernetes-int-or-string': true },
        note: { type: 'string', maxLength: 20, pattern: '^[a-z ]+$', nullable: true },
        since: { type: 'string', format: 'date-time' },
        parts: {
          type: 'array',
          maxItems: 4,
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name', 'side'],
          items: {
            type: 'object',
            required: ['name'],
            properties: {
              name: { type: 'string' },
              side: { type: 'string', default: 'left' },
              weight: { type: 'number' },
              tags: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
            },
          },
        },
        tags: { type: 'array', maxItems: 5, items: { type: 'string', maxLength: 10 }, 'x-kubernetes-list-type': 'set' },
        steps: { type: 'array', items: { type: 'string' } },
        options: { type: 'object', additionalProperties: { type: 'string' } },
        place: {
          type: 'object',
          'x-kubernetes-map-type': 'atomic',
          properties: { x: { type: 'integer' }, y: { type: 'integer' } },
        },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { known: { type: 'boolean' } } },
        defaulted: {
          type: 'object',
          default: {},
          properties: { deep: { type: 'string', default: 'down' }, other: { type: 'string' } },
        },
      },
    },
    status: {
      type: 'object',
      properties: {
        replicas: { type: 'integer', minimum: 0 },
        selector: { type: 'string' },
        conditions: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['type'],
          items: { type: 'object', required: ['type'], properties: { type: { type: 'string' }, status: { type: 'string' } } },
        },
      },
    },
  },
}

/** Anything goes. */
const blob: Fields = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }

/** A kind without a status of its own: it is a field as any other. */
const plain: Fields = {
  type: 'object',
  properties: {
    spec: { type: 'object', properties: { size: { type: 'integer' }, items: { type: 'array', items: { type: 'string' } } } },
    status: { type: 'object', properties: { phase: { type: 'string' } } },
  },
}

const scale = { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', labelSelectorPath: '.status.selector' }

/** The definitions that the custom specimens are of. */
export const customDefinitions: readonly Fields[] = [
  definition('Gizmo', 'gizmos', gizmo, { status: {}, scale }),
  definition('Blob', 'blobs', blob, { status: {} }),
  definition('Plain', 'plains', plain),
]

export const customSpecimens: readonly Specimen[] = [
  specimen('Gizmo', 'gizmos', gizmo, {
    spec: {
      color: 'red',
      replicas: 2,
      limit: 5,
      amount: '50%',
      note: 'some words',
      since: '2026-01-01T00:00:00Z',
      parts: [
        { name: 'wheel', side: 'left', weight: 1.5, tags: ['a', 'b'] },
        { name: 'wheel', side: 'right' },
      ],
      tags: ['x', 'y'],
      steps: ['one', 'two'],
      options: { a: 'b' },
      place: { x: 1, y: 2 },
      free: { known: true, unknown: { list: [1, 2] } },
    },
  }),
  specimen('Blob', 'blobs', blob, { spec: { a: 1, list: [{ name: 'x' }], map: { k: 'v' } }, data: 'text' }),
  specimen('Plain', 'plains', plain, { spec: { size: 1, items: ['a'] }, status: { phase: 'Old' } }),
]

export const customStatuses: Record<string, Fields> = {
  Gizmo: { replicas: 2, selector: 'app=one', conditions: [{ type: 'Ready', status: 'True' }] },
  Blob: { phase: 'Fine', list: ['a'] },
}

function definition(kind: string, plural: string, schema: Fields, subresources?: Fields): Fields {
  return customDefinition(group, { plural, kind }, [onlyVersion(schema, subresources && { subresources })])
}

function specimen(kind: string, resource: string, schema: Fields, body: Fields): Specimen {
  const apiVersion = `${group}/v1`
  return {
    title: `${kind} (custom)`,
    apiVersion,
    kind,
    resource,
    namespaced: true,
    stored: true,
    body: { apiVersion, kind, ...body, metadata: { name: 'one' } },
    schema: customResourceSchema(group, 'v1', kind, schema as Schema),
  }
}
