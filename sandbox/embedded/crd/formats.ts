import { isIP, isIPv4, isIPv6 } from 'node:net'

/** The string formats that the API server checks; any other is only documentation. */
export const formats: Record<string, ((value: string) => boolean) | undefined> = {
  'date-time': (value) => dateTime.test(value) && !Number.isNaN(Date.parse(value)),
  datetime: (value) => dateTime.test(value) && !Number.isNaN(Date.parse(value)),
  date: (value) => /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value)),
  duration: (value) => goDuration.test(value),
  email: (value) => /^[^\s@<>]+@[^\s@<>]+$/.test(value),
  hostname: (value) => value.length <= 255 && hostname.test(value),
  ipv4: isIPv4,
  ipv6: isIPv6,
  ip: (value) => isIP(value) !== 0,
  cidr: (value) => {
    const [address = '', bits = '', ...rest] = value.split('/')
    return rest.length === 0 && /^\d+$/.test(bits) && isIP(address) !== 0 && Number(bits) <= (isIPv4(address) ? 32 : 128)
  },
  mac: (value) => /^([0-9a-f]{2}([:-])([0-9a-f]{2}\2){4}[0-9a-f]{2}|([0-9a-f]{4}\.){2}[0-9a-f]{4})$/i.test(value),
  uri: (value) => value.startsWith('/') || URL.canParse(value),
  uuid: (value) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(value),
  uuid3: (value) => uuidOf('3').test(value),
  uuid4: (value) => uuidOf('4').test(value),
  uuid5: (value) => uuidOf('5').test(value),
  byte: (value) => /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value),
  hexcolor: (value) => /^#?([0-9a-f]{3}|[0-9a-f]{6})$/i.test(value),
  bsonobjectid: (value) => /^[0-9a-f]{24}$/i.test(value),
  'k8s-short-name': (value) => value.length <= 63 && label.test(value),
  'k8s-long-name': (value) => value.length <= 253 && value.split('.').every((part) => label.test(part)),
}

const dateTime = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/
const goDuration = /^([+-]?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+|\d+ ?(ns|us|ms|s|m|h|d|w)[a-z]*|0)$/
const hostname = /^([a-zA-Z0-9_]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)*[a-zA-Z0-9_]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/
const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/

function uuidOf(version: string): RegExp {
  return new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$`, 'i')
}
