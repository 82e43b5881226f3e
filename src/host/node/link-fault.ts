import { LinkFailure } from '../sockets.js'

/** What stopped an attempt to connect, in the words of a link. */
export function connectFault(error: Error, target: string): LinkFailure {
  switch (codeOf(error)) {
    case 'ECONNREFUSED':
    // A Unix socket that is not there.
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ENOTSOCK':
      return new LinkFailure('refused', `${target}: nobody listens there`, error)
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_FAIL':
    case 'ENODATA':
      return new LinkFailure('unreachable', `${target}: the host name is not known`, error)
    case 'EHOSTUNREACH':
    case 'EHOSTDOWN':
    case 'ENETUNREACH':
    case 'ENETDOWN':
    case 'EADDRNOTAVAIL':
    case 'EINVAL':
      return new LinkFailure('unreachable', `${target}: not reachable`, error)
    case 'ETIMEDOUT':
      return new LinkFailure('timed-out', `${target}: no answer`, error)
    case 'EACCES':
    case 'EPERM':
      return new LinkFailure('denied', `${target}: not permitted`, error)
    case 'ECONNRESET':
    case 'EPIPE':
    case 'ECONNABORTED':
      return new LinkFailure('lost', `${target}: the connection ended before it was ready`, error)
    // The alert that answers a binder that does not verify: the far end knows the name and holds another key.
    case 'ERR_SSL_SSLV3_ALERT_ILLEGAL_PARAMETER':
    case 'ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR':
    case 'ERR_SSL_SSL/TLS_ALERT_ILLEGAL_PARAMETER':
    case 'ERR_SSL_SSL/TLS_ALERT_DECRYPT_ERROR':
      return new LinkFailure('wrong-key', `${target}: the far end holds another key`, error)
    // With no certificate on either side, a server that does not know the name has nothing to offer.
    case 'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE':
    case 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE':
    case 'ERR_SSL_TLSV1_ALERT_UNKNOWN_PSK_IDENTITY':
      return new LinkFailure('unknown-peer', `${target}: the far end does not know this name`, error)
    default:
      return new LinkFailure('protocol', `${target}: ${error.message.trim()}`, error)
  }
}

/** Why a client was not let in; `known` tells whether it named an identity that is known, undefined if it named none. */
export function handshakeFault(error: Error, remote: string, known: boolean | undefined): LinkFailure {
  switch (codeOf(error)) {
    case 'ERR_SSL_BINDER_DOES_NOT_VERIFY':
      return new LinkFailure('wrong-key', `${remote}: offers a known name with another key`, error)
    case 'ERR_TLS_HANDSHAKE_TIMEOUT':
      return new LinkFailure('timed-out', `${remote}: the handshake took too long`, error)
    case 'ECONNRESET':
    case 'EPIPE':
      return new LinkFailure('lost', `${remote}: ended the connection before it was ready`, error)
    default:
      return known === false
        ? new LinkFailure('unknown-peer', `${remote}: offers a name that is not known here`, error)
        : new LinkFailure('protocol', `${remote}: ${error.message.trim()}`, error)
  }
}

export function listenFault(error: Error, target: string): LinkFailure {
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return new LinkFailure('port-in-use', `${target}: another program listens there`, error)
    case 'EACCES':
    case 'EPERM':
      return new LinkFailure('denied', `${target}: not permitted to listen there`, error)
    default:
      return new LinkFailure('unreachable', `${target}: not an address of this machine`, error)
  }
}

/** What went wrong on a websocket that was open. */
export function websocketFault(error: Error, remote: string): LinkFailure {
  return codeOf(error)?.startsWith('WS_ERR_') === true
    ? new LinkFailure('protocol', `${remote}: ${error.message}`, error)
    : new LinkFailure('lost', `${remote}: ${error.message.trim()}`, error)
}

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
