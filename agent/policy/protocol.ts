/** Names that a network rule may give for a socket's protocol or type. */
export const protocolNames = [
  'tcp',
  'udp',
  'icmp',
  'icmpv6',
  'sctp',
  'packet',
  'raw',
  'stream',
  'dgram',
  'rdm',
  'seqpacket',
  'dccp',
  'all',
] as const;

/** Lower and upper case count alike. */
export function isProtocol(written: string): boolean {
  return (protocolNames as readonly string[]).includes(written.toLowerCase());
}
