import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { program, type Running, sandbox } from '../e2e/harness.js'

// T12: whoever could read or exchange a file with secrets, or one that says who may do what, is told how to lock it; exit 78.
const files: [string, string[], string[], RegExp][] = [
  // what is wrong                            what is done                     what is started               what mends it
  [
    'others may read the configuration',
    ['chmod 644 c/t.toml'],
    ['run', '--config', 'c/t.toml'],
    /chmod 600 c\/t\.toml/,
  ],
  ['its group may write it', ['chmod 620 c/t.toml'], ['serve', '--config', 'c/t.toml'], /chmod 600 c\/t\.toml/],
  ['others may read a key', ['chmod 604 c/k.key'], ['run', '--config', 'c/t.toml'], /chmod 600 \S*c\/k\.key/],
  ['others may write in its directory', ['chmod 777 c'], ['run', '--config', 'c/t.toml'], /chmod go-w c$/m],
  [
    'its group may write in the directory of a key',
    ['chmod 770 d'],
    ['run', '--config', 'c/d.toml'],
    /chmod go-w \S*\/d$/m,
  ],
  [
    'it is a symbolic link',
    ['ln -s t.toml c/l.toml'],
    ['run', '--config', 'c/l.toml'],
    /symbolic link; name the file itself/,
  ],
  [
    'a key is a symbolic link',
    ['mv c/k.key c/o.key', 'ln -s o.key c/k.key'],
    ['run', '--config', 'c/t.toml'],
    /k\.key: a symbolic link/,
  ],
  ...(process.getuid?.() === 0
    ? ([
        ["it is another user's", ['chown 65534 c/t.toml'], ['run', '--config', 'c/t.toml'], /chown 0 c\/t\.toml/],
        ["a key is another user's", ['chown 65534 c/k.key'], ['run', '--config', 'c/t.toml'], /chown 0 \S*c\/k\.key/],
        ["the directory is another user's", ['chown 65534 c'], ['run', '--config', 'c/t.toml'], /chown 0 c$/m],
      ] satisfies [string, string[], string[], RegExp][])
    : []),
]
test.each(files)('T12: it does not start when %s', async (_, spoils, command, message) => {
  const box = sandbox()
  const secret = '6b'.repeat(32)
  for (const name of ['a', 'b', 'c', 'd']) mkdirSync(box.at(name), { mode: 0o700 })
  for (const key of ['c/k.key', 'd/k.key']) box.write(key, `identity = "p"\nkey = "${secret}"\n`, { mode: 0o600 })
  const text = (key: string) =>
    `[[serve]]\nname = "a"\npath = "../a"\n[[peers]]\nname = "p"\nkey_file = "${key}"\nroots = ["a"]\n`
  box.write('c/t.toml', text('k.key'), { mode: 0o600 })
  box.write('c/d.toml', text('../d/k.key'), { mode: 0o600 })
  for (const spoil of spoils) await box.startProcess('sh', ['-c', spoil]).ended
  const end = await box.tandem(command)
  expect(end.stderr).toMatch(message)
  expect(end.stderr + end.stdout).not.toContain(secret.slice(0, 16))
  expect(end.code).toBe(78)
})

test('T25: a known secret is in no output, log, list of processes, or file but its own', {
  timeout: 60_000,
}, async () => {
  const box = sandbox()
  const secret = '9d3e'.repeat(16)
  box.write('lead.key', `identity = "lead"\nkey = "${secret}"\n`, { mode: 0o600 })
  box.write('a/f', 'one')
  mkdirSync(box.at('b'))
  const hub = '[listen]\naddress = "127.0.0.1:0"\nsocket = "t.sock"\n\n[[serve]]\nname = "b"\npath = "b"\n\n'
  const peers = '[[peers]]\nname = "lead"\nkey_file = "lead.key"\nroots = ["b"]\n'
  writeFileSync(box.at('hub.toml'), hub + peers, { mode: 0o600 })
  const serving = box.start(['run', '--config', 'hub.toml', '-logfile', 'hub.log'], { state: box.at('hub-state') })
  const said: string[] = []
  let address = ''
  await serving.until(() => {
    address = box.exists('hub.log') ? (/"address":"([0-9.]+:\d+)"/.exec(box.read('hub.log'))?.[1] ?? '') : ''
    return address !== ''
  }, 'the address')
  const url = `wss://${address}/b`
  const tandem = async (...args: string[]) => {
    const end = await box.tandem(args)
    said.push(end.stdout, end.stderr)
    return end
  }
  expect((await tandem('sync', '--json', 'a', url, '--secret-file', 'lead.key')).code).toBe(0)
  expect((await tandem('check', url, '--secret-file', 'lead.key')).code).toBe(0)
  // From a shell that lets what it starts dump its core.
  const dumping = ['-c', 'ulimit -S -c "$(ulimit -H -c)"; exec "$0" "$@"', process.execPath, program]
  const watch = box.startProcess('sh', [
    ...dumping,
    'watch',
    'a',
    url,
    '--secret-file',
    'lead.key',
    '-logfile',
    'lead.log',
  ])
  await watch.until(() => box.exists('lead.log') && box.read('lead.log').includes('pair-current'), 'pair-current')
  for (const running of [watch, serving]) {
    said.push(processText(running))
    // A core dump would have them.
    if (process.platform === 'linux')
      expect(readFileSync(`/proc/${running.pid}/limits`, 'utf8')).toMatch(/^Max core file size +0 /m)
  }
  for (const command of ['status', 'conflicts']) await tandem(command, '--json')
  for (const command of ['status', 'conflicts'])
    said.push((await box.tandem([command, '--json'], { state: box.at('hub-state') })).stdout)
  await tandem('peers', '--config', 'hub.toml')
  await tandem('doctor', 'a')
  await tandem('doctor', '--config', 'hub.toml')
  await tandem('log', 'a')
  await tandem('restore', 'a/f')

  // What cannot be read must not be quoted either.
  const spoiled: [string, string][] = [
    ['bad1.key', `identity = "lead"\nkey = "${secret}x"\n`],
    ['bad2.key', `identity = "lead"\nkey = ${secret}\n`],
    ['bad3.key', `${secret}\n`],
    ['bad4.key', `identity = "${secret}!"\nkey = "${secret}"\n`],
    ['bad5.key', `identity = "other"\nkey = "${secret}"\n`],
  ]
  for (const [name, text] of spoiled) {
    box.write(name, text, { mode: 0o600 })
    expect((await tandem('sync', 'a', url, '--secret-file', name)).code).not.toBe(0)
  }
  expect((await tandem('keygen', 'laptop', '--out', 'new.key')).code).toBe(0)
  const made = /key = "([0-9a-f]{64})"/.exec(box.read('new.key'))?.[1] ?? ''
  expect(made).toHaveLength(64)
  const revoked = await box.tandem(['peers', 'revoke', 'lead', '--config', 'hub.toml'], { state: box.at('hub-state') })
  expect(revoked.code, revoked.stderr).toBe(0)
  said.push(revoked.stdout, revoked.stderr)

  // A configuration that the agent cannot follow, with the key where it does not belong.
  writeFileSync(box.at('hub.toml'), `${hub}${peers}secret = "${secret}"\n`, { mode: 0o600 })
  serving.signal('SIGHUP')
  await serving.until(() => box.read('hub.log').includes('configuration-refused'), 'the refusal')
  for (const running of [watch, serving]) {
    running.signal('SIGTERM')
    const end = await running.ended
    said.push(end.stdout, end.stderr)
  }
  const forms = [
    secret.slice(0, 20),
    Buffer.from(secret, 'hex').toString('base64').slice(0, 16),
    Buffer.from(secret, 'hex').toString('base64url').slice(0, 16),
  ]
  for (const form of [...forms, made.slice(0, 20)]) expect(said.join('\n')).not.toContain(form)
  const raw = Buffer.from(secret, 'hex').subarray(0, 16)
  for (const file of filesBelow(box.path)) {
    if (/(?:\.key|\.toml)$/.test(file)) continue
    const bytes = readFileSync(file)
    expect([file, bytes.includes(raw), ...forms.map((form) => bytes.includes(form))]).toEqual([
      file,
      false,
      false,
      false,
      false,
    ])
  }
})

/** What everybody on the machine sees of a process, and what only its user sees. */
function processText(running: Running): string {
  return ['cmdline', 'environ', 'comm', 'status']
    .map((name) => readFileSync(`/proc/${running.pid}/${name}`, 'utf8'))
    .join('\n')
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath, one.name))
}
