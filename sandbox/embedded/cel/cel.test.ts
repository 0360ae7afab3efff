import { describe, expect, it } from 'vitest'
import { MemoryCache } from '../auth/cache.fixture.ts'
import { Authorizer } from '../auth/rbac.ts'
import { compiled } from './compiled.ts'
import { kubernetesTypes } from './declarations.ts'
import { declaredType } from './declared-type.ts'
import { Environment, type Evaluation } from './environment.ts'
import { fromJson } from './json-values.ts'
import { CelAuthorizer } from './library/authorizer.ts'
import { schemaEnvironment } from './schema-environment.ts'
import { types } from './types.ts'

const environment = new Environment({ object: types.dyn })

function evaluated(text: string, object?: unknown, within = environment): Evaluation {
  return within.compile(text).evaluate((name) => (name === 'object' ? fromJson(object) : undefined))
}

describe("Kubernetes' libraries", () => {
  it.each([
    "'abc'.charAt(1) == 'b' && 'a-b'.replace('-', '+') == 'a+b' && '%s is %d'.format(['x', 3]) == 'x is 3'",
    "'abc123'.find('[0-9]+') == '123' && 'a1b2'.findAll('[0-9]') == ['1', '2']",
    '[1, 2, 3].isSorted() && [1, 2].sum() == 3 && [3, 1].min() == 1 && [1, 2, 1].lastIndexOf(1) == 2',
    'sets.contains([1, 2], [1]) && sets.equivalent([1, 2], [2, 1, 1]) && !sets.intersects([1], [2])',
    "url('https://a.example:8443/p?x=1&x=2').getHost() == 'a.example:8443' && url('https://a/p?x=1').getQuery()['x'] == ['1'] && !isURL('a b')",
    "quantity('1') == quantity('1000m') && quantity('50k').add(20) == quantity('50020') && quantity('1Gi').isGreaterThan(quantity('1G'))",
    "!isQuantity('1x') && sign(quantity('200M').sub(quantity('200M'))) == 0 && quantity('4').asInteger() == 4",
    "ip('::1').isLoopback() && ip('10.0.0.1').family() == 4 && !ip.isCanonical('0:0::1') && isIP('fe80::1') && !isIP('10.0.0.256')",
    "cidr('10.0.0.0/8').containsIP('10.1.2.3') && cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && cidr('fd00::/8').containsCIDR('fd01::/16')",
    "format.dns1123Label().validate('A').hasValue() && !format.named('qualifiedName').value().validate('a/b').hasValue()",
    "semver('1.2.3-rc.1').isLessThan(semver('1.2.3')) && semver('v1.2', true).minor() == 2 && !isSemver('v1')",
    "'ABC'.matches('^(?i)[a-c]+$') && !'ABD'.matches(r'''^(?i)[a-c]+$''') && 'abc'.matches('^[a-c]+$')",
    "has({'a': [{'b': 1}]}.a[0].b) && !has({'a': [{'b': 1}]}.a[0].c) && [{'a': [{'b': 1}]}].exists(x, has(x.a[0].b))",
    "optional.of(1).orValue(2) == 1 && {'a': 1}.?b.orValue(3) == 3",
    "['x', 'y'].transformList(i, v, v + string(i)) == ['x0', 'y1'] && ['x', 'y'].exists(i, v, i == 1 && v == 'y')",
    "{'a': 1}.transformMap(k, v, v + 1) == {'a': 2} && {'a': 'b'}.transformMapEntry(k, v, {v: k}) == {'b': 'a'}",
    "timestamp('2024-02-29T12:00:00Z').getHours('Asia/Shanghai') == 20 && duration('1h30m').getMinutes() == 90",
  ])('hold: %s', (text) => {
    expect(evaluated(text)).toMatchObject({ value: true })
  })

  it('ask what a user may', () => {
    const authorizer = new Authorizer(new MemoryCache())
    const program = new Environment({ authorizer: kubernetesTypes.Authorizer }).compile(
      "authorizer.group('apps').resource('deployments').namespace('x').check('create').allowed()",
    )
    const ask = (groups: string[]) => program.evaluate(() => new CelAuthorizer(authorizer, { username: 'jane', groups }))
    expect(ask(['system:masters'])).toMatchObject({ value: true })
    expect(ask([])).toMatchObject({ value: false })
  })

  it('have what new expressions may not use yet', () => {
    expect(compiled(environment, '[3, 1].sort()', ['bool']).problem).toContain("undeclared reference to 'sort' (in container '')")
    const stored = new Environment({}, { stored: true })
    expect(evaluated('[3, 1].sort() == [1, 3] && lists.range(2) == [0, 1]', undefined, stored)).toMatchObject({ value: true })
  })
})

describe('cost', () => {
  const object = { n: 5, s: 'hello world', l: ['x', 'y', 'z'], m: { k: 'v' } }

  // Each counted by cel-go 0.26 with the API server's environment of 1.34.
  it.each([
    ['object.n == 5', 3],
    ['has(object.n)', 1],
    ['[1, 2, 3]', 0],
    ['object.n in [1, 2, 3]', 2],
    ['object.s in object.l', 5],
    ['(object.n > 3 ? object.m : object.l).k', 5],
    ["object.l.all(x, x != 'q')", 18],
    ["object.l.map(x, x + 'a')", 45],
    ['object.m.transformMapEntry(k, v, {v: k})', 37],
    ['object.?zz.orValue(1)', 1],
    ["object.s.matches('^h')", 4],
    ['sets.contains(object.l, object.l)', 14],
    ['object.zz == 1 || true', 3],
  ])('of %s is %d', (text, cost) => {
    expect(evaluated(text, object).cost).toBe(cost)
  })

  it('ends what would never end', () => {
    const list = Array.from({ length: 3000 }, (_, index) => index)
    const text = 'object.all(a, object.all(b, object.all(c, a + b + c >= 0)))'
    expect(evaluated(text, list)).toMatchObject({ error: 'operation cancelled: actual cost limit exceeded' })
    // That something else would do does not count then.
    expect(evaluated(`${text} || true`, list)).toMatchObject({ error: 'operation cancelled: actual cost limit exceeded' })
  })

  it('has an end for work that it does not stand for', () => {
    const list = Array.from({ length: 60_000 }, (_, index) => index)
    expect(evaluated('object.all(a, (object + object).size() > 0)', list)).toMatchObject({
      error: 'operation cancelled: actual cost limit exceeded',
    })
  })

  it('is the same each time', () => {
    const list = Array.from({ length: 3000 }, (_, index) => index)
    const cost = () => evaluated('object.all(a, object.all(b, a + b >= 0))', list).cost
    expect(cost()).toBe(cost())
  })
})

describe('checking before anything runs', () => {
  it.each([
    ['nope.x', "compilation failed: ERROR: <input>:1:1: undeclared reference to 'nope' (in container '')\n | nope.x\n | ^"],
    [
      "1 + 'a' == 2",
      "compilation failed: ERROR: <input>:1:3: found no matching overload for '_+_' applied to '(int, string)'\n | 1 + 'a' == 2\n | ..^",
    ],
    [
      'object.x >',
      "compilation failed: ERROR: <input>:1:11: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}\n | object.x >\n | ..........^",
    ],
    [
      'é + object.all(1, true)',
      "compilation failed: ERROR: <input>:1:1: Syntax error: token recognition error at: 'é'\n | é + object.all(1, true)\n | ＾\n" +
        "ERROR: <input>:1:3: Syntax error: extraneous input '+' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}\n | é + object.all(1, true)\n | ．.^\n" +
        'ERROR: <input>:1:16: argument must be a simple name\n | é + object.all(1, true)\n | ．..............^',
    ],
    ["'text'", 'must evaluate to bool but got string'],
    ["int('x') == 1", "program instantiation failed: type conversion error from 'string' to 'int'"],
    ["object.metadata.name != 'x'", undefined],
  ])('%s', (text, expected) => {
    expect(compiled(environment, text, ['bool']).problem).toBe(expected)
  })

  it('finds fields that a schema does not have', () => {
    const schema = { type: 'object', properties: { spec: { type: 'object', properties: { size: { type: 'integer' } } } } }
    const type = declaredType(schema, true)
    if (!type) throw new Error('not declared')
    const typed = schemaEnvironment(type, { optionalOldSelf: false, stored: false })
    const problem = (text: string) => compiled(typed, text, ['bool']).problem
    expect(problem('self.spec.size > 1 && self.metadata.name != ""')).toBeUndefined()
    expect(problem('self.spec.color > 1')).toContain("undefined field 'color'")
    expect(problem('self.spec.size == "x"')).toContain("found no matching overload for '_==_' applied to '(int, string)'")
  })
})
