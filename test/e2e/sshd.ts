import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { userInfo } from 'node:os'
import { eventually, type Running, type Sandbox } from './harness.js'

const sshd = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/usr/bin/sshd'].find(existsSync)

/** Why there can be no ssh server in these tests; undefined when there can be one. */
export const noSshd: string | undefined =
  sshd === undefined
    ? 'sshd is not installed: apt-get install openssh-server'
    : spawnSync('ssh', ['-V']).error !== undefined
      ? 'ssh is not installed: apt-get install openssh-client'
      : undefined

export interface SshServer {
  /** 'ssh://user@127.0.0.1:port' */
  readonly url: string
  /** What makes ssh use the throw-away key, and no file of the user's. */
  readonly args: string
  readonly process: Running
  readonly port: number
}

/** An ssh server of this user on the loopback, with keys of its own, until the sandbox goes. */
export async function startSshd(box: Sandbox): Promise<SshServer> {
  mkdirSync(box.at('ssh'), { mode: 0o700 })
  for (const name of ['host', 'user'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'throw-away', '-f', box.at('ssh', name)])
  const port = await freePort()
  writeFileSync(box.at('ssh', 'authorized'), readFileSync(box.at('ssh', 'user.pub')), { mode: 0o600 })
  const hostKey = readFileSync(box.at('ssh', 'host.pub'), 'utf8').split(' ').slice(0, 2).join(' ')
  writeFileSync(box.at('ssh', 'known'), `[127.0.0.1]:${port} ${hostKey}\n`)
  writeFileSync(
    box.at('ssh', 'sshd_config'),
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${box.at('ssh', 'host')}`,
      `AuthorizedKeysFile ${box.at('ssh', 'authorized')}`,
      `PidFile ${box.at('ssh', 'pid')}`,
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin prohibit-password',
      // The sandbox lies in a directory that everybody may write.
      'StrictModes no',
      'UsePAM no',
      'LogLevel INFO',
      '',
    ].join('\n'),
  )
  // It gives up its privileges in a directory that the package makes at start.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  const running = box.startProcess(sshd ?? '', ['-D', '-e', '-f', box.at('ssh', 'sshd_config')])
  await eventually(
    () => running.stderr.includes('listening on'),
    () => `sshd: ${running.stderr}`,
  )
  const args = [
    '-F none -o BatchMode=yes -o IdentitiesOnly=yes',
    `-i ${box.at('ssh', 'user')} -o UserKnownHostsFile=${box.at('ssh', 'known')}`,
  ].join(' ')
  return { url: `ssh://${userInfo().username}@127.0.0.1:${port}`, args, process: running, port }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}
