import Table from 'cli-table3';
import type { Figure } from '../bench.ts';
import { states } from './states.ts';

/** KubeArmor 1.7.4's enforcer in the same guest (its own build): instructions added, by figure. */
const kubearmor: Readonly<Record<string, number>> = {
  outside: 940,
  'one-rule-3': 18_680,
  'one-rule-9': 22_100,
  'directory-rule-3': 24_050,
  'directory-rule-9': 29_500,
};

/** The figures of the bench `hook` as a table: per state what it adds, and the ratio to the loop without programs. */
export function hookTable(figures: readonly Figure[], release: string): string {
  const value = (name: string) => figures.find((figure) => figure.name === name)?.value;
  const table = new Table({
    head: ['open + close', '3 components', 'ratio', '9 components', 'ratio', 'target', 'KubeArmor 1.7.4'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  const number = (each: number | undefined, sign = '') => (each === undefined ? '' : sign + each.toLocaleString('en'));
  const [loop3 = 0, loop9 = 0] = [value('baseline-3'), value('baseline-9')];
  const ratio = (added: number | undefined, loop: number) =>
    added === undefined ? '' : `${((loop + added) / loop).toFixed(2)}x`;
  table.push(['no programs', number(loop3), '1x', number(loop9), '1x', '', '']);
  for (const { name, text, where } of states) {
    if (where.kind === 'unloaded') continue;
    const [short, long] = where.kind === 'outside' ? [name] : [`${name}-3`, `${name}-9`];
    const [added3, added9] = [value(short ?? ''), value(long ?? '')];
    const target = figures.find((figure) => figure.name === short)?.target;
    const theirs = [short, long].map((each) => number(kubearmor[each ?? ''])).filter((each) => each !== '');
    table.push([
      text,
      number(added3, '+'),
      ratio(added3, loop3),
      number(added9, '+'),
      ratio(added9, loop9),
      number(target, '+'),
      theirs.map((each) => `+${each}`).join(' / '),
    ]);
  }
  const load = value('load');
  return `${table.toString()}\nInstructions on ${release}, one processor; an empty hook alone adds about 150. Programs loaded in ${load} ms.`;
}
