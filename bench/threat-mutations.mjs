// The defence of each threat (docs/security.md) taken away, and the test in test/threats that has to notice: see mutations.mjs.
// `built`: its test starts the program.
const jobs = 'src/replica/jobs'
const of = (file, number) => [`test/threats/${file}.test.ts`, '-t', `T${number}\\b`]
const openat2 = ['src/host/node/beneath.ts', 'BigInt(resolveBeneath | resolveNoSymlinks | resolveNoMagicLinks)', '0n']

export const threats = [
  {
    name: 'T1: any name is a name',
    edits: [
      [
        'src/core/path.ts',
        "  if (text === '' || isPlain(text)) return undefined\n",
        '  if (text !== undefined) return undefined\n',
      ],
    ],
    tests: of('names', 1),
  },
  { name: 'T2: links are followed on the way', edits: [openat2], tests: of('symlink-races', 2) },
  { name: 'T3: links are followed on the way', edits: [openat2], tests: of('names', 3) },
  {
    name: 'T4: names that fold are not held apart',
    edits: [
      [
        'src/core/folding.ts',
        '  const made = new Map<RelPath, Settle[]>()\n',
        '  if (side) return [...decisions]\n  const made = new Map<RelPath, Settle[]>()\n',
      ],
    ],
    tests: of('roots', 4),
  },
  {
    name: 'T5: the private folder in another case',
    edits: [
      [
        'src/core/path.ts',
        '  if (isAscii(name)) return name.toLowerCase() === privateName\n',
        '  if (isAscii(name)) return false\n',
      ],
    ],
    tests: of('names', 5),
  },
  {
    name: 'T6: bytes are taken for what they are said to be',
    edits: [
      [
        `${jobs}/stage.ts`,
        "  if (found !== item.fingerprint) return 'the bytes received are not those of the fingerprint'\n",
        '',
      ],
    ],
    tests: of('content', 6),
  },
  {
    name: 'T7: a pass waits for ever',
    edits: [['src/replica/remote.ts', 'const closeMs = 10_000', 'const closeMs = 600_000']],
    tests: of('silent-peer', 7),
    built: true,
  },
  {
    name: 'T8: nobody counts what requests cost',
    edits: [
      ['src/replica/link.ts', 'export const requestCostMax = 16 << 20', 'export const requestCostMax = 2 ** 40'],
      ['src/replica/link.ts', 'export const requestsMax = 64', 'export const requestsMax = 2 ** 20'],
    ],
    tests: of('growth', 8),
    built: true,
  },
  {
    name: 'T8: patterns of any size are made',
    edits: [['src/core/pattern.ts', '  if (read.size > room) throw new TooManyPatterns(text)\n', '']],
    tests: ['test/core/pattern.test.ts', 'test/replica/view.test.ts'],
  },
  {
    name: 'T8: nobody counts what is not acknowledged',
    edits: [[`${jobs}/apply-batch.ts`, 'unheardOf(this.stage, this.input.pair)', 'undefined']],
    tests: ['test/replica/jobs/unacknowledged.test.ts'],
  },
  {
    name: 'T9: strangers may stay',
    edits: [['src/host/node/waiting-room.ts', 'ms`), this.deadlineMs)', 'ms`), 100_000)']],
    tests: of('strangers', 9),
  },
  {
    name: 'T9: any number of strangers',
    edits: [['src/host/node/waiting-room.ts', 'this.guests.size >= unauthenticatedMax', 'this.guests.size >= 10_000']],
    tests: of('strangers', 9),
  },
  {
    name: 'T10: TLS 1.2 will do',
    edits: [
      [
        'src/host/node/tcp.ts',
        "minVersion: 'TLSv1.3', ciphers: '",
        "minVersion: 'TLSv1.2', ciphers: 'PSK:ECDHE-PSK-CHACHA20-POLY1305:",
      ],
    ],
    tests: of('strangers', 10),
  },
  {
    name: 'T10: a key has no direction',
    edits: [
      [
        'src/host/node/tcp.ts',
        'text.startsWith(rolePrefix) ? text.slice(rolePrefix.length) : undefined',
        "text.slice(text.lastIndexOf('/') + 1)",
      ],
    ],
    tests: of('strangers', 10),
  },
  {
    name: 'T10: a greeting may be of anybody',
    edits: [['src/replica/greeting.ts', '  if (said.run === self.run)', '  if (said.run === undefined)']],
    tests: of('strangers', 10),
  },
  {
    name: 'T10: an old greeting will do',
    edits: [['src/replica/greeting.ts', 'if (welcome.heard !== self.run)', 'if (welcome.heard === undefined)']],
    tests: of('strangers', 10),
  },
  {
    name: 'T11: an invitation is good twice',
    edits: [
      [
        'src/config/invitations.ts',
        "    return this.rename(identity, 'open', 'used') ? invited : overText\n",
        '    return invited\n',
      ],
    ],
    tests: of('peers', 11),
    built: true,
  },
  {
    name: 'T12: others may read a key',
    edits: [['src/config/private-file.ts', '    if ((stat.mode & 0o077) !== 0)\n', '    if (stat.mode === 0)\n']],
    tests: of('secrets', 12),
    built: true,
  },
  {
    name: 'T13: names are shown as they are',
    edits: [
      [
        'src/status/escape.ts',
        "return unsafe.test(text) ? [...text].map(escapeCharacter).join('') : text",
        'return text',
      ],
    ],
    tests: of('shown', 13),
    built: true,
  },
  {
    name: 'T13: names are in lines of JSON as they are',
    edits: [
      [
        'src/status/escape.ts',
        '(character) =>\n    [...Array(character.length)',
        '(character) =>\n    character || [...Array(character.length)',
      ],
    ],
    tests: of('shown', 13),
    built: true,
  },
  {
    name: 'T14: a web page may ask for a link',
    edits: [['src/host/node/websockets.ts', ' && headers.host === websocketHost && headers.origin === undefined', '']],
    tests: of('web-page', 14),
  },
  {
    name: 'T14: everybody may steer',
    edits: [['src/host/node/unix-place.ts', 'chmodSync(made, 0o600)', 'chmodSync(made, 0o666)']],
    tests: of('web-page', 14),
    built: true,
  },
  {
    name: 'T15: a peer gives rights away',
    edits: [
      [
        'src/replica/peer-rights.ts',
        "  if (operation.op === 'remove' ||",
        "  if (operation.op !== 'remove') return operation\n  if (operation.op === 'remove' ||",
      ],
    ],
    tests: of('modes', 15),
  },
  { name: 'T16: what is read is behind a link', edits: [openat2], tests: of('symlink-races', 16) },
  {
    name: 'T17: a file is written where it is',
    edits: [
      [
        `${jobs}/publish.ts`,
        '  moveOut(slots)\n  try {\n',
        '  const there = target.parent.reopenFile(target.name)\n  const fresh = slots.in.openFile(slots.staged)\n  const bytes = new Uint8Array(fresh.stat().sizeBytes)\n  fresh.read(bytes, 0)\n  there.write(bytes, 0)\n  there.close()\n  fresh.close()\n  moveOut(slots)\n  try {\n',
      ],
    ],
    tests: of('roots', 17),
  },
  {
    name: 'T18: any directory is the root',
    edits: [['src/engine/pair.ts', '  if (opened.rootId === expected) return\n', '  if (expected) return\n']],
    tests: of('roots', 18),
    built: true,
  },
  {
    name: 'T18: an emptied root empties the other one',
    edits: [
      ['src/core/emptied.ts', '  for (const scope of scopes) {\n', '  for (const scope of scopes.slice(0, 0)) {\n'],
    ],
    tests: of('roots', 18),
    built: true,
  },
  {
    name: 'T19: any number of removals',
    edits: [
      [
        'src/core/budget.ts',
        "  if (limit.kind === 'count') return all > limit.count\n",
        "  if (limit.kind === 'count') return false\n",
      ],
    ],
    tests: of('roots', 19),
  },
  {
    name: 'T19: a budget for each name of a pair',
    edits: [[`${jobs}/budget.ts`, 'const who = pair.slice(0, pairPrefixChars)', 'const who = pair']],
    tests: of('roots', 19),
  },
  {
    name: 'T20: anybody may own the private folder',
    edits: [[`${jobs}/open-root.ts`, '      checkOwners(root, path, world.machine.uid)\n', '']],
    tests: of('roots', 20),
  },
  {
    name: 'T20: the private folder may be a link',
    edits: [openat2],
    tests: of('content', 20),
  },
  {
    name: 'T20: the log may be a link',
    edits: [['src/status/log.ts', 'O_CREAT | O_NOFOLLOW', 'O_CREAT']],
    tests: ['test/status/log.test.ts', '-t', 'T20\\b'],
  },
  {
    name: 'T20: the log may be of anybody',
    edits: [['src/status/log.ts', 'if (uid === own || uid === 0) return handle', 'return handle']],
    tests: ['test/status/log.test.ts', '-t', 'T20\\b'],
  },
  {
    name: 'T21: a store is opened as it is',
    edits: [
      [
        'src/host/node/store.ts',
        '      refuse(path, storePagesFault)\n',
        '      if (path === undefined) refuse(path, storePagesFault)\n',
      ],
    ],
    tests: of('roots', 21),
    built: true,
  },
  {
    name: "T21: another pair's archive will do",
    edits: [['src/engine/pair.ts', '  if (opened.rootId === expected) return\n', '  if (expected) return\n']],
    tests: of('roots', 21),
    built: true,
  },
  {
    name: 'T22: read-only is a word',
    edits: [
      [
        'src/replica/read-only.ts',
        "    const detail = 'the root is served read-only'\n",
        "    if (operations.length > 0) return await super.apply(_, operations, 'boot')\n    const detail = 'the root is served read-only'\n",
      ],
    ],
    tests: of('peers', 22),
  },
  {
    name: 'T22: a peer is believed that everything is gone',
    edits: [
      ['src/core/emptied.ts', '  for (const scope of scopes) {\n', '  for (const scope of scopes.slice(0, 0)) {\n'],
    ],
    tests: of('peers', 22),
    built: true,
  },
  {
    name: 'T22: a peer is believed that nearly everything is gone',
    edits: [['src/core/budget.ts', '  if (more <= 0) return false\n', '  if (more !== undefined) return false\n']],
    tests: of('peers', 22),
    built: true,
  },
  {
    name: 'T23: a time is told that is not there',
    edits: [
      [
        `${jobs}/apply-batch.ts`,
        'contentOf(formOf(staged, fingerprint',
        'contentOf(formOf({ ...staged, mtimeNs: staged.mtimeNs + 1n }, fingerprint',
      ],
    ],
    tests: of('content', 23),
  },
  {
    name: 'T24: a package without its hash',
    edits: [['package-lock.json', '"integrity": "sha512-', '"was": "sha512-']],
    tests: of('content', 24),
    first: true,
  },
  {
    name: 'T25: a key on the terminal',
    edits: [
      [
        'src/config/secret.ts',
        'function checkedKey(text: string, from: string): Uint8Array {\n',
        'function checkedKey(text: string, from: string): Uint8Array {\n  console.error(text)\n',
      ],
    ],
    tests: of('secrets', 25),
    built: true,
  },
]
