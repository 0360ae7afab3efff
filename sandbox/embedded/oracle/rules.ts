import type { ValidationRule } from '../schema/types/apiextensions.v1.ts'
import {
  customDefinition,
  definitionsPath,
  integer,
  list,
  map,
  onlyVersion,
  record,
  ruled,
  type Schema,
  text,
} from './custom-definition.ts'
import { readFixture, writeFixture } from './json-fixture.ts'
import type { Server } from './server.ts'

/** What a server says against a definition with a rule, by the case's title; nothing when it takes it. */
export type Objections = Record<string, string[]>

/** Values with and without bounds, that rules cost little or much on. */
const wide = record({
  s: text(),
  t: text(),
  b: text({ maxLength: 50 }),
  e: text({ enum: ['a', 'bcd'] }),
  i: integer,
  l: list(text()),
  ll: list(list(text())),
  lo: list(record({ k: text(), v: integer }, { required: ['k'] })),
  m: map(text()),
  li: list(integer),
  d: text({ format: 'date-time' }),
  du: text({ format: 'duration' }),
  by: text({ format: 'byte' }),
  p: { 'x-kubernetes-int-or-string': true },
  lb: list(text({ maxLength: 10 }), { maxItems: 300_000 }),
  mb: map(text({ maxLength: 5 }), { maxProperties: 1000 }),
  set: list(text({ maxLength: 64 }), { maxItems: 100 }),
  o: record({ deep: record({ l: list(text({ maxLength: 3 }), { maxItems: 2_000_000 }) }) }),
})

const costs = [
  'self.l.all(x, x.startsWith("a"))',
  'self.l.all(x, x == "b")',
  'self.ll.all(x, x.all(y, y == "a"))',
  'self.l.exists(x, x in self.l)',
  'self.lo.all(x, self.lo.exists_one(y, y.k == x.k))',
  'self.s.matches("^[a-z]+$")',
  'self.s.contains(self.t)',
  'self.s == self.t',
  'self.s + self.t == "a"',
  'self.s.size() < 5',
  'self.s.startsWith(self.t)',
  'self.b.matches(self.b)',
  'self.e == "a"',
  'self.m.all(k, self.m[k] == "a")',
  'self.m.exists(k, k.startsWith("b"))',
  'self.m.all(k, k.matches("^a"))',
  'self.l.map(x, x + "a").all(y, y.matches("a"))',
  'self.l.filter(x, x.size() > 3).size() > 0',
  'self.li.sum() > 3',
  'self.l.isSorted()',
  'self.l.indexOf("a") == 1',
  'self.s.indexOf("a") == 1',
  'self.d > self.d',
  'self.du < duration("1h")',
  'self.by == self.by',
  'self.p == "a"',
  'type(self.p) == string ? self.p == "50%" : self.p == 5',
  'string(self.p).matches("a")',
  'has(self.s) && self.s.lowerAscii() == "x"',
  'self.s.replace("a","bb").matches("x")',
  'self.s.split(",").all(x, x.matches("a"))',
  'self.l.join(",").matches("a")',
  'self.s.find("[a-z]") == "a"',
  'self.s.findAll("[a-z]").all(x, x == "a")',
  'self.s.trim().upperAscii().contains("A")',
  'url(self.s).getHost() == "a"',
  'isURL(self.s)',
  'self.l.all(x, isIP(x))',
  'self.l.all(x, ip(x).family() == 4)',
  'self.l.all(x, cidr("10.0.0.0/8").containsIP(x))',
  'self.l.all(x, quantity(x).isLessThan(quantity("5")))',
  'self.lb.all(x, self.lb.all(y, x != y))',
  'self.lb.map(x, x).map(x, x + x).exists(x, x.contains(x))',
  'self.lb.all(x, has(self.s) || x == "")',
  'self.mb.all(k, self.mb[k].matches("^[a-z]{1,20}$"))',
  'self.set.all(x, self.set.filter(y, x == y).size() == 1)',
  'self.set.all(x, self.set.exists_one(y, x == y))',
  'self.set.all(x, self.set.all(y, self.set.all(z, x + y != z)))',
  'self.o.deep.l.all(x, x != "a" && x.size() > 1)',
  'self.o.deep.l.filter(x, x != "").map(y, y).size() > 1',
  'self.?s.orValue("").matches("^x$")',
  'self.?o.?deep.?l.orValue([]).all(x, x == "a")',
  '[1,2,3].all(x, self.lb.all(y, y.size() > x))',
  '["a","b"].exists(x, x == self.s)',
  'self.s in ["a","b"]',
  'self.s in self.lb',
  '{"a": self.s}.all(k, k == "a")',
  'self.l.all(x, {"a": x}["a"].matches("a"))',
  'self.i == 3 ? self.s.matches("a") : self.t.matches("abcdefghijklmnop")',
  'self.l.size() > 0 ? self.l[0].matches("a+") : true',
  'self.l.all(x, self.l.all(y, self.l.all(z, true)))',
  'sets.contains(self.lb, self.lb)',
  'self.lb.all(x, sets.contains(self.set, [x]))',
  'self.s.reverse() == "a"',
  'dyn(self.s) == "a"',
  'self.l.all(x, "%s".format([x]) == "a")',
  'self.lb.max() == "a"',
  'self.metadata.name.matches("a")',
  'self.lb.lastIndexOf("a") < 3',
  'format.dns1123Label().validate(self.s).hasValue()',
  'self.s.substring(0,3) == self.t.substring(1)',
  '!self.l.exists(x, x.endsWith(self.s))',
  '-self.i < 3',
  'self.by.size() > 1',
  'bytes(self.s) == self.by',
  'self.l + self.l == self.l',
  '(self.l + ["a"]).all(x, x == "b")',
  'self.lb.all(x, self.lb.exists(y, dyn(x) == dyn(y)))',
  'self.l.all(x, x.size() + 1 > 3)',
  'self.li.all(x, x * 2 + 1 > 3)',
  'self.lb.slice(0,1).size() > 1',
  'self.lb.distinct().size() > 1',
  'self.lb.sort().size() > 1',
  'self.set.flatten().size() == 1',
  'self.ll.all(x, x.size() > 3)',
  'self.lo.all(x, x.v > 3 && x.k.startsWith("a"))',
  'self.l.exists_one(x, x.startsWith("a"))',
  'oldSelf.s == self.s',
  'self.l.all(x, x in oldSelf.l)',
]

/** Small values, so that nothing is dear and all that is wrong is the rule. */
const short = text({ maxLength: 9 })
const narrow = record({
  s: short,
  i: integer,
  l: list(short, { maxItems: 10 }),
  du: text({ format: 'duration' }),
  n: { type: 'number' },
  b: { type: 'boolean' },
  o: record({ a: short }),
  m: map(short, { maxProperties: 3 }),
  d: text({ format: 'date-time' }),
  lo: list(record({ a: short }), { maxItems: 3 }),
})

const mistakes: Partial<ValidationRule>[] = [
  { rule: 'self.s.foo()' },
  { rule: 'foo(self.s)' },
  { rule: 'self.s.slice(0,1) == "a"' },
  { rule: 'self.x == 1' },
  { rule: 'selff.i == 1' },
  { rule: 'self.i == "a"' },
  { rule: 'self.i' },
  { rule: 'self.i ==' },
  { rule: 'self.s.size()' },
  { rule: 'self.i > 0 &&' },
  { rule: 'self.l.all(x, x > 1)' },
  { rule: 'oldSelf.i == 1' },
  { rule: 'oldSelf.hasValue() && oldSelf.value().i == self.i', optionalOldSelf: true },
  { rule: 'self.i == 1', optionalOldSelf: true },
  { rule: 'oldSelf.i == 1', optionalOldSelf: true },
  { rule: 'self.i == 1', message: 'a\nb' },
  { rule: 'self.i == 1 ||\n self.i == 2' },
  { rule: ' ' },
  { rule: 'self.i == 1', message: ' ' },
  { rule: 'self.i == 1', reason: 'Bad' },
  { rule: 'self.i == 1', fieldPath: '.x' },
  { rule: 'self.i == 1', fieldPath: '.s' },
  { rule: 'self.i == 1', fieldPath: 's' },
  { rule: 'self.i == 1', messageExpression: 'self.i' },
  { rule: 'self.i == 1', messageExpression: '"a" + self.x' },
  { rule: 'self.i == 1', messageExpression: ' ' },
  { rule: 'self.s.matches("[")' },
  { rule: 'self.du < duration("x")' },
  { rule: '[1,"a"].size() > 1' },
  { rule: 'self.n == 1' },
  { rule: 'self.n > self.i' },
  { rule: 'has(self)' },
  { rule: 'has(self.x)' },
  { rule: '!self.i' },
  { rule: 'self.b ? 1 : 2' },
  { rule: 'self.b ? true : "a"' },
  { rule: 'self.s + 1 == "a"' },
  { rule: 'self.l[0].foo == 1' },
  { rule: "self.s == 'a" },
  { rule: 'self.l.map(x, y)' },
  { rule: 'true' },
  { rule: 'self.i in self.l' },
  ...[
    'self.i ==',
    '"abc',
    '1 +* 2',
    'self.i = 1',
    '(1',
    '[1',
    'a b',
    '1 2',
    'self.',
    '&& true',
    '@',
    'self.l.all(1, true)',
    'x.all(y, y)',
    '{"a"}',
    'for',
    'self.in',
    'true ? ',
    'self.i == 1)',
    'self.i & 1',
    'self.s.all(x, true)',
    'self.l.exists(x.y, true)',
    '{"a":1,"b":"c"} == {}',
    '-self.s == 1',
    'self.l.all(x, x.bar())',
    'self.i.foo',
    'self.o == oldSelf.o',
    'self == 1',
    'self.i + self.n > 1.0',
    'size(self.i) > 1',
    'self.s.startsWith(1)',
    'duration("5x") == duration("5s")',
    'timestamp("x") == timestamp("y")',
    'self.m == 1',
    'self.l == 1',
    'self.lo == 1',
    'self.d == 1',
    'cidr("x") == 1',
    'quantity("1") == 1',
    'null == 1',
    '[1] == 1',
  ].map((rule) => ({ rule })),
]

const transition: Partial<ValidationRule> = { rule: 'self == oldSelf' }
const shapes: Record<string, Schema> = {
  'nested and unbounded': record({ a: list(record({ b: list(ruled(text(), 'self.startsWith("abc")')) })) }),
  'nested and bounded': record({
    a: list(record({ b: list(ruled(text({ maxLength: 20 }), 'self.matches("^[a-z]+$")'), { maxItems: 1000 }) }), { maxItems: 10_000 }),
  }),
  'many rules': ruled(
    record({ l: list(text({ maxLength: 30 }), { maxItems: 300_000 }) }),
    ...Array.from({ length: 80 }, (_, index) => `self.l.all(x, x != "${index}")`),
  ),
  'values of a map': record({ a: map(ruled(record({ q: text() }), 'self.q.size() < 3')) }),
  'a dear message': ruled(record({ s: text(), l: list(text()) }), {
    rule: 'self.l.size() < 3',
    messageExpression: 'self.l.map(x, x + self.s).join(",")',
  }),
  'an embedded resource': record({
    e: {
      ...ruled(record({}), 'self.metadata.name.matches("^a")'),
      'x-kubernetes-embedded-resource': true,
      'x-kubernetes-preserve-unknown-fields': true,
    },
  }),
  'required sizes': record({
    a: list(
      ruled(
        record({ name: text(), count: integer, flag: { type: 'boolean' } }, { required: ['name', 'count', 'flag'] }),
        'self.count < 1000 && self.name.size() > 0',
      ),
    ),
  }),
  'oldSelf in a set': record({ l: list(ruled(short, transition), { maxItems: 9, 'x-kubernetes-list-type': 'set' }) }),
  'oldSelf in an atomic list': record({ l: list(ruled(short, transition), { maxItems: 9 }) }),
  'oldSelf in a list by keys': record({
    l: list(ruled(record({ k: short }, { required: ['k'] }), transition), {
      maxItems: 9,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
    }),
  }),
  'oldSelf deeper in an atomic list': record({ l: list(record({ k: ruled(short, transition) }), { maxItems: 9 }) }),
  'oldSelf in a map': record({ m: map(ruled(short, transition), { maxProperties: 5 }) }),
}

/** Schemas with rules: what they may cost, and mistakes in them. */
const ruleCases: Record<string, Schema> = Object.fromEntries([
  ...costs.map((rule): [string, Schema] => {
    const schema = ruled(wide, rule)
    return [`cost: ${rule}`, rule.startsWith('self.metadata') ? schema : record({ spec: schema })]
  }),
  ...mistakes.map((rule): [string, Schema] => [`mistake: ${JSON.stringify(rule)}`, record({ spec: ruled(narrow, rule) })]),
  ...Object.entries(shapes).map(([title, spec]): [string, Schema] => [title, record({ spec })]),
])

/** Asks a server for all of them, without making any. */
export async function objectionsOf(server: Server): Promise<Objections> {
  const objections: Objections = {}
  for (const [title, schema] of Object.entries(ruleCases)) {
    const definition = customDefinition('rules.example.com', { plural: 'ruleds', kind: 'Ruled' }, [onlyVersion(schema)])
    const { status, body } = await server.send('POST', `${definitionsPath}?dryRun=All`, definition)
    const { details } = body as { details?: { causes?: { field: string; message: string; reason: string }[] } }
    objections[title] =
      status === 201 ? [] : (details?.causes ?? []).map(({ field, message, reason }) => `${field} ${reason} ${nameless(message)}`)
  }
  return objections
}

/** The server calls the type of self otherwise each time. */
function nameless(message: string): string {
  return message.replace(/\bself(?:Type\d+)?(?=[.,)])/g, (name) => (name === 'self' ? name : 'self'))
}

export function recordedObjections(): Objections {
  return readFixture('rules')
}

export function recordObjections(objections: Objections): void {
  writeFixture('rules', objections)
}
