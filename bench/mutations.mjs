// Breaks each safety step on purpose, in a copy of the tree, and shows what notices: a check that nothing would miss is none.
//   npm run mutations -- [--only TEXT] [--seeds N]      TEXT: a part of the name of a step; N: simulated histories to try
//   npm run mutations -- --check                        only whether what each would break stands in its file, exactly once
// Then the defence of each threat (threat-mutations.mjs): those are for their own tests, no history knows them.
// For each: the first seed of the simulation that breaks, then the first test. Exit code 1 when something is noticed by nobody.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { threats } from './threat-mutations.mjs'

const project = dirname(dirname(fileURLToPath(import.meta.url)))
const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    seeds: { type: 'string', default: '150' },
    check: { type: 'boolean', default: false },
  },
})

const jobs = 'src/replica/jobs'
const crash = 'test/crash/crash-'

/** `edits`: file, what stands there exactly once, and what is put in its place. `tests`: arguments of vitest. */
const mutations = [
  {
    name: 'no compare after the exchange',
    edits: [
      [
        `${jobs}/publish.ts`,
        "  if (likenessOrOther(slots.out, slots.slot, expect, depth) === 'same') return done\n  return giveBack(target, slots.out, slots.slot, goal)",
        '  return done',
      ],
    ],
    tests: ['test/replica/jobs/races.test.ts'],
  },
  {
    name: 'no probe for writers',
    edits: [[`${jobs}/form.ts`, "    if (probe === 'busy') return { kind: 'written' }\n", '']],
    tests: ['test/replica/jobs/races.test.ts'],
  },
  {
    name: 'exchange back without compare',
    edits: [
      [
        `${jobs}/publish.ts`,
        "  if (back === 'same' || back === 'written') return superseded",
        "  if (back !== 'absent') return superseded",
      ],
    ],
    tests: ['test/replica/jobs/races.test.ts'],
  },
  {
    name: 'commit before publish',
    edits: [
      [
        'src/engine/settling.ts',
        '      if (change === undefined) agreed.push(settle)\n      else {',
        '      agreed.push(settle)\n      if (change !== undefined) {',
      ],
    ],
    tests: [crash],
  },
  {
    name: 'no sync of the receiver',
    edits: [
      [
        'src/engine/settling.ts',
        "side === 'alpha' ? { alpha: written, beta: supplied } : { alpha: supplied, beta: written }",
        "side === 'alpha' ? { alpha: [], beta: supplied } : { alpha: supplied, beta: [] }",
      ],
    ],
    tests: [crash],
  },
  {
    name: 'no sync of the source',
    edits: [
      [
        'src/engine/settling.ts',
        "side === 'alpha' ? { alpha: written, beta: supplied } : { alpha: supplied, beta: written }",
        "side === 'alpha' ? { alpha: written, beta: [] } : { alpha: [], beta: written }",
      ],
    ],
    tests: [crash],
  },
  {
    name: 'a sync repeated after EIO',
    edits: [
      [
        `${jobs}/make-durable.ts`,
        '    if (!(error instanceof FileFailure)) throw error\n    return error\n',
        '    if (!(error instanceof FileFailure)) throw error\n    filesystem.syncFilesystem()\n    return undefined\n',
      ],
    ],
    tests: ['test/replica/jobs/sync.test.ts', 'test/replica/jobs/apply.test.ts', crash],
  },
  {
    name: 'no second look at the stamp',
    edits: [
      [`${jobs}/supply.ts`, '&& isStampOf(known.record, after) ?', '&& after.kind === "file" ?'],
      [`${jobs}/supply.ts`, 'return sameStamp(before, after) ?', 'return before.kind === after.kind ?'],
    ],
    tests: ['test/replica/jobs/supply.test.ts'],
  },
  {
    name: 'a slot removed without reading its intent',
    edits: [
      [
        `${jobs}/recover.ts`,
        '      if (this.finish(name, file, intent, acknowledged)) this.adopt(name, file)\n',
        '      for (const slot of this.folder.out.names())\n        if (intentOfSlot(slot) === name) this.folder.out.removeFile(slot)\n      this.adopt(name, file)\n',
      ],
    ],
    tests: ['test/replica/jobs/crash.test.ts'],
  },
  {
    name: 'a directory that a power loss took back, removed with what its user had put into it',
    edits: [
      [
        `${jobs}/finish-step.ts`,
        "  if (!places.otherBoot || step.staged === '') return undefined\n",
        "  if (step.op === 'make') return undefined\n",
      ],
    ],
    tests: ['test/replica/jobs/folders.test.ts'],
  },
  {
    name: 'a directory that comes with what no operation asks for',
    edits: [
      [
        `${jobs}/whole-folders.ts`,
        '  if (wanted.size === names.size) return true\n',
        '  if (wanted.size > 0) return true\n',
      ],
    ],
    tests: ['test/replica/jobs/folders.test.ts'],
  },
  {
    name: 'a scan result over a newer record',
    // Two locks on one door: scans and applies of one directory wait for each other, and a newer record is not written over.
    edits: [
      [`${jobs}/scan.ts`, 'if (now?.sequence !== old?.sequence || isElsewhere(edit)) {', 'if (now?.sequence === -1) {'],
      [
        'src/replica/holds.ts',
        '      if (this.held.meet(waiter) || wanted.meet(waiter)) {',
        '      if (waiter.directories.length < 0) {',
      ],
    ],
    tests: ['test/replica/jobs/scan-meanwhile.test.ts', 'test/replica/local.test.ts'],
  },
  {
    name: 'the cursor in the first transaction',
    edits: [
      [
        'src/engine/cycle.ts',
        '  try {\n    await carryOut(context, plan, changes, torn, settling)',
        '  await settling.last({ facts: input.facts(), opened: [], closed: [] })\n  try {\n    await carryOut(context, plan, changes, torn, settling)',
      ],
    ],
    tests: [crash],
  },
  {
    name: 'a moved directory not listed down',
    edits: [
      [
        `${jobs}/list.ts`,
        "  for (const path of placed.sort(byLength)) steps.push({ path, entry: true, members: 'deep' })",
        "  for (const path of placed.sort(byLength)) steps.push({ path, entry: true, members: 'own' })",
      ],
    ],
    tests: ['test/replica/replica.test.ts', 'test/replica/local.test.ts'],
  },
  {
    name: 'the run not compared',
    edits: [[`${jobs}/list.ts`, '  return run !== undefined && cursor.sequence <= run.last', '  return true']],
    tests: ['test/replica/replica.test.ts', 'test/replica/local.test.ts', 'test/index'],
  },
  {
    name: 'a directory removed in one rename',
    edits: [
      [
        `${jobs}/apply-batch.ts`,
        "        if (step.expect.kind === 'directory') parent.removeDirectory(name)",
        "        if (step.expect.kind === 'directory')\n          parent.rename(name, this.stage.out, slotName(this.intent, at), 'no-replace')",
      ],
    ],
    tests: ['test/replica/jobs/apply.test.ts'],
  },
  {
    name: 'the budget counted by the lead only',
    edits: [[`${jobs}/apply-batch.ts`, 'this.budget?.askForBatch(this.input.operations)', 'undefined']],
    tests: ['test/replica/jobs/budget.test.ts'],
  },
  {
    name: 'names as looked up, not as listed, where they fold',
    edits: [
      [`${jobs}/scan.ts`, "if (this.place.folding && asked.some((name) => name !== ''))", 'if (asked.length < 0)'],
    ],
    tests: ['test/sim/folding.test.ts'],
  },
]

const all = [...mutations, ...threats].filter(({ name }) => name.includes(values.only))
if (values.check) {
  const faults = all.flatMap((mutation) => broken(mutation, project).faults)
  for (const fault of faults) console.error(fault)
  console.log(`${all.length} mutations, ${faults.length} not applicable`)
  process.exit(faults.length === 0 ? 0 : 1)
}

const copy = mkdtempSync(join(tmpdir(), 'tandem-mutations-'))
process.on('exit', () => rmSync(copy, { recursive: true, force: true }))
for (const part of [
  'src',
  'test',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'vitest.config.ts',
  'vitest.full.config.ts',
  'scripts',
])
  cpSync(join(project, part), join(copy, part), { recursive: true })
symlinkSync(join(project, 'node_modules'), join(copy, 'node_modules'))
mkdirSync(join(copy, 'tmp'))

let unnoticed = 0
for (const mutation of all) {
  const isThreat = threats.includes(mutation)
  const { texts, faults } = broken(mutation, copy)
  if (faults.length > 0) throw new Error(faults.join('\n'))
  const whole = [...texts.keys()].map((file) => [file, readFileSync(join(copy, file), 'utf8')])
  for (const [file, text] of texts) writeFileSync(join(copy, file), text)
  if (mutation.built === true) built()
  const seed = isThreat || values.seeds === '0' ? 'not tried' : (firstSeed() ?? `none of ${values.seeds}`)
  // Of those that are named for it alone: what is slow or not built in the copy would fail for anything.
  const test = firstTest(mutation.tests) ?? 'none'
  const noticed = seed.startsWith('seed') || test !== 'none'
  if (!noticed) unnoticed++
  console.log(
    `${noticed ? 'noticed  ' : 'UNNOTICED'} ${mutation.name}\n            simulation: ${seed}\n            tests: ${test}`,
  )
  for (const [file, text] of whole) writeFileSync(join(copy, file), text)
}
console.log(unnoticed === 0 ? 'every broken step was noticed' : `${unnoticed} broken steps were noticed by nobody`)
process.exitCode = unnoticed === 0 ? 0 : 1

/** The files of a mutation as it leaves them, and what it does not find in them. */
function broken({ name, edits, first = false }, tree) {
  const texts = new Map()
  const faults = []
  for (const [file, there, instead] of edits) {
    const text = texts.get(file) ?? readFileSync(join(tree, file), 'utf8')
    const count = text.split(there).length - 1
    // `first`: the first of several.
    if (first ? count === 0 : count !== 1) faults.push(`${name}: ${file} holds ${count} times:\n${there}`)
    texts.set(
      file,
      text.replace(there, () => instead),
    )
  }
  return { texts, faults }
}

/** The first history that breaks a promise, with what it says. */
function firstSeed() {
  const said = run([
    'node_modules/tsx/dist/cli.mjs',
    'test/sim/main.ts',
    '--seeds',
    values.seeds,
    '--jobs',
    '1',
    '--until-first',
  ])
  const [seed, violation] = said.split('\n').filter((line) => /^seed \d+:|^ {2}\S/.test(line))
  return seed === undefined ? undefined : `${seed} ${violation?.trim() ?? ''}`
}

/** The name of the first test that fails. */
function firstTest(files) {
  const said = run(['node_modules/vitest/vitest.mjs', 'run', '--bail', '1', ...files])
  return /^\s*FAIL\s+(.*)$/m.exec(said)?.[1]
}

/** The program, for tests that start it. */
function built() {
  const said = run(['scripts/build.mjs'])
  if (!existsSync(join(copy, 'dist', 'cli.js')) || /error TS/.test(said)) throw new Error(`it does not build:\n${said}`)
}

function run(words) {
  const { stdout, stderr } = spawnSync(process.execPath, words, {
    cwd: copy,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0', CI: 'true', TMPDIR: join(copy, 'tmp') },
    maxBuffer: 1 << 28,
    timeout: 900_000,
  })
  return `${stdout}\n${stderr}`
}
