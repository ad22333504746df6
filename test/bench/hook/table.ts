import Table from 'cli-table3';
import type { Figure } from '../bench.ts';
import { rows } from './figures.ts';

/** The figures of the bench `hook` as a table: what each state adds, the ratio to the bare operation, and KubeArmor's. */
export function hookTable(figures: readonly Figure[], release: string): string {
  const find = (name: string) => figures.find((figure) => figure.name === name);
  const number = (each: number | undefined, sign = '') => (each === undefined ? '' : sign + each.toLocaleString('en'));
  const table = new Table({
    head: ['', 'bare', 'added', 'ratio', 'target', 'KubeArmor 1.7.4'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  for (const { figure, text, operation, kubearmor } of rows) {
    const bare = find(`baseline-${operation}`)?.value ?? 0;
    const { value = 0, target } = find(figure) ?? {};
    table.push([
      `${text} (${figure})`,
      number(bare),
      number(value, value < 0 ? '' : '+'),
      `${((bare + value) / bare).toFixed(2)}x`,
      number(target, '+'),
      number(kubearmor, '+'),
    ]);
  }
  const applied = figures.filter(({ name }) => name.startsWith('apply-'));
  const slowest = applied.map(({ name, value }) => `${name.slice('apply-'.length)} ${value}`).join(', ');
  return `${table.toString()}
Instructions on ${release}, one processor; an empty hook alone adds about 150. Programs loaded in ${find('load')?.value} ms.
Milliseconds from policy to flip there: ${slowest}.`;
}
