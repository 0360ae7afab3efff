import protobufjs, { type Writer } from 'protobufjs/minimal.js'
import { stringify } from 'yaml'

type Node = Record<string, unknown>

/** The media type by which clients ask for OpenAPI v2 in protobuf; client-go knows no other. */
export const openApiProtobufAsked = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf'
/** The one by which it is answered: the other is none by RFC 2045, and Go refuses to read it. */
export const openApiProtobuf = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf'
/** The same of version 3. */
export const openApi3ProtobufAsked = 'application/com.github.proto-openapi.spec.v3@v1.0+protobuf'
export const openApi3Protobuf = 'application/com.github.proto-openapi.spec.v3.v1.0+protobuf'

/** An OpenAPI v2 document as gnostic's openapi.v2.Document. */
export function openApiBytes(document: Node): Uint8Array {
  return bytesOf(version2.document, document)
}

/** An OpenAPI v3 document as gnostic's openapi.v3.Document. */
export function openApi3Bytes(document: Node): Uint8Array {
  return bytesOf(version3.document, document)
}

/** Writes a value as the field of that number. */
type Field = (writer: Writer, number: number, value: unknown) => void
/** A message's fields by their names in JSON; `x-` is for all that begin with it. They are written in the order of their numbers. */
type Message = Readonly<Record<string, readonly [number: number, field: Field]>>

function bytesOf(message: Message, value: Node): Uint8Array {
  const writer = protobufjs.Writer.create()
  fill(writer, message, value)
  return writer.finish()
}

function fill(writer: Writer, message: Message, value: Node): void {
  for (const [name, [number, field]] of Object.entries(message)) {
    if (name === 'x-') for (const [key, item] of extensions(value)) entry(writer, number, key, item, any)
    else if (value[name] !== undefined) field(writer, number, value[name])
  }
}

function extensions(value: Node): [string, unknown][] {
  return Object.entries(value).filter(([name]) => name.startsWith('x-'))
}

const text: Field = (writer, number, value) => {
  if (value !== '') writer.uint32(tag(number)).string(String(value))
}
const flag: Field = (writer, number, value) => {
  if (value) writer.uint32(tag(number, 0)).bool(true)
}
const integer: Field = (writer, number, value) => {
  if (value) writer.uint32(tag(number, 0)).int64(Number(value))
}
const double: Field = (writer, number, value) => {
  if (value) writer.uint32(tag(number, 1)).double(Number(value))
}
/** A value of any kind goes as YAML. */
const any: Field = (writer, number, value) => within(writer, number, (part) => part.uint32(tag(2)).string(yamlOf(value)))

function message(of: () => Message): Field {
  return (writer, number, value) => within(writer, number, (part) => fill(part, of(), value as Node))
}

function each(field: Field): Field {
  return (writer, number, value) => {
    for (const item of value as unknown[]) field(writer, number, item)
  }
}

/** A map: a message of entries with a name and a value. */
function map(field: Field, at = 1): Field {
  return (writer, number, value) =>
    within(writer, number, (part) => {
      for (const [name, item] of Object.entries(value as Node)) entry(part, at, name, item, field)
    })
}

/** A message that has the field as its only one, at a place that may depend on the value. */
function wrapped(field: (value: unknown) => Field, at: (value: unknown) => number = () => 1): Field {
  return (writer, number, value) => within(writer, number, (part) => field(value)(part, at(value), value))
}

function entry(writer: Writer, number: number, name: string, value: unknown, field: Field): void {
  within(writer, number, (part) => {
    text(part, 1, name)
    field(part, 2, value)
  })
}

/** What is a reference when it has `$ref`, and otherwise the thing itself. */
function orReference(thing: Field): Field {
  return wrapped(
    (value) => (isReference(value) ? message(() => reference) : thing),
    (value) => (isReference(value) ? 2 : 1),
  )
}

/** Yes or no, or the thing. */
function orFlag(thing: Field): Field {
  return wrapped(
    (value) => (typeof value === 'boolean' ? flag : thing),
    (value) => (typeof value === 'boolean' ? 2 : 1),
  )
}

function isReference(value: unknown): boolean {
  return typeof (value as Node)['$ref'] === 'string'
}

const reference: Message = { $ref: [1, text] }
const requirement: Field = map(wrapped(() => each(text)))

const numbers = (first: number): Message => ({
  multipleOf: [first, double],
  maximum: [first + 1, double],
  exclusiveMaximum: [first + 2, flag],
  minimum: [first + 3, double],
  exclusiveMinimum: [first + 4, flag],
  maxLength: [first + 5, integer],
  minLength: [first + 6, integer],
  pattern: [first + 7, text],
  maxItems: [first + 8, integer],
  minItems: [first + 9, integer],
  uniqueItems: [first + 10, flag],
  maxProperties: [first + 11, integer],
  minProperties: [first + 12, integer],
})

const version2 = (() => {
  const whole = message(() => schema)
  const schema: Message = {
    $ref: [1, text],
    format: [2, text],
    title: [3, text],
    description: [4, text],
    default: [5, any],
    ...numbers(6),
    required: [19, each(text)],
    enum: [20, each(any)],
    additionalProperties: [21, orFlag(whole)],
    type: [22, wrapped(() => text)],
    items: [23, wrapped(() => whole)],
    allOf: [24, each(whole)],
    properties: [25, map(whole)],
    'x-': [31, any],
  }
  const body: Message = { description: [1, text], name: [2, text], in: [3, text], required: [4, flag], schema: [5, whole] }
  const head: Message = { required: [1, flag], in: [2, text], description: [3, text], name: [4, text] }
  const path: Message = { ...head, type: [5, text], uniqueItems: [19, flag] }
  const query: Message = { ...head, type: [6, text], uniqueItems: [20, flag] }
  const parameter = wrapped(
    (value) => (isBody(value) ? message(() => body) : other),
    (value) => (isBody(value) ? 1 : 2),
  )
  const other = wrapped(
    (value) => message(() => ((value as Node)['in'] === 'path' ? path : query)),
    (value) => ((value as Node)['in'] === 'path' ? 4 : 3),
  )
  const response = message(() => ({ description: [1, text], schema: [2, wrapped(() => whole)] }))
  const operation = message(() => ({
    tags: [1, each(text)],
    description: [3, text],
    operationId: [5, text],
    produces: [6, each(text)],
    consumes: [7, each(text)],
    parameters: [8, each(orReference(parameter))],
    responses: [9, map(orReference(response))],
    schemes: [10, each(text)],
    'x-': [13, any],
  }))
  const item: Message = { ...methods(2, operation), parameters: [9, each(orReference(parameter))] }
  const document: Message = {
    swagger: [1, text],
    info: [2, message(() => ({ title: [1, text], version: [2, text] }))],
    paths: [
      8,
      map(
        message(() => item),
        2,
      ),
    ],
    definitions: [9, map(whole)],
    parameters: [10, map(parameter)],
    security: [12, each(requirement)],
    securityDefinitions: [
      13,
      map(
        wrapped(
          () => message(() => apiKey),
          () => 2,
        ),
      ),
    ],
  }
  return { document }
})()

const apiKey: Message = { type: [1, text], name: [2, text], in: [3, text], description: [4, text] }

const version3 = (() => {
  const either = orReference(message(() => schema))
  const schema: Message = {
    nullable: [1, flag],
    title: [9, text],
    ...numbers(10),
    required: [23, each(text)],
    enum: [24, each(any)],
    type: [25, text],
    allOf: [26, each(either)],
    oneOf: [27, each(either)],
    anyOf: [28, each(either)],
    not: [29, message(() => schema)],
    items: [30, wrapped(() => either)],
    properties: [31, map(either)],
    additionalProperties: [32, orFlag(either)],
    default: [33, preset],
    description: [34, text],
    format: [35, text],
    'x-': [36, any],
  }
  const content = map(message(() => ({ schema: [1, either] })))
  const parameter: Message = {
    name: [1, text],
    in: [2, text],
    description: [3, text],
    required: [4, flag],
    schema: [10, either],
  }
  const parameters = each(orReference(message(() => parameter)))
  const response: Message = { description: [1, text], content: [3, content] }
  const operation = message(() => ({
    tags: [1, each(text)],
    description: [3, text],
    operationId: [5, text],
    parameters: [6, parameters],
    requestBody: [7, orReference(message(() => ({ content: [2, content], required: [3, flag] })))],
    responses: [8, map(orReference(message(() => response)), 2)],
    'x-': [13, any],
  }))
  const item: Message = { ...methods(4, operation), parameters: [13, parameters] }
  const scheme: Message = { type: [1, text], description: [2, text], name: [3, text], in: [4, text] }
  const document: Message = {
    openapi: [1, text],
    info: [2, message(() => ({ title: [1, text], version: [6, text] }))],
    paths: [4, map(message(() => item))],
    components: [5, message(() => ({ schemas: [1, map(either)], securitySchemes: [7, map(orReference(message(() => scheme)))] }))],
  }
  return { document }
})()

/** Only plain values can be told. */
function preset(writer: Writer, number: number, value: unknown): void {
  within(writer, number, (part) => {
    if (typeof value === 'number') part.uint32(tag(1, 1)).double(value)
    else if (typeof value === 'boolean') part.uint32(tag(2, 0)).bool(value)
    else if (typeof value === 'string') part.uint32(tag(3)).string(value)
  })
}

function methods(first: number, operation: Field): Message {
  const names = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch']
  return Object.fromEntries(names.map((name, index) => [name, [first + index, operation] as const]))
}

function isBody(value: unknown): boolean {
  return (value as Node)['in'] === 'body'
}

/** As Go writes it: in single quotes where any are needed, except for what is empty. */
function yamlOf(value: unknown): string {
  return stringify(value, { singleQuote: true }).replace(/(^|[:-] )''$/gm, '$1""')
}

/** A field's number with its wire type: 2 has a length before it. */
function tag(number: number, wireType = 2): number {
  return (number << 3) | wireType
}

function within(writer: Writer, number: number, write: (part: Writer) => unknown): void {
  write(writer.uint32(tag(number)).fork())
  writer.ldelim()
}
