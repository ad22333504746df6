import { readdirSync, readFileSync, statSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');

/** What each folder may import from beside itself; node and npm packages are allowed to all but bpf/. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  bpf: [],
  otel: [],
  agent: ['otel'],
  collector: ['otel'],
  test: ['bpf', 'otel', 'agent', 'collector', 'charts'],
};

/** What the top of the project holds; hidden files and what git ignores come in addition. */
const topLevel = new Set([
  ...['agent', 'bpf', 'charts', 'collector', 'otel', 'test', 'node_modules', 'coverage'],
  ...['package.json', 'package-lock.json', 'tsconfig.json', 'biome.json', 'Dockerfile', 'compose.yaml'],
  ...['README.md', 'NOTICE'],
]);

interface Import {
  file: string;
  line: number;
  target: string;
}

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : sources(path);
    return /\.(ts|mts|mjs|js)$/.test(entry.name) ? [path] : [];
  });
}

/** The specifiers that a source names in static, dynamic and re-exporting imports, types included. */
function imports(file: string, text: string): Import[] {
  const declaration = /^(?:import|export)\b[^'"`;=]*?\bfrom\s*['"]([^'"\n]+)['"]|^import\s*['"]([^'"\n]+)['"]/gm;
  const call = /\b(?:import|require)\(\s*['"]([^'"\n]+)['"]/g;
  return [...text.matchAll(declaration), ...text.matchAll(call)].map((match) => ({
    file: relative(root, file),
    line: text.slice(0, match.index).split('\n').length,
    target: (match[1] ?? match[2]) as string,
  }));
}

const all = Object.keys(mayImport).flatMap((folder) => {
  const path = join(root, folder);
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ? sources(path) : [];
});
const found = all.flatMap((file) => imports(file, readFileSync(file, 'utf8')));

/** The project's folder that an import reaches into; undefined for node and npm. */
function folderOf({ file, target }: Import): string | undefined {
  if (!target.startsWith('.')) return undefined;
  return relative(root, resolve(root, dirname(file), target)).split(sep)[0];
}

function text({ file, line, target }: Import): string {
  return `${file}:${line} imports ${target}`;
}

describe('imports()', () => {
  it('finds every form of import', () => {
    const forms = `
import a from './a.ts';
import type { B } from "./b.ts";
import './c.ts';
export { d } from './d.ts';
export * from './e.ts';
import {
  f,
} from './f.ts';
export const text = 'no import'; // from './no.ts'
await import('./g.ts');
require('node:fs');`;
    const targets = imports(join(root, 'x.ts'), forms).map(({ target, line }) => `${line} ${target}`);
    expect(targets).toEqual([
      ...['2 ./a.ts', '3 ./b.ts', '4 ./c.ts', '5 ./d.ts', '6 ./e.ts', '7 ./f.ts', '11 ./g.ts', '12 node:fs'],
    ]);
  });

  it('finds the imports of this project', () => {
    for (const folder of ['agent', 'collector', 'otel', 'test']) {
      expect(found.filter(({ file }) => file.startsWith(`${folder}/`)).length).toBeGreaterThan(0);
    }
  });
});

describe('imports between folders', () => {
  it('are those of the design, and stay inside the project', () => {
    const wrong = found.filter((one) => {
      const from = one.file.split('/')[0] as string;
      const to = folderOf(one);
      return to !== undefined && to !== from && !mayImport[from]?.includes(to);
    });
    expect(wrong.map(text)).toEqual([]);
  });

  it('are written relative, with the ending of the file', () => {
    const wrong = found.filter(
      ({ target }) => target.startsWith('/') || (target.startsWith('.') && !/\.\w+$/.test(target)),
    );
    expect(wrong.map(text)).toEqual([]);
  });

  it('name packages that package.json has, and built-in modules with node:', () => {
    const { dependencies, devDependencies, optionalDependencies } = JSON.parse(
      readFileSync(join(root, 'package.json'), 'utf8'),
    );
    const development = new Set(Object.keys(devDependencies));
    const shipped = new Set([...Object.keys(dependencies), ...Object.keys(optionalDependencies)]);
    const wrong = found.filter(({ file, target }) => {
      if (target.startsWith('.')) return false;
      if (target.startsWith('node:'))
        return !builtinModules.includes(target.slice(5)) && !builtinModules.includes(target);
      const name = target
        .split('/')
        .slice(0, target.startsWith('@') ? 2 : 1)
        .join('/');
      return !shipped.has(name) && !(file.startsWith('test/') && development.has(name));
    });
    expect(wrong.map(text)).toEqual([]);
  });

  it('leave koffi to agent/kernel alone', () => {
    const wrong = found.filter(({ file, target }) => /^koffi($|\/)/.test(target) && !file.startsWith('agent/kernel/'));
    expect(wrong.map(text)).toEqual([]);
  });
});

describe('the top of the project', () => {
  it('holds what the design knows and nothing else', () => {
    const strange = readdirSync(root).filter(
      (name) => !topLevel.has(name) && !name.startsWith('.') && !/^LICENSE(\.|$)/.test(name) && !name.endsWith('.log'),
    );
    expect(strange).toEqual([]);
  });
});
