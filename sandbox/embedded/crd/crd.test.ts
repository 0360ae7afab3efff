import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../machinery/object.ts'
import { atOnce } from '../machinery/pieces.ts'
import { Path } from '../registry/field.ts'
import type { CreateContext } from '../registry/index.ts'
import { findKind } from '../registry/index.ts'
import type { CustomResourceDefinition, JSONSchemaProps } from '../schema/types/apiextensions.v1.ts'
import { validateVersions } from './definition.ts'
import { jsonPath } from './jsonpath.ts'
import { customResources } from './resource.ts'
import { structureErrors } from './structure.ts'

function definition(schema: JSONSchemaProps): CustomResourceDefinition {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'widgets.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'widgets', kind: 'Widget', shortNames: ['wd'] },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: schema },
          subresources: { status: {}, scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' } },
        },
      ],
    },
  }
}

const text = { type: 'string' }
const either = { type: 'object', properties: { a: text, b: text } }
const schema: JSONSchemaProps = {
  type: 'object',
  required: ['spec'],
  properties: {
    spec: {
      type: 'object',
      required: ['size'],
      properties: {
        size: { type: 'string', enum: ['small', 'large'], default: 'small' },
        replicas: { type: 'integer', minimum: 1, maximum: 5, default: 1 },
        name: { type: 'string', pattern: '^[a-z]+$', minLength: 2, maxLength: 4 },
        tags: { type: 'array', maxItems: 2, minItems: 1, items: text },
        port: { 'x-kubernetes-int-or-string': true },
        email: { type: 'string', format: 'email' },
        when: { type: 'string', format: 'date-time' },
        ratio: { type: 'number', minimum: 0, exclusiveMinimum: true, multipleOf: 0.5 },
        labels: { type: 'object', additionalProperties: { type: 'integer' }, maxProperties: 2 },
        extra: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        nul: { type: 'string', nullable: true },
        one: { ...either, oneOf: [{ required: ['a'] }, { required: ['b'] }] },
        anyx: { ...either, anyOf: [{ required: ['a'] }, { required: ['b'] }] },
        notx: { ...either, not: { required: ['a'] } },
        keyed: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: { type: 'object', required: ['name'], properties: { name: text } },
        },
        seta: { type: 'array', 'x-kubernetes-list-type': 'set', items: text },
      },
      'x-kubernetes-validations': [
        { rule: 'self.replicas <= 4', message: 'at most four' },
        { rule: "!has(self.name) || self.name != 'bad'", messageExpression: "'name ' + self.name + ' is bad'" },
        { rule: '!has(oldSelf.nul) || self.nul == oldSelf.nul', message: 'nul stays' },
      ],
    },
    status: { type: 'object', properties: { replicas: { type: 'integer' } } },
  },
}

const [info] = customResources(definition(schema))
if (!info?.decode) throw new Error('nothing is served')
const { strategy } = info
const decode = info.decode

function widget(spec: unknown, more: object = {}): KubeObject {
  const { object } = decode({ apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w', namespace: 'team' }, spec, ...more })
  strategy.default(object as unknown as KubeObject)
  return object as unknown as KubeObject
}

const lines = (errors: readonly { field: string; message: string }[]) => errors.map(({ field, message }) => `${field}: ${message}`)
const notChecked =
  '<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation'

// Recorded from kube-apiserver 1.34.4.
const recorded: [spec: unknown, lines: string[]][] = [
  [
    { size: 'huge', replicas: 9, name: 'ABCDEF', tags: ['a', 'b', 'c'], port: 1.5, email: 'x', when: 'y', labels: { a: 'b' } },
    [
      'spec.tags: Too many: 3: must have at most 2 items',
      'spec.name: Too long: may not be more than 4 bytes',
      'spec.name: Invalid value: "ABCDEF": spec.name in body should match \'^[a-z]+$\'',
      'spec.when: Invalid value: "y": spec.when in body must be of type date-time: "y"',
      'spec.email: Invalid value: "x": spec.email in body must be of type email: "x"',
      'spec.size: Unsupported value: "huge": supported values: "small", "large"',
      'spec.replicas: Invalid value: 9: spec.replicas in body should be less than or equal to 5',
      'spec.labels.a: Invalid value: "string": spec.labels.a in body must be of type integer: "string"',
      'spec.port: Invalid value: "number": spec.port in body must be of type integer,string: "number"',
      notChecked,
    ],
  ],
  [
    { size: 5, replicas: 2.5, tags: 'x', labels: [] },
    [
      'spec.size: Invalid value: "integer": spec.size in body must be of type string: "integer"',
      'spec.size: Unsupported value: 5: supported values: "small", "large"',
      'spec.replicas: Invalid value: "number": spec.replicas in body must be of type integer: "number"',
      'spec.labels: Invalid value: "array": spec.labels in body must be of type object: "array"',
      'spec.tags: Invalid value: "string": spec.tags in body must be of type array: "string"',
      '.spec.replicas: Invalid value: 0: .spec.replicas accessor error: 2.5 is of the type float64, expected int64',
      notChecked,
    ],
  ],
  [{ replicas: 5 }, ['spec: Invalid value: "object": at most four']],
  [{ name: 'bad' }, ['spec: Invalid value: "object": name bad is bad']],
  [
    { name: 'a', tags: [], ratio: 0.3 },
    [
      'spec.tags: Invalid value: 0: spec.tags in body should have at least 1 items',
      'spec.ratio: Invalid value: 0.3: spec.ratio in body should be a multiple of 0.5',
      'spec.name: Invalid value: "a": spec.name in body should be at least 2 chars long',
    ],
  ],
  [
    { one: {}, anyx: {}, notx: { a: 'x' } },
    [
      '<nil>: Invalid value: "": "spec.notx" must not validate the schema (not)',
      '<nil>: Invalid value: "": "spec.one" must validate one and only one schema (oneOf). Found none valid',
      'spec.one.a: Required value',
      '<nil>: Invalid value: "": "spec.anyx" must validate at least one schema (anyOf)',
      'spec.anyx.a: Required value',
      notChecked,
    ],
  ],
  [
    { one: { a: '1', b: '2' } },
    ['<nil>: Invalid value: "": "spec.one" must validate one and only one schema (oneOf). Found 2 valid alternatives'],
  ],
  [
    { keyed: [{ name: 'a' }, { name: 'a' }], seta: ['x', 'x'], labels: { a: 1, b: 2, c: 3 } },
    [
      'spec.labels: Too many: 3: must have at most 2 items',
      'spec.seta[1]: Duplicate value: "x"',
      'spec.keyed[1]: Duplicate value: {"name":"a"}',
      notChecked,
    ],
  ],
  [null, ['spec: Required value', notChecked]],
]

describe('custom resources', () => {
  const context: CreateContext = {
    allocator: { clusterIP: () => '', nodePort: () => 0 },
    now: '2026-01-01T00:00:00Z',
    newUid: () => 'uid',
    namespaceLabels: () => ({}),
  }
  for (const [spec, expected] of recorded) {
    it(`validates ${JSON.stringify(spec)} as the real server does`, () => {
      expect(lines(atOnce(strategy.validateCreate(widget(spec), context))).sort()).toEqual(expected.toSorted())
    })
  }

  it('are pruned and defaulted, nulls dropped where none may stand', () => {
    const { object, unknown } = decode({
      apiVersion: 'example.com/v1',
      kind: 'Widget',
      metadata: { name: 'w', namespce: 'typo' },
      spec: { size: null, name: null, nul: null, unknown: 1, extra: { x: { y: 1 } } },
    })
    expect(unknown).toEqual(['unknown field "metadata.namespce"', 'unknown field "spec.unknown"'])
    strategy.default(object as unknown as KubeObject)
    expect(object['spec']).toEqual({ size: 'small', nul: null, extra: { x: { y: 1 } }, replicas: 1 })
  })

  it('change only as rules about the old value let them', () => {
    const old = widget({ nul: 'a' })
    old.metadata.resourceVersion = '1'
    const next = widget({ nul: 'b' })
    next.metadata.resourceVersion = '1'
    expect(lines(atOnce(strategy.validateUpdate(next, old)))).toEqual(['spec: Invalid value: "object": nul stays'])
    expect(atOnce(strategy.validateUpdate(structuredClone(old), old))).toEqual([])
  })

  it('may keep what has become wrong since, as long as it is not touched', () => {
    const old = widget({ name: 'BAD', keyed: [{ name: 'x' }], replicas: 5 })
    old.metadata.resourceVersion = '1'
    const next = widget({ name: 'BAD', keyed: [{ name: 'x' }], replicas: 5, nul: 'new' })
    next.metadata.resourceVersion = '1'
    // The rule about replicas is one about the whole spec, which has changed.
    expect(lines(atOnce(strategy.validateUpdate(next, old)))).toEqual(['spec: Invalid value: "object": at most four'])
    const other = widget({ name: 'WORSE', replicas: 1 })
    other.metadata.resourceVersion = '1'
    expect(lines(atOnce(strategy.validateUpdate(other, old))).join()).toContain("should match '^[a-z]+$'")
  })

  it('are validated in pieces where their rules compute much', () => {
    const numbers = {
      type: 'array',
      items: { type: 'integer' },
      'x-kubernetes-validations': [{ rule: 'self.all(a, self.exists(b, a < b))' }],
    }
    const names = Array.from({ length: 20 }, (_, index) => `list${index}`)
    const spec: JSONSchemaProps = { type: 'object', properties: Object.fromEntries(names.map((name) => [name, numbers])) }
    const [kind] = customResources(definition({ type: 'object', properties: { spec } }))
    const piecesFor = (length: number) => {
      const list = Array.from({ length }, (_, index) => index)
      const given = { ...widget({}), spec: Object.fromEntries(names.map((name) => [name, list])) }
      const work = kind?.strategy.validateCreate(given, context)
      for (let pieces = 1; ; pieces++) {
        const { done, value } = work?.next() ?? { done: true, value: undefined }
        if (done) return { pieces, failed: value?.length }
      }
    }
    expect(piecesFor(2)).toEqual({ pieces: 1, failed: 20 })
    const { pieces, failed } = piecesFor(200)
    expect(failed).toBe(20)
    expect(pieces).toBeGreaterThanOrEqual(20)
  })

  it('keep status apart', () => {
    const old = widget({}, { status: { replicas: 3 } })
    const next = widget({ replicas: 2 }, { status: { replicas: 9 } })
    strategy.prepareForUpdate(next, old, {} as never)
    expect(next).toMatchObject({ spec: { replicas: 2 }, status: { replicas: 3 } })
    const status = widget({ replicas: 4 }, { status: { replicas: 9 } })
    strategy.prepareForStatusUpdate(status, old, {} as never)
    expect(status).toMatchObject({ spec: { replicas: 1 }, status: { replicas: 9 } })
  })

  it('are found in discovery with their subresources', () => {
    expect(info.subresources.map(({ name }) => name)).toEqual(['status', 'scale'])
    expect(info).toMatchObject({ kind: 'Widget', listKind: 'WidgetList', singular: 'widget', shortNames: ['wd'] })
  })
})

describe('definitions', () => {
  it('are refused for what their schema lacks', () => {
    const bad = definition({ type: 'object', properties: { spec: { properties: { a: { type: 'array' } } } } })
    const field = 'spec.validation.openAPIV3Schema.properties[spec]'
    expect(lines(validateVersions(bad))).toEqual([
      `${field}.type: Required value: must not be empty for specified object fields`,
      `${field}.properties[a].items: Required value: must be specified`,
    ])
  })
})

describe('a definition whose storage version changes', () => {
  it('remembers that objects may be stored in both', () => {
    const crd = findKind('apiextensions.k8s.io', 'v1', 'CustomResourceDefinition')
    const old = definition({ type: 'object' })
    crd?.strategy.default(old)
    crd?.strategy.prepareForCreate(old, {} as never)
    old.metadata = { ...old.metadata, uid: 'x', resourceVersion: '1' }
    const next = structuredClone(old)
    const [first] = next.spec.versions
    if (!first) throw new Error('no version')
    next.spec.versions = [
      { ...first, storage: false },
      { ...first, name: 'v2', storage: true },
    ]
    crd?.strategy.prepareForUpdate(next, old, {} as never)
    expect(next.status?.storedVersions).toEqual(['v1', 'v2'])
    expect(crd && atOnce(crd.strategy.validateUpdate(next, old))).toEqual([])
  })
})

describe('jsonPath', () => {
  const object = {
    spec: {
      ports: [
        { name: 'http', port: 80 },
        { name: 'tls', port: 443 },
      ],
    },
    metadata: { labels: { 'app.kubernetes.io/name': 'web' } },
    status: {
      conditions: [
        { type: 'Ready', status: 'True' },
        { type: 'Synced', status: 'False' },
      ],
    },
  }
  for (const [path, expected] of [
    ['.spec.ports[0].port', [80]],
    ['.spec.ports[*].name', ['http', 'tls']],
    ['.spec.ports[-1].name', ['tls']],
    ['.status.conditions[?(@.type=="Ready")].status', ['True']],
    ["{.status.conditions[?(@.status != 'True')].type}", ['Synced']],
    ['.metadata.labels.app\\.kubernetes\\.io/name', ['web']],
    [".metadata.labels['app.kubernetes.io/name']", ['web']],
    ['.spec.missing.deep', []],
  ] as const) {
    it(`finds ${path}`, () => {
      expect(jsonPath(path, object)).toEqual(expected)
    })
  }
})

describe('structure', () => {
  const faults = (property: JSONSchemaProps) =>
    structureErrors({ type: 'object', properties: { a: property } }, new Path('schema')).map(({ field }) => field)
  const spelt = [{ type: 'integer' }, { type: 'string' }]

  it('lets an integer or string be spelt out, as controller-gen writes quantities, and nothing else', () => {
    expect(faults({ anyOf: spelt, 'x-kubernetes-int-or-string': true })).toEqual([])
    expect(faults({ type: 'object', additionalProperties: { anyOf: spelt, 'x-kubernetes-int-or-string': true } })).toEqual([])
    expect(faults({ allOf: [{ anyOf: spelt }, { maxLength: 9 }], 'x-kubernetes-int-or-string': true })).toEqual([])
    expect(faults({ anyOf: [...spelt].reverse(), 'x-kubernetes-int-or-string': true })).toEqual([
      'schema.properties[a].anyOf[0].type',
      'schema.properties[a].anyOf[1].type',
    ])
  })
})
