#!/usr/bin/env node
import { exactArguments } from './cli/arguments.js'
import { mainProcess } from './cli/main.js'

const argv = exactArguments(process.argv.slice(2))
// An invitation is a secret, and the list of processes is for everybody.
if (argv.includes('join')) process.title = 'tandem join'
await mainProcess(argv)
