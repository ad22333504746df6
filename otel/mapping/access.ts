import type { Alert } from '../alert.ts';
import * as name from '../attributes.ts';
import { takeApart } from '../event-data.ts';
import type { AttributeList } from './attribute-list.ts';

/** Sockets at these hooks are judged by their own end of the connection, all others by the peer. */
const LOCAL_HOOKS = new Set(['SOCKET_BIND', 'SOCKET_LISTEN', 'SOCKET_ACCEPT']);

const NETWORK_TYPES: Readonly<Record<string, string>> = { AF_INET: 'ipv4', AF_INET6: 'ipv6' };

/** Writes what the access was about: file, new program, connection, capability, in the words of the conventions. */
export function addObject(list: AttributeList, alert: Alert, data: ReadonlyMap<string, string>): void {
  const { Resource } = alert;
  if (Resource !== undefined && Resource !== '') {
    switch (alert.Operation) {
      case 'File':
        addFile(list, Resource);
        break;
      case 'Process':
        list.text(name.PROCESS_COMMAND_LINE, Resource);
        break;
      case 'Network':
        addConnection(list, takeApart(Resource), data);
        break;
      case 'Capabilities':
        list.text(name.CAPABILITY, Resource);
        break;
      case 'Syscall':
        if (Resource.startsWith('/')) list.text(name.FILE_PATH, Resource);
        break;
    }
  }
  if (alert.Operation === 'Network') list.text(name.DNS_QUESTION_NAME, data.get('domain'));
}

function addFile(list: AttributeList, path: string): void {
  const slash = path.lastIndexOf('/');
  list.text(name.FILE_PATH, path);
  list.text(name.FILE_NAME, path.slice(slash + 1));
  if (slash >= 0) list.text(name.FILE_DIRECTORY, slash === 0 ? '/' : path.slice(0, slash));
}

function addConnection(
  list: AttributeList,
  resource: ReadonlyMap<string, string>,
  data: ReadonlyMap<string, string>,
): void {
  list.text(name.NETWORK_TYPE, NETWORK_TYPES[resource.get('sa_family') ?? resource.get('domain') ?? '']);
  const protocol = resource.get('protocol') ?? data.get('protocol');
  // A protocol without a name is a number there, which is no transport.
  if (protocol !== undefined && /^[A-Z]/.test(protocol)) list.text(name.NETWORK_TRANSPORT, protocol.toLowerCase());
  const local = LOCAL_HOOKS.has(data.get('lsm') ?? '');
  const address = resource.get('sin_addr') ?? resource.get('sin6_addr');
  list.text(local ? name.NETWORK_LOCAL_ADDRESS : name.NETWORK_PEER_ADDRESS, address);
  const port = resource.get('sin_port') ?? resource.get('sin6_port');
  if (port !== undefined && /^\d{1,5}$/.test(port)) {
    list.int(local ? name.NETWORK_LOCAL_PORT : name.NETWORK_PEER_PORT, Number(port));
  }
}

/** Writes which hook or system call saw the access: on the record and on the span. */
export function addHook(list: AttributeList, data: ReadonlyMap<string, string>): void {
  list.text(name.HOOK, data.get('lsm'));
  list.text(name.SYSCALL_NAME, data.get('syscall'));
}

/** Writes the rest of `Data` taken apart: on the record alone. */
export function addDetails(list: AttributeList, data: ReadonlyMap<string, string>): void {
  if (data.has('syscall')) {
    for (const [key, value] of data) if (key !== 'syscall') list.text(name.SYSCALL_ARGS + key, value);
  } else {
    list.text(name.SOCKET_TYPE, data.get('type'));
    list.text(name.SOCKET_PROTOCOL, data.get('protocol'));
  }
}
