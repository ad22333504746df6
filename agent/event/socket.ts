import type { EventRecord } from './record.ts';

/** A socket as `details` of an event tell it (struct picket_event). */
export interface Socket {
  family: number;
  type: number;
  protocol: number;
  /** Undefined: neither address nor port is known. */
  address?: { text: string; port: number };
}

const inet = 2;
const inet6 = 10;
const stream = 1;
const dgram = 2;

/** AF_ names by their number (include/linux/socket.h). */
const families = `
  UNSPEC UNIX INET AX25 IPX APPLETALK NETROM BRIDGE ATMPVC X25 INET6 ROSE DECnet NETBEUI SECURITY KEY NETLINK PACKET ASH
  ECONET ATMSVC RDS SNA IRDA PPPOX WANPIPE LLC IB MPLS CAN TIPC BLUETOOTH IUCV RXRPC ISDN PHONET IEEE802154 CAIF ALG NFC
  VSOCK KCM QIPCRTR SMC XDP MCTP
`
  .trim()
  .split(/\s+/);

const types: Readonly<Record<number, string>> = {
  1: 'STREAM',
  2: 'DGRAM',
  3: 'RAW',
  4: 'RDM',
  5: 'SEQPACKET',
  6: 'DCCP',
  10: 'PACKET',
};

/** Of the internet families; other families number theirs otherwise. */
const protocols: Readonly<Record<number, string>> = {
  1: 'ICMP',
  6: 'TCP',
  17: 'UDP',
  58: 'ICMPV6',
  132: 'SCTP',
  136: 'UDPLITE',
  262: 'MPTCP',
};

export function socketOf({ details: [kind, low, high, bytes] }: Pick<EventRecord, 'details'>): Socket {
  const part = (index: bigint): number => Number((kind >> (16n * index)) & 0xffffn);
  const socket = { family: part(0n), type: part(1n), protocol: part(2n) };
  if (bytes === 0n) return socket;
  const address = Buffer.from(new BigUint64Array([low, high]).buffer);
  return { ...socket, address: { text: bytes === 4n ? ipv4(address) : ipv6(address), port: part(3n) } };
}

export function familyName(family: number): string {
  return families[family] === undefined ? String(family) : `AF_${families[family]}`;
}

export function typeName(type: number): string {
  return types[type] === undefined ? String(type) : `SOCK_${types[type]}`;
}

/** Protocol 0 of an internet stream or datagram socket is the family's own choice: TCP or UDP. */
export function protocolName({ family, type, protocol }: Socket): string {
  if (family !== inet && family !== inet6) return String(protocol);
  if (protocol === 0 && type === stream) return 'TCP';
  if (protocol === 0 && type === dgram) return 'UDP';
  return protocols[protocol] ?? String(protocol);
}

/** `Resource` where a socket is made. */
export function kindText(socket: Socket): string {
  return `domain=${familyName(socket.family)} type=${typeName(socket.type)} protocol=${protocolName(socket)}`;
}

/** `Resource` where it is put to use: address and port as far as they are known. */
export function addressText({ family, address }: Socket): string {
  const name = `sa_family=${familyName(family)}`;
  if (address === undefined) return name;
  const prefix = family === inet6 ? 'sin6' : 'sin';
  return `${name} ${prefix}_port=${address.port} ${prefix}_addr=${address.text}`;
}

function ipv4(bytes: Uint8Array): string {
  return bytes.subarray(0, 4).join('.');
}

/** As RFC 5952 writes it: the longest run of zero groups, the first of equals, as `::`; an IPv4 address inside in dots. */
function ipv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i));
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped) return `::ffff:${ipv4(bytes.subarray(12))}`;
  let best = { at: 0, length: 1 }; // a single group of zeros is written out
  for (let at = 0; at < 8; at++) {
    const end = groups.findIndex((group, i) => i >= at && group !== 0);
    const length = (end < 0 ? 8 : end) - at;
    if (length > best.length) best = { at, length };
  }
  const text = (part: number[]): string => part.map((group) => group.toString(16)).join(':');
  if (best.length === 1) return text(groups);
  return `${text(groups.slice(0, best.at))}::${text(groups.slice(best.at + best.length))}`;
}
