import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { World } from '../test-world.ts'

/** Scripts whose output and exit code must be what the machine's own shell makes of them. */
const posix = [
  'echo a b  c; echo "a  b"; echo \'x $y\'',
  'x=1; echo $x ${x} "${x}y" ${y:-def} ${y-def} ${x:+set} "${z:=new}" $z',
  'x=a.b.c; echo ${x#*.} ${x##*.} ${x%.*} ${x%%.*} ${#x}',
  'p=/usr/local/lib.tar.gz; echo ${p##*/} ${p%/*} ${p%%.*}',
  'echo $((1+2*3)) $((7/2)) $((7%3)) $((-7/2)) $((1<<4)) $((5>3)) $((!0)) $((0x1f)) $((010))',
  'i=0; while [ $i -lt 5 ]; do i=$((i+1)); [ $i = 3 ] && continue; echo $i; done',
  'for i in a b "c d"; do echo "<$i>"; done; for i in; do echo no; done; echo end',
  'until false; do echo once; break; done; echo $?',
  'case abc in a*) echo A;; b*) echo B;; esac; case x in y|x) echo yx;; *) echo other;; esac; case "" in ?) echo one;; *) echo none;; esac',
  'f() { echo "$# $1 $2"; return 3; }; f a b; echo $?; f "x y"; echo "$@"',
  'set -- a "b c" d; echo $# "$2"; for x; do echo "[$x]"; done; shift; echo $*; echo "$*"; IFS=-; echo "$*"',
  'x="a b c"; for w in $x; do echo $w; done; for w in "$x"; do echo $w; done',
  'IFS=:; x=a::b:; for w in $x; do echo "<$w>"; done',
  'echo $(echo sub; echo two) `echo tick`; x=$(printf "a\\n\\n"); echo "[$x]"',
  'echo one | cat; echo a | { read v; echo "got $v"; }; printf "1\\n2\\n" | while read n; do echo "n=$n"; done',
  'cat <<EOF\nhello $((1+1))\n  $(echo x)\nEOF\ncat <<"EOF"\nraw $x\nEOF\ncat <<-EOF\n\ttabbed\n\tEOF',
  'true && echo yes || echo no; false && echo yes || echo no; ! true; echo $?',
  '(x=2; echo $x; exit 4); echo $? $x',
  '{ echo a; echo b; } | cat; if true; then echo t; else echo f; fi; if false; then :; elif true; then echo elif; fi',
  'echo err >&2; echo out; { echo a; echo b >&2; } 2>&1 | cat',
  'set -e; true; false || true; if false; then :; fi; echo before; false; echo after',
  'set -e; f() { false; echo in; }; f || echo handled; echo end',
  'set -u; echo ${x-unset}; (echo $nope) 2>/dev/null; echo $?',
  'trap "echo bye" EXIT; echo hi; exit 5',
  'trap "echo got; exit 7" TERM; kill -TERM $$; echo never',
  'sleep 0.01 & wait $!; echo $?; (exit 3) & wait $!; echo $?',
  'sh -c "exit 9"; echo $?; nosuchcommand 2>/dev/null; echo $?; /etc/passwd 2>/dev/null; echo $?',
  'eval "x=5; echo \\$x"; y=x; eval echo \\$$y',
  'printf "%s-%d|%5s|%-5s|%05d|%x\\n" a 42 r l 42 255; printf "%s\\n" a b c; printf "%%\\n"',
  '[ 1 -eq 1 ] && [ a != b ] && [ -n x ] && [ -z "" ] && echo ok; [ "a" = "b" ]; echo $?; test 3 -gt 2 -a 1 -lt 2; echo $?',
  '[ -d / ] && [ ! -e /nonexistent ] && [ -f /etc/passwd ] && [ -r /etc/passwd ] && echo files',
  'read a b <<EOF\none two three\nEOF\necho "$a|$b"; echo "x\\ty" | { read r; echo "$r"; }; echo "x\\\\y" | { read -r r; echo "$r"; }',
  'x=1; { x=2; }; echo $x; (x=3); echo $x; x=4 true; echo $x; x=5 sh -c "echo \\$x"; echo $x',
  'f() { local v=in; echo $v; }; v=out; f; echo $v',
  'while getopts ab:c o -a -b val -c rest; do echo "$o $OPTARG"; done; echo $OPTIND',
  'a=1 b=2; echo $a$b; readonly r=1; unset a; echo "[$a]"; export E=env; sh -c "echo \\$E"',
  'echo a; exit 3; echo b',
  'for i in 1 2 3; do for j in 1 2 3; do [ $j = 2 ] && continue 2; [ $i = 3 ] && break 2; echo $i$j; done; done',
  'x="*"; echo "$x"; echo \'*\'; set -f; echo /et*; set +f; echo /etc/pass*d',
  'cd /tmp && pwd; cd - >/dev/null; cd /nonexistent 2>/dev/null || echo failed',
  'echo "a\'b" \'a"b\' a\\ b "\\$x" "a\\\\b" \\"q\\"',
  'x=; echo "${x:-empty}" "${x-set}" ${x:+no}"end"',
  'exec 3>&1; echo to3 >&3; exec 3>&-; echo done',
  'f() { return 2; }; f; echo $?; f && echo no; f || echo yes',
  'yes | head -2; seq 3 | tail -1; seq 10 | sed -n 2,3p; echo hello | tr a-z A-Z; echo a:b:c | cut -d: -f2,3',
  'printf "b\\na\\nc\\na\\n" | sort | uniq -c | sed "s/^ *//"; printf "3 x\\n1 y\\n2 z\\n" | sort -n | head -1; printf "a\\nb\\n" | wc -l | tr -d " "',
  'printf "foo\\nbar\\nfoobar\\n" | grep foo; printf "foo\\nbar\\n" | grep -v foo; printf "a1\\nb2\\n" | grep -E "[0-9]$" | sed -E "s/([a-z])([0-9])/\\2\\1/"; echo x | grep -q y; echo $?',
  'echo "hello world" | sed "s/o/0/g;s/h/H/"; printf "1\\n2\\n3\\n" | sed 2d; printf "a\\nb\\n" | sed "1i\\\nzero"; printf "k=v\\n" | sed "s/.*=//"',
  'basename /a/b.txt .txt; dirname /a/b/c; expr 3 + 4; expr length hello; seq -s, 3',
  'printf "a b\\nc d\\n" | xargs -n1 echo item; echo 1 2 3 | xargs echo',
  'set -o 2>/dev/null >/dev/null; : ${x:=hello}; echo $x; type cd >/dev/null && echo has; command -v sh >/dev/null && echo sh',
  'f() { echo a; }; f | cat; f > /dev/null; x=$(f); echo "$x"; unset -f f; f 2>/dev/null; echo $?',
  'i=0; while :; do i=$((i+1)); if [ $i -ge 200 ]; then break; fi; done; echo $i',
  'echo start; (echo sub; kill -KILL $(sh -c "echo \\$PPID")); echo after',
]

const awkScripts = [
  `printf "a 1\nb 2\na 3\n" | awk '{ s[$1] += $2 } END { print s["a"], s["b"], NR }'`,
  `printf "x:y:z\n" | awk -F: '{ print $2, NF; $2 = "q"; print; print $NF }' OFS=-`,
  `seq 10 | awk 'NR > 2 && NR < 5 { printf "%d-%s\\n", $1, "n" } /9/ { print "nine" } END { print length("abc"), substr("hello", 2, 3), index("hello", "l"), toupper("x") }'`,
  `awk 'BEGIN { for (i = 0; i < 3; i++) { if (i == 1) continue; print i, i ^ 2, i / 2 } n = split("a,b,c", p, ","); print n, p[3]; x = "foo"; gsub(/o/, "0", x); print x; exit 3 }'`,
  `echo "a b c" | awk 'function f(v, w) { return v "-" w } { print f($1, $3); print ($2 ~ /b/) ? "yes" : "no"; while (k < 2) k++; print k }'`,
]

const bashOnly = [
  'n=5; echo $((n++ + ++n)) $n $((n+=3)) $((n==10 ? 1 : 2))',
  'echo {1..5} {a,b}{1,2} x{,y}z {01..03} {5..1..2}',
  'a=(one two "three four"); echo ${#a[@]} "${a[2]}" ${a[@]:1:1}; a+=(five); for x in "${a[@]}"; do echo "<$x>"; done; echo "${!a[@]}"',
  'declare -A m; m[k]=v; m[x]=y; echo ${m[k]} ${#m[@]}',
  'x=hello; echo ${x/l/L} ${x//l/L} ${x:1:3} ${x: -3} ${x^} ${x^^} ${x/#he/HE} ${x/%lo/LO}; y=ABC; echo ${y,,}',
  '[[ abc == a* ]] && echo glob; [[ abc =~ ^a(.)c$ ]] && echo ${BASH_REMATCH[1]}; [[ -z "" && 1 -lt 2 ]] && echo and; [[ a < b ]] && echo less; [[ ! -e /nonexistent ]] && echo not',
  'for ((i=0; i<3; i++)); do echo $i; done; ((x=3+4)); echo $x; ((0)) || echo zero',
  'cat <<< "here string"; read a b <<< "1 2"; echo $b',
  'set -o pipefail; false | true; echo $?; echo "${PIPESTATUS[@]}"',
  "echo -e \"a\\tb\\n\\x41\"; echo -n no; echo; echo $'q\\n\\'x'",
  'diff <(echo a) <(echo a) && echo same; cat <(echo sub)',
  'f() { local -i n=3+4; echo $n; }; f; printf -v v "%03d" 7; echo $v; echo ${v@Q}',
  'x=y; y=z; echo ${!x}; mapfile -t l < <(printf "1\\n2\\n"); echo ${#l[@]} ${l[1]}',
  'case abc in a*) echo 1;;& *c) echo 2;; esac; case x in x) echo a;& y) echo b;; esac',
  'function g { echo "g $1"; }; g 1; { echo x; echo y >&2; } &> /dev/null; echo $?; echo a |& cat',
  'trap "echo err" ERR; false; true; echo end',
]

const shells = [
  { shell: 'dash', scripts: [...posix, ...awkScripts] },
  { shell: 'bash', scripts: [...posix, ...bashOnly] },
]

describe.each(shells)('$shell', ({ shell, scripts }) => {
  test.each(scripts)('%s', async (script) => {
    const real = spawnSync(shell, ['-c', script], {
      encoding: 'utf8',
      cwd: '/',
      env: { ...process.env, HOME: '/root', LC_ALL: 'C' },
    })
    const world = new World()
    const container = await world.run({ image: 'debian:12', command: ['sleep', '1000000'] })
    const own = await world.exec(container, [shell, '-c', script])
    expect({ stdout: own.stdout, code: own.code }).toEqual({ stdout: real.stdout, code: real.status ?? 137 })
    expect(world.reported).toEqual([])
  })
})

test('a text that is doubled again and again is not copied each time', async () => {
  const world = new World()
  const before = process.memoryUsage().heapUsed
  const script =
    'x=0123456789abcdef; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22; do x=$x$x; done; echo done; sleep 1000000'
  const container = await world.run({ image: 'busybox:1.36', command: ['sh', '-c', script], memoryLimit: 2 ** 30 })
  await world.clock.advance(60_000)
  expect(world.text(container)).toBe('done\n')
  // 64 MiB, if it lay anywhere as a whole
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(40 * 2 ** 20)
})
