import protobufjs, { type Writer } from 'protobufjs/minimal.js'
import { stringify } from 'yaml'

type Node = Record<string, unknown>

/** The media type by which clients ask for OpenAPI v2 in protobuf; client-go knows no other. */
export const openApiProtobufAsked = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf'
/** The one by which it is answered: the other is none by RFC 2045, and Go refuses to read it. */
export const openApiProtobuf = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf'

/**
 * The definitions of an OpenAPI v2 document as gnostic's openapi.v2.Document: what kubectl and helm look up kinds in. It
 * has no paths: nobody reads them in this form.
 */
export function openApiBytes({ swagger, info, definitions }: Node): Uint8Array {
  const { title, version } = info as { title: string; version: string }
  const writer = protobufjs.Writer.create()
  writer.uint32(tag(1)).string(String(swagger))
  message(writer, 2, (part) => part.uint32(tag(1)).string(title).uint32(tag(2)).string(version))
  message(writer, 9, (part) => namedSchemas(part, definitions as Node))
  return writer.finish()
}

function namedSchemas(writer: Writer, schemas: Node): void {
  for (const [name, schema] of Object.entries(schemas)) {
    message(writer, 1, (part) => {
      part.uint32(tag(1)).string(name)
      message(part, 2, (inner) => writeSchema(inner, schema as Node))
    })
  }
}

function writeSchema(writer: Writer, schema: Node): void {
  const text = (number: number, value: unknown) => {
    if (typeof value === 'string') writer.uint32(tag(number)).string(value)
  }
  text(1, schema['$ref'])
  text(2, schema['format'])
  text(4, schema['description'])
  for (const name of (schema['required'] as string[] | undefined) ?? []) text(19, name)
  const more = schema['additionalProperties']
  if (typeof more === 'boolean') message(writer, 21, (part) => part.uint32(tag(2, 0)).bool(more))
  else if (more) message(writer, 21, (part) => message(part, 1, (inner) => writeSchema(inner, more as Node)))
  const { type, items, properties } = schema
  if (typeof type === 'string') message(writer, 22, (part) => part.uint32(tag(1)).string(type))
  if (items) message(writer, 23, (part) => message(part, 1, (inner) => writeSchema(inner, items as Node)))
  if (properties) message(writer, 25, (part) => namedSchemas(part, properties as Node))
  for (const [name, value] of Object.entries(schema)) {
    if (!name.startsWith('x-')) continue
    message(writer, 31, (part) => {
      part.uint32(tag(1)).string(name)
      message(part, 2, (inner) => inner.uint32(tag(2)).string(stringify(value)))
    })
  }
}

/** A field's number with its wire type: 2 has a length before it. */
function tag(number: number, wireType = 2): number {
  return (number << 3) | wireType
}

function message(writer: Writer, number: number, fill: (part: Writer) => unknown): void {
  fill(writer.uint32(tag(number)).fork())
  writer.ldelim()
}
