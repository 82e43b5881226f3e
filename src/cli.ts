#!/usr/bin/env node
import { exactArguments } from './cli/arguments.js'
import { startEarly } from './cli/start-early.js'

const argv = exactArguments(process.argv.slice(2))
// An invitation is a secret, and the list of processes is for everybody.
if (argv.includes('join')) process.title = 'tandem join'
const early = startEarly(argv)
const { mainProcess } = await import('./cli/main.js')
await mainProcess(argv, early)
