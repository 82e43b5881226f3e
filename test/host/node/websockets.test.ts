import { createServer } from 'node:http'
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { openWebsocket } from '../../../src/host/node/websockets.js'
import type { Socket } from '../../../src/host/sockets.js'

test('what is sent in one turn leaves in one piece, and in its order', async () => {
  const server = createServer()
  const heard: string[] = []
  new WebSocketServer({ server }).on('connection', (web) => web.on('message', (data) => heard.push(String(data))))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const stream = connect(address.port, '127.0.0.1')
  onTestFinished(() => {
    stream.destroy()
    server.close()
  })
  const way = { identity: 'far', remote: 'far', isShort: true }
  const socket = await new Promise<Socket>((resolve, reject) => openWebsocket(stream, way, resolve, reject))
  let pieces = 0
  const { _write: write, _writev: writev } = stream
  stream._write = (...args) => {
    pieces++
    write.apply(stream, args)
  }
  stream._writev = (...args) => {
    pieces++
    writev?.apply(stream, args)
  }
  for (const text of ['one', 'two', 'three']) socket.send(Buffer.from(text))
  await expect.poll(() => heard).toEqual(['one', 'two', 'three'])
  expect(pieces).toBe(1)
  await Promise.resolve().then(() => socket.send(Buffer.from('four')))
  await expect.poll(() => heard).toHaveLength(4)
  expect(pieces).toBe(2)
})
