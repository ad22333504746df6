import { z } from 'zod';
import { canonicalCapability, capabilityNames } from './capability.ts';
import { patternProblem } from './glob/problem.ts';
import { splitList } from './list.ts';
import { pathProblem } from './path.ts';
import { isProtocol, protocolNames } from './protocol.ts';

/** A string for which `problem` finds nothing; what it finds becomes the "allowed" part of the message. */
function checked(problem: (text: string) => string | undefined) {
  return z.string().superRefine((text, context) => {
    const allowed = problem(text);
    if (allowed !== undefined) context.addIssue({ code: 'custom', message: allowed });
  });
}

export const path = checked((text) => pathProblem(text, 'file'));
export const dir = checked((text) => pathProblem(text, 'directory'));
export const eitherPath = checked((text) => pathProblem(text, 'either'));
export const pattern = checked(patternProblem);

export const execname = checked((text) =>
  text === '' || /[/\0]/.test(text) || text === '.' || text === '..' || Buffer.byteLength(text) > 255
    ? 'the name of a program: 1 to 255 bytes without "/"'
    : undefined,
);

/** Each value of a comma list must pass. */
function commaList(allowed: string, accepts: (value: string) => boolean) {
  return checked((text) => (splitList(text).every(accepts) ? undefined : allowed));
}

export const protocol = commaList(`one or more, separated by commas, of ${protocolNames.join(', ')}`, isProtocol);

export const capability = commaList(
  'one or more capability names separated by commas, such as net_raw or CAP_NET_RAW',
  (value) => capabilityNames.has(canonicalCapability(value)),
);

export const domain = commaList(
  'one or more domain names separated by commas, each of at most 253 characters in labels of 1 to 63',
  (value) => value.length <= 254 && /^([^\s.\0]{1,63}\.)*[^\s.\0]{1,63}\.?$/.test(value),
);

export const severityRange = 'an integer from 1 to 10';

export const action = z.string().regex(/^(allow|audit|block)$/i, 'Allow, Audit or Block');
