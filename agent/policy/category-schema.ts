import { z } from 'zod';
import {
  action,
  capability,
  dir,
  domain,
  eitherPath,
  execname,
  path,
  pattern,
  protocol,
  severityRange,
} from './value-schema.ts';

/** The four values that a rule inherits from its category and from the spec (policy language, section 2). */
export const levels = {
  severity: z.int(severityRange).min(1, severityRange).max(10, severityRange).optional(),
  tags: z.array(z.string()).optional(),
  message: z.string().optional(),
  action: action.optional(),
};

const source = z
  .strictObject({ path: path.optional(), dir: dir.optional(), recursive: z.boolean().optional() })
  .refine(
    (entry) => (entry.path === undefined) !== (entry.dir === undefined),
    'either path or dir, not both and not neither',
  );

const from = { fromSource: z.array(source).optional(), ...levels };
const owner = { ownerOnly: z.boolean().optional() };
const terminal = { pts: z.boolean().optional() };
const readOnly = { readOnly: z.boolean().optional() };
const recursive = { recursive: z.boolean().optional() };

export const processCategory = z.strictObject({
  ...levels,
  matchPaths: z
    .array(
      z
        .strictObject({
          path: path.optional(),
          execname: execname.optional(),
          ...owner,
          ...terminal,
          allowedArgs: z.array(z.string()).optional(),
          ...from,
        })
        .refine(
          (entry) => (entry.path === undefined) !== (entry.execname === undefined),
          'either path or execname, not both and not neither',
        ),
    )
    .optional(),
  matchDirectories: z.array(z.strictObject({ dir, ...recursive, ...owner, ...terminal, ...from })).optional(),
  matchPatterns: z.array(z.strictObject({ pattern, ...owner, ...terminal, ...from })).optional(),
});

export const fileCategory = z.strictObject({
  ...levels,
  matchPaths: z.array(z.strictObject({ path, ...readOnly, ...owner, ...terminal, ...from })).optional(),
  matchDirectories: z
    .array(z.strictObject({ dir, ...recursive, ...readOnly, ...owner, ...terminal, ...from }))
    .optional(),
  matchPatterns: z.array(z.strictObject({ pattern, ...readOnly, ...owner, ...terminal, ...from })).optional(),
});

export const networkCategory = z.strictObject({
  ...levels,
  matchProtocols: z.array(z.strictObject({ protocol, ...terminal, ...from })).optional(),
  matchDNSQueries: z.array(z.strictObject({ domain, ...from })).optional(),
});

export const capabilitiesCategory = z.strictObject({
  ...levels,
  matchCapabilities: z.array(z.strictObject({ capability, ...from })).optional(),
});

export const syscallsCategory = z.strictObject({
  ...levels,
  matchSyscalls: z.array(z.strictObject({ syscall: z.array(z.string()), ...from })).optional(),
  matchPaths: z
    .array(z.strictObject({ path: eitherPath, ...recursive, syscall: z.array(z.string()), ...from }))
    .optional(),
});

export const presets = z.array(z.strictObject({ name: z.string(), ...levels }));
