import { describe, expect, it } from 'vitest';
import { eventData } from '../../otel/event-data.ts';

describe('eventData()', () => {
  it.each([
    ['syscall=SYS_UNLINK', { Syscall: 'SYS_UNLINK' }],
    ['syscall=SYS_UNLINKAT flags=AT_REMOVEDIR', { Syscall: 'SYS_UNLINKAT', Flags: 'AT_REMOVEDIR' }],
    ['lsm=CAPABLE CAP_NET_RAW', { Lsm: 'CAPABLE', Capability: 'CAP_NET_RAW' }],
    ['lsm=SOCKET_CREATE protocol=TCP type=SOCK_STREAM', { Lsm: 'SOCKET_CREATE', Protocol: 'TCP', Type: 'SOCK_STREAM' }],
    ['lsm=FILE_OPEN reason=torn by renames', { Lsm: 'FILE_OPEN', Reason: 'torn by renames' }],
    ['__proto__=x', undefined],
    ['no pairs here', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('takes %j apart', (data, parts) => {
    expect(eventData(data)).toEqual(parts);
  });
});
