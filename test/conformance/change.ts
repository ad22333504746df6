import type { Briefing } from './briefing.ts';
import { podOf } from './pods.ts';
import type { Step } from './schema.ts';
import type { Stage } from './stage.ts';

export type ChangeStep = Exclude<Step, { kind: 'command' }>;

/** Carries out a step that is no command; resolves when the change is in force. */
export async function carryOut(
  step: ChangeStep,
  briefing: Pick<Briefing, 'apply' | 'delete' | 'changePosture' | 'annotate' | 'register'>,
  stage: Pick<Stage, 'start'>,
): Promise<void> {
  switch (step.kind) {
    case 'apply':
      return briefing.apply(step.apply);
    case 'delete':
      return briefing.delete(step.delete);
    case 'posture':
      return briefing.changePosture(step.posture);
    case 'annotate':
      return briefing.annotate(step.annotate);
    case 'start':
      // As with a pod whose coming the agent was told of: its rules are there before its first program.
      return stage.start(podOf(step.start), (announced) => briefing.register(announced));
  }
}
