import { formats } from '../../crd/formats.ts'
import { dns1035Label, dnsLabel, dnsSubdomain, isLabelValue, isQualifiedName } from '../../registry/names.ts'
import { kubernetesTypes, Library } from '../declarations.ts'
import { OpaqueValue, Optional } from '../values.ts'
import { uriFault } from './urls.ts'

class Format extends OpaqueValue {
  readonly type = kubernetesTypes.Format
  readonly name: string
  readonly faults: (text: string) => readonly string[]
  /** Characters of its pattern, by which a check costs. */
  readonly longestPattern: number
  constructor(name: string, longestPattern: number, faults: (text: string) => readonly string[]) {
    super()
    this.name = name
    this.longestPattern = longestPattern
    this.faults = faults
  }
  equals(other: OpaqueValue): boolean {
    return other instanceof Format && other.name === this.name
  }
  override toString(): string {
    return this.name
  }
}

const standard = (name: string, why: string) => (text: string) => (formats[name]?.(text) ? [] : [why])
const known: Readonly<Record<string, Format>> = {
  dns1123Label: new Format('DNS1123Label', 30, (text) => dnsLabel(text)),
  dns1123Subdomain: new Format('DNS1123Subdomain', 60, (text) => dnsSubdomain(text)),
  dns1035Label: new Format('DNS1035Label', 30, (text) => dns1035Label(text)),
  qualifiedName: new Format('QualifiedName', 60, isQualifiedName),
  dns1123LabelPrefix: new Format('DNS1123LabelPrefix', 30, (text) => dnsLabel(text, true)),
  dns1123SubdomainPrefix: new Format('DNS1123SubdomainPrefix', 60, (text) => dnsSubdomain(text, true)),
  dns1035LabelPrefix: new Format('DNS1035LabelPrefix', 30, (text) => dns1035Label(text, true)),
  labelValue: new Format('LabelValue', 40, isLabelValue),
  uri: new Format('URI', 1103, (text) => [uriFault(text) ?? []].flat()),
  uuid: new Format('uuid', 70, standard('uuid', 'does not match the UUID format')),
  byte: new Format('byte', 84, standard('byte', 'invalid base64')),
  date: new Format('date', 71, standard('date', 'invalid date')),
  datetime: new Format('datetime', 71, standard('datetime', 'invalid datetime')),
}

/** Kubernetes' Format library. */
export const namedFormats = new Library()
  .declare('format-validate', 'Format::validate(string): optional(list(string))', ([format, text]) => {
    const faults = (format as Format).faults(text as string)
    return faults.length === 0 ? Optional.none : new Optional(faults)
  })
  .declare('format-named', 'format.named(string): optional(Format)', ([name]) => {
    const format = Object.hasOwn(known, name as string) ? known[name as string] : undefined
    return format ? new Optional(format) : Optional.none
  })
for (const [name, format] of Object.entries(known)) namedFormats.declare(`format.${name}`, `format.${name}(): Format`, () => format)
