import { canonicalCapability } from './capability.ts';
import { splitList } from './list.ts';
import type { RuleList } from './rule-list.ts';
import type { PolicyObject } from './schema.ts';

/** The rules of `spec.network` and `spec.capabilities`: each value of a comma list is a rule of its own. */
export function addNameRules({ network, capabilities }: PolicyObject['spec'], list: RuleList): void {
  for (const [i, entry] of network?.matchProtocols?.entries() ?? [])
    for (const written of splitList(entry.protocol)) {
      const protocol = written.toLowerCase();
      list.add(
        'network',
        ['spec', 'network', 'matchProtocols', i],
        { kind: 'protocol', protocol },
        entry,
        network ?? {},
      );
    }
  for (const [i, entry] of network?.matchDNSQueries?.entries() ?? [])
    for (const written of splitList(entry.domain)) {
      const domain = written.toLowerCase().replace(/\.$/, '');
      list.add('dns', ['spec', 'network', 'matchDNSQueries', i], { kind: 'domain', domain }, entry, network ?? {});
    }
  for (const [i, entry] of capabilities?.matchCapabilities?.entries() ?? [])
    for (const written of splitList(entry.capability)) {
      const where = ['spec', 'capabilities', 'matchCapabilities', i];
      const capability = canonicalCapability(written);
      list.add('capabilities', where, { kind: 'capability', capability }, entry, capabilities ?? {});
    }
}
