import { jsonPath } from '../crd/jsonpath.ts'
import type { KubeObject } from '../machinery/object.ts'
import type { ResourceInfo } from '../registry/index.ts'
import type { Age, Cell, ColumnDefinition, TableOptions } from '../table/index.ts'

/** The table of a custom resource: its name, then its additionalPrinterColumns, or else its age. */
export function customTable({ definition }: ResourceInfo): TableOptions['custom'] {
  if (!definition) return undefined
  const given = definition.additionalPrinterColumns ?? [{ name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }]
  const columns: ColumnDefinition[] = [
    { name: 'Name', type: 'string', format: 'name', description: nameDescription, priority: 0 },
    ...given.map(({ name, type, format = '', description = '', priority = 0 }) => ({
      name,
      type,
      format,
      description: description || ageDescription(name),
      priority,
    })),
  ]
  return {
    columns,
    cells: (object: KubeObject, age: Age): Cell[] => [
      object.metadata.name ?? '',
      ...given.map((column) => cell(jsonPath(column.jsonPath, object), column.type, age)),
    ],
  }
}

const nameDescription =
  'Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names'

function ageDescription(name: string): string {
  return name === 'Age'
    ? 'CreationTimestamp is a timestamp representing the server time when this object was created.'
    : 'Custom resource definition column'
}

/** One column's value as apiextensions-apiserver shows it; null where the object has none or it is of another type. */
function cell(values: unknown[], type: string, age: Age): Cell {
  const [value] = values
  if (value === undefined || value === null) return null
  switch (type) {
    case 'integer':
    case 'number':
      return typeof value === 'number' ? value : null
    case 'boolean':
      return typeof value === 'boolean' ? value : null
    case 'date':
      return typeof value === 'string' ? (Number.isNaN(Date.parse(value)) ? '<invalid>' : age(value)) : null
    default:
      return typeof value === 'object' ? JSON.stringify(value) : String(value)
  }
}
