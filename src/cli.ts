#!/usr/bin/env node
import { exactArguments } from './cli/arguments.js'
import { mainProcess } from './cli/main.js'

await mainProcess(exactArguments(process.argv.slice(2)))
