import { describe, expect, it } from 'vitest';
import { parsePolicyObject } from '../../../agent/policy/read.ts';
import { csp, hsp, ksp } from './objects.ts';

/** Result, code, field and a part of the message for one object; what is not covered yet ends in LoadFailed besides. */
type Row = [
  what: string,
  object: unknown,
  result: 'refused' | 'Partial' | 'Accepted',
  code?: string,
  field?: string,
  message?: string,
];

const file = (entry: unknown) => ksp({ file: { matchPaths: [entry] } });
const dir = (entry: unknown) => ksp({ file: { matchDirectories: [entry] } });
const pattern = (text: unknown) => ksp({ file: { matchPatterns: [{ pattern: text }] } });
const program = (entry: unknown) => ksp({ process: { matchPaths: [entry] } });
const from = (source: unknown) => file({ path: '/a', fromSource: [source] });
const syscall = (entry: unknown) => ksp({ syscalls: { matchSyscalls: [entry] } });
const syscallPath = (entry: unknown) =>
  ksp({ syscalls: { matchPaths: [{ syscall: ['unlink'], ...(entry as object) }] } });
const network = (entry: unknown) => ksp({ network: { matchProtocols: [entry] } });
const hostSpec = { nodeSelector: { matchLabels: { 'kubernetes.io/hostname': '*' } } };
const fileField = 'spec.file.matchPaths[0].path';
const dirField = 'spec.file.matchDirectories[0].dir';
const sourceField = 'spec.file.matchPaths[0].fromSource[0]';

const rows: Row[] = [
  [
    'path without slash',
    file({ path: 'a/b' }),
    'refused',
    'InvalidValue',
    fileField,
    'found "a/b"; allowed: a path that begins with "/"',
  ],
  ['path with trailing slash', file({ path: '/a/' }), 'refused', 'InvalidValue', fileField, 'does not end with "/"'],
  ['path of slashes', file({ path: '//' }), 'refused', 'InvalidValue', fileField],
  ['source path without slash', from({ path: 'sh' }), 'refused', 'InvalidValue', `${sourceField}.path`],
  ['source path with trailing slash', from({ path: '/bin/' }), 'refused', 'InvalidValue', `${sourceField}.path`],
  ['path with dot', file({ path: '/a/./b' }), 'refused', 'InvalidValue', fileField, '"." and ".."'],
  ['path with dot-dot', file({ path: '/a/..' }), 'refused', 'InvalidValue', fileField],
  ['dir with dot-dot', dir({ dir: '/a/../b/' }), 'refused', 'InvalidValue', dirField],
  ['path with half a pair', file({ path: '/a\ud800b' }), 'refused', 'InvalidValue', fileField, 'found "/a\\ud800b"'],
  ['path with the other half', file({ path: '/\udfff' }), 'refused', 'InvalidValue', fileField, 'surrogate'],
  ['path with a pair', file({ path: '/\u{1f512}' }), 'Accepted'],
  ['path with a byte that is not UTF-8', file({ path: '/\udcff' }), 'Accepted'],
  ['pattern with half a pair', pattern('/*\ud800'), 'refused', 'InvalidValue', 'spec.file.matchPatterns[0].pattern'],
  ['dir with NUL', dir({ dir: '/a\0/' }), 'refused', 'InvalidValue', dirField, 'NUL'],
  ['dir of 4096 bytes', dir({ dir: `/${'a'.repeat(4094)}/` }), 'refused', 'InvalidValue', dirField, '4095 bytes'],
  ['dir of 4095 bytes', dir({ dir: `/${'a'.repeat(4093)}/` }), 'Accepted'],
  ['source dir with dot', from({ dir: '/a/./' }), 'refused', 'InvalidValue', `${sourceField}.dir`, '"." and ".."'],
  ['source dir without trailing slash', from({ dir: '/a' }), 'Accepted', 'NormalisedValue', `${sourceField}.dir`],
  [
    'program with trailing slash',
    program({ path: '/bin/' }),
    'refused',
    'InvalidValue',
    'spec.process.matchPaths[0].path',
  ],
  [
    'syscall path without slash',
    syscallPath({ path: 'a' }),
    'refused',
    'InvalidValue',
    'spec.syscalls.matchPaths[0].path',
  ],
  ['pattern of 4095 bytes', pattern(`/${'a'.repeat(4094)}`), 'Accepted'],
  ['empty pattern', pattern(''), 'refused', 'InvalidValue', 'spec.file.matchPatterns[0].pattern', 'not empty'],
  ['dir without leading slash', dir({ dir: 'a/' }), 'refused', 'InvalidValue', dirField],
  ['path with NUL', file({ path: '/a\0b' }), 'refused', 'InvalidValue', fileField, 'found "/a\\u0000b"'],
  ['names that only begin with dots', file({ path: '/...a/.b/c..' }), 'Accepted'],
  ['repeated slashes', file({ path: '//a///b' }), 'Accepted'],
  ['path of 4095 bytes', file({ path: `/${'a'.repeat(4094)}` }), 'Accepted'],
  ['path of 4096 bytes', file({ path: `/${'ä'.repeat(2047)}a` }), 'refused', 'InvalidValue', fileField, '4095 bytes'],
  [
    'pattern of 4096 bytes',
    pattern(`/${'a'.repeat(4095)}`),
    'refused',
    'InvalidValue',
    'spec.file.matchPatterns[0].pattern',
  ],
  ['dir without trailing slash', dir({ dir: '/a' }), 'Accepted', 'NormalisedValue', dirField, 'one was added'],
  [
    'pattern with open bracket',
    pattern('/a/[bc'),
    'refused',
    'InvalidValue',
    'spec.file.matchPatterns[0].pattern',
    '"["',
  ],
  [
    'pattern with open brace',
    pattern('/a/{b,c'),
    'refused',
    'InvalidValue',
    'spec.file.matchPatterns[0].pattern',
    '"{"',
  ],
  [
    'pattern with 257 results',
    pattern(`/{${'a,'.repeat(256)}a}`),
    'refused',
    'InvalidValue',
    'spec.file.matchPatterns[0].pattern',
    '256',
  ],
  [
    'program with path and execname',
    program({ path: '/a', execname: 'a' }),
    'refused',
    'InvalidValue',
    'spec.process.matchPaths[0]',
  ],
  [
    'program with neither',
    program({ ownerOnly: true }),
    'refused',
    'InvalidValue',
    'spec.process.matchPaths[0]',
    'path or execname',
  ],
  [
    'execname with slash',
    program({ execname: 'bin/x' }),
    'refused',
    'InvalidValue',
    'spec.process.matchPaths[0].execname',
  ],
  ['source with path and dir', from({ path: '/a', dir: '/b/' }), 'refused', 'InvalidValue', sourceField],
  ['source with neither', from({ recursive: true }), 'refused', 'InvalidValue', sourceField, 'either path or dir'],
  [
    'severity 0',
    file({ path: '/a', severity: 0 }),
    'refused',
    'InvalidValue',
    'spec.file.matchPaths[0].severity',
    'found 0; allowed: an integer from 1 to 10',
  ],
  ['severity 11', ksp({ severity: 11, file: {} }), 'refused', 'InvalidValue', 'spec.severity'],
  [
    'severity 1.5',
    ksp({ severity: 1.5 }),
    'refused',
    'InvalidValue',
    'spec.severity',
    'found 1.5; allowed: an integer',
  ],
  ['severity as text', ksp({ severity: '5' }), 'refused', 'InvalidValue', 'spec.severity', 'found "5"'],
  ['severity 1', ksp({ severity: 1, file: { matchPaths: [{ path: '/a' }] } }), 'Accepted'],
  ['severity 10', ksp({ severity: 10, file: { matchPaths: [{ path: '/a' }] } }), 'Accepted'],
  [
    'unknown action',
    ksp({ action: 'Deny' }),
    'refused',
    'InvalidValue',
    'spec.action',
    'found "Deny"; allowed: Allow, Audit or Block',
  ],
  ['action in another case', file({ path: '/a', action: 'bLOCK' }), 'Accepted'],
  [
    'unknown protocol',
    network({ protocol: 'tcp,xyz' }),
    'refused',
    'InvalidValue',
    'spec.network.matchProtocols[0].protocol',
    'icmpv6',
  ],
  ['protocols in upper case', network({ protocol: 'TCP, udp' }), 'Accepted'],
  [
    'an empty protocol in a list',
    network({ protocol: 'tcp,' }),
    'refused',
    'InvalidValue',
    'spec.network.matchProtocols[0].protocol',
  ],
  [
    'an empty protocol',
    network({ protocol: '' }),
    'refused',
    'InvalidValue',
    'spec.network.matchProtocols[0].protocol',
  ],
  [
    'unknown action of a category',
    ksp({ file: { action: 'Blocked', matchPaths: [{ path: '/a' }] } }),
    'refused',
    'InvalidValue',
    'spec.file.action',
    'found "Blocked"',
  ],
  [
    'unknown action of a preset',
    ksp({ presets: [{ name: 'exec', action: 'Deny' }] }),
    'refused',
    'InvalidValue',
    'spec.presets[0].action',
  ],
  [
    'a domain with an empty label',
    ksp({ network: { matchDNSQueries: [{ domain: 'a..b' }] } }),
    'refused',
    'InvalidValue',
    'spec.network.matchDNSQueries[0].domain',
    'labels of 1 to 63',
  ],
  [
    'unknown capability',
    ksp({ capabilities: { matchCapabilities: [{ capability: 'net_rwa' }] } }),
    'refused',
    'InvalidValue',
    'spec.capabilities.matchCapabilities[0].capability',
  ],
  [
    'unknown syscall beside a known one',
    syscall({ syscall: ['unlink', 'unlinked'] }),
    'Partial',
    'UnknownName',
    'spec.syscalls.matchSyscalls[0].syscall[1]',
    'found "unlinked"',
  ],
  [
    'unknown preset',
    ksp({ file: { matchPaths: [{ path: '/a' }] }, presets: [{ name: 'filelesExec' }] }),
    'Partial',
    'UnknownName',
    'spec.presets[0].name',
  ],
  [
    'preset with Allow',
    ksp({ file: { matchPaths: [{ path: '/a' }] }, presets: [{ name: 'exec', action: 'Allow' }] }),
    'Partial',
    'InvalidValue',
    'spec.presets[0].action',
  ],
  [
    'readOnly on a program',
    program({ path: '/a', readOnly: true }),
    'Partial',
    'UnknownField',
    'spec.process.matchPaths[0].readOnly',
  ],
  [
    'execname on a file',
    file({ path: '/a', execname: 'x' }),
    'Partial',
    'UnknownField',
    'spec.file.matchPaths[0].execname',
  ],
  [
    'ownerOnly on network',
    network({ protocol: 'tcp', ownerOnly: true }),
    'Partial',
    'UnknownField',
    'spec.network.matchProtocols[0].ownerOnly',
  ],
  [
    'pts on a capability',
    ksp({ capabilities: { matchCapabilities: [{ capability: 'kill', pts: false }] } }),
    'Partial',
    'UnknownField',
    'spec.capabilities.matchCapabilities[0].pts',
  ],
  [
    'pts on a domain',
    ksp({ network: { matchDNSQueries: [{ domain: 'a.b', pts: false }] } }),
    'Partial',
    'UnknownField',
    'spec.network.matchDNSQueries[0].pts',
  ],
  [
    'allowedArgs on a file',
    file({ path: '/a', allowedArgs: ['-v'] }),
    'Partial',
    'UnknownField',
    'spec.file.matchPaths[0].allowedArgs',
  ],
  [
    'allowedArgs on a directory of programs',
    ksp({ process: { matchDirectories: [{ dir: '/a/', allowedArgs: ['-v'] }] } }),
    'Partial',
    'UnknownField',
    'spec.process.matchDirectories[0].allowedArgs',
  ],
  [
    'recursive on a path',
    file({ path: '/a', recursive: true }),
    'Partial',
    'UnknownField',
    'spec.file.matchPaths[0].recursive',
  ],
  [
    'recursive beside the path of a source',
    from({ path: '/a', recursive: true }),
    'Partial',
    'UnknownField',
    `${sourceField}.recursive`,
  ],
  [
    'ownerOnly on syscalls',
    syscall({ syscall: ['unlink'], ownerOnly: true }),
    'Partial',
    'UnknownField',
    'spec.syscalls.matchSyscalls[0].ownerOnly',
  ],
  [
    'a field nobody knows',
    ksp({ file: { matchPaths: [{ path: '/a' }], matchPath: [] } }),
    'Partial',
    'UnknownField',
    'spec.file.matchPath',
  ],
  [
    'apparmor',
    ksp({ file: { matchPaths: [{ path: '/a' }] }, apparmor: 'x' }),
    'Partial',
    'UnsupportedField',
    'spec.apparmor',
  ],
  [
    'selinux',
    ksp({ file: { matchPaths: [{ path: '/a' }] }, selinux: {} }),
    'Partial',
    'UnsupportedField',
    'spec.selinux',
  ],
  ['device', ksp({ file: { matchPaths: [{ path: '/a' }] }, device: {} }), 'Partial', 'UnsupportedField', 'spec.device'],
  ['no rule', ksp({}), 'Accepted', 'NoRules', 'spec'],
  ['no rule but empty lists', ksp({ file: { matchPaths: [] } }), 'Accepted', 'NoRules', 'spec'],
  [
    'nulls',
    ksp({ file: { matchPaths: [{ path: '/a', fromSource: null }], matchDirectories: null }, process: null }),
    'Accepted',
  ],
  ['empty fromSource', file({ path: '/a', fromSource: [] }), 'Accepted'],
  [
    'host policy without nodeSelector',
    hsp({ file: { matchPaths: [{ path: '/a' }] } }),
    'refused',
    'InvalidValue',
    'spec.nodeSelector',
    'found nothing; allowed: a map with matchLabels, such as kubernetes.io/hostname',
  ],
  [
    'host policy that blocks a protocol of everybody',
    hsp({ ...hostSpec, network: { matchProtocols: [{ protocol: 'tcp' }] } }),
    'refused',
    'InvalidValue',
    'spec.network.matchProtocols[0]',
    'fromSource',
  ],
  [
    'host policy that allows a capability of everybody',
    hsp({ ...hostSpec, capabilities: { matchCapabilities: [{ capability: 'net_raw' }] }, action: 'Allow' }),
    'refused',
    'InvalidValue',
    'spec.capabilities.matchCapabilities[0]',
  ],
  [
    'host policy that blocks a domain of everybody',
    hsp({ ...hostSpec, network: { matchDNSQueries: [{ domain: 'a.b' }] } }),
    'refused',
    'InvalidValue',
    'spec.network.matchDNSQueries[0]',
    'found action Block without fromSource in a host policy; allowed: fromSource, or action Audit',
  ],
  [
    'host policy that blocks a protocol of one program',
    hsp({ ...hostSpec, network: { matchProtocols: [{ protocol: 'tcp', fromSource: [{ path: '/a' }] }] } }),
    'Accepted',
  ],
  ['selector of pods in a host policy', hsp({ ...hostSpec, selector: {} }), 'refused', 'InvalidValue', 'spec.selector'],
  [
    'labels in the selector of a cluster policy',
    csp({ selector: { matchLabels: { a: 'b' } } }),
    'refused',
    'InvalidValue',
    'spec.selector.matchLabels',
  ],
  [
    'an expression without key=value',
    ksp({ selector: { matchExpressions: [{ key: 'label', operator: 'In', values: ['a'] }] } }),
    'refused',
    'InvalidValue',
    'spec.selector.matchExpressions[0].values[0]',
    'found "a"; allowed: key=value',
  ],
  [
    'a label that is a number',
    ksp({ selector: { matchLabels: { a: 1 } } }),
    'refused',
    'InvalidValue',
    'spec.selector.matchLabels.a',
    'found 1; allowed: a string',
  ],
  ['an empty selector', ksp({ selector: {}, file: { matchPaths: [{ path: '/a' }] } }), 'Accepted'],
  [
    'Block on syscalls',
    ksp({ action: 'Block', syscalls: { matchSyscalls: [{ syscall: ['unlink'] }] } }),
    'Accepted',
    'ActionIgnored',
    'spec.syscalls',
  ],
  [
    'Allow on one syscall rule',
    syscall({ syscall: ['unlink'], action: 'Allow' }),
    'Accepted',
    'ActionIgnored',
    'spec.syscalls.matchSyscalls[0].action',
  ],
  [
    'syscall without path argument',
    syscallPath({ path: '/a', syscall: ['getpid'] }),
    'Accepted',
    'NoPathInCall',
    'spec.syscalls.matchPaths[0].syscall[0]',
  ],
  ['syscall directory', syscallPath({ path: '/a/' }), 'Accepted'],
  ['network policy', { kind: 'KubeArmorNetworkPolicy', metadata: { name: 'p' } }, 'refused', 'UnsupportedKind', 'kind'],
  [
    'another kind',
    { ...ksp({}), kind: 'Pod' },
    'refused',
    'InvalidValue',
    'kind',
    'found "Pod"; allowed: KubeArmorPolicy, KubeArmorClusterPolicy, KubeArmorHostPolicy',
  ],
  ['no kind', { metadata: { name: 'p' } }, 'refused', 'InvalidValue', 'kind', 'found nothing'],
  [
    'another version',
    { ...ksp({}), apiVersion: 'v1' },
    'refused',
    'InvalidValue',
    'apiVersion',
    'found "v1"; allowed: security.kubearmor.com/v1',
  ],
  [
    'no name',
    { ...ksp({}), metadata: {} },
    'refused',
    'InvalidValue',
    'metadata.name',
    'found nothing; allowed: a string',
  ],
  [
    'a name with an escape',
    ksp({}, { name: 'a\u001b[2J' }),
    'refused',
    'InvalidValue',
    'metadata.name',
    'found "a\\u001b[2J"',
  ],
  ['no spec', { ...ksp({}), spec: undefined }, 'refused', 'InvalidValue', 'spec'],
  [
    'wrong type of a list',
    ksp({ file: { matchPaths: { path: '/a' } } }),
    'refused',
    'InvalidValue',
    'spec.file.matchPaths',
    'found a map; allowed: a list',
  ],
  [
    'wrong type of a flag',
    file({ path: '/a', readOnly: 'yes' }),
    'refused',
    'InvalidValue',
    'spec.file.matchPaths[0].readOnly',
    'found "yes"; allowed: true or false',
  ],
  ['a status', { ...file({ path: '/a' }), status: { status: 'OK' } }, 'Accepted'],
  [
    'a misspelt selector',
    ksp({ selector: { matchLabel: { a: 'b' } } }),
    'refused',
    'InvalidValue',
    'spec.selector.matchLabel',
  ],
  [
    'a node selector for pods',
    ksp({ nodeSelector: { matchLabels: {} } }),
    'refused',
    'InvalidValue',
    'spec.nodeSelector',
  ],
  [
    'an operator',
    ksp({ selector: { matchExpressions: [{ key: 'label', operator: 'Exists', values: [] }] } }),
    'refused',
    'InvalidValue',
    'spec.selector.matchExpressions[0].operator',
    'allowed: In, NotIn',
  ],
  [
    'a namespace expression in a ksp',
    ksp({ selector: { matchExpressions: [{ key: 'namespace', operator: 'In', values: ['a'] }] } }),
    'refused',
    'InvalidValue',
    'spec.selector.matchExpressions[0].key',
  ],
  [
    'a key of expressions in a csp',
    csp({ selector: { matchExpressions: [{ key: 'node', operator: 'In', values: ['a'] }] } }),
    'refused',
    'InvalidValue',
    'spec.selector.matchExpressions[0].key',
    'label, namespace',
  ],
  [
    'presets in a host policy',
    hsp({ ...hostSpec, presets: [{ name: 'exec' }] }),
    'Partial',
    'UnknownField',
    'spec.presets',
  ],
];

describe('parsePolicyObject() checks its input', () => {
  it.each(rows)('%s', (_, object, result, code, field, message) => {
    const reading = parsePolicyObject(object);
    if (result === 'refused') expect(reading.policy).toBeUndefined();
    else expect(reading).toMatchObject({ status: result, policy: { name: 'p' } });
    if (code === undefined) expect(reading.diagnostics).toEqual([]);
    else {
      const found = reading.diagnostics.find((diagnostic) => diagnostic.code === code);
      expect(found).toMatchObject({ field, ...(field !== 'metadata.name' && { policy: 'p' }) });
      if (message !== undefined) expect(found?.message).toContain(message);
    }
  });

  it('accepts more than 20 allowedArgs and longer ones than 104 bytes', () => {
    const allowedArgs = [...new Array(30).fill('-v'), 'x'.repeat(500)];
    const { diagnostics } = parsePolicyObject(ksp({ process: { matchPaths: [{ path: '/a', allowedArgs }] } }));
    expect(diagnostics.map(({ code }) => code)).toEqual([]);
  });

  it('lets a host policy audit a protocol of everybody', () => {
    const reading = parsePolicyObject(
      hsp({ ...hostSpec, action: 'Audit', network: { matchProtocols: [{ protocol: 'tcp' }] } }),
    );
    expect(reading).toMatchObject({ status: 'Accepted', diagnostics: [] });
  });

  it('names the network policy as unsupported', () => {
    const reading = parsePolicyObject({ kind: 'KubeArmorNetworkPolicy', metadata: { name: 'n' } });
    expect(reading).toMatchObject({
      status: 'Unsupported',
      diagnostics: [{ level: 'error', kind: 'KubeArmorNetworkPolicy', policy: 'n' }],
    });
  });

  it.each([[null], ['text'], [4], [[]], [undefined], [new Date(0)]])('refuses %j, which is no object', (value) => {
    expect(parsePolicyObject(value)).toMatchObject({
      status: 'Invalid',
      diagnostics: [{ code: 'InvalidValue', field: '' }],
    });
  });

  it('keeps a key named __proto__ a key', () => {
    const object = JSON.parse(
      '{"apiVersion":"security.kubearmor.com/v1","kind":"KubeArmorPolicy","metadata":{"name":"p"},"spec":{"__proto__":{"severity":3}}}',
    );
    expect(parsePolicyObject(object)).toMatchObject({
      status: 'Partial',
      diagnostics: [{ code: 'UnknownField', field: 'spec.__proto__' }, { code: 'NoRules' }],
    });
  });

  it('sums up findings beyond a hundred', () => {
    const matchPaths = new Array(5000).fill({ path: 'relative' });
    const { diagnostics } = parsePolicyObject(ksp({ file: { matchPaths } }));
    expect(diagnostics).toHaveLength(101);
    expect(diagnostics.at(-1)?.message).toBe('4900 more findings are not listed');
  });
});
