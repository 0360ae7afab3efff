import { describe, expect, it } from 'vitest'
import { MemoryCache } from '../auth/cache.fixture.ts'
import { Authorizer } from '../auth/rbac.ts'
import { problemIn, problemOf } from './check.ts'
import { CelAuthorizer, compile, toCel } from './index.ts'
import { environmentOf } from './schema-types.ts'

describe("Kubernetes' libraries", () => {
  it.each([
    "'abc'.charAt(1) == 'b' && 'a-b'.replace('-', '+') == 'a+b' && '%s is %d'.format(['x', 3]) == 'x is 3'",
    "'abc123'.find('[0-9]+') == '123' && 'a1b2'.findAll('[0-9]') == ['1', '2']",
    '[1, 2, 3].isSorted() && [1, 2].sum() == 3 && [3, 1].min() == 1 && [1, 2, 1].lastIndexOf(1) == 2',
    '[3, 1, 2].sort() == [1, 2, 3] && [[1], [2]].flatten() == [1, 2] && lists.range(2) == [0, 1]',
    'sets.contains([1, 2], [1]) && sets.equivalent([1, 2], [2, 1, 1]) && !sets.intersects([1], [2])',
    "url('https://a.example:8443/p?x=1&x=2').getHost() == 'a.example:8443' && url('https://a/p?x=1').getQuery()['x'] == ['1'] && !isURL('a b')",
    "quantity('1') == quantity('1000m') && quantity('50k').add(20) == quantity('50020') && quantity('1Gi').isGreaterThan(quantity('1G'))",
    "!isQuantity('1x') && quantity('200M').sub(quantity('200M')).sign() == 0 && quantity('4').asInteger() == 4",
    "ip('::1').isLoopback() && ip('10.0.0.1').family() == 4 && !ip.isCanonical('0:0::1') && isIP('fe80::1') && !isIP('10.0.0.256')",
    "cidr('10.0.0.0/8').containsIP('10.1.2.3') && cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && cidr('fd00::/8').containsCIDR('fd01::/16')",
    "format.dns1123Label().validate('A').hasValue() && !format.named('qualifiedName').value().validate('a/b').hasValue()",
    "semver('1.2.3-rc.1').isLessThan(semver('1.2.3')) && semver('v1.2', true).minor() == 2 && !isSemver('v1')",
    "'ABC'.matches('^(?i)[a-c]+$') && !'ABD'.matches(r'''^(?i)[a-c]+$''') && 'abc'.matches('^[a-c]+$')",
    "has({'a': [{'b': 1}]}.a[0].b) && !has({'a': [{'b': 1}]}.a[0].c) && [{'a': [{'b': 1}]}].exists(x, has(x.a[0].b))",
    "optional.of(1).orValue(2) == 1 && {'a': 1}.?b.orValue(3) == 3",
  ])('hold: %s', (text) => {
    expect(compile(text)({})).toBe(true)
  })

  it('ask what a user may', () => {
    const authorizer = new Authorizer(new MemoryCache())
    const ask = (groups: string[]) =>
      compile("authorizer.group('apps').resource('deployments').namespace('x').check('create').allowed()")({
        authorizer: new CelAuthorizer(authorizer, { username: 'jane', groups }),
      })
    expect(ask(['system:masters'])).toBe(true)
    expect(ask([])).toBe(false)
  })

  it('end what would never end', () => {
    const list = Array.from({ length: 3000 }, (_, index) => index)
    const loops = compile('self.all(a, self.all(b, self.all(c, a + b + c >= 0)))')
    expect(() => loops({ self: toCel(list) })).toThrow('cost limit exceeded')
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
    ["'text'", 'must evaluate to bool but got string'],
    ["object.metadata.name != 'x'", undefined],
  ])('%s', (text, expected) => {
    expect(problemOf(text, { object: 'dyn' }, ['bool'])).toBe(expected)
  })

  it('finds fields that a schema does not have', () => {
    const schema = { type: 'object', properties: { spec: { type: 'object', properties: { size: { type: 'integer' } } } } }
    const environment = environmentOf(schema, { atRoot: true, optionalOldSelf: false })
    expect(problemIn(environment, 'self.spec.size > 1 && self.metadata.name != ""', ['bool'])).toBeUndefined()
    expect(problemIn(environment, 'self.spec.color > 1', ['bool'])).toContain("undefined field 'color'")
    expect(problemIn(environment, 'self.spec.size == "x"', ['bool'])).toContain(
      "found no matching overload for '_==_' applied to '(int, string)'",
    )
  })
})
